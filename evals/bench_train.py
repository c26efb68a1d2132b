"""Training's speed: ours against transformers' LLaVA of the same sizes, weights and words.

Both are small and read a tenth of the real lengths: a LLaVA whose picture takes 64 tokens instead
of 576. What is compared is the same forward and backward pass over the same padded batches, and
then ours over packed rows of the same conversations.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .spread import Took, side_by_side

LENGTHS = Path(__file__).parent / "lengths.json"
SIDE, PATCH, WIDTH, LAYERS, WORDS = 112, 14, 256, 4, 1024
SHRINK = 9  # of all lengths: a picture's 576 tokens are 64 here
ROOM = 2048 // SHRINK + 1  # of a packed row
BATCH, BATCHES, ROUNDS = 8, 2, 5
NEW = 32  # tokens that are generated
IMAGE = 3


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A conversation: tokens of words, a third of which are learned, and perhaps a picture."""

    words: int
    picture: bool

    @property
    def length(self) -> int:
        return self.words + self.picture * (SIDE // PATCH) ** 2


def samples(count: int, seed: int = 0) -> list[Sample]:
    """Draw conversations from the committed histogram."""
    parts = json.loads(LENGTHS.read_text(encoding="utf-8"))["parts"]
    rng = random.Random(seed)
    drawn = []
    for part in rng.choices(parts, [part["thousands"] for part in parts], k=count):
        values, shares = zip(*part["words"], strict=True)
        words = rng.choices(values, shares)[0] * rng.uniform(0.8, 1.2)
        words = min(words, 2048 - 576 * part["picture"])
        drawn.append(Sample(words=max(8, round(words / SHRINK)), picture=part["picture"]))
    return drawn


def models() -> tuple[Any, Any]:
    """Transformers' LLaVA and ours, with the same random weights."""
    import torch
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    from llava_plus.model import LMM
    from llava_plus.model.checkpoints import config_from_hub

    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=128, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4,
            image_size=SIDE, patch_size=PATCH,
        ),
        text_config=LlamaConfig(
            vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=688, num_hidden_layers=LAYERS,
            num_attention_heads=4, max_position_embeddings=2048,
        ),
        image_token_index=IMAGE,
    )  # fmt: skip
    torch.manual_seed(0)
    theirs = LlavaForConditionalGeneration(config)
    ours: Any = LMM(config_from_hub(config))
    _same_weights(theirs, ours)
    return theirs.train(), ours.train()


def _same_weights(theirs: Any, ours: Any) -> None:
    import tempfile

    from llava_plus.model.checkpoints import load_folder

    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        load_folder(ours, Path(folder), "llava-hf")


def piece(sample: Sample, number: int) -> Any:
    """A conversation as training encodes it."""
    import numpy as np

    from llava_plus.model.train.batches import Piece
    from llava_plus.model.train.encoding import Encoded

    rng = np.random.default_rng(number)
    ids = rng.integers(10, WORDS, sample.length)
    pixels: tuple[Any, ...] = ()
    if sample.picture:
        ids[2 : 2 + sample.length - sample.words] = IMAGE
        pixels = (rng.standard_normal((1, 3, SIDE, SIDE)).astype(np.float32),)
    labels = np.where(np.arange(len(ids)) > len(ids) - sample.words // 3 - 2, ids, -100)
    sizes = ((SIDE, SIDE),) * sample.picture
    return Piece(encoded=Encoded(ids=ids, labels=labels, pixels=pixels, sizes=sizes))


def batches(rows: Sequence[Sequence[Any]], *, packing: bool, per_batch: int) -> list[Any]:
    """Rows of pieces as tensors."""
    from llava_plus.model.train.batches import Collator

    encoder: Any = None  # no batch here is without a picture
    collate = Collator(encoder, pad=0, packing=packing, reads=False)
    made = [collate(rows[at : at + per_batch]) for at in range(0, len(rows), per_batch)]
    for batch in made:
        for name in ("tokens", "conversations", "image_sizes", "batch_num_images"):
            batch.pop(name, None)
    return made


def passes(model: Any, made: Sequence[Any], **more: Any) -> Callable[[], None]:
    """Forward and backward over all batches."""

    def work() -> None:
        for batch in made:
            model(**batch, **more).loss.backward()
            model.zero_grad(set_to_none=True)

    return work


def speeds() -> tuple[dict[str, Took], float]:
    """What passes over the same conversations take, by name; and what of padded rows is padding."""
    from llava_plus.model.train.plan import fitted_rows

    theirs, ours = models()
    drawn = samples(BATCH * BATCHES)
    pieces = [piece(sample, number) for number, sample in enumerate(drawn)]
    padded = batches([[one] for one in pieces], packing=False, per_batch=BATCH)
    rows = fitted_rows([sample.length for sample in drawn], ROOM)
    packed = batches([[pieces[one] for one in row] for row in rows], packing=True, per_batch=3)
    took = side_by_side(
        {
            "transformers, padded": passes(theirs, padded),
            "ours, padded": passes(ours, padded, labelled_only=True),
            "ours, padded, all logits": passes(ours, padded),
            "ours, packed": passes(ours, packed, labelled_only=True),
        },
        rounds=ROUNDS,
    )
    positions = sum(batch["input_ids"].numel() for batch in padded)
    return took, 1 - sum(sample.length for sample in drawn) / positions


def latencies() -> dict[str, Took]:
    """What generating takes after one picture and a question."""
    import torch

    theirs, ours = (model.eval() for model in models())
    one = piece(Sample(words=40, picture=True), 0).encoded
    ids = torch.from_numpy(one.ids)[None]
    given = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "pixel_values": torch.from_numpy(one.pixels[0]),
        "max_new_tokens": NEW,
        "min_new_tokens": NEW,
        "do_sample": False,
        "pad_token_id": 0,
    }
    return side_by_side(
        {
            "transformers": lambda: theirs.generate(**given),
            "ours": lambda: ours.generate(**given),
        },
        rounds=ROUNDS,
    )


def lines() -> Iterator[str]:
    """Train and generate; ratios above 1 say that ours is faster."""
    took, padding = speeds()
    tokens = sum(sample.length for sample in samples(BATCH * BATCHES))
    yield f"forward and backward, {tokens} tokens, padding {padding:.0%}: tokens/s by the clock"
    base = took["transformers, padded"]
    for name, one in took.items():
        ratio = base.cores.middle / one.cores.middle
        speed = tokens / one.clock.middle
        yield f"  {name:25} {speed:8.0f}, ratio by the cores' time {ratio:.2f}"
    both = latencies()
    yield f"generating {NEW} tokens after one picture, s by the clock | on the cores"
    yield from (f"  {name:25} {one.clock:.2f} | {one.cores:.2f}" for name, one in both.items())
    ratio = both["transformers"].cores.middle / both["ours"].cores.middle
    yield f"  ratio by the cores' time {ratio:.2f}"
