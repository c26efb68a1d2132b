"""What goes wrong: calls put right after their error, skills that fail, what is not there."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from llava_plus.skills import SkillRegistry, SkillSpec
from llava_plus.skills.builtin.finding import finds

from .answers import Told
from .building import Plot
from .heldout import apart, nouns
from .kinds import TRIES, know, told
from .questions import has
from .scene import Dialogue, Scene
from .script import Arg, Deed, Given, Made
from .targets import Target, common
from .tongue import Name
from .wishes import BY_KEY

_MISSPELT = {"image": "picture", "region": "regions", "label": "object", "strength": "amount",
             "degrees": "angle", "color": "colour", "style": "look", "text": "words"}  # fmt: skip
# What the offline detector cannot find, and what it says would serve too.
_NEARLY = {"person": "face", "man": "face", "woman": "face", "child": "face", "sign": "text",
           "number": "text", "headline": "text", "logo": "text"}  # fmt: skip
_DOUBTFUL = ("cut.all", "straight")  # what often cannot be done, however it is called
SLOW = "close_read"  # see `slow`
_MEASURED = ("find", "exists", "count", "crop", "blur.part", "erase", "pixelate.part", "box")


@dataclass(kw_only=True)
class Slipping(Plot):
    """A turn in which one call is first made wrongly, as its error tells, then rightly.

    Args:
        skills: What can be called.
        rng: Draws what goes wrong.
        at: Which move goes wrong first.
    """

    skills: SkillRegistry
    rng: random.Random
    at: int = 0
    slipped: bool = field(default=False)

    def step(self, *deeds: Deed, thought: str = "", slip: bool = False) -> tuple[Made, ...]:
        """Add a move, before it a wrong one if its turn has come."""
        if not self.slipped and len(self.moves) == self.at and len(deeds) == 1:
            wrong = wrong_deed(deeds[0], self.skills, self.rng)
            self.slipped = wrong is not None
            if wrong is not None:
                super().step(wrong, slip=True)
                thought = self.words.thought("slip", self.rng)
        return super().step(*deeds, thought=thought, slip=slip)


def recovered(scene: Scene) -> Dialogue | None:
    """Return a request on the way to which a call is put right, or another way is found."""
    if scene.rng.random() < 0.25 and (found := _nearly(scene)) is not None:
        return found
    if scene.rng.random() < 0.2 and (found := _too_slow(scene)) is not None:
        return found
    for _ in range(TRIES):
        wishes = [w for w in scene.wishes() if w.images == 1 and w.key not in _DOUBTFUL]
        act = scene.act(scene.rng.choice(wishes)) if wishes else None
        text = scene.clause(act) if act else None
        if act is None or text is None:
            continue
        plot = Slipping(
            turn=0, image=Given(turn=0), words=scene.words, skills=scene.skills, rng=scene.rng,
            at=scene.rng.choice((0, 0, 1)),
        )  # fmt: skip
        plot.act(act)
        know(plot, act, scene)
        if plot.slipped:
            return told(scene, plot, text, "recover")
    return None


def wrong_deed(deed: Deed, skills: SkillRegistry, rng: random.Random) -> Deed | None:
    """Return a call that fails for sure, as planners get calls wrong; none where there is none.

    Args:
        deed: The call as it should be.
        skills: What can be called.
        rng: Draws the mistake.
    """
    makers: list[Callable[[Deed, SkillSpec, random.Random], Deed | None]] = [
        _misspelt, _left_out, _no_handle, _wrong_kind, _out_of_range, _no_skill,
    ]  # fmt: skip
    rng.shuffle(makers)
    spec = skills[deed.skill]
    found = (make(deed, spec, rng) for make in makers)
    return next((one for one in found if one is not None), None)


def _misspelt(deed: Deed, spec: SkillSpec, rng: random.Random) -> Deed | None:
    names = [name for name in deed.args if name in _MISSPELT]
    names = [name for name in names if spec.parameter(_MISSPELT[name]) is None]
    if not names:
        return None
    name = rng.choice(names)
    args = {_MISSPELT[key] if key == name else key: arg for key, arg in deed.args.items()}
    return replace(deed, args=args)


def _left_out(deed: Deed, spec: SkillSpec, rng: random.Random) -> Deed | None:
    names = [p.name for p in spec.parameters if p.required and p.name in deed.args]
    if not names or len(deed.args) < 2:
        return None
    name = rng.choice(names)
    return replace(deed, args={key: arg for key, arg in deed.args.items() if key != name})


def _no_handle(deed: Deed, spec: SkillSpec, rng: random.Random) -> Deed | None:
    return _exchanged(deed, spec, rng, lambda prefix: f"{prefix}_{rng.choice((7, 8, 9))}")


def _wrong_kind(deed: Deed, spec: SkillSpec, rng: random.Random) -> Deed | None:
    names = [p.name for p in spec.parameters if p.kinds and "image" not in p.kinds]
    names = [name for name in names if name in deed.args and "image" in deed.args]
    if not names:
        return None
    return replace(deed, args={**deed.args, rng.choice(names): deed.args["image"]})


def _exchanged(
    deed: Deed, spec: SkillSpec, rng: random.Random, other: Callable[[str], str]
) -> Deed | None:
    values = [p for p in spec.parameters if p.kinds and p.name in deed.args]
    if not values:
        return None
    parameter = rng.choice(values)
    prefix = "img" if parameter.kinds[0] == "image" else parameter.kinds[0]
    return replace(deed, args={**deed.args, parameter.name: other(prefix)})


def _out_of_range(deed: Deed, spec: SkillSpec, rng: random.Random) -> Deed | None:
    for parameter in spec.parameters:
        schema = parameter.json_schema
        if parameter.kinds or parameter.adapter is None:
            continue
        bounded = "maximum" in schema
        args: dict[str, Arg] = dict(deed.args)
        if bounded:
            args[parameter.name] = float(schema["maximum"]) + rng.choice((1, 4, 99))
        elif "enum" in schema and parameter.name in deed.args:
            args[parameter.name] = rng.choice(("normal", "default", "any"))
        else:
            continue
        wrong = args[parameter.name]
        if wrong not in schema.get("enum", ()):
            return replace(deed, args=args)
    return None


def _no_skill(deed: Deed, spec: SkillSpec, rng: random.Random) -> Deed | None:
    return replace(deed, skill=rng.choice((f"{deed.skill}_image", f"do_{deed.skill}")))


def _nearly(scene: Scene) -> Dialogue | None:
    """Look for what the detector cannot find; it says what would serve, and that is taken."""
    labels = {group.label for group in scene.item.groups}
    if scene.item.whole or not has(scene, "detect") or scene.words.code != "en":
        return None
    label, near = scene.rng.choice(sorted(_NEARLY.items()))
    target = common(near, scene.words, scene.rng)
    wish = BY_KEY[scene.rng.choice(("blur.part", "pixelate.part", "crop", "find", "box"))]
    if label in labels or target is None or wish.skill not in scene.skills:
        return None
    name = scene.words.name(label) or Name(label=label, one=label, many=label)
    asked = replace(target, phrase=f"the {name.one}", bare=name.one, plural=False, name=name)
    act = scene.act(wish, asked) if wish.key in scene.bank else None
    text = scene.clause(act) if act else None
    if act is None or text is None:
        return None
    plot = scene.plot()
    plot.step(Deed(skill="detect", args={"image": plot.image, "label": label}), slip=True)
    thought = f"It cannot find a {label}; {near} may serve."
    found = plot.step(
        Deed(skill="detect", args={"image": plot.image, "label": near}), thought=thought
    )[0]
    plot.act(replace(act, target=target, shaped=False), found)
    return told(scene, plot, text, "recover")


def _too_slow(scene: Scene) -> Dialogue | None:
    """Read with a skill that takes too long, then with another."""
    if not has(scene, "ocr", SLOW) or "thought.other" not in scene.words:
        return None
    act = scene.act(BY_KEY["read"])
    text = scene.clause(act) if act and "read" in scene.bank else None
    if act is None or text is None:
        return None
    plot = scene.plot()
    plot.step(Deed(skill=SLOW, args={"image": plot.image}), slip=True)
    read = plot.step(
        Deed(skill="ocr", args={"image": plot.image}),
        thought=scene.words.thought("other", scene.rng),
    )[0]
    plot.told = [Told(tell="read", ref=read)]
    know(plot, act, scene)
    return told(scene, plot, text, "time-out")


def absent(scene: Scene) -> Dialogue | None:
    """Ask for what is not in the picture."""
    if not has(scene, "detect") or (label := scene.absent()) is None:
        return None
    target = _meant(label, scene)
    keys = [key for key in _MEASURED if key in scene.bank and BY_KEY[key].skill in scene.skills]
    if target is None or not keys:
        return None
    act = scene.act(BY_KEY[scene.rng.choice(keys)], target)
    text = scene.clause(act) if act else None
    if act is None or text is None:
        return None
    plot = scene.plot()
    plot.act(replace(act, shaped=False))
    plot.counts = {label: 0}
    if act.wish.key != "count":
        return told(scene, plot, text, "not there")
    words = scene.words
    return told(scene, plot, text, "not there", empty=lambda seen: words.none("count.none", seen))


def unfindable(scene: Scene) -> Dialogue | None:
    """Ask for what no detector here finds, where nobody knows whether it is there."""
    if scene.item.whole or not has(scene, "detect") or scene.words.code not in ("en", "zh"):
        return None
    if scene.words.code == "en":
        label = nouns().draw(scene.rng).one
    else:
        label = scene.rng.choice(sorted(scene.words.names))
    known = {thing.label for thing in scene.item.item.truth.things}
    if label in known or finds(label) or apart().names(label):
        return None
    target = _meant(label, scene)
    keys = [key for key in _MEASURED if key in scene.bank and BY_KEY[key].skill in scene.skills]
    act = scene.act(BY_KEY[scene.rng.choice(keys)], target) if keys and target else None
    text = scene.clause(act) if act else None
    if act is None or text is None:
        return None
    plot = scene.plot()
    plot.act(replace(act, shaped=False))
    plot.boxes = {}
    return told(scene, plot, text, "fail")


def _meant(label: str, scene: Scene) -> Target | None:
    """Return a target for something that no source knows of."""
    if (name := scene.words.name(label)) is None:
        return None
    the = name.the or f"the {name.one}"
    return Target(
        phrase=the,
        bare=name.one,
        plural=False,
        label=label,
        deeds=(Deed(skill="detect", args={"label": label}),),
        boxes={label: ()},
        one=True,
        name=name,
    )
