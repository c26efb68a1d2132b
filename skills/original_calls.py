"""What the skills that stand for LLaVA-Plus's APIs have in common."""

import threading
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import Field

from llava_plus.errors import SkillError

from .absent import needs_model
from .apis import GROUNDING_DINO, Api
from .decorator import spec_of
from .origin import origin_of
from .pixels import Image
from .regions import Boxes
from .registry import SkillRegistry, model_registry
from .spec import SkillSpec
from .workers import GIVEN_UP, default_pool

PHRASES = 16  # of one caption
TEXT_THRESHOLD = 0.25  # what the original's server sends where nothing else is asked for
Share = Annotated[float, Field(ge=0, le=1)]
Maker = Callable[[SkillRegistry], SkillSpec]  # makes an API's skill of ours that answer it


def phrases(caption: str) -> tuple[str, ...]:
    """Return the phrases of a caption such as "girl . cart .", each once."""
    return tuple(dict.fromkeys(part for word in caption.split(".") if (part := word.strip())))


def declared(function: Callable[..., Any]) -> SkillSpec:
    """Return the spec of a function below ``@skill``."""
    spec = spec_of(function)
    assert spec is not None
    return spec


def run_skill(skills: SkillRegistry, name: str, **args: Any) -> Any:
    """Run one of our skills on values, in a worker where it runs in one otherwise, too."""
    spec = skills.find(name).for_call(args)
    origin = origin_of(spec) if spec.isolation == "worker" else None
    if origin is None:
        return spec.function(**args)
    return default_pool().run(spec, origin, args, GIVEN_UP.get(threading.Event()))


def found(
    skills: SkillRegistry, image: Image, caption: str, threshold: float, text_threshold: float
) -> Boxes:
    """Detect each phrase of a caption; labels are the phrases as the caption writes them."""
    wanted = phrases(caption)
    if not 0 < len(wanted) <= PHRASES:
        raise SkillError(
            f"grounding_dino: caption names {len(wanted)} things; wanted 1 to {PHRASES}, "
            'with " . " between them, such as "face . text".'
        )
    if skills["detect"].backend in GROUNDING_DINO:
        limits = {"threshold": threshold, "text_threshold": text_threshold}
        seen: Boxes = run_skill(skills, "detect", image=image, label=caption, **limits)
        return seen
    if text_threshold != TEXT_THRESHOLD:
        raise SkillError(
            f"grounding_dino: text_threshold {text_threshold:g} weighs words within GroundingDINO, "
            "which is not what detects here. Leave it out."
        )
    parts: list[Boxes] = []
    for phrase in wanted:
        part: Boxes = run_skill(skills, "detect", image=image, label=phrase)
        parts.append(part.above(threshold))
    named = zip(wanted, parts, strict=True)
    return Boxes(
        tuple(box for part in parts for box in part.xyxy),
        labels=tuple(phrase for phrase, part in named for _ in range(len(part))),
        scores=tuple(s for part in parts for s in part.scores or (1.0,) * len(part)),
        query=" and ".join(wanted),
    )


def not_here(api: Api, what: str, gone: Sequence[str] = ()) -> SkillError:
    """Say that nothing here answers an API, and how to get what would.

    Args:
        api: The API.
        what: What nothing here does, such as "does it".
        gone: The skills of ours that would answer it, and are not among those in use.
    """
    modelled = model_registry()
    needs = [str(needs_model(name, api.backends)) for name in gone if name in modelled]
    needs += [f"The skill {name} was left out." for name in gone if name not in modelled]
    return SkillError(
        f"{api.names[0]}: {api.does}, in LLaVA-Plus with {api.model}; nothing that is installed "
        f"{what}. {''.join(f'{need} ' for need in needs)}A file of one's own skills, given with "
        f"--skills, can bring a skill with aliases={list(api.names)}. Do without it, or answer."
    )
