"""Our calls as calls of LLaVA-Plus's API; the other way round is `with_original_names`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pydantic import JsonValue

from llava_plus.agent.planner import PlanView
from llava_plus.agent.trace import Turn
from llava_plus.errors import SkillError
from llava_plus.skills import Artifacts, Boxes, Call, Masks, Points
from llava_plus.skills.apis import BY_NAME

Args = dict[str, JsonValue]
Original = tuple[str, Args] | None  # the API's name and parameters


def in_original_names(view: PlanView) -> PlanView:
    """Put all calls of a session into the API's names, for `plus.render` and its models.

    Raises:
        SkillError: A call does what no API of the original does.
    """
    return replace(view, turns=tuple(_turn(turn, view.artifacts) for turn in view.turns))


def original_call(call: Call, artifacts: Artifacts) -> Call:
    """Return a call with the name and the parameters of the API that does the same.

    Raises:
        SkillError: No API does it, or not with these arguments.
    """
    if call.skill in BY_NAME and call.skill not in BACK:
        return call
    given: Args = {name: value for name, value in call.args.items() if value is not None}
    image: Args = {"image": given.pop("image")} if "image" in given else {}
    back = BACK.get(call.skill)
    found = None if back is None else back(given, artifacts)
    if found is None:
        raise SkillError(
            f"{call.skill}: no API of LLaVA-Plus does this with {given}. There are counterparts of "
            f"{', '.join(sorted(BACK))}. Leave this trace out, or use another dialect."
        )
    name, params = found
    return call.model_copy(update={"skill": name, "args": image | params})


def _turn(turn: Turn, artifacts: Artifacts) -> Turn:
    steps = []
    for step in turn.steps:
        calls = tuple(original_call(call, artifacts) for call in step.actions)
        steps.append(step.model_copy(update={"actions": calls}))
    return turn.model_copy(update={"steps": tuple(steps)})


def _detect(given: Args, artifacts: Artifacts) -> Original:
    label = given.pop("label", None)
    plain = isinstance(label, str) and label.strip() and "." not in label
    return ("grounding_dino", {"caption": f"{str(label).strip()} ."}) if plain else None


def _segment(given: Args, artifacts: Artifacts) -> Original:
    prompt = given.get("prompt")
    value = artifacts[prompt].value if isinstance(prompt, str) else None
    if isinstance(value, Boxes):
        return "sam", {"boxes": _short(value.xyxy)}
    if isinstance(value, Points):
        labels: list[JsonValue] = [int(on) for on in value.positive]
        return "sam", {"points": [_short(value.xy)], "point_labels": [labels]}
    return None


def _ocr(given: Args, artifacts: Artifacts) -> Original:
    return None if given else ("ocr", {})


def _erase(given: Args, artifacts: Artifacts) -> Original:
    """The original fills the first outline of the newest ones, and nothing else."""
    region, newest = given.get("region"), artifacts.handles("masks")[-1:]
    outlines = artifacts[newest[0]].value if newest else None
    if not isinstance(outlines, Masks) or len(outlines) != 1 or (region,) != newest:
        return None
    return "inpainting", {"mask": region, "prompt": ""}


BACK: dict[str, Callable[[Args, Artifacts], Original]] = {
    "detect": _detect,
    "erase": _erase,
    "ocr": _ocr,
    "segment": _segment,
}


def _short(rows: Sequence[Sequence[float]]) -> JsonValue:
    return [[round(number, 2) for number in row] for row in rows]
