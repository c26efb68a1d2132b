"""What a small planner may copy: the phrases of the requests, and the names it knows by heart."""

from collections.abc import Iterable

MOST_WORDS = 5
LAST = 120  # words of the requests that are looked at, the newest
EDGES = " \t\n.,;:!?\"'()[]{}<>*_~`\u2026\u201c\u201d\u2018\u2019\u00ab\u00bb"
NAMES = ("face", "text", "code")  # what the offline detectors find, whatever it is called


def phrases_of(requests: Iterable[str]) -> tuple[str, ...]:
    """Every run of up to five words, without the punctuation around it, each once.

    A planner of a few million parameters spells badly; what it names, somebody has spelled before.
    """
    found = dict.fromkeys(NAMES)
    words = [word for request in requests for word in [*request.split(), ""]][-LAST:]
    for start in range(len(words)):
        for end in range(start + 1, min(start + MOST_WORDS, len(words)) + 1):
            if not words[end - 1]:  # phrases do not reach from one request into the next
                break
            phrase = " ".join(words[start:end]).strip(EDGES)
            found[phrase] = None
            if phrase.endswith(("'s", "\u2019s")):
                found[phrase[:-2]] = None
            for part in phrase.replace("/", "-").split("-") if end == start + 1 else ():
                found[part.strip(EDGES)] = None
    found.pop("", None)
    return tuple(found)
