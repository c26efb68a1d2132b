"""The order of a stage: mixtures, batches of like conversations, packed rows."""

from collections import Counter

import numpy as np
import pytest

from llava_plus.model.train import Source
from llava_plus.model.train.index import Index
from llava_plus.model.train.plan import make_plan


def index(lengths, pictures=None, states=None):
    lengths = np.array(lengths, np.int32)
    pictures = np.ones_like(lengths) if pictures is None else np.array(pictures, np.int32)
    states = np.zeros_like(lengths) if states is None else np.array(states, np.int32)
    return Index(
        lengths=lengths, labels=lengths // 2, pictures=pictures, states=states, problems=()
    )


def sources(*ratios):
    return tuple(Source(name=f"s{n}", ratio=ratio) for n, ratio in enumerate(ratios))


def plan(recipe, indices, seed=0, **changes):
    return make_plan(recipe(**{"max_steps": None, **changes}).stages[0], indices, seed)


def flat(made):
    return [one for row in made.rows for one in row]


def test_every_conversation_comes_once_per_epoch_and_the_last_batch_is_filled_up(recipe):
    made = plan(
        recipe, [index([5] * 10), index([5, 0, 5])], epochs=2, batch=4, data=sources(None, None)
    )
    counts = Counter(flat(made))
    assert made.steps == 6
    assert set(counts) == set(range(13)) - {11}  # the one of no length is left out
    assert Counter(counts.values()) == {2: 12}
    made = plan(recipe, [index([5] * 10)], batch=4)
    assert made.steps == 3
    assert sorted(Counter(flat(made)).values(), reverse=True)[:2] == [2, 2]


def test_the_order_depends_on_the_seed_alone(recipe):
    indices = [index(range(1, 40))]
    assert plan(recipe, indices).rows == plan(recipe, indices).rows
    assert plan(recipe, indices).rows != plan(recipe, indices, seed=1).rows
    assert plan(recipe, indices, per_device=1).rows == plan(recipe, indices, per_device=4).rows


def test_part_of_an_epoch_and_a_number_of_steps(recipe):
    assert plan(recipe, [index([3] * 40)], epochs=0.25, batch=5).steps == 2
    assert plan(recipe, [index([3] * 4)], max_steps=7, batch=4).steps == 7


def test_sets_come_by_their_ratios(recipe):
    indices = [index([3] * 5), index([3] * 400)]
    made = plan(recipe, indices, data=sources(3, 1), max_steps=1000, batch=4)
    small = sum(one < 5 for one in flat(made))
    assert small / 4000 == pytest.approx(0.75, abs=0.02)
    often = Counter(one for one in flat(made) if one < 5)
    assert max(often.values()) - min(often.values()) < 0.05 * small  # all as often


def test_batches_of_one_data_set(recipe):
    indices = [index([3] * 30), index([3] * 30), index([3] * 30)]
    made = plan(recipe, indices, data=sources(1, 2, 1), group="source", batch=5, max_steps=60)
    homes = [{one[0] // 30 for one in made.rows[at : at + 5]} for at in range(0, 300, 5)]
    assert all(len(home) == 1 for home in homes)
    assert Counter(home.pop() for home in homes).most_common(1)[0][0] == 1


def test_batches_with_or_without_pictures_of_like_length(recipe):
    rng = np.random.default_rng(0)
    lengths, pictures = rng.integers(5, 500, 203), rng.integers(0, 2, 203)
    made = plan(recipe, [index(lengths, pictures)], group="modality", batch=8)
    batches = [flat(made)[at : at + 8] for at in range(0, len(flat(made)), 8)]
    kinds = [{int(pictures[one]) for one in batch} for batch in batches]
    assert sum(len(kind) == 2 for kind in kinds) <= 2  # what fills no batch of its kind
    assert {tuple(kind) for kind in kinds} >= {(0,), (1,)}
    whole = [batch for batch, kind in zip(batches, kinds, strict=True) if len(kind) == 1]
    falling = [sorted(batch, key=lambda one: -lengths[one]) for batch in whole]
    assert (
        sum(list(lengths[a]) == list(lengths[b]) for a, b in zip(whole, falling, strict=True)) > 15
    )


def test_batches_of_like_length_pad_little(recipe):
    lengths = np.random.default_rng(0).integers(5, 500, 800)

    def padding(group):
        rows = flat(plan(recipe, [index(lengths)], group=group, batch=8))
        widths = [max(lengths[rows[at : at + 8]]) * 8 for at in range(0, len(rows), 8)]
        return 1 - sum(lengths[rows]) / sum(widths)

    assert padding("length") < 0.05 < 0.3 < padding("none")


def test_packed_rows_hold_all_conversations_and_no_row_is_too_long(recipe):
    lengths = np.random.default_rng(0).integers(3, 120, 5000)
    made = plan(recipe, [index(lengths)], packing=True, longest=128, batch=1)
    assert sorted(flat(made)) == list(range(5000))
    sizes = [sum(int(lengths[one]) for one in row) for row in made.rows]
    assert max(sizes) <= 128
    assert np.mean(sizes) > 0.97 * 128  # next to nothing is padding


def test_the_first_step_is_the_largest_so_that_what_does_not_fit_fails_at_once(recipe):
    lengths = np.random.default_rng(1).integers(3, 90, 40)
    made = plan(recipe, [index(lengths)], batch=4)
    assert int(np.argmax(lengths)) in [row[0] for row in made.rows[:4]]


def test_states_alone_make_batches_of_their_own(recipe):
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 3, 200)
    made = plan(recipe, [index([9] * 200, kinds == 0, kinds == 1)], group="modality", batch=5)
    batches = [flat(made)[at : at + 5] for at in range(0, len(flat(made)), 5)]
    found = Counter(frozenset(int(kinds[one]) for one in batch) for batch in batches)
    assert {kind for kind in found if len(kind) == 1} == {frozenset([n]) for n in range(3)}
    assert sum(count for kind, count in found.items() if len(kind) > 1) <= 4
