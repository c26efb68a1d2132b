"""Requests for any skill, from its signature and docstring alone: nothing is written for it.

What it takes decides what comes before it (a region is found, a table made), what it returns what
may come after. It is asked for by its own examples, by what its description says, or by its name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from llava_plus.skills import Boxes, Points, SkillSpec
from llava_plus.skills.spec import Parameter

from .answers import Told
from .arguments import NOTHING, draw_argument, shown
from .building import Plot
from .kinds import TRIES
from .scene import Dialogue, Request, Scene
from .script import Arg, Deed, Given, Made, Ref
from .targets import Target
from .wishes import BY_KEY

REGIONS = ("boxes", "masks", "lines")
OPTIONAL = 0.35  # share of the plain parameters with a default that are given
BESIDE = 0.25  # share of the values that may be left out that are given
AFTER = 0.4  # share of requests that go on with what came out
_WISHES = ("crop", "blur.part", "pixelate.part", "box", "highlight", "measure", "colors.part",
           "erase", "gray.else")  # fmt: skip
_WHOLE = ("bright", "gray", "mirror", "half", "style.sepia", "vivid", "turn.right")
_THAT = {"en": ("what it finds", "what comes out", "the result"), "zh": ("找到的部分", "结果")}
_NAMED = ("expression", "region")  # of the built-in skills: what is no free choice


@dataclass(kw_only=True)
class Call:
    """A call while its arguments are gathered."""

    args: dict[str, Arg]
    plain: dict[str, JsonValue]
    phrases: list[str]
    pointers: tuple[Points | Boxes, ...] = ()
    pictures: int = 0


def own(scene: Scene) -> Dialogue | None:
    """Return a request for one of the skills that are not built in."""
    if not scene.own or not {"own.run", "own.arg"} <= scene.bank.wordings.keys():
        return None
    for _ in range(TRIES):
        spec = scene.skills[scene.rng.choice(scene.own)]
        if (found := request_for(spec, scene)) is not None:
            return found
    return None


def by_name(scene: Scene) -> Dialogue | None:
    """Return a request that names a built-in skill and its options, as a manual would."""
    if not {"own.run", "own.arg"} <= scene.bank.wordings.keys():
        return None
    specs = [
        spec
        for spec in scene.skills
        if spec.name not in scene.own
        and all(p.kinds == ("image",) for p in spec.parameters if p.required)
        and sum(p.required for p in spec.parameters) == 1
        and any(_ranged(p) for p in spec.parameters)
    ]
    for _ in range(TRIES if specs else 0):
        spec = scene.rng.choice(specs)
        option = scene.rng.choice([p for p in spec.parameters if _ranged(p)])
        value = draw_argument(option, scene.rng)
        if value is NOTHING or value in (option.default, 0, 0.0, False):
            continue
        plot = scene.plot()
        made = plot.call(spec.name, image=plot.image, **{option.name: value})
        tell = "colors" if spec.name == "colors" else "value"
        plot.told = [Told(tell=tell, ref=made, slots={"skill": spec.name})]
        text = _asked(
            spec, scene, Call(args={}, plain={option.name: value}, phrases=[]), plain=True
        )
        request = Request(text=text, items=(scene.item.item,))
        return Dialogue(kind=spec.name, requests=(request,), scripts=(plot.script(),))
    return None


def request_for(spec: SkillSpec, scene: Scene) -> Dialogue | None:
    """Return a request for a skill, none where what it takes cannot be had."""
    plot = scene.plot()
    if (call := _gathered(spec, plot, scene)) is None:
        return None
    text = _asked(spec, scene, call, plain=False)
    made = plot.step(Deed(skill=spec.name, args={**call.args, **call.plain}))[0]
    told = Told(tell="value", ref=made, slots={"skill": spec.name})
    plot.told = [told]
    alone = len(plot.moves) == 1
    clause = _after(spec, made, plot, scene) if scene.rng.random() < AFTER else None
    if clause is not None:
        text = scene.joined([text, clause])
        alone = False
    elif spec.returns == ("image",):
        plot.told, plot.shown = [], [made]
    items = tuple(facts.item for facts in scene.facts[: call.pictures])
    request = Request(text=text, items=items, pointers=call.pointers, truth=plot.truth())
    kind = "own" if alone else "own, composed"
    return Dialogue(kind=kind, requests=(request,), scripts=(plot.script(),))


def _gathered(spec: SkillSpec, plot: Plot, scene: Scene) -> Call | None:
    """Gather the arguments, with the moves that make what they need."""
    call = Call(args={}, plain={}, phrases=[])
    for parameter in spec.parameters:
        if not parameter.required and not _wanted(parameter, scene):
            continue
        if parameter.kinds:
            given = _provided(parameter, call, plot, scene)
        else:
            drawn = draw_argument(parameter, scene.rng)
            given = None if drawn is NOTHING else drawn
            if given is not None:
                call.plain[parameter.name] = given
                continue
        if given is None and parameter.required:
            return None
        if given is not None:
            call.args[parameter.name] = given
    return call


def _wanted(parameter: Parameter, scene: Scene) -> bool:
    return scene.rng.random() < (BESIDE if parameter.kinds else OPTIONAL)


def _provided(parameter: Parameter, call: Call, plot: Plot, scene: Scene) -> Ref | None:
    """Return a value of a kind that a parameter takes, with the moves that make it."""
    kinds = parameter.kinds
    if "image" in kinds:
        return _picture(call, plot, scene)
    call.pictures = max(call.pictures, 1)
    if set(kinds) & set(REGIONS):
        return _region(kinds, call, plot, scene)
    if "points" in kinds:
        x, y = (round(scene.rng.uniform(0.25, 0.75), 3) for _ in range(2))
        call.pointers = (Points(((x, y),)),)
        return Given(turn=0, pointed=True)
    return _made(kinds, plot, scene)


def _picture(call: Call, plot: Plot, scene: Scene) -> Ref | None:
    """Return the next picture that came; where none is left, an edited copy of the first."""
    if call.pictures < len(scene.facts) and (not call.pictures or scene.rng.random() < 0.6):
        call.pictures += 1
        return Given(turn=0, place=call.pictures - 1)
    wishes = [BY_KEY[key] for key in _WHOLE if BY_KEY[key].skill in scene.skills]
    wishes = [wish for wish in wishes if wish.key in scene.bank]
    act = scene.act(scene.rng.choice(wishes)) if wishes else None
    clause = scene.clause(act, joins=True) if act else None
    if act is None or clause is None:
        return None
    call.phrases.append(clause)
    args: dict[str, Arg] = {"image": Given(turn=0), **act.wish.args, **act.args}
    return plot.step(Deed(skill=act.wish.skill, args=args))[0]


def _region(kinds: tuple[str, ...], call: Call, plot: Plot, scene: Scene) -> Ref | None:
    """Return a region of one of the kinds: found, outlined, read, or marked by the person."""
    if "boxes" not in kinds and "masks" not in kinds:
        return _made(kinds, plot, scene)
    target = scene.target() if not call.pointers else None
    if target is not None and (reads := target.deeds[0].skill == "ocr") and "lines" not in kinds:
        target = None if reads else target
    if target is None:
        return None
    call.phrases.append(f"on:{target.slots(scene.bank)['t']}")
    region = plot.find(target, Given(turn=0))
    if "boxes" in kinds or target.deeds[0].skill == "ocr":
        return region
    if "segment" not in scene.skills:
        return None
    return plot.call("segment", image=Given(turn=0), prompt=region)


def _made(kinds: tuple[str, ...], plot: Plot, scene: Scene) -> Made | None:
    """Return a value of one of the kinds from any skill that makes it of a picture alone."""
    specs = [
        spec
        for spec in scene.skills
        if set(spec.returns) <= set(kinds)
        and [p.kinds for p in spec.parameters if p.required] == [("image",)]
    ]
    if specs:
        spec = scene.rng.choice(specs)
        (name,) = (p.name for p in spec.parameters if p.required)
        return plot.call(spec.name, **{name: Given(turn=0)})
    if "number" in kinds and "calculate" in scene.skills:
        return plot.call("calculate", expression=f"{scene.rng.randint(2, 40)} * 3")
    return None


def _after(spec: SkillSpec, made: Made, plot: Plot, scene: Scene) -> str | None:
    """Add what goes on with a result; return its words, none where nothing takes it."""
    that = _THAT.get(scene.words.code)
    if that is None:
        return None
    if spec.returns == ("image",):
        keys: tuple[str, ...] = _WHOLE
    elif set(spec.returns) <= set(REGIONS):
        keys = _WISHES
    elif spec.returns == ("table",) and "plot" in scene.skills and "chart.bar" in scene.words:
        plot.told = [Told(tell="chart", ref=plot.call("plot", table=made, kind="bar"))]
        return {"en": "show it as a bar chart", "zh": "画成柱状图"}[scene.words.code]
    else:
        return None
    pictures = any(p.kinds == ("image",) for p in spec.parameters)
    wishes = [wish for key in keys if (wish := BY_KEY[key]).skill in scene.skills and pictures]
    wishes = [wish for wish in wishes if wish.key in scene.bank]
    if not wishes:
        return None
    wish = scene.rng.choice(wishes)
    phrase = scene.rng.choice(that)
    target = Target(phrase=phrase, bare=phrase, plural=False, one=True)
    act = scene.act(wish, target if wish.region else None)
    clause = scene.clause(act, joins=True) if act else None
    if act is None or clause is None:
        return None
    plot.image = made if spec.returns == ("image",) else Given(turn=0)
    plot.told = []
    plot.act(replace(act, shaped=False), made if wish.region else None)
    return clause


def _asked(spec: SkillSpec, scene: Scene, call: Call, *, plain: bool) -> str:
    """Return the words: an example, the description, or the name; then the arguments."""
    on = [phrase.removeprefix("on:") for phrase in call.phrases if phrase.startswith("on:")]
    before = [phrase for phrase in call.phrases if not phrase.startswith("on:")]
    english = scene.words.code == "en"
    if english and not plain and not call.args.keys() - {"image"} and not call.plain:
        fitting = [one for one in spec.examples if _alone(one, spec, scene)]
        if fitting and scene.rng.random() < 0.7:
            return scene.joined([*before, scene.rng.choice(fitting)])
    base = scene.say("own.run", skill=spec.name) or spec.name
    if english and not plain and scene.rng.random() < 0.5:
        base = _imperative(spec.description) or base
    if on:
        base = f"{base} {scene.say('own.on', t=on[0])}" if english else f"{base},{on[0]}"
    if call.plain:
        listed = _arguments(call.plain, scene)
        comma = "" if english and listed.startswith("with ") else ","
        base = f"{base}{comma}{' ' if english else ''}{listed}"
    return scene.joined([*before, base])


def _arguments(plain: Mapping[str, JsonValue], scene: Scene) -> str:
    wording = scene.bank.draw("own.arg", scene.rng)
    assert wording is not None
    parts = [
        wording.words.replace("{name}", name.replace("_", " ")).replace("{value}", shown(value))
        for name, value in plain.items()
    ]
    parts = [parts[0], *(part.removeprefix("with ") for part in parts[1:])]
    joint = "、" if scene.words.code == "zh" else ", "
    return joint.join(parts)


def _alone(example: str, spec: SkillSpec, scene: Scene) -> bool:
    """Whether an example asks for this skill alone, not for others with its result."""
    words = set(re.findall(r"[a-z]+", example.lower()))
    others = {other.name for other in scene.skills} - {spec.name}
    return not words & others


def _imperative(description: str) -> str:
    """Return the first sentence as a wish: up to its first pause, without a capital."""
    first = re.split(r"(?<=\w)[.:;(]|, (?:from|one|such)", description, maxsplit=1)[0].strip()
    words = first.split()
    if not 3 <= len(words) <= 14 or words[0].endswith("s"):
        return ""
    return first[:1].lower() + first[1:] if not first[1:2].isupper() else first


def _ranged(parameter: Parameter) -> bool:
    """Whether a parameter is a number within bounds, which can be wished for by its name."""
    schema = parameter.json_schema
    return (
        not parameter.kinds
        and not parameter.required
        and parameter.name not in _NAMED
        and "maximum" in schema
    )
