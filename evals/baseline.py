"""The bar that a planner has to pass: a linear model that picks the shape of a plan by n-grams.

python -m llava_plus.data_gen.request_file requests.jsonl
python -m llava_plus.evals.baseline --requests requests.jsonl --half open

It reads the words of a request and what the conversation holds, never a picture or a result, and
picks among the shapes of plans that it has seen more than twice: skills and handles, without names
and numbers. So it is asked for the first skill, for the sequence and whether a skill is needed, not
for exact arguments. Its settings were chosen on the requests of three hands that it did not learn
from, not on the evaluation.
"""

import argparse
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from llava_plus.agent.notation import (
    HANDLE,
    Context,
    Plan,
    format_plan,
    parse_context,
    parse_plan,
)
from llava_plus.errors import LlavaPlusError, SetupError
from llava_plus.skills import Call, SkillRegistry

from .plan_run import Result, Wanted, figure, read_requests, summarize
from .plan_score import score
from .world import world_registry

BUCKETS = 2**16
WORDS, LETTERS = (1, 2), (3, 4, 5)  # lengths of the n-grams
RATE, BATCH = 0.3, 64
LEAST = 3  # how often a shape must have been seen


@dataclass(frozen=True, kw_only=True)
class Example:
    """A request to learn from."""

    context: Context
    text: str
    plan: Plan


class Baseline(nn.Module):
    """Softmax regression from the n-grams of a request to the shape of its plan."""

    def __init__(self, shapes: Sequence[str]) -> None:
        super().__init__()
        self.shapes = tuple(shapes)
        self.weights = nn.EmbeddingBag(BUCKETS, len(shapes), mode="sum", sparse=True)
        nn.init.zeros_(self.weights.weight)
        self.bias = nn.Parameter(torch.zeros(len(shapes)))

    def forward(self, bags: Sequence[Sequence[int]]) -> Tensor:
        """Scores (request, shape) of requests given as the buckets of their n-grams."""
        sizes = torch.tensor([len(bag) for bag in bags])
        flat = torch.tensor([bucket for bag in bags for bucket in bag])
        share = sizes.rsqrt().repeat_interleave(sizes)  # every request weighs the same
        scores: Tensor = self.weights(flat, sizes.cumsum(0) - sizes, per_sample_weights=share)
        return scores + self.bias

    def predict(self, context: Context, text: str) -> str:
        """The likeliest shape."""
        with torch.inference_mode():
            return self.shapes[int(self([buckets(context, text)]).argmax())]


def read_examples(path: Path, skills: SkillRegistry) -> list[Example]:
    """Read JSON lines of context, request and plan, such as ``data_gen.request_file`` writes."""
    examples = []
    for number, line in enumerate(path.read_text(encoding="utf-8").strip("\n").split("\n"), 1):
        try:
            row = json.loads(line)
            context, plan = parse_context(row["context"], skills), parse_plan(row["plan"], skills)
            examples.append(Example(context=context, text=row["request"], plan=plan))
        except (ValueError, KeyError, TypeError, LlavaPlusError) as error:
            raise SetupError(
                f"{path}:{number}: wanted JSON with context, request and plan ({error!r})."
            ) from error
    return examples


def shape(plan: Plan) -> str:
    """The plan without names and numbers."""
    steps = tuple(tuple(_masked(call) for call in step) for step in plan.steps)
    return format_plan(Plan(steps=steps, say=plan.say))


def buckets(context: Context, text: str) -> list[int]:
    """The n-grams of a request and what the conversation holds, hashed."""
    return sorted({crc32(gram.encode()) % BUCKETS for gram in _grams(context, text)})


def train(
    examples: Sequence[Example],
    *,
    epochs: int = 5,
    rate: float = 0.3,
    batch: int = 64,
    seed: int = 0,
) -> Baseline:
    """Fit the model to the requests; what has a rare shape is left out."""
    torch.manual_seed(seed)
    named = [(shape(example.plan), example) for example in examples]
    counts = Counter(name for name, _ in named)
    shapes = sorted(name for name, count in counts.items() if count >= LEAST)
    if len(shapes) < 2:
        raise SetupError(
            f"Of {len(examples)} requests, {len(shapes)} shapes occur {LEAST} times: give more."
        )
    number = {name: index for index, name in enumerate(shapes)}
    known = [(buckets(e.context, e.text), number[name]) for name, e in named if name in number]
    model = Baseline(shapes)
    torch.sparse.check_sparse_tensor_invariants.disable()  # type: ignore[no-untyped-call]
    optimizer = torch.optim.Adagrad(model.parameters(), lr=RATE)
    draw = random.Random(seed)
    for _ in range(epochs):
        draw.shuffle(known)
        for start in range(0, len(known), BATCH):
            bags, wanted = zip(*known[start : start + BATCH], strict=True)
            loss = nn.functional.cross_entropy(model(bags), torch.tensor(wanted))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model


def evaluate(
    model: Baseline, requests: Iterable[Wanted], skills: SkillRegistry
) -> Iterator[Result]:
    """Let the model pick a plan for each request."""
    for wanted in requests:
        began = time.perf_counter()
        plan = parse_plan(model.predict(wanted.context, wanted.text), skills)
        seconds = time.perf_counter() - began
        got = score(
            plan,
            wanted.plans,
            request=wanted.text,
            given=wanted.context.given(skills),
            skills=skills,
        )
        yield Result(
            wanted=wanted,
            plan=plan,
            score=got,
            calls=len(plan.calls),
            invalid=0,
            seconds=(seconds,),
            answer="",
        )


def _masked(call: Call) -> Call:
    """The call with what makes its shape: handles, and which of several."""
    args: dict[str, JsonValue] = {}
    for name, value in call.args.items():
        if name == "label":
            args[name] = "something"
        elif isinstance(value, list):
            args[name] = [0, 0, 1, 1]
        elif name == "by" or (isinstance(value, str) and HANDLE.fullmatch(value)):
            args[name] = value
    return call.model_copy(update={"args": args})


def _grams(context: Context, text: str) -> Iterator[str]:
    yield f"@ {context.images} {context.pointer}"
    yield f"@ {len(context.turns)} turns"
    for turn in context.turns[-1:]:
        yield from (f"@ after {skill}" for skill in turn.skills or ("say",))
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    for length in WORDS:
        for start in range(len(words) - length + 1):
            yield "w " + " ".join(words[start : start + length])
    letters = f" {' '.join(words)} "
    for length in LETTERS:
        for start in range(len(letters) - length + 1):
            yield "c " + letters[start : start + length]


def main() -> None:
    """Train on a file of requests and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=Path, required=True, help="what to learn from")
    parser.add_argument("--half", choices=["open", "sealed", "all"], default="open")
    options = parser.parse_args()
    skills = world_registry()
    examples = read_examples(options.requests, skills)
    began = time.perf_counter()
    model = train(examples)
    seconds = time.perf_counter() - began
    print(f"{len(examples)} requests, {len(model.shapes)} shapes, {seconds:.0f} s")  # noqa: T201
    figures = summarize(list(evaluate(model, read_requests(skills, half=options.half), skills)))
    for name in ("first skill", "sequence", "no skill needed"):
        print(figure(name, *figures[name]))  # noqa: T201


if __name__ == "__main__":
    main()
