"""English nouns and their plurals, as far as spelling tells."""

IRREGULAR = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "foot": "feet",
    "tooth": "teeth", "mouse": "mice", "goose": "geese", "leaf": "leaves", "knife": "knives",
    "shelf": "shelves", "loaf": "loaves", "scarf": "scarves", "wolf": "wolves", "calf": "calves",
    "sheep": "sheep", "fish": "fish", "deer": "deer", "aircraft": "aircraft", "salmon": "salmon",
    "bus": "buses", "gas": "gases", "lens": "lenses", "iris": "irises", "octopus": "octopuses",
    "walrus": "walruses", "cactus": "cactuses", "quiz": "quizzes", "waltz": "waltzes",
    "canvas": "canvases", "minibus": "minibuses", "oasis": "oases", "thermos": "thermoses",
}  # fmt: skip
# Regular words whose plurals look like those of others: "cookies" and "cherries".
ALL_BUT_S = (
    "axe", "beanie", "birdie", "brioche", "brownie", "cache", "calorie", "collie", "cookie", "emu",
    "genie", "gnu", "headache", "hoodie", "kiwi", "magpie", "menu", "moustache", "movie",
    "mustache", "necktie", "niche", "pickaxe", "pie", "pixie", "prairie", "quiche", "rookie",
    "sari", "selfie", "ski", "smoothie", "taxi", "tie", "tipi", "toothache", "walkie-talkie",
    "zombie", "zucchini",
)  # fmt: skip
SINGULAR = {
    **{many: one for one, many in IRREGULAR.items()},
    **{f"{one}s": one for one in ALL_BUT_S},
}


def plural(name: str) -> str:
    """The English plural of a noun phrase's last word."""
    *head, last = name.split(" ")
    return " ".join([*head, _plural(last)])


def singular(name: str) -> str:
    """The noun phrase with its last word in the singular, as far as spelling tells."""
    *head, last = name.split(" ")
    return " ".join([*head, _singular(last)])


def _plural(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word in SINGULAR:
        return word
    if word.endswith(("s", "x", "ch", "sh", "z")):
        return word + "es"
    if len(word) > 2 and word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def _singular(word: str) -> str:
    if word in SINGULAR:
        return SINGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes", "zzes")):
        return word[:-2]
    return (
        word[:-1]
        if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))
        else word
    )
