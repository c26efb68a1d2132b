"""Measure the generator: what the engine adds to a call, how fast it is, and on two processes.

python -m llava_plus.data_gen.bench [--scenes 12] [--traces 1500] [--pairs 5] [--bypass 0.02]
    [--memory 100000]

`cold` runs with nothing remembered, `warm` once more on the same pictures with all remembered.
Rates count from the first part that is done to the last, since starting is the same for all sizes.
With `--memory N`, also how much memory a run of N traces has taken at its tenth and at its end.
On a busy machine only the ratios mean something.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image as Pillow

from llava_plus.errors import SetupError

from .crew import Setup
from .generate import generate
from .progress import Progress
from .recipe import Recipe
from .workshop import Job, Workshop

CALLS = 10  # in one trace, where the overhead is measured
ASKED = 50  # questions about a picture, where memory is measured


def recipe(scenes: int, traces: int, workers: int, bypass: float) -> Recipe:
    """Requests of the phrase banks about drawn scenes; a share of replays runs as if cold."""
    given: dict[str, Any] = {"traces": traces, "workers": workers, "per_picture": 32, "side": 320}
    given |= {"pictures_per_part": 1, "sources": [{"drawn": scenes}]}
    given |= {"verify": {"bypass": bypass}}
    return Recipe.parse({**given, "writers": [{"writer": "phrases"}]})


def rate(given: Recipe, out: Path, cache: Path) -> tuple[float, Progress]:
    """Run a recipe; return kept traces per second between the first part and the last."""
    seen: list[tuple[float, int]] = []

    def tick(progress: Progress) -> None:
        if progress.kept > (seen[-1][1] if seen else 0):
            seen.append((time.monotonic(), progress.kept))

    done = generate(given, out, cache=cache, tick=tick)
    (began, first), (ended, last) = seen[0], seen[-1]
    return (last - first) / max(ended - began, 1e-9), done


def overhead(folder: Path) -> float:
    """Return the milliseconds of processor time that all of the engine adds to a call.

    That is playing, verifying, replaying and writing traces of ten calls that measure a picture,
    the skill's own microseconds among them.
    """
    pictures = folder.with_name("pictures")
    pictures.mkdir()
    Pillow.new("RGB", (320, 240), "teal").save(pictures / "teal.png")
    plan = " ; ".join(["image_info(img_1)"] * CALLS)
    words = [f"{number} times: how big is [this|it]?" for number in range(200)]
    requests = [{"ask": ask, "plan": plan} for ask in words]
    given = Recipe.parse(
        {
            "per_picture": len(requests),
            "pictures_per_part": 1,
            "sources": [{"folder": str(pictures), "licence": "CC0-1.0"}],
            "writers": [{"writer": "requests", "options": {"requests": requests}}],
            "skills": {"use": ["image_info"]},
        }
    )
    workshop: Workshop = Setup(recipe=given, out=folder, cache=None).open()
    workshop.make(Job(number=0))
    began = time.process_time()
    workshop.make(Job(number=1))
    spent = time.process_time() - began
    workshop.close()
    return spent * 1000 / (len(requests) * CALLS)


def memory(folder: Path, traces: int) -> tuple[float, float]:
    """Return the most megabytes that this process had at a tenth of a run, and at its end.

    Fifty questions for each of many small pictures, in one process, with nothing remembered.
    """
    pictures, noise = folder / "small", np.random.default_rng(0)
    pictures.mkdir(parents=True)
    for number in range(-(-traces // ASKED)):
        pixels = noise.integers(0, 255, (8, 8, 3), np.uint8)
        Pillow.fromarray(pixels).save(pictures / f"{number}.png")
    words = [" ".join(map(chr, noise.integers(0x4E00, 0x9FA5, 12))) for _ in range(ASKED)]
    requests = [{"ask": f"{ask}?", "plan": "image_info(img_1)"} for ask in words]
    given = Recipe.parse(
        {
            "traces": traces,
            "per_picture": ASKED,
            "sources": [{"folder": str(pictures), "licence": "CC0-1.0"}],
            "writers": [{"writer": "requests", "options": {"requests": requests}}],
            "skills": {"use": ["image_info"]},
        }
    )
    seen: list[float] = []

    def tick(progress: Progress) -> None:
        if not seen and progress.kept >= traces / 10:
            seen.append(_megabytes())

    done = generate(given, folder / "traces", tick=tick)
    if done.kept < traces:
        raise SetupError(f"Only {done.kept} of {traces} traces were kept: {done.yields}")
    return seen[0], _megabytes()


def _megabytes() -> float:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--traces", type=int, default=1500)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--bypass", type=float, default=0.02, help="of the replayed steps, 0..1")
    parser.add_argument("--memory", type=int, default=0, metavar="TRACES")
    options = parser.parse_args()
    sizes = (options.scenes, options.traces)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        if options.memory:  # first, while this process has done nothing else
            tenth, end = memory(home / "memory", options.memory)
            print(f"memory: {tenth:.0f} MB at {options.memory // 10} traces, {end:.0f} MB at all")  # noqa: T201
        print(f"the engine adds {overhead(home / 'calls'):.2f} ms to a call", flush=True)  # noqa: T201
        cold, done = rate(recipe(*sizes, 1, options.bypass), home / "cold", home / "cache")
        print(f"cold: {cold:.1f} kept traces/s/core, {done.share:.1%} kept", flush=True)  # noqa: T201
        pairs = []
        for pair in range(options.pairs):
            one, two = (
                rate(
                    recipe(*sizes, workers, options.bypass),
                    home / f"{pair}-{workers}",
                    home / "cache",
                )[0]
                for workers in (1, 2)
            )
            pairs.append((one, two))
            print(f"warm: {one:.0f}/s in one process, {two:.0f}/s in two", flush=True)  # noqa: T201
        if pairs:
            share = median(two / (2 * one) for one, two in pairs)
            middle = median(one for one, _ in pairs)
            print(f"warm: {middle:.0f} kept traces/s/core; two processes: {share:.2f} of twice")  # noqa: T201


if __name__ == "__main__":
    main()
