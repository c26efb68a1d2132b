"""Whether two names of things name the same thing."""

import re

SYNONYMS = {
    "face": {"face", "human face", "people face", "person face"},
    "text": {"text", "word", "writing", "lettering", "letter"},
    "code": {"code", "qr code", "qr", "qrcode", "barcode", "bar code"},
}
IRREGULAR = {"people": "person", "men": "man", "women": "woman", "children": "child"}
IRREGULAR |= {"feet": "foot", "teeth": "tooth", "mice": "mouse", "geese": "goose", "leaves": "leaf"}
IRREGULAR |= {"knives": "knife", "shelves": "shelf", "loaves": "loaf", "scarves": "scarf"}
IRREGULAR |= {"kids": "kid", "glasses": "glasses", "fries": "fries", "bus": "bus", "buses": "bus"}
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
    readings = (" ".join([*head, noun]) for noun in _singulars(last))
    return frozenset(FOLDED.get(reading, reading) for reading in readings)


def _singulars(noun: str) -> set[str]:
    """The noun, and what it may be the plural of."""
    if noun in IRREGULAR:
        return {IRREGULAR[noun]}
    if len(noun) < 3 or not noun.endswith("s") or noun.endswith("ss"):
        return {noun}
    found = {noun, noun[:-1]}
    if noun.endswith(("ches", "shes", "sses", "xes", "zes", "oes", "uses")):
        found.add(noun[:-2])
    if noun.endswith("ies"):
        found.add(noun[:-3] + "y")
    if noun.endswith("ves"):
        found |= {noun[:-3] + "f", noun[:-3] + "fe"}
    return found
