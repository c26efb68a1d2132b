"""A few hundred traces on drawn scenes and public-domain photographs, to try the data commands on.

python -m llava_plus.data_gen.sample traces --requests 300
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

from llava_plus.agent import Trace
from llava_plus.agent.notation import parse_plan
from llava_plus.errors import LlavaPlusError
from llava_plus.skills import ArtifactStore, Boxes
from llava_plus.skills.nouns import singular

from .folders import PICTURES
from .nano import Wordings
from .nouns import COMMON
from .output import Output, Shards
from .pictures import Picture, drawn_pictures, photographs
from .requests import Request, hand_requests
from .traces import make_trace, offline_skills
from .truth import Truth, with_truths
from .verify import put_pictures

SCENES = 24
NAMED = 0.85  # share of the traces in which the source knows what is in the picture
FRUITLESS = "No handle"  # how the error begins where an earlier turn found nothing to go on with


def sample_traces(count: int, *, seed: int = 0) -> Iterator[Trace]:
    """Yield traces of requests that hands wrote, each with what its source knows.

    Args:
        count: How many requests are drawn; a request whose plan cannot be followed gives no trace.
        seed: Draws requests, pictures and wordings of earlier turns.
    """
    requests = hand_requests()
    wordings = Wordings(requests)
    pictures = [*photographs(), *drawn_pictures(SCENES, seed=seed)]
    drawn = random.Random(seed).sample(requests, min(count, len(requests)))
    for number, request in enumerate(drawn):
        rng = random.Random(f"{seed}:{number}")
        first, *more = _suiting(request, pictures, rng)
        earlier = [wordings.draw(plan, rng) for plan in request.context.split(" > ")[1:]]
        named = rng.random() < NAMED
        try:
            trace = make_trace(request, first, more=more, earlier=earlier, named=named, seed=seed)
        except LlavaPlusError:
            continue
        if not _fruitless(trace):
            yield _labelled(trace, f"sample-{seed}-{number:05d}", request, [first, *more])


def _labelled(trace: Trace, id: str, request: Request, pictures: list[Picture]) -> Trace:
    """Add the licence of its pictures and the ground truth."""
    given = sum(len(turn.images) for turn in trace.turns)
    licence = " and ".join(dict.fromkeys(picture.licence for picture in pictures[:given]))
    trace = trace.model_copy(update={"id": id, "licence": licence})
    truths = list(_truths(trace, request, pictures[0]))
    return with_truths(trace, truths) if truths else trace


def _truths(trace: Trace, request: Request, picture: Picture) -> Iterator[Truth]:
    plan = parse_plan(request.plan, offline_skills())
    for number, turn in enumerate(trace.turns, 1):
        last = number == len(trace.turns)
        seen = [one for step in turn.steps for one in step.observations]
        made = [one.handle for one in seen if one.backend == "ground-truth" and one.handle]
        found = [trace.artifacts[handle].value for handle in made]
        # What no offline detector knows is where the scene says, under whatever name.
        queries = [boxes.query for boxes in found if isinstance(boxes, Boxes)]
        labels = [label for label in queries if singular(label.lower()) not in COMMON]
        looked = last and plan.skills == ("detect",)
        truth = Truth(
            turn=number,
            boxes=dict.fromkeys(labels, picture.objects),
            counts=dict.fromkeys(labels, len(picture.objects)) if looked else {},
            refuse=last and plan.say == "refuse",
        )
        if truth != Truth(turn=number):
            yield truth


def _suiting(request: Request, pictures: list[Picture], rng: random.Random) -> list[Picture]:
    """Draw three pictures; the first holds what the plan looks for."""
    plan = request.context + request.plan
    needs = {label for label in COMMON if f'"{label}"' in plan}
    needs |= {"text"} if "ocr(" in plan else set()
    needs |= {"code"} if "read_codes(" in plan else set()
    suiting = [picture for picture in pictures if needs <= picture.holds] or pictures
    return [rng.choice(suiting), rng.choice(pictures), rng.choice(pictures)]


def _fruitless(trace: Trace) -> bool:
    texts = (o.text for turn in trace.turns for step in turn.steps for o in step.observations)
    return any(text.startswith(FRUITLESS) for text in texts)


def main() -> None:
    """Write a folder of traces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    output = Output(options.folder)
    store = ArtifactStore(output.folder / PICTURES)
    with Shards(output) as shards:
        for trace in sample_traces(options.requests, seed=options.seed):
            put_pictures(trace, store)
            shards.add(trace.to_json())
    output.finish({"kind": "traces", "seed": options.seed})
    print(f"{shards.lines} traces of {options.requests} requests in {options.folder}")  # noqa: T201


if __name__ == "__main__":
    main()
