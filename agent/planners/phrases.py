"""What a small planner may copy: the phrases of the requests, and the names it knows by heart."""

from collections.abc import Iterable, Sequence

MOST_WORDS = 5
LAST = 120  # words of the requests that are looked at, the newest
EDGES = " \t\n.,;:!?\"'()[]{}<>*_~`\u2026\u201c\u201d\u2018\u2019\u00ab\u00bb"
NAMES = ("face", "text", "code")  # what the offline detectors find, whatever it is called

# Words that no name of a thing begins or ends with: articles, pronouns, prepositions, question
# words, auxiliaries, and what one tells somebody to do.
NOT_NAMING = frozenset((
    "1st", "2nd", "3rd", "a", "about", "across", "actually", "after", "afterwards", "again",
    "all", "along", "also", "am", "an", "and", "anticlockwise", "any", "anything", "anyway",
    "are", "around", "as", "asap", "at", "away", "back", "be", "because", "been", "before",
    "behind", "being", "better", "bit", "blur", "blurred", "blurry", "both", "brighten",
    "brighter", "brightness", "bring", "but", "buyers", "bw", "by", "came", "can't", "cant",
    "censor", "cheers", "clockwise", "come", "completely", "contrast", "could", "count",
    "crooked", "crop", "cropped", "cut", "cuts", "darken", "darker", "degrees", "delete", "did",
    "dim", "dimmer", "do", "does", "don't", "dont", "each", "either", "else", "enough", "erase",
    "even", "ever", "every", "everyone", "everything", "exactly", "except", "fifth", "find",
    "first", "five", "flip", "for", "four", "fourth", "from", "furthest", "fuzz", "fuzzy", "get",
    "gimme", "give", "go", "goes", "gone", "gonna", "got", "gotta", "grayscale", "greyscale",
    "had", "has", "have", "he", "he's", "hello", "her", "hey", "hide", "him", "his", "hmm", "how",
    "how's", "hows", "i", "i'd", "i'm", "i've", "if", "illegible", "im", "in", "instead", "into",
    "is", "isn't", "isnt", "it", "it's", "its", "just", "keep", "kindly", "know", "known",
    "later", "leave", "leftmost", "legible", "lemme", "less", "lighten", "like", "lol", "look",
    "looks", "lose", "lot", "lowest", "made", "make", "may", "maybe", "me", "might", "mine",
    "mirrored", "more", "much", "mushy", "must", "my", "n", "nearest", "need", "needed", "needs",
    "never", "next", "nobody", "not", "nothing", "now", "of", "off", "oh", "ok", "okay", "on",
    "once", "one", "only", "onto", "or", "other", "others", "our", "out", "outline", "over",
    "percent", "pixelate", "pixelated", "please", "pls", "plus", "plz", "posting", "put", "quite",
    "r", "rather", "read", "really", "recognisable", "remove", "rest", "rid", "rightmost",
    "rotate", "rotated", "saturated", "saturation", "say", "says", "second", "see", "seems",
    "sharpen", "sharper", "sharpness", "she", "she's", "shes", "should", "show", "sideways",
    "since", "six", "slightly", "so", "soften", "softer", "somebody", "someone",
    "something", "somewhere", "sorry", "stay", "stays", "still", "straighten", "strongly", "take",
    "tell", "ten", "than", "thanks", "that", "that's", "thats", "the", "their", "them", "then",
    "there", "there's", "theres", "these", "they", "they're", "theyre", "think", "third", "this",
    "those", "though", "three", "through", "thx", "to", "today", "tomorrow", "tonight", "too",
    "topmost", "turn", "turned", "two", "u", "unless", "unreadable", "unrecognisable", "until",
    "up", "upside", "ur", "us", "use", "vanish", "very", "visible", "w", "wanna", "want", "wants",
    "was", "way", "we", "well", "went", "were", "what", "what's", "whatever", "whats", "when",
    "where", "where's", "wheres", "whether", "which", "while", "who", "who's", "whos", "why",
    "will", "wipe", "with", "without", "worse", "would", "wrong", "yes", "you", "your", "zoom",
))  # fmt: skip
NOT_LAST = frozenset((  # nor ends with, though it may begin with them
    "bad", "big", "bigger", "biggest", "black", "blurring", "bright", "coming", "crisp",
    "cropping", "dark", "dull", "going", "good", "gray", "grey", "hanging", "huge", "large",
    "larger", "largest", "last", "left", "little", "littlest", "lovely", "lower", "lying",
    "making", "middle", "nice", "right", "selling", "sharp", "sitting", "small", "smaller",
    "smallest", "soft", "standing", "sticking", "teeny", "tiny", "upper", "wanted", "white",
))  # fmt: skip

# Names, or how names begin, all the same.
NAMING = ("drill bit", "first aid", "four leaf", "second hand", "spoon rest", "turn signal")


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


def things_of(phrases: Sequence[str]) -> tuple[str, ...]:
    """The phrases that can name a thing: "reading glasses", but not "leave my reading".

    All of them where none can.
    """
    return tuple(phrase for phrase in phrases if _names(phrase)) or tuple(phrases)


def _names(phrase: str) -> bool:
    words = phrase.lower().replace("\u2019", "'").split()
    told_apart = any(  # by more than an abbreviation such as "no. 14"
        word[-1] in ",;:?!" or (word[-1] == "." and len(word) > 3) for word in words[:-1]
    )
    edges = [words[0], words[-1]]
    if told_apart or words[-1] in NOT_LAST or "but" in words:
        return False
    name = " ".join(words)
    if name in NAMING:
        return True
    if name.startswith(NAMING):
        edges = edges[1:]
    return not any(word in NOT_NAMING or word.endswith("%") for word in edges)
