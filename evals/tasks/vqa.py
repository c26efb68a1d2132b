"""The answers of ten people: VQA accuracy, and the two ways in which answers are made comparable.

The rules are those of the VQA evaluation code (Goyal et al. 2017) and of its EvalAI server, which
TextVQA and VizWiz use as well; what is odd about them is kept, and named where it happens.
"""

import re
from collections.abc import Sequence

PEOPLE = 10
ENOUGH = 3  # other people with the same answer, for full marks
MARKS = ';/[]"{}()=+\\_-><@`,?!'
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
WORDS = {"none": "0"} | {word: str(number) for number, word in enumerate(NUMBERS)}
ARTICLES = ("a", "an", "the")
DIGIT_COMMA = re.compile(r"\d,\d")
# Meant as "no digit before", but (?!<=\d) looks ahead for "<=", which a period never is: it does
# nothing, so that the period of "5." goes as well.
PERIOD = re.compile(r"(?!<=\d)\.(?!\d)")
PERIODS = int(re.UNICODE)  # the flag stands where the count belongs: 32 periods go, the rest stays

# Words that get an apostrophe back wherever one of theirs is missing. Those with a capital never
# match, since words are lower case by then; "she's" is here without "shes".
_CONTRACTED = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
haven't he'd he'd've he's how'd how'll how's I'd've I'm I've isn't it'd it'd've it'll ma'am mightn't
mightn't've might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't she'd've
should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've
someone'll someone's something'd something'd've something'll that's there'd there'd've there're
there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're
what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're
why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're
you've
"""


def _missing_one(word: str) -> list[str]:
    """Spell a word with each of its apostrophes left out in turn."""
    return [word[:at] + word[at + 1 :] for at, letter in enumerate(word) if letter == "'"]


# The last one goes the wrong way round in the original table, too.
CONTRACTIONS = {spelled: word for word in _CONTRACTED.split() for spelled in _missing_one(word)} | {
    "somebody'd": "somebodyd"
}


def vqa_official(answer: str, answers: Sequence[str]) -> float:
    """VQAv2's accuracy in 0..1: answers are normalized only where the people do not all agree."""
    said, people = _flat(answer), [_flat(one) for one in answers]
    if len(set(people)) > 1:
        said, people = _normalized(said), [_normalized(one) for one in people]
    return _agreement(said, people)


def vqa_evalai(answer: str, answers: Sequence[str]) -> float:
    """The EvalAI server's and M4C's accuracy in 0..1: answers are always normalized."""
    return _agreement(normalize_evalai(answer), [normalize_evalai(one) for one in answers])


def normalize_official(text: str) -> str:
    """Normalize as VQAv2's code does: punctuation, periods, case, numbers, articles."""
    return _normalized(_flat(text))


def normalize_evalai(text: str) -> str:
    """Normalize as EvalAI does: commas and question marks go first, ``'s`` becomes a word."""
    text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    return _normalized(_flat(text))


def _agreement(answer: str, people: Sequence[str]) -> float:
    """The mean over everybody left out in turn of min(1, others with the same answer / 3)."""
    same = people.count(answer)
    scores = [min(1.0, (same - (one == answer)) / ENOUGH) for one in people]
    return sum(scores) / len(scores)


def _flat(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _normalized(text: str) -> str:
    return _words(_unpunctuated(text))


def _unpunctuated(text: str) -> str:
    """Drop a mark that stands beside a space anywhere, and all where digits hold a comma."""
    numbers = DIGIT_COMMA.search(text) is not None
    out = text
    for mark in MARKS:
        beside = f"{mark} " in text or f" {mark}" in text
        out = out.replace(mark, "" if beside or numbers else " ")
    return PERIOD.sub("", out, count=PERIODS)


def _words(text: str) -> str:
    words = [WORDS.get(word, word) for word in text.lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)
