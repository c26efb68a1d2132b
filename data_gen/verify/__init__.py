"""Verifiers: each looks at one trace at a time and says whether it may stay, and why not."""

from .answers import Grounded, MatchesTruth, NoLeak
from .duplicates import Signature, Unique, signature
from .permission import ALLOWED, Licences, Refusals
from .replayed import Replay
from .schema import Schema
from .sieve import Report, Sieve, Yield, put_pictures, sift_folder, standard_verifiers
from .verdict import Verdict, Verifier

__all__ = [
    "ALLOWED",
    "Grounded",
    "Licences",
    "MatchesTruth",
    "NoLeak",
    "Refusals",
    "Replay",
    "Report",
    "Schema",
    "Sieve",
    "Signature",
    "Unique",
    "Verdict",
    "Verifier",
    "Yield",
    "put_pictures",
    "sift_folder",
    "signature",
    "standard_verifiers",
]
