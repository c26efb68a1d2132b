"""How people type: leads and tails, case, dropped signs, slips of the finger."""

import random

from .banks import Bank

LEADS, TAILS = 0.22, 0.12  # shares of requests that get one
STOPS = "?.!。?!:)"
_NEAR = {  # keys beside each other
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj",
    "i": "uo", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "r": "et",
    "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "y": "tu",
}  # fmt: skip


def dressed(text: str, bank: Bank, rng: random.Random, *, lead: bool) -> str:
    """Put a request into the manner of its bank: a lead, a tail, a capital, a full stop."""
    if lead and not text.startswith(("帮", "请")) and rng.random() < LEADS:
        word = bank.word("lead", rng)
        text = f"{word}{text}" if bank.language == "zh" else f"{word} {text}"
    if lead and text[-1] not in STOPS and rng.random() < TAILS:
        word = bank.word("tail", rng)
        if bank.language == "zh":
            text = f"{text},{word}"
        else:
            text = f"{text}{word}" if word.startswith(",") else f"{text} {word}"
    if text.startswith("¿") and not text.endswith("?"):
        text += "?"
    formal = bank.name in ("en_polite", "en_professional", "zh_formal", "es", "de")
    if formal:
        text = text[:1].upper() + text[1:]
        if text[-1] not in STOPS and rng.random() < 0.8:
            questions = ("Could", "Would", "May", "Can", "Kannst", "Könnten")
            asks = text.startswith(questions) or text.endswith(("吗", "何"))
            stop = "?" if asks else "."
            text += {"?": "?", ".": "。"}[stop] if bank.language == "zh" else stop
    return text


def typed(text: str, bank: Bank, rng: random.Random, *, kept: tuple[str, ...] = ()) -> str:
    """Type it as people do.

    Args:
        text: The request.
        bank: Its register; who writes for an office makes few slips.
        rng: Draws.
        kept: Words that a call copies letter for letter, which no slip may touch.
    """
    careful = bank.name in ("en_polite", "en_professional", "zh_formal")
    if bank.language == "zh":
        return text.rstrip("?。") if not careful and rng.random() < 0.25 else text
    if careful or bank.language != "en":
        return text if careful or rng.random() < 0.7 else text[:1].lower() + text[1:]
    if rng.random() < 0.2:
        text = text[:1].upper() + text[1:]
    if rng.random() < 0.25:
        text = text.replace("'", "")
    if rng.random() < 0.3:
        text = text.rstrip("?.") or text
    share = 0.14 if bank.name == "en_childlike" else 0.09
    return _slip(text, rng, kept) if rng.random() < share else text


def _slip(text: str, rng: random.Random, kept: tuple[str, ...]) -> str:
    """Make one slip in a word of four letters or more that nobody copies."""
    words = text.split(" ")
    spared = {part.lower() for word in kept for part in word.split()}
    free = [
        place
        for place, word in enumerate(words)
        if len(word) > 3
        and word.isalpha()
        and word.isascii()
        and not any(word.lower().startswith(one[:4]) for one in spared)
    ]
    if not free:
        return text
    place = rng.choice(free)
    word = words[place]
    at = rng.randrange(1, len(word) - 1)
    how = rng.random()
    if how < 0.4:
        word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif how < 0.65:
        word = word[:at] + word[at + 1 :]
    elif how < 0.85:
        word = word[:at] + word[at] + word[at:]
    else:
        word = word[:at] + rng.choice(_NEAR.get(word[at].lower(), word[at])) + word[at + 1 :]
    return " ".join([*words[:place], word, *words[place + 1 :]])
