"""In which order conversations come: mixtures with ratios, batches of like ones, packed rows.

The whole order of a stage is drawn before it begins and depends on nothing but the data, the stage
and the seed. Every batch of a step is spread over the processes, so that the same steps are made
however many there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SetupError

from .index import Index
from .recipe import Stage

Numbers = NDArray[np.int64]
WINDOW = 50  # batches that are sorted by length at a time
Row = tuple[int, ...]  # conversations that are read as one, by their number over all data sets


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The rows of a stage in order, ``batch`` to a step."""

    rows: list[Row]
    batch: int

    @property
    def steps(self) -> int:
        return len(self.rows) // self.batch


def make_plan(stage: Stage, indices: Sequence[Index], seed: int) -> Plan:
    """Draw the order of a stage.

    Conversations of all data sets are numbered through. What does not fill a last batch is filled
    up from the beginning of another epoch.

    Args:
        stage: What to do.
        indices: What is known of its data sets, in their order.
        seed: Another one gives another order.
    """
    lengths = np.concatenate([one.lengths for one in indices])
    # 0: pictures or videos, 1: states alone, 2: words alone
    kinds = np.concatenate([np.where(one.pictures > 0, 0, np.where(one.states > 0, 1, 2))
                            for one in indices])  # fmt: skip
    rng = np.random.default_rng([seed, 7])
    rows: list[Row] = []
    wanted = None if stage.max_steps is None else stage.max_steps * stage.batch
    epochs, epoch = stage.epochs, 0
    while wanted is None or len(rows) < wanted:
        drawn = _epoch(stage, indices, rng)
        if stage.packing:
            new = _packed(drawn, lengths, stage.longest, rng)
        else:
            new = [(int(one),) for one in _grouped(stage, drawn, lengths, kinds, indices, rng)]
        if wanted is None:
            share = min(1.0, epochs - epoch)
            if share < 1:
                new = new[: max(1, round(share * len(new)))]
            last = epoch + 1 >= epochs
            rows += new
            if last:
                wanted = -(-len(rows) // stage.batch) * stage.batch
        else:
            rows += new
        epoch += 1
    rows = rows[:wanted]
    return Plan(rows=_largest_first(rows, lengths, stage.batch), batch=stage.batch)


def _epoch(stage: Stage, indices: Sequence[Index], rng: np.random.Generator) -> Numbers:
    """Every usable conversation once in random order; with ratios, as many drawn by those."""
    starts = np.cumsum([0, *(len(one.lengths) for one in indices)])
    whole = [
        start + np.flatnonzero(one.lengths)
        for start, one in zip(starts[:-1].tolist(), indices, strict=True)
    ]
    ratios = [source.ratio for source in stage.data]
    if ratios[0] is None:
        everything: Numbers = rng.permutation(np.concatenate(whole))
        return everything
    shares = np.array(ratios, np.float64)
    total = sum(map(len, whole))
    if stage.group == "source":  # each batch from one data set
        chosen = np.repeat(
            rng.choice(len(whole), -(-total // stage.batch), p=shares / shares.sum()), stage.batch
        )
    else:
        chosen = rng.choice(len(whole), total, p=shares / shares.sum())
    order = np.empty(len(chosen), np.int64)
    for number, members in enumerate(whole):
        places = np.flatnonzero(chosen == number)
        rounds = -(-len(places) // len(members))
        drawn = [rng.permutation(members) for _ in range(rounds)]
        if drawn:
            order[places] = np.concatenate(drawn)[: len(places)]
    return order


def _grouped(
    stage: Stage,
    drawn: Numbers,
    lengths: Numbers,
    modality: Numbers,
    indices: Sequence[Index],
    rng: np.random.Generator,
) -> Numbers:
    """The order in which batches hold conversations that are alike."""
    match stage.group:
        case "length":
            return _by_length(drawn, lengths, stage.batch, rng, window=WINDOW)
        case "modality":
            kinds = [drawn[modality[drawn] == kind] for kind in range(3)]
        case "source" if stage.data[0].ratio is None:
            starts = np.cumsum([0, *(len(one.lengths) for one in indices)])
            home = np.searchsorted(starts, drawn, side="right") - 1
            kinds = [drawn[home == number] for number in range(len(indices))]
        case _:
            return drawn
    return _apart(kinds, lengths, stage, rng)


def _apart(
    kinds: Sequence[Numbers], lengths: Numbers, stage: Stage, rng: np.random.Generator
) -> Numbers:
    """Batches of one kind each, in random order; what fills no batch of its kind comes last."""
    batches: list[Numbers] = []
    rest: list[Numbers] = []
    for kind in kinds:
        ordered = kind
        if stage.group == "modality":  # as LLaVA has it: only a step's turns are of like length
            ordered = _by_length(kind, lengths, stage.batch, rng, window=1)
        whole = len(ordered) // stage.batch * stage.batch
        batches += list(ordered[:whole].reshape(-1, stage.batch))
        rest.append(ordered[whole:])
    shuffled = [batches[one] for one in rng.permutation(len(batches))]
    return np.concatenate([*shuffled, *rest])


def _by_length(
    numbers: Numbers, lengths: Numbers, batch: int, rng: np.random.Generator, *, window: int
) -> Numbers:
    """Batches of like length: so many batches at a time are sorted by it, then all are shuffled."""
    whole = len(numbers) // batch * batch
    mega = window * batch
    batches: list[Numbers] = []
    for start in range(0, whole, mega):
        part = numbers[start : min(start + mega, whole)]
        ordered = part[np.argsort(-lengths[part], kind="stable")]
        batches += list(ordered.reshape(-1, batch))
    shuffled = [batches[one] for one in rng.permutation(len(batches))]
    return np.concatenate([*shuffled, numbers[whole:]])


def _packed(drawn: Numbers, lengths: Numbers, longest: int, rng: np.random.Generator) -> list[Row]:
    """Rows of at most ``longest`` tokens: best fit, longest first, within 4096 at a time."""
    rows: list[Row] = []
    for start in range(0, len(drawn), 4096):
        part = drawn[start : start + 4096]
        bins = fitted_rows([int(lengths[one]) for one in part], longest)
        rows += [tuple(int(part[one]) for one in members) for members in bins]
    return [rows[one] for one in rng.permutation(len(rows))]


def fitted_rows(sizes: Sequence[int], room: int) -> list[list[int]]:
    """Put lengths into rows: each into the fullest one where it fits, longest first.

    Args:
        sizes: Lengths, by their number.
        room: Of a row.
    """
    left = np.full(len(sizes), room + 1, np.int64)  # room + 1: no bin yet
    bins: list[list[int]] = []
    for number in sorted(range(len(sizes)), key=lambda one: -sizes[one]):
        open_bins = left[: len(bins)]
        fits = np.flatnonzero(open_bins >= sizes[number])
        if len(fits):
            at = int(fits[np.argmin(open_bins[fits])])
        else:
            at = len(bins)
            bins.append([])
            left[at] = room
        bins[at].append(number)
        left[at] -= sizes[number]
    return bins


def _largest_first(rows: list[Row], lengths: Numbers, batch: int) -> list[Row]:
    """Begin with the step that needs most memory: what does not fit fails at once."""
    longest = [max(sum(int(lengths[one]) for one in row) for row in rows[at : at + batch])
               for at in range(0, len(rows), batch)]  # fmt: skip
    at = int(np.argmax(longest)) * batch
    return rows[at : at + batch] + rows[:at] + rows[at + batch :]


def check_batch(stage: Stage, processes: int) -> int:
    """How many times each process reads ``per_device`` rows in a step.

    Raises:
        SetupError: The batch cannot be spread so.
    """
    share = stage.per_device * processes
    if stage.batch % share:
        near = max(1, stage.batch // share) * share
        raise SetupError(
            f"stage {stage.name}: a batch of {stage.batch} does not split into {processes}"
            f" processes that read {stage.per_device} at once. Set batch to {near}, or per_device"
            " to one of its divisors."
        )
    return stage.batch // share
