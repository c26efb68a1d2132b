"""The bundled planner's time for each step: what it has read is kept, or all is read again."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

from llava_plus.agent import Agent, Decision, PlanView, ScriptedPlanner
from llava_plus.skills import Artifacts

from .world import world_image, world_registry

REQUEST = "find the face on the left, crop to it, make it brighter, rotate it left and mirror it"
STEPS = (
    'detect(img_1, "face")',
    "select(boxes_1, by='left')",
    "crop(img_1, boxes_2)",
    "adjust(img_2, brightness=0.3)",
    "rotate(img_3, degrees=-90)",
    "rotate(img_4, flip='horizontal')",
)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one step of the planner took."""

    seconds: float
    read: int  # tokens of the prompt that were not in the cache
    written: int


def nano() -> Callable[[], Any]:
    """Load the weights once; return what makes planners with them that have read nothing yet."""
    from llava_plus.agent.planners.devices import choose_device
    from llava_plus.agent.planners.local import BUNDLED, LocalPlanner
    from llava_plus.model import LMM, LMMProcessor

    folder = BUNDLED / "nano"
    device, dtype = choose_device("auto")
    model: Any = LMM.from_pretrained(folder, dtype=dtype, use_safetensors=True)
    model = model.to(device)
    processor = LMMProcessor.from_pretrained(folder)
    return lambda: LocalPlanner(model, processor, name="nano")


def views(picture: int) -> list[PlanView]:
    """What a planner is asked at each step of one request about a picture of its own."""
    skills = world_registry()
    agent = Agent(ScriptedPlanner([*STEPS, "Done."]), skills)
    trace = agent.session().run_sync(REQUEST, images=[world_image(picture)])
    turn = trace.turns[-1]
    seen = []
    for done in range(len(STEPS)):
        artifacts = Artifacts(trace.artifacts.store)
        for _, artifact in list(trace.artifacts.items())[: 1 + done]:
            artifacts.add(artifact.value, source=artifact.source)
        running = {"steps": turn.steps[:done], "answer": "", "cited": (), "reason": "running"}
        turns = (turn.model_copy(update=running),)
        seen.append(PlanView(turns=turns, artifacts=artifacts, skills=skills, cancel=Event()))
    return seen


def cost(planner: Any, view: PlanView) -> Cost:
    """Plan one step of the view."""

    async def plan() -> None:
        async for piece in planner.plan(view):
            if isinstance(piece, Decision):
                return

    before = planner.stats.prefilled, planner.stats.decoded + planner.stats.forced
    began = time.perf_counter()
    asyncio.run(plan())
    seconds = time.perf_counter() - began
    after = planner.stats.prefilled, planner.stats.decoded + planner.stats.forced
    return Cost(seconds=seconds, read=after[0] - before[0], written=after[1] - before[1])


def planner_costs(new: Callable[[], Any], *, sessions: int) -> list[tuple[list[Cost], list[Cost]]]:
    """The costs of each step over several pictures, with the cache kept and without one, in turn.

    Args:
        new: Makes a planner that has read nothing, words or pictures.
        sessions: How many pictures; one more comes first, to warm up.
    """
    keeping = new()
    rows = [
        [(cost(keeping, view), cost(new(), view)) for view in views(picture)]
        for picture in range(sessions + 1)
    ]
    return [
        ([kept for kept, _ in step], [again for _, again in step])
        for step in zip(*rows[1:], strict=True)
    ]
