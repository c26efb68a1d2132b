"""How much faster a model of transformers reads a step of a session with its cache than without.

python -m llava_plus.evals.bench_cache          # a tiny model, and one of 7B where there is a GPU
"""

import time
from statistics import median
from typing import Any

import torch

from llava_plus.agent.dialects import json as json_dialect
from llava_plus.agent.planners.hub_engine import HubEngine
from llava_plus.messages import Conversation

from .bench_nano import STEPS, views
from .random_models import random_qwen

REPEATS = 5
GRAMMAR = 'start: "."\n'  # one token that is forced: what is measured is the reading
PIXELS = {"tiny": 28 * 28 * 16, "7b": 28 * 28 * 1024}  # of a picture at most


def conversations(picture: int) -> list[Conversation]:
    """What a planner reads at each step of one request."""
    return [json_dialect.render(view, system="full") for view in views(picture)]


def reading(engine: HubEngine, conversation: Conversation) -> tuple[float, int]:
    """Read a conversation; the seconds, and the tokens that were not in a cache."""
    before = engine.stats.prefilled
    began = time.perf_counter()
    engine.write(conversation, grammar=GRAMMAR, stop=lambda: False, emit=lambda text: None)
    if engine.model.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began, engine.stats.prefilled - before


def ratios(model: Any, processor: Any, *, repeats: int = REPEATS) -> list[tuple[int, int, float]]:
    """Read each step with the cache of the steps before, and with nothing, side by side.

    What a model would have written in between is read as part of the next step, so a session does
    a little better.

    Returns:
        For each step the tokens read with the cache and without, and how many times longer reading
        without it took, the median over sessions.
    """
    rows: list[list[tuple[int, int, float]]] = []
    kept, bare = (HubEngine(model, processor, sessions=1) for _ in range(2))
    for session in range(repeats + 1):  # the first one to warm up
        row = []
        for conversation in conversations(session):
            bare.forget()
            fast, new = reading(kept, conversation)
            slow, whole = reading(bare, conversation)
            row.append((new, whole, slow / fast))
        rows.append(row)
    columns = [list(column) for column in zip(*rows[1:], strict=True)]
    return [(one[-1][0], one[-1][1], median(ratio for _, _, ratio in one)) for one in columns]


def main() -> None:
    """Print a table for each model."""
    texts = [message.text for message in conversations(0)[-1]]
    for size in PIXELS:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        if size == "7b" and device == "cpu":
            print("7b: skipped, there is no GPU (it needs 20 GB of memory on one)")  # noqa: T201
            continue
        model, processor = random_qwen(size, texts=texts, most_pixels=PIXELS[size], device=device)
        print(f"{size} on {device}, random weights, medians of {REPEATS} sessions")  # noqa: T201
        table = ratios(model, processor)
        for step, (new, whole, ratio) in zip(range(1, len(STEPS) + 1), table, strict=True):
            times = f"{ratio:.1f} times as fast" if step > 1 else f"{ratio:.1f}"
            print(f"  step {step}: {new} of {whole} tokens read, {times}")  # noqa: T201


if __name__ == "__main__":
    main()
