"""The things that an English sentence names, as far as a list of small words tells."""

import re

_SMALL = """
    a an the this that these those some any several many few all both each other another no
    one two three four five six seven eight nine ten
    of in on at by with without to from into onto over under above below between behind beside
    near next along across around through down up off out against for during inside outside like
    and or but while as than then so because
    is are was were be being been am has have had having do does did can could will would
    it its he his she her they their them him i my we our you your who whose which where there what
    very together while about just also still close open
    sits sit sat stands stand stood holds hold held rides ride walks walk runs run lies lie lay
    looks look eats eat plays play wears wear worn flies fly swims swim shows show shown seen
    parked seated dressed covered filled surrounded mounted attached taken made
    top side front back middle left right group bunch pair couple lot set piece pieces picture
    photo photograph image view close-up background foreground
    """
_CUTS = frozenset(_SMALL.split())
_IN_ING = """
    building painting drawing ceiling clothing railing wing ring string king swing spring earring
    wedding pudding crossing parking stuffing frosting bedding awning icing lightning thing
    dumpling duckling evening morning
    """
_THINGS = frozenset(_IN_ING.split())
LONGEST = 4  # words of a phrase
_WORD = re.compile(r"[a-z0-9'-]+|[^\sa-z0-9'-]")


def noun_phrases(sentence: str) -> tuple[str, ...]:
    """Return what stands between small words, verbs in -ing and signs, each once, in its order.

    "two dogs sitting on a red bench" gives "dogs" and "red bench". Not covered: verbs and adverbs
    that are in no list are taken for names of things.
    """
    found: list[str] = []
    words: list[str] = []
    for word in [*_WORD.findall(sentence.lower()), "."]:
        if not _cuts(word):
            words.append(word)
            continue
        if words:
            found.append(" ".join(words[-LONGEST:]))
        words = []
    return tuple(dict.fromkeys(found))


def _cuts(word: str) -> bool:
    verb = word.endswith("ing") and word not in _THINGS and len(word) > 4
    return word in _CUTS or verb or not word[0].isalnum()
