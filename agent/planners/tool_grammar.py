"""A grammar of exactly what a planner may write next, in its template's own tool calling."""

import re
from collections.abc import Mapping, Sequence

from llava_plus.skills import Artifacts, SkillRegistry

from .grammar import ACTIONS, Book, Spelling, by_kind, call_rule, quote
from .template import CallSyntax

ANY = r"/(.|\n)*/"
NO_BLANK = r"/(.|\n)*\S(.|\n)*/"


def tool_grammar(
    skills: SkillRegistry,
    handles: Mapping[str, Sequence[str]] | Artifacts,
    syntax: CallSyntax,
    specials: Mapping[str, int],
) -> str:
    """Write a Lark grammar for llguidance: words, or calls with or without words before them.

    Calls are what `call_grammar` lets through: live handles, known skills, numbers inside their
    limits. An answer has some words; no words hold what opens a call. Not covered: what an answer
    cites, and how long it is.

    Args:
        skills: What can be called.
        handles: The live handles by kind, or the artifacts.
        syntax: How the template writes calls.
        specials: The ids of tokens that llguidance takes for more than the letters in them.
    """
    book = Book(
        spelling=Spelling(
            head=syntax.head,
            middle=syntax.middle,
            comma=syntax.comma,
            colon=syntax.colon,
            blank="",
        )
    )
    handles = by_kind(handles)
    calls = [rule for spec in skills if (rule := call_rule(spec, handles, book))]
    lines = [*_words(syntax, specials), f"start: {'acts | ' if calls else ''}SAYS"]
    if calls:
        between, after = (_literal(text, specials) for text in (syntax.between, syntax.after))
        more = f"({between} call){{0,{ACTIONS - 1}}}"
        lines += [f"acts: open call {more} {after}", f"call: {' | '.join(calls)}"]
    return "\n".join([*lines, *book.lines()]) + "\n"


def _words(syntax: CallSyntax, specials: Mapping[str, int]) -> list[str]:
    """The rules of words, and of what opens the first call, words before it included."""
    if not syntax.marker:
        return [r"SAYS: /[^\s{](.|\n)*/", f"open: {quote(syntax.before)}"]
    marker = re.escape(syntax.marker).replace("/", r"\/")
    words = [rf"WORDS: {ANY} & ~/(.|\n)*{marker}(.|\n)*/", f"SAYS: WORDS & {NO_BLANK}"]
    if any(part in specials for part in _parts(syntax.marker, specials)):
        return [*words, f"open: SAYS? {_literal(syntax.before, specials)}"]
    return [*words, f"OPEN: WORDS {quote(syntax.before.lstrip())}", "open: OPEN"]


def _literal(text: str, specials: Mapping[str, int]) -> str:
    """Write a fixed text, with the special tokens in it."""
    parts = _parts(text, specials)
    return " ".join(f"<[{specials[one]}]>" if one in specials else quote(one) for one in parts)


def _parts(text: str, specials: Mapping[str, int]) -> list[str]:
    """Split a text into special tokens and what stands between them."""
    names = "|".join(map(re.escape, sorted(specials, key=len, reverse=True)))
    return [part for part in re.split(f"({names})" if names else r"(?!)", text) if part] or [""]
