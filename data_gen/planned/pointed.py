"""Requests about what was clicked, boxed or given as a place, and about several pictures."""

from dataclasses import replace

from llava_plus.skills import Boxes, Points

from .answers import Told
from .kinds import TRIES, know, told
from .questions import has
from .scene import Dialogue, Request, Scene
from .script import Given, Ref
from .targets import Target
from .wishes import BY_KEY, WISHES, Wish, possible

_PARTS = (
    "erase", "blur.part", "blur.else", "pixelate.part", "crop", "cut", "gray.else",
          "gray.part", "bright.part", "box", "circle", "outline.draw", "highlight", "measure",
          "colors.part", "back.color", "back.blur", "outline", "describe.part",
    "read.part",
)  # fmt: skip
_BOXED = ("read.part", "describe.part")  # what needs an area, not a thing
SAME = 0.25  # share of comparisons in which both pictures are the same


def pointed(scene: Scene) -> Dialogue | None:
    """Return a request that says where with a click, a box or numbers."""
    how = scene.rng.choice(("click", "click", "box", "box", "words"))
    if how != "box" and "segment" not in scene.skills:
        return None
    known = [
        (thing, place)
        for group in scene.item.groups
        for thing in group.things
        if (place := scene.item.place(thing))
    ]
    if known:
        thing, (x, y) = scene.rng.choice(known)
        x0, y0, x1, y1 = (round(number, 3) for number in thing.box)
    elif scene.item.item.truth.complete:
        return None
    else:
        x, y = (round(scene.rng.uniform(0.3, 0.7), 3) for _ in range(2))
        x0, y0, x1, y1 = round(x - 0.2, 3), round(y - 0.2, 3), round(x + 0.2, 3), round(y + 0.2, 3)
    wishes = [
        wish
        for key in _PARTS
        if possible(wish := BY_KEY[key], scene.skills)
        and key in scene.bank
        and (how == "box" or key not in _BOXED)
    ]
    if not wishes or x1 <= x0 or y1 <= y0:
        return None
    wish = scene.rng.choice(wishes)
    target = _pointed_target(scene, "marked" if how == "box" else "this")
    act = scene.act(wish, target)
    text = scene.clause(act) if act else None
    if act is None or text is None:
        return None
    plot = scene.plot()
    if how == "words":
        point = (
            scene.words.say("point", scene.rng, x=f"{x:g}", y=f"{y:g}") if _points(scene) else ""
        )
        if not point:
            return None
        text = f"{text} ({point})" if scene.rng.random() < 0.5 else f"{text}, {point}"
        prompt: list[float] = [x, y]
        region: Ref = plot.call("segment", image=plot.image, prompt=prompt)
    else:
        region = Given(turn=0, pointed=True)
        if how == "click":
            region = plot.call("segment", image=plot.image, prompt=region)
    if wish.skill == "segment" and how != "box":
        assert not isinstance(region, Given)
        plot.told = [Told(tell="outline", ref=region, target=target)]
    else:
        plot.act(replace(act, shaped=False), region)
    pointer = Boxes(((x0, y0, x1, y1),)) if how == "box" else Points(((x, y),))
    return told(scene, plot, text, "point", pointers=() if how == "words" else (pointer,))


def _points(scene: Scene) -> bool:
    return "point" in scene.words


def _pointed_target(scene: Scene, key: str) -> Target:
    phrase = scene.bank.word(key, scene.rng)
    name = scene.words.name("face")
    return Target(phrase=phrase, bare=phrase, plural=False, one=True, name=name, label="")


def several(scene: Scene) -> Dialogue | None:
    """Return a request about two or three pictures."""
    if len(scene.facts) < 2:
        return None
    for _ in range(TRIES):
        found = _second(scene) if scene.rng.random() < 0.35 else _together(scene)
        if found is not None:
            return found
    return None


def _together(scene: Scene) -> Dialogue | None:
    """Join pictures, put one onto or behind another, or compare them."""
    wishes = [
        wish
        for wish in WISHES
        if 1 < wish.images <= len(scene.facts)
        and possible(wish, scene.skills)
        and wish.key in scene.bank
    ]
    if not wishes:
        return None
    wish = scene.rng.choice(wishes)
    act = scene.act(wish)
    text = scene.clause(act) if act else None
    if act is None or text is None:
        return None
    plot = scene.plot()
    plot.act(act)
    facts = scene.facts[: wish.images]
    if wish.key == "compare" and scene.rng.random() < SAME:
        facts = (scene.item, scene.item)
        plot.answers = {"en": ("Yes", "identical")}.get(scene.words.code, ())
    request = Request(text=text, items=tuple(one.item for one in facts), truth=plot.truth())
    return Dialogue(kind="several", requests=(request,), scripts=(plot.script(),))


def _second(scene: Scene) -> Dialogue | None:
    """Ask about one of two pictures, by its number."""
    place = scene.rng.choice((0, 1, 1))
    other = replace(scene, facts=(scene.facts[place],))
    wish = _one(other)
    act = other.act(wish) if wish else None
    if act is None or "number.of" not in scene.words:
        return None
    number = scene.words.say(
        "number.of", scene.rng, n=_digit(scene, place + 1), nth=("first", "second")[place]
    )
    text = other.clause(act, joins=True)
    wrapped = scene.say("of", clause=text or "", number=number) if text else None
    if text is None or wrapped is None:
        return None
    if wish is not None and not wish.region and scene.words.code == "en":
        wrapped = other.clause(act, image=number) or wrapped
        if number not in wrapped:
            return None
    plot = scene.plot()
    plot.image = Given(turn=0, place=place)
    plot.act(act)
    know(plot, act, other)
    items = tuple(one.item for one in scene.facts[:2])
    request = Request(text=wrapped, items=items, truth=plot.truth())
    return Dialogue(kind="several", requests=(request,), scripts=(plot.script(),))


def _one(scene: Scene) -> Wish | None:
    wishes = [one for one in scene.wishes() if one.images == 1 and has(scene, one.skill)]
    wishes = [one for one in wishes if scene.bank.draw(one.key, scene.rng, joins=True)]
    return scene.rng.choice(wishes) if wishes else None


def _digit(scene: Scene, number: int) -> str:
    return "一二三"[number - 1] if scene.words.code == "zh" else str(number)
