"""Requests whose calls run side by side: two things found, counted or done to, two versions."""

from collections.abc import Callable

from .answers import Told
from .kinds import told
from .scene import Dialogue, Scene
from .script import Deed
from .targets import Target, named

_APART = {"en": ", and apart from that ", "zh": ",另外单独做一张:"}


def pair(scene: Scene) -> Dialogue | None:
    """Return a request for two things that do not depend on each other."""
    makers: list[Callable[[Scene], Dialogue | None]] = [
        two_looks, two_looks, two_deeds, two_styles, both_read, both_colors,
    ]  # fmt: skip
    scene.rng.shuffle(makers)
    return next((found for make in makers if (found := make(scene)) is not None), None)


def two_things(scene: Scene) -> tuple[Target, Target] | None:
    """Draw two sorts of things of the picture."""
    groups = [one for one in scene.item.groups if scene.words.name(one.label)]
    if len(groups) < 2 or "detect" not in scene.skills:
        return None
    found = [named(one, scene.words, scene.rng) for one in scene.rng.sample(groups, 2)]
    one, other = found
    return (one, other) if one is not None and other is not None else None


def two_looks(scene: Scene) -> Dialogue | None:
    """Find or count two sorts of things."""
    if (things := two_things(scene)) is None:
        return None
    one, other = things
    counts = "count" in scene.skills and scene.rng.random() < 0.5
    assert one.name is not None
    assert other.name is not None
    slots = {"p": one.name.many, "q": other.name.many}
    text = scene.say("both.count" if counts else "both.find", **slots)
    if text is None:
        return None
    plot = scene.plot()
    refs = plot.find_all(things)
    if counts:
        refs = plot.step(*(Deed(skill="count", args={"region": ref}) for ref in refs))
    for target, ref in zip(things, refs, strict=True):
        plot.told.append(Told(tell="count" if counts else "found", ref=ref, target=target))
        plot.counts |= {target.label: target.count or 0}
    return told(scene, plot, text, "parallel")


def both_read(scene: Scene) -> Dialogue | None:
    """Read the writing and the code."""
    can = "ocr" in scene.skills and "read_codes" in scene.skills
    if not can or not scene.item.codes or (text := scene.say("both.read")) is None:
        return None
    plot = scene.plot()
    image = plot.image
    refs = plot.step(*(Deed(skill=name, args={"image": image}) for name in ("ocr", "read_codes")))
    plot.told += [Told(tell="read", ref=refs[0]), Told(tell="code", ref=refs[1])]
    plot.texts = (*scene.item.texts, *scene.item.codes)
    return told(scene, plot, text, "parallel")


def both_colors(scene: Scene) -> Dialogue | None:
    """Tell two facts about the whole picture."""
    wishes = [
        wish
        for wish in scene.wishes(edits=False)
        if wish.key in ("read", "codes", "colors", "info.size", "describe")
    ]
    wishes = [wish for wish in wishes if scene.bank.draw(wish.key, scene.rng, joins=True)]
    if len(wishes) < 2:
        return None
    acts = [act for wish in scene.rng.sample(wishes, 2) if (act := scene.act(wish))]
    clauses = [clause for act in acts if (clause := scene.clause(act, joins=True))]
    if len(clauses) < 2:
        return None
    plot = scene.plot()
    refs = plot.step(*(Deed(skill=a.wish.skill, args={"image": plot.image}) for a in acts))
    for act, ref in zip(acts, refs, strict=True):
        plot.told.append(Told(tell=act.wish.tell, ref=ref))
    return told(scene, plot, scene.joined(clauses), "parallel")


def two_deeds(scene: Scene) -> Dialogue | None:
    """Find two things side by side, then do something to each."""
    if (things := two_things(scene)) is None:
        return None
    parts = [
        wish
        for wish in scene.wishes(edits=True)
        if wish.region and wish.group in ("hide", "mark", "light")
    ]
    acts = [act for one in things if parts and (act := scene.act(scene.rng.choice(parts), one))]
    clauses = [clause for act in acts if (clause := scene.clause(act, joins=True))]
    if len(clauses) < 2:
        return None
    plot = scene.plot()
    for act, ref in zip(acts, plot.find_all(things), strict=True):
        plot.act(act, ref)
    return told(scene, plot, scene.joined(clauses), "parallel")


def two_styles(scene: Scene) -> Dialogue | None:
    """Make two versions of one picture at once."""
    wishes = [one for one in scene.wishes(edits=True) if not one.region and not one.draw]
    found = scene.rng.sample(wishes, 2) if len(wishes) > 1 else []
    acts = [act for wish in found if (act := scene.act(wish))]
    clauses = [clause for act in acts if (clause := scene.clause(act, joins=True))]
    if len(clauses) < 2 or scene.words.code not in _APART:
        return None
    plot = scene.plot()
    deeds = [
        Deed(skill=act.wish.skill, args={"image": plot.image, **act.wish.args, **act.args})
        for act in acts
    ]
    plot.shown = list(plot.step(*deeds))
    return told(scene, plot, _APART[scene.words.code].join(clauses), "parallel")
