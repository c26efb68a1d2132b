"""Conversations that go on after a first request."""

from dataclasses import replace

from .further import Talk, more_said
from .kinds import TRIES, know
from .scene import Dialogue, Request, Scene
from .targets import Target, picked
from .wishes import BY_KEY


def follow(scene: Scene) -> Dialogue | None:
    """Return a conversation of two to four turns."""
    for _ in range(TRIES):
        talk = _begun(scene)
        if talk is None:
            continue
        for _ in range(scene.rng.choice((1, 1, 2, 3))):
            more_said(talk)
        if len(talk.requests) > 1:
            return Dialogue(
                kind="follow-up", requests=tuple(talk.requests), scripts=tuple(talk.scripts)
            )
    return None


def _begun(scene: Scene) -> Talk | None:
    """Return a conversation of one turn."""
    if scene.rng.random() < 0.35:
        return _found_first(scene)
    wishes = [wish for wish in scene.wishes() if wish.images == 1 and wish.skill != "plot"]
    if not wishes:
        return None
    wish = scene.rng.choice(wishes)
    target = _one_of_two(scene) if wish.region and scene.rng.random() < 0.4 else None
    act = scene.act(wish, target)
    text = scene.clause(act) if act else None
    if act is None or text is None:
        return None
    plot = scene.plot()
    made = plot.act(replace(act, shaped=False))
    know(plot, act, scene)
    request = Request(text=text, items=(scene.item.item,), truth=plot.truth())
    return Talk(
        scene=scene, requests=[request], scripts=[plot.script()], plot=plot, act=act,
        region=None if act.wish.edits else made,
    )  # fmt: skip


def _found_first(scene: Scene) -> Talk | None:
    """Find something first, to go on with."""
    wish = BY_KEY["find"]
    if "detect" not in scene.skills or "find" not in scene.bank:
        return None
    act = scene.act(wish, scene.target(whole=True))
    text = scene.clause(act) if act else None
    if act is None or text is None:
        return None
    plot = scene.plot()
    region = plot.act(act)
    know(plot, act, scene)
    request = Request(text=text, items=(scene.item.item,), truth=plot.truth())
    return Talk(
        scene=scene, requests=[request], scripts=[plot.script()], plot=plot, act=act, region=region
    )


def _one_of_two(scene: Scene) -> Target | None:
    """Draw one of exactly two things, so that there is another one."""
    groups = [one for one in scene.item.groups if len(one.things) == 2]
    if not groups or "select" not in scene.skills:
        return None
    target = picked(scene.rng.choice(groups), scene.words, scene.rng)
    return target if target is not None and target.picked else None
