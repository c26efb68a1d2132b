"""The training benchmark compares like with like."""

import pytest
import torch

from llava_plus.evals import bench_train
from llava_plus.model.train.plan import fitted_rows


def test_lengths_are_drawn_from_the_committed_parts():
    drawn = bench_train.samples(4000)
    assert drawn == bench_train.samples(4000)
    shown = sum(one.picture for one in drawn) / 4000
    assert shown == pytest.approx(624 / 664, abs=0.02)
    assert max(one.length for one in drawn) <= bench_train.ROOM
    rows = fitted_rows([one.length for one in drawn], bench_train.ROOM)
    filled = sum(one.length for one in drawn) / len(rows) / (bench_train.ROOM)
    assert filled > 0.85


def test_both_models_and_both_kinds_of_rows_have_the_same_loss(monkeypatch):
    monkeypatch.setattr(bench_train, "WIDTH", 32)
    monkeypatch.setattr(bench_train, "LAYERS", 2)
    theirs, ours = bench_train.models()
    pieces = [bench_train.piece(one, n) for n, one in enumerate(bench_train.samples(4))]
    (padded,) = bench_train.batches([[one] for one in pieces], packing=False, per_batch=4)
    (packed,) = bench_train.batches([pieces], packing=True, per_batch=1)
    with torch.no_grad():
        wanted = float(theirs(**padded).loss)
        assert float(ours(**padded, labelled_only=True).loss) == pytest.approx(wanted, abs=1e-5)
        assert float(ours(**padded).loss) == pytest.approx(wanted, abs=1e-5)
        assert float(ours(**packed, labelled_only=True).loss) == pytest.approx(wanted, abs=1e-5)
