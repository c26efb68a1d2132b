"""Whether two names of things name the same thing."""

import re

from llava_plus.skills.nouns import SINGULAR

SYNONYMS = {
    "face": {"face", "human face", "people face", "person face"},
    "text": {"text", "word", "writing", "lettering", "letter"},
    "code": {"code", "qr code", "qr", "qrcode", "barcode", "bar code"},
}
KEPT = {"fries", "bus"}  # end in s and are no plurals
ONE = SINGULAR | {word: word for word in KEPT}
FOLDED = {word: name for name, words in SYNONYMS.items() for word in words}
DETERMINERS = re.compile(
    r"^(the|a|an|my|our|your|his|her|their|this|that|these|those|all|every|each|both|any|some)\s+"
)


def same_label(mine: str, theirs: str) -> bool:
    """Whether two labels name the same thing: case, determiners, plural and synonyms aside."""
    return bool(_readings(mine) & _readings(theirs))


def _readings(label: str) -> frozenset[str]:
    """What a label may mean, as singular nouns: spelling does not tell which singular is right."""
    words = re.sub(r"['\u2019]s?\b", "", label.lower())
    words = re.sub(r"[^\w\s%$]", " ", words)
    while (shorter := DETERMINERS.sub("", words.strip())) != words:
        words = shorter
    *head, last = words.split() or [""]
    singulars = {last} if not head and last == "glasses" else _singulars(last)  # are no glass
    readings = (" ".join([*head, noun]) for noun in singulars)
    return frozenset(FOLDED.get(reading, reading) for reading in readings)


def _singulars(noun: str) -> set[str]:
    """The noun, and what it may be the plural of."""
    if noun in ONE:
        return {ONE[noun]}
    if len(noun) < 3 or not noun.endswith("s") or noun.endswith("ss"):
        return {noun}
    found = {noun, noun[:-1]}
    if noun.endswith(("ches", "shes", "ses", "xes", "zes", "oes")):
        found.add(noun[:-2])
    if noun.endswith("ies"):
        found.add(noun[:-3] + "y")
    if noun.endswith("ves"):
        found |= {noun[:-3] + "f", noun[:-3] + "fe"}
    return found
