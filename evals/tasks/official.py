"""The published files that become questions of ours, and what reads them.

Each reader takes the files as they are published and the folder that is written, and yields what a
line of ``questions.jsonl`` holds.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from . import official_boxes, official_choices, official_words
from .published import Row

Reader = Callable[[Sequence[Path], Path], Iterator[Row]]
# How many files each takes, at least and at most.
READERS: dict[str, tuple[Reader, int, int]] = {
    "vqav2": (official_words.vqav2, 2, 2),
    "textvqa": (official_words.textvqa, 1, 2),
    "vizwiz": (official_words.vizwiz, 1, 1),
    "gqa": (official_words.gqa, 1, 1),
    "scienceqa": (official_choices.scienceqa, 2, 2),
    "pope": (official_choices.pope, 1, 3),
    "mme": (official_choices.mme, 1, 1),
    "mmbench": (official_choices.mmbench, 1, 1),
    "seed": (official_choices.seed, 1, 1),
    "mmvet": (official_words.mmvet, 1, 1),
    "llava-bench": (official_words.llava_bench, 3, 3),
    "cvbench": (official_choices.cvbench, 1, 2),
    "mmvp": (official_choices.mmvp, 1, 1),
    "refcoco": (official_boxes.refcoco, 1, 1),
}
