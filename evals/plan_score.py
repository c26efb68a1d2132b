"""How near a plan comes to what was wanted: alternatives, defaults and tolerances.

Handles are compared by where they come from, not by their number: the `boxes_2` of one plan equals
the `boxes_1` of another when both name the result of the same call. So neither the order of
independent calls nor an extra look changes what an argument means.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llava_plus.agent.notation import HANDLE, Plan, result_prefix
from llava_plus.skills import SkillRegistry

from .labels import same_label

# Arguments that are a matter of taste, and how far they may be off. A number that the request
# itself states must be met within STATED.
TOLERANCES = {"strength": 0.35, "margin": 0.15}
TOLERANCES |= dict.fromkeys(("brightness", "contrast", "saturation", "sharpness"), 0.35)
STATED = 0.02
SAME_BOX = 0.6  # intersection over union from which two literal boxes count as one
Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class PlanScore:
    """What one plan got right against the best of its alternatives."""

    wanted_skills: bool
    first: bool
    sequence: bool
    exact: bool


@dataclass(frozen=True)
class _Node:
    """One call, with its handles replaced by where they come from."""

    skill: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class _Given:
    """A handle that was there before the plan."""

    handle: str


def score(
    plan: Plan,
    alternatives: Sequence[Plan],
    *,
    request: str,
    given: Mapping[str, int],
    skills: SkillRegistry,
) -> PlanScore:
    """Score a plan against the wanted ones; each level takes the alternative that fits it best.

    Args:
        plan: What the planner did.
        alternatives: Plans that would have been right.
        request: The person's words; numbers in them must be met, others have tolerances.
        given: How many handles of each kind there were before, such as {"img": 2, "boxes": 1}.
        skills: The signatures, for parameter names and defaults.
    """
    if plan.say is None and not plan.steps:  # it broke off before it decided anything
        wanted = any(other.say is None for other in alternatives)
        return PlanScore(wanted_skills=wanted, first=False, sequence=False, exact=False)
    ours = _nodes(plan, given, skills)
    goldens = [_nodes(other, given, skills) for other in alternatives]
    stated = _numbers(request)

    def same_arguments(mine: _Node, theirs: _Node) -> bool:
        return _same_call(mine, theirs, stated)

    return PlanScore(
        wanted_skills=any(other.say is None for other in alternatives),
        first=any(_first(plan) & _first(other) for other in alternatives),
        sequence=any(
            plan.skills == other.skills or _matched(ours, gold, _same_shape)
            for other, gold in zip(alternatives, goldens, strict=True)
        ),
        exact=any(_matched(ours, gold, same_arguments) for gold in goldens),
    )


def wilson(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a proportion, 95 % by default; (0, 1) of nothing."""
    if total == 0:
        return 0.0, 1.0
    share = hits / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def _first(plan: Plan) -> set[str]:
    if plan.say is not None:
        return {"say"}
    return {call.skill for call in plan.steps[0]} if plan.steps else set()


def _nodes(plan: Plan, given: Mapping[str, int], skills: SkillRegistry) -> list[_Node]:
    counts = dict(given)
    results: dict[str, _Node] = {}
    nodes = []
    for step in plan.steps:
        made = []
        for call in step:
            known = call.skill in skills
            parameters = skills[call.skill].parameters if known else ()
            args: dict[str, Any] = {p.name: p.default for p in parameters if not p.required}
            args |= {name: _source(value, results) for name, value in call.args.items()}
            made.append((_Node(call.skill, args), result_prefix(call, skills) if known else ""))
        for node, prefix in made:
            counts[prefix] = counts.get(prefix, 0) + 1
            results[f"{prefix}_{counts[prefix]}"] = node
            nodes.append(node)
    return nodes


def _source(value: Any, results: Mapping[str, _Node]) -> Any:
    if isinstance(value, str) and HANDLE.fullmatch(value):
        return results.get(value, _Given(value))
    return value


def _matched(ours: list[_Node], gold: list[_Node], same: Callable[[_Node, _Node], bool]) -> bool:
    """Whether the calls can be paired off, in any order."""
    if len(ours) != len(gold):
        return False
    if not ours:
        return True
    return any(
        same(ours[0], other) and _matched(ours[1:], gold[:i] + gold[i + 1 :], same)
        for i, other in enumerate(gold)
    )


def _same_shape(mine: _Node, theirs: _Node) -> bool:
    """Same skill, fed by calls of the same shape."""
    if mine.skill != theirs.skill:
        return False
    fed = {name: value for name, value in mine.args.items() if isinstance(value, _Node)}
    wanted = {name: value for name, value in theirs.args.items() if isinstance(value, _Node)}
    return fed.keys() == wanted.keys() and all(_same_shape(fed[name], wanted[name]) for name in fed)


def _same_call(mine: _Node, theirs: _Node, stated: frozenset[float]) -> bool:
    return mine.skill == theirs.skill and all(
        _same_value(mine.skill, name, mine.args.get(name), theirs.args.get(name), stated)
        for name in mine.args.keys() | theirs.args.keys()
    )


def _same_value(skill: str, name: str, mine: Any, theirs: Any, stated: frozenset[float]) -> bool:
    if isinstance(mine, _Node) and isinstance(theirs, _Node):
        return _same_call(mine, theirs, stated)
    if isinstance(mine, _Node | _Given) or isinstance(theirs, _Node | _Given):
        return bool(mine == theirs)
    if name == "label" and isinstance(mine, str) and isinstance(theirs, str):
        return same_label(mine, theirs)
    if isinstance(mine, list) and isinstance(theirs, list):
        return _same_places(mine, theirs)
    if isinstance(mine, bool) or isinstance(theirs, bool):
        return mine is theirs
    if isinstance(mine, int | float) and isinstance(theirs, int | float):
        return _same_number(name, float(mine), float(theirs), stated)
    return bool(mine == theirs)


def _same_number(name: str, mine: float, theirs: float, stated: frozenset[float]) -> bool:
    if name == "degrees":
        return abs((mine - theirs + 180) % 360 - 180) <= 1
    if name not in TOLERANCES:
        return mine == theirs
    if abs(theirs) in stated:
        return abs(mine - theirs) <= STATED
    if (mine > 0, mine < 0) != (theirs > 0, theirs < 0):
        return False
    return abs(mine - theirs) <= TOLERANCES[name] + 1e-9


def _numbers(request: str) -> frozenset[float]:
    """Numbers in the request as they stand, and as hundredths ("20%" states 0.2)."""
    found = [float(word) for word in re.findall(r"\d+(?:\.\d+)?", request)]
    return frozenset(found) | frozenset(round(number / 100, 4) for number in found)


def _same_places(mine: list[Any], theirs: list[Any]) -> bool:
    """Whether literal boxes mostly overlap, each with one of the others; other lists are equal."""
    ours, gold = _literal_boxes(mine), _literal_boxes(theirs)
    if not ours or not gold:
        return mine == theirs
    rest = list(gold)
    for box in ours:
        best = max(rest, key=lambda other: _box_overlap(box, other), default=None)
        if best is None or _box_overlap(box, best) < SAME_BOX:
            return False
        rest.remove(best)
    return not rest


def _literal_boxes(value: list[Any]) -> list[Box]:
    """The boxes of ``[x0, y0, x1, y1]`` or a list of such; nothing where it is neither."""
    boxes = value if all(isinstance(item, list) for item in value) else [value]
    if not all(len(box) == 4 and all(isinstance(v, int | float) for v in box) for box in boxes):
        return []
    return [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in boxes]


def _box_overlap(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    total = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / total if total > 0 else 0.0
