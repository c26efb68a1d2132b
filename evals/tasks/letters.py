"""Which option an answer to a multiple-choice question chooses, by each evaluation's own rule."""

import re
from collections.abc import Sequence
from string import ascii_uppercase

SCIENCE = "ABCDE"
_SCIENCE = re.compile(r"The answer is ([A-Z]).")  # the period stands for any letter, and must match
_AROUND = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_STRICT = re.compile(r"\(?([A-Z])(?:\)?[.:,]?|[.):]\s.*)", re.S)
_ANNOUNCED = re.compile(r".*\banswer(?: is:?|:)\s*", re.S | re.I)


def cambrian(answer: str) -> str:
    """Cambrian-1's fuzzy matcher: one lower-case letter, or whatever comes first, or nothing.

    Its faults are kept: "The answer is: (B)" gives ":", since what follows "answer is" is taken
    before "answer is:" is looked for; and "Both are right" gives "b".
    """
    text = answer.lower().strip()
    for words in ("answer is", "answer is:", "answer:"):
        text = text.split(words)[-1]
    return text.strip().rstrip(".:,").lstrip("(").rstrip(")")[:1]


def cambrian_right(answer: str, letter: str, options: Sequence[str]) -> bool:
    """Whether Cambrian-1 counts an answer as right: by letter, or by an option of one letter.

    The second is how a bare "3" counts where an option is "3"; "30" then counts as well.
    """
    chosen = cambrian(answer)
    return chosen == letter.lower() or chosen == options[ascii_uppercase.index(letter)]


def strict(answer: str) -> str:
    """The upper-case letter that an answer clearly gives, or nothing.

    It is clear alone, in brackets, before a period, colon or bracket with more words, or after the
    last "answer is" or "answer:".
    """
    text = answer.strip()
    announced = _ANNOUNCED.match(text)
    found = _STRICT.fullmatch(text[announced.end() :] if announced else text)
    return found[1] if found else ""


def science(answer: str, count: int) -> str:
    """ScienceQA's letter in LLaVA's evaluation, or nothing.

    The answer is a letter of A to E, or begins with one, a period and a space, or holds "The answer
    is X" once, with something behind it: "The answer is B" alone does not count.

    Args:
        answer: As the model wrote it, blanks included.
        count: How many options there are; a letter past them is nothing.
    """
    letter = ""
    if len(answer) == 1 and answer in SCIENCE:
        letter = answer
    elif answer[:1] in SCIENCE and answer[1:3] == ". ":
        letter = answer[0]
    elif len(found := _SCIENCE.findall(answer)) == 1:
        letter = found[0]
    return letter if letter and letter in SCIENCE[:count] else ""


def mmbench(answer: str, options: Sequence[str]) -> str:
    """MMBench's letter as VLMEvalKit finds it without a language model, or nothing.

    First the option letters among the words, if there is exactly one ("A cat" gives A); then the
    texts of the options inside the answer, if there is exactly one and the answer is at most twice
    as long as all options together.
    """
    words = answer.translate(_AROUND).split()
    letters = ascii_uppercase[: len(options)]
    named = [letter for letter in letters if letter in words]
    if len(named) == 1:
        return named[0]
    if not named and "Z" in words:  # what a refused answer is called there
        return ""
    low = answer.lower()
    if len(low) > 2 * sum(map(len, options)):
        return ""
    told = [letter for letter, text in zip(letters, options, strict=True) if text.lower() in low]
    return told[0] if len(told) == 1 else ""


def first_letter(answer: str) -> str:
    """What comes first after blanks, as lmms-eval reads SEED-Bench."""
    return answer.strip()[:1]
