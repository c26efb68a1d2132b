"""What a small planner may copy: the phrases of the requests, and the names it knows by heart."""

from collections.abc import Iterable, Sequence

MOST_WORDS = 5
LAST = 120  # words of the requests that are looked at, the newest
EDGES = " \t\n.,;:!?\"'()[]{}<>*_~`\u2026\u201c\u201d\u2018\u2019\u00ab\u00bb"
NAMES = ("face", "text", "code")  # what the offline detectors find, whatever it is called

# Words that no name of a thing begins or ends with: articles, pronouns, prepositions, question
# words, auxiliaries, and what one tells somebody to do.
NOT_NAMING = frozenset((
    "a", "about", "across", "actually", "after", "again", "all", "along", "also", "am", "an",
    "and", "any", "anything", "anyway", "are", "around", "as", "at", "away", "back", "be",
    "because", "been", "before", "behind", "being", "blur", "both", "brighten", "bring", "but",
    "by", "can't", "cant", "censor", "cheers", "could", "count", "crop", "darken", "did", "do",
    "does", "don't", "dont", "each", "either", "else", "enough", "erase", "even", "ever", "every",
    "everyone", "everything", "exactly", "except", "find", "flip", "for", "from", "get", "gimme",
    "give", "go", "goes", "gone", "gonna", "got", "gotta", "had", "hanging", "has", "have", "he",
    "he's", "hello", "her", "hey", "hide", "him", "his", "hmm", "how", "how's", "hows", "i",
    "i'd", "i'm", "i've", "if", "im", "in", "instead", "into", "is", "isn't", "isnt", "it",
    "it's", "its", "just", "keep", "kindly", "know", "leave", "lemme", "like", "lol", "look",
    "looks", "lying", "make", "maybe", "me", "mine", "much", "my", "n", "need", "never", "nobody",
    "not", "nothing", "now", "of", "off", "oh", "ok", "okay", "on", "one", "only", "onto", "or",
    "our", "out", "outline", "over", "pixelate", "please", "pls", "plus", "plz", "put", "quite",
    "r", "rather", "read", "really", "remove", "rest", "rid", "rotate", "say", "says", "see",
    "seems", "sharpen", "she", "she's", "shes", "should", "show", "since", "sitting", "so",
    "somebody", "someone", "something", "somewhere", "sorry", "standing", "stay", "stays",
    "sticking", "still", "take", "tell", "than", "thanks", "that", "that's", "thats", "the",
    "their", "them", "then", "there", "there's", "theres", "these", "they", "they're", "theyre",
    "this", "those", "though", "through", "thx", "to", "too", "turn", "u", "unless", "until",
    "up", "ur", "us", "use", "very", "w", "wanna", "want", "was", "we", "well", "were", "what",
    "what's", "whatever", "whats", "when", "where", "where's", "wheres", "whether", "which",
    "while", "who", "who's", "whos", "why", "will", "with", "without", "would", "yes", "you",
    "your", "zoom",
))  # fmt: skip


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
    told_apart = any(word[-1] in ",.;:?!" for word in words[:-1])
    return not told_apart and words[0] not in NOT_NAMING and words[-1] not in NOT_NAMING
