"""A look at every conversation before training: how long each is, and which are broken.

It costs a pass over the text and the pictures' headers, once: what it found is kept beside the run.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SetupError

from .encoding import Encoder
from .media import SampleError
from .sources import DataSet

_SHOWN = 5  # broken conversations that an error lists
Tick = Callable[[int, int], None]  # how many are done, of how many


@dataclass(frozen=True, kw_only=True)
class Index:
    """What is known of each conversation of a data set.

    Args:
        lengths: Its tokens; 0 where it is left out.
        labels: How many of them are learned.
        pictures: How many pictures and frames of videos it has.
        states: How many state vectors it has.
        problems: Why some were left out.
    """

    lengths: NDArray[np.int32]
    labels: NDArray[np.int32]
    pictures: NDArray[np.int32]
    states: NDArray[np.int32]
    problems: tuple[str, ...]


def index_of(
    data: DataSet,
    encoder: Encoder,
    *,
    kept: Path | None = None,
    identity: str = "",
    skip_broken: bool = False,
    deep: bool = False,
    tick: Tick | None = None,
) -> Index:
    """Look at all conversations of a data set, or read what was kept of that.

    Args:
        data: The data set.
        encoder: Says how long each is.
        kept: A file for what is found.
        identity: What it depends on besides the data's files: template, tokenizer, layout.
        skip_broken: Leave broken conversations out instead of failing.
        deep: Read every pixel, whatever was kept; else only the beginning and end of pictures.
        tick: Told now and then how far it is.

    Raises:
        SetupError: Conversations are broken; the first ones are named.
    """
    key = _key(data, encoder, identity)
    if kept is not None and not deep and (found := _read(kept, key)) is not None:
        return _checked(found, data, skip_broken)
    count = len(data)
    lengths, labels, pictures, states = (np.zeros(count, np.int32) for _ in range(4))
    problems = []
    for number in range(count):
        try:
            one = encoder(
                data.read(number, with_pixels=deep), data.where(number), with_pixels=False
            )
        except SampleError as error:
            problems.append(str(error))
            continue
        lengths[number] = len(one.ids)
        labels[number] = int((one.labels[1:] != -100).sum())
        pictures[number] = len(one.sizes) + one.frames
        states[number] = 0 if one.states is None else len(one.states)
        if tick is not None and (number + 1) % 100 == 0:
            tick(number + 1, count)
    index = Index(
        lengths=lengths,
        labels=labels,
        pictures=pictures,
        states=states,
        problems=tuple(problems),
    )
    if kept is not None:
        _write(kept, key, index)
    return _checked(index, data, skip_broken)


def _checked(index: Index, data: DataSet, skip_broken: bool) -> Index:
    name = data.files[0]
    if not (index.lengths > 0).any() and not index.problems:
        raise SetupError(f"{name} holds no conversations.")
    if index.problems and not skip_broken:
        shown = "\n  ".join(index.problems[:_SHOWN])
        raise SetupError(
            f"{len(index.problems)} of {len(data)} conversations of {name} cannot be learned from:"
            f"\n  {shown}\nMend them, or leave them out with --skip-broken."
        )
    if not (index.lengths > 0).any():
        raise SetupError(f"{name}: no conversation can be learned from: {index.problems[0]}")
    return index


def _key(data: DataSet, encoder: Encoder, identity: str) -> str:
    facts: list[object] = [encoder.longest, identity]
    for file in data.files:
        found = file.stat()
        facts.append([str(file.resolve()), found.st_size, found.st_mtime_ns])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _read(file: Path, key: str) -> Index | None:
    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as found:
        if str(found["key"]) != key:
            return None
        return Index(
            lengths=found["lengths"],
            labels=found["labels"],
            pictures=found["pictures"],
            states=found["states"],
            problems=tuple(map(str, found["problems"])),
        )


def _write(file: Path, key: str, index: Index) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez(
        part,
        key=np.array(key),
        lengths=index.lengths,
        labels=index.labels,
        pictures=index.pictures,
        states=index.states,
        problems=np.array(index.problems, dtype=np.str_),
    )
    part.replace(file)


def usable(indices: Sequence[Index]) -> int:
    """How many conversations of some data sets can be learned from."""
    return sum(int((one.lengths > 0).sum()) for one in indices)
