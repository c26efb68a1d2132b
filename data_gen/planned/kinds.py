"""Requests of one wish, or of several that are fulfilled one after the other."""

from collections.abc import Callable

from llava_plus.skills import Boxes, Number, Points

from .building import Act, Plot
from .scene import Dialogue, Request, Scene
from .script import Seen
from .wishes import Wish

TRIES = 8
ACTS = (2, 2, 2, 3, 3, 4)


def single(scene: Scene) -> Dialogue | None:
    """One wish, each skill as likely as any other."""
    by_skill: dict[str, list[Wish]] = {}
    for wish in scene.wishes():
        by_skill.setdefault(wish.skill, []).append(wish)
    for _ in range(TRIES if by_skill else 0):
        wish = scene.rng.choice(by_skill[scene.rng.choice(sorted(by_skill))])
        if (act := scene.act(wish)) is None:
            continue
        if (text := scene.clause(act)) is None:
            continue
        plot = scene.plot()
        plot.act(act)
        know(plot, act, scene)
        kind = wish.skill if len(plot.moves) == 1 else "compose"
        return told(scene, plot, text, kind, items=0 if wish.images == 0 else 1)
    return None


def chain(scene: Scene) -> Dialogue | None:
    """Several wishes, one after the other, that make sense together."""
    acts = _acts(scene, scene.rng.choice(ACTS))
    if len(acts) < 2:
        return None
    clauses = [scene.clause(act, joins=True) for act in acts]
    kept = [clause for clause in clauses if clause]
    if len(kept) < len(acts):
        return None
    plot = scene.plot()
    for act in acts:
        plot.act(act)
        know(plot, act, scene)
    if not 2 <= len(plot.moves) <= 7:
        return None
    return told(scene, plot, scene.joined(kept), "compose")


def _acts(scene: Scene, many: int) -> list[Act]:
    """Draw wishes of different groups; those about parts come before what moves the places."""
    wishes = scene.wishes()
    acts: list[Act] = []
    groups: set[str] = set()
    skills: set[str] = set()
    phrases: set[str] = set()
    for _ in range(many * 4 if wishes else 0):
        if len(acts) == many:
            break
        wish = scene.rng.choice(wishes)
        if wish.images != 1 or wish.group in groups or (not wish.edits and wish.skill in skills):
            continue
        if not wish.edits and (any(not one.wish.edits for one in acts) or wish.skill == "plot"):
            continue
        act = scene.act(wish)
        if act is None or scene.bank.draw(wish.key, scene.rng, joins=True) is None:
            continue
        if act.target is not None and act.target.phrase in phrases:
            continue
        phrases |= {act.target.phrase} if act.target else set()
        groups |= {wish.group} if wish.group else set()
        skills.add(wish.skill)
        acts.append(act)
    # What is told of a part is looked up before anything changes; what moves comes last.
    ranks = {act.wish.key: _rank(act.wish) for act in acts}
    return sorted(acts, key=lambda act: ranks[act.wish.key])


def _rank(wish: Wish) -> int:
    if wish.group == "back":
        return 2
    if wish.region or not wish.edits:
        return 0 if not wish.edits else 1
    return 4 if wish.moves else 3


def told(
    scene: Scene,
    plot: Plot,
    text: str,
    kind: str,
    *,
    items: int = 1,
    pointers: tuple[Points | Boxes, ...] = (),
    **said: Callable[[Seen], str],
) -> Dialogue:
    """Return a conversation of one turn.

    Args:
        scene: What it was drawn from.
        plot: What is done.
        text: The request.
        kind: What sort it is.
        items: How many pictures come with it.
        pointers: What was marked.
        said: What is said where the usual answer will not do, as `Script` takes it.
    """
    request = Request(
        text=text,
        items=tuple(facts.item for facts in scene.facts[:items]),
        pointers=pointers,
        truth=plot.truth(),
    )
    return Dialogue(kind=kind, requests=(request,), scripts=(plot.script(**said),))


def know(plot: Plot, act: Act, scene: Scene) -> None:
    """Note what the source knows about the answer to a wish."""
    target, tell, facts = act.target, act.wish.tell, scene.item
    whole = target is not None and len(target.deeds) == 1 and target.count is not None
    if target is not None and whole and tell in ("found", "exists", "count"):
        plot.counts |= {target.label: target.count or 0}
    if tell == "read" and target is None and "lines" in facts.item.truth.complete:
        plot.texts += facts.texts
    if tell == "code" and "codes" in facts.item.truth.complete:
        plot.texts += facts.codes
    if tell == "size":
        plot.answers = (f"{facts.item.width} x", f"{facts.item.width} by", str(facts.item.width))
    if tell == "reckon":
        plot.answers = (Number(float(act.slots["value"]), digits=10).describe(),)
