"""What can be wished of the built-in skills: one line for each wish that the banks can word."""

import random
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from .facts import Facts
from .targets import quoted
from .tongue import Tongue

Slots = dict[str, str]
Args = dict[str, JsonValue]
Drawer = Callable[[random.Random, Facts | None, Tongue], tuple[Args, Slots] | None]

COLORS = ("red", "yellow", "blue", "green", "white", "black", "orange", "pink", "purple")
INKS = ("red", "yellow", "blue", "green", "orange", "purple")
WORDS = (
    "SALE", "Hello", "Happy Birthday", "FOR RENT", "Thank you", "Summer", "No. 7", "DRAFT",
    "Best Friends", "SOLD", "Room 12", "Welcome home", "TEST", "Look here", "Merry Christmas",
    "OPEN DAY", "Chapter 1", "Not mine", "New", "Good Morning", "Team B", "LOST", "Before", "Wow",
)  # fmt: skip
PLACES = ("top", "bottom", "center", "top left", "top right", "bottom left", "bottom right")
CHARTS = ("bar", "pie", "bar", "line")
WIDTHS = (200, 256, 320, 400, 500, 512, 600, 640, 720, 800, 1000, 1024)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Something that a person may want, and the call that does it.

    Args:
        key: Under which the banks word it.
        skill: What does it.
        args: Arguments that are always the same.
        region: The parameter that takes what is meant; empty where the whole picture is.
        draw: Draws what is left open: arguments and words for the same.
        group: Wishes of one group are not put together: who blurs a thing does not erase it.
        moves: Whether places in the picture are elsewhere afterwards.
        tell: What is answered; an edit shows its picture.
        shape: Whether an exact outline serves better than a box.
        images: How many pictures it takes.
    """

    key: str
    skill: str
    args: Mapping[str, JsonValue] = field(default_factory=dict)
    region: str = ""
    draw: Drawer | None = None
    group: str = ""
    moves: bool = False
    tell: str = "done"
    shape: bool = False
    images: int = 1

    @property
    def edits(self) -> bool:
        return self.tell == "done"


def _turn(rng: random.Random, facts: Facts | None, words: Tongue) -> tuple[Args, Slots]:
    degrees = rng.choice((3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 45, 60, 75, 120, 135))
    return {"degrees": degrees}, {"n": str(degrees)}


def _pixels(name: str) -> Drawer:
    def draw(rng: random.Random, facts: Facts | None, words: Tongue) -> tuple[Args, Slots]:
        side = rng.choice(WIDTHS)
        return {name: side}, {"n": str(side)}

    return draw


def _ink(colors: tuple[str, ...]) -> Drawer:
    def draw(rng: random.Random, facts: Facts | None, words: Tongue) -> tuple[Args, Slots] | None:
        color = rng.choice(colors)
        word = words.color(color, rng)
        return ({"color": color}, {"c": word}) if word else None

    return draw


def _writing(rng: random.Random, facts: Facts | None, words: Tongue) -> tuple[Args, Slots]:
    places = [place for place in PLACES if f"where.{place}" in words]
    place, text = rng.choice(places), rng.choice(WORDS)
    where = words.say(f"where.{place}", rng)
    return {"text": text, "place": place}, {"w": quoted(text, words), "where": where}


def _sum(rng: random.Random, facts: Facts | None, words: Tongue) -> tuple[Args, Slots]:
    expression, value = rng.choice(_SUMS)(rng.randint(2, 99), rng.randint(11, 999))
    return {"expression": expression}, {"e": expression, "value": f"{value!r}"}


def _chart(rng: random.Random, facts: Facts | None, words: Tongue) -> tuple[Args, Slots] | None:
    if "chart.bar" not in words:
        return None
    kind = rng.choice(CHARTS[:3])
    return {"kind": kind}, {"chart": words.say(f"chart.{kind}", rng)}


# Each with its worth, reckoned here, so that what the skill says is checked.
_SUMS: tuple[Callable[[int, int], tuple[str, float]], ...] = (
    lambda a, b: (f"{a} * {b}", a * b),
    lambda a, b: (f"{b} + {17 * a}", b + 17 * a),
    lambda a, b: (f"{b + 900} - {a}", b + 900 - a),
    lambda a, b: (f"{a} * {b}.25", a * (b + 0.25)),
    lambda a, b: (f"({a} + {b}) * 7", (a + b) * 7),
    lambda a, b: (f"{b} / 8", b / 8),
    lambda a, b: (f"sqrt({a * a})", a),
    lambda a, b: (f"0.25 * {b}", 0.25 * b),
    lambda a, b: (f"{a} ** 2", a**2),
    lambda a, b: (f"{a}.5 + {b}.75 + 12", a + b + 13.25),
    lambda a, b: (f"mean({a}, {b}, {a + b})", (2 * a + 2 * b) / 3),
)

_HIDE, _LIGHT, _COLOR, _STYLE, _PLACE, _SIZE = "hide", "light", "color", "style", "place", "size"

WISHES: tuple[Wish, ...] = (
    Wish(key="blur", skill="blur", group=_HIDE),
    Wish(key="blur.part", skill="blur", region="region", group=_HIDE),
    Wish(key="blur.else", skill="blur", region="region", args={"outside": True}, group=_HIDE,
         shape=True),
    Wish(key="pixelate", skill="pixelate", group=_HIDE),
    Wish(key="pixelate.part", skill="pixelate", region="region", group=_HIDE),
    Wish(key="erase", skill="erase", region="region", group=_HIDE),
    Wish(key="crop", skill="crop", region="region", group=_PLACE, moves=True),
    Wish(key="bright", skill="adjust", args={"brightness": 0.3}, group=_LIGHT),
    Wish(key="dark", skill="adjust", args={"brightness": -0.3}, group=_LIGHT),
    Wish(key="contrast", skill="adjust", args={"contrast": 0.3}, group="contrast"),
    Wish(key="flat", skill="adjust", args={"contrast": -0.3}, group="contrast"),
    Wish(key="vivid", skill="adjust", args={"saturation": 0.3}, group=_COLOR),
    Wish(key="faded", skill="adjust", args={"saturation": -0.3}, group=_COLOR),
    Wish(key="sharp", skill="adjust", args={"sharpness": 0.3}, group="sharp"),
    Wish(key="soft", skill="adjust", args={"sharpness": -0.3}, group="sharp"),
    Wish(key="gray", skill="adjust", args={"grayscale": True}, group=_COLOR),
    Wish(key="bright.part", skill="adjust", region="region", args={"brightness": 0.3},
         group=_LIGHT),
    Wish(key="gray.part", skill="adjust", region="region", args={"grayscale": True},
         group=_COLOR, shape=True),
    Wish(key="gray.else", skill="adjust", region="region",
         args={"grayscale": True, "outside": True}, group=_COLOR, shape=True),
    Wish(key="turn.right", skill="rotate", args={"degrees": 90}, group=_PLACE, moves=True),
    Wish(key="turn.left", skill="rotate", args={"degrees": -90}, group=_PLACE, moves=True),
    Wish(key="turn.over", skill="rotate", args={"degrees": 180}, group=_PLACE, moves=True),
    Wish(key="turn.deg", skill="rotate", draw=_turn, group=_PLACE, moves=True),
    Wish(key="mirror", skill="flip", args={"direction": "horizontal"}, group="flip", moves=True),
    Wish(key="upside", skill="flip", args={"direction": "vertical"}, group="flip", moves=True),
    Wish(key="width", skill="resize", draw=_pixels("width"), group=_SIZE, moves=True),
    Wish(key="longest", skill="resize", draw=_pixels("longest"), group=_SIZE, moves=True),
    Wish(key="half", skill="resize", args={"scale": 0.5}, group=_SIZE, moves=True),
    Wish(key="double", skill="resize", args={"scale": 2}, group=_SIZE, moves=True),
    Wish(key="straight", skill="straighten", group=_PLACE, moves=True),
    Wish(key="enhance", skill="enhance", group="better"),
    Wish(key="denoise", skill="denoise", group="noise"),
    *(Wish(key=f"style.{style}", skill="stylize", args={"style": style}, group=_STYLE)
      for style in ("sketch", "color_sketch", "cartoon", "oil", "sepia", "vignette", "poster",
                    "negative")),
    Wish(key="box", skill="draw", region="region", draw=_ink(INKS), args={"shape": "box"},
         group="mark"),
    Wish(key="circle", skill="draw", region="region", draw=_ink(INKS), args={"shape": "circle"},
         group="mark"),
    Wish(key="arrow", skill="draw", region="region", draw=_ink(INKS), args={"shape": "arrow"},
         group="mark"),
    Wish(key="highlight", skill="draw", region="region", draw=_ink(INKS),
         args={"shape": "highlight"}, group="mark"),
    Wish(key="outline.draw", skill="draw", region="region", draw=_ink(INKS),
         args={"shape": "outline"}, group="mark", shape=True),
    Wish(key="write", skill="add_text", draw=_writing, group="write"),
    Wish(key="cut", skill="remove_background", region="region", group="back"),
    Wish(key="cut.all", skill="remove_background", group="back"),
    Wish(key="back.color", skill="replace_background", region="region", draw=_ink(COLORS),
         group="back"),
    Wish(key="back.blur", skill="replace_background", region="region", args={"blurred": 0.5},
         group="back"),
    Wish(key="back.picture", skill="replace_background", region="region", group="back", images=2),
    Wish(key="outline", skill="segment", region="prompt", tell="outline"),
    Wish(key="beside", skill="combine", args={"layout": "beside"}, group="join", images=2),
    Wish(key="below", skill="combine", args={"layout": "below"}, group="join", images=2),
    Wish(key="grid", skill="combine", args={"layout": "grid"}, group="join", images=3),
    Wish(key="onto", skill="combine", region="region", args={"layout": "onto"}, group="join",
         images=2),
    Wish(key="find", skill="detect", region="", tell="found"),
    Wish(key="exists", skill="detect", region="", tell="exists"),
    Wish(key="count", skill="count", region="region", tell="count"),
    Wish(key="read", skill="ocr", tell="read"),
    Wish(key="read.part", skill="ocr", region="region", tell="read"),
    Wish(key="codes", skill="read_codes", tell="code"),
    Wish(key="colors", skill="colors", tell="colors"),
    Wish(key="colors.part", skill="colors", region="region", tell="color.one", shape=True),
    Wish(key="info.size", skill="image_info", tell="size"),
    Wish(key="info.camera", skill="image_info", tell="camera"),
    Wish(key="measure", skill="measure", region="region", tell="measure"),
    Wish(key="far", skill="measure", region="region", tell="far"),
    Wish(key="describe", skill="describe", tell="describe"),
    Wish(key="describe.part", skill="describe", region="region", tell="describe.part"),
    Wish(key="compare", skill="compare", tell="compare", images=2),
    Wish(key="reckon", skill="calculate", draw=_sum, tell="reckon", images=0),
    Wish(key="plot.colors", skill="plot", draw=_chart, tell="chart"),
    Wish(key="plot.sizes", skill="plot", region="region", draw=_chart, tell="chart"),
)  # fmt: skip
BY_KEY: Mapping[str, Wish] = {wish.key: wish for wish in WISHES}
# What a wish calls before its own skill, beside what finds its target.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "plot.colors": ("colors",),
    "plot.sizes": ("measure",),
    "count": ("detect",),
}
SHAPED = 0.3  # share in which what serves a shape is outlined first


def possible(wish: Wish, skills: Container[str]) -> bool:
    """Whether there are the skills for a wish."""
    return all(name in skills for name in (wish.skill, *NEEDS.get(wish.key, ())))
