"""More from one conversation: other things in it, other numbers, other typing.

A conversation was made by running skills. Its copies here say what running them again would give:
the ground truth of a drawn scene finds its objects under whatever name is asked for, and no edit
reads what a region is called. So a name is exchanged everywhere at once, in the request, in the
calls and in what came back. What people say beside a request is put before or after it.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from llava_plus.messages import Conversation, Message, TextPart
from llava_plus.skills.nouns import singular

from .nouns import COMMON, FOLDER, Nouns, several

LABEL = re.compile(r'"label":" ([^"]+)"')
DEGREES = re.compile(r'"degrees":-?([0-9]+)\b')
ANGLES = ("5", "7", "8", "10", "12", "15", "18", "20", "25", "30", "35", "40", "45", "60", "75")
BYSTANDERS = 0.4  # share of copies in which the other things of a request change too
ASIDES = 0.2  # share of copies in which something else is said beside the request


def named(conversation: Conversation) -> tuple[str, ...]:
    """The things that the conversation's calls name, without what the offline detectors find."""
    found = [name for m in conversation if m.role == "assistant" for name in LABEL.findall(m.text)]
    return tuple(name for name in dict.fromkeys(found) if singular(name.lower()) not in COMMON)


def refilled(conversation: Conversation, nouns: Nouns, rng: random.Random) -> list[Message]:
    """The conversation about other things, at other angles, typed a little differently."""
    swaps: dict[str, str] = {}
    for name in named(conversation):
        one = singular(name)
        if one.lower() in (known.lower() for known in swaps):
            continue
        noun = nouns.draw(rng)
        swaps |= {
            one: noun.one,
            several(one): noun.many,
            name: noun.many if name != one else noun.one,
        }
    last = max(index for index, m in enumerate(conversation) if m.role == "user")
    if swaps and rng.random() < BYSTANDERS:
        for word in nouns.found(conversation[last].text):
            if word not in swaps and not any(word in name.lower().split() for name in swaps):
                noun = nouns.draw(rng)
                swaps[word] = noun.one if word in nouns.names else noun.many
    swaps |= _angles(conversation, rng)
    messages = [_swapped(message, swaps) for message in conversation]
    if rng.random() < ASIDES:
        messages[last] = _with_aside(messages[last], nouns, rng)
    messages[last] = _retyped(messages[last], named(messages), rng)
    return messages


@cache
def asides() -> tuple[tuple[str, str], ...]:
    """What people say beside a request: whether it stands "before" or "after", and the words."""
    lines = (FOLDER / "asides.tsv").read_text(encoding="utf-8").splitlines()
    return tuple((place, words) for place, words in (line.split("\t") for line in lines))


def _with_aside(message: Message, nouns: Nouns, rng: random.Random) -> Message:
    place, words = rng.choice(asides())
    noun = nouns.draw(rng)
    words = _articles(
        words.replace("{s}", noun.many).replace("{}", noun.one), (noun.one, noun.many)
    )
    *before, request = message.parts
    assert isinstance(request, TextPart)
    if place == "before":
        text = f"{words} {request.text}"
    else:
        text = request.text.rstrip() + ("" if words[0] in ",." else " ") + words
    return replace(message, parts=(*before, TextPart(text=text)))


def _angles(conversation: Conversation, rng: random.Random) -> dict[str, str]:
    words = " ".join(m.text for m in conversation if m.role == "user")
    calls = " ".join(m.text for m in conversation if m.role == "assistant")
    stated = {n for n in DEGREES.findall(calls) if re.search(rf"(?<![\w_]){n}(?!\w)", words)}
    return {n: rng.choice(ANGLES) for n in sorted(stated - {"90", "180", "270"})}


def _swapped(message: Message, swaps: dict[str, str]) -> Message:
    if not swaps:
        return message
    longest = sorted(swaps, key=len, reverse=True)
    # What a colon follows is a word of the format: a key, or the kind of a result.
    pattern = re.compile(
        rf"(?<![\w_])({'|'.join(map(re.escape, longest))})(?![\w_]|\"?:)", re.IGNORECASE
    )
    by_lower = {name.lower(): new for name, new in swaps.items()}

    def new(match: re.Match[str]) -> str:
        word = by_lower[match[1].lower()]
        if match[1].isupper() and len(match[1]) > 2:
            return word.upper()
        return word[:1].upper() + word[1:] if match[1][:1].isupper() else word

    return _with_text(message, lambda text: _articles(pattern.sub(new, text), swaps.values()))


def _retyped(message: Message, names: Sequence[str], rng: random.Random) -> Message:
    """Case, punctuation, apostrophes, a slip of the finger; names stay as they are."""
    changes = [rng.random() for _ in range(4)]
    at = rng.random()

    def typed(text: str) -> str:
        if len(text) < 9 or any(name not in text for name in names):
            return text
        if changes[0] < 0.25:
            text = text[:1].upper() + text[1:]
        elif changes[0] < 0.4 and not any(name != name.lower() for name in names):
            text = text.lower()
        if changes[1] < 0.2:
            text = text.rstrip(".!?")
        if changes[2] < 0.15:
            text = text.replace("'", "")
        if changes[3] < 0.06:
            where = 1 + int(at * (len(text) - 3))
            slip = text[:where] + text[where + 1] + text[where] + text[where + 2 :]
            text = slip if all(name in slip for name in names) else text
        return text

    *before, request = message.parts
    assert isinstance(request, TextPart)
    return replace(message, parts=(*before, TextPart(text=typed(request.text))))


def _articles(text: str, names: object) -> str:
    """Make "a" and "an" agree with the words that now stand there."""
    for name in set(names):  # type: ignore[call-overload]
        right = "an" if name[:1].lower() in "aeiou" else "a"
        text = re.sub(rf"\b(?:a|an) (?={re.escape(name)}\b)", f"{right} ", text)
    return text


def _with_text(message: Message, change: object) -> Message:
    parts = tuple(
        TextPart(text=change(part.text)) if isinstance(part, TextPart) else part  # type: ignore[operator]
        for part in message.parts
    )
    return replace(message, parts=parts)
