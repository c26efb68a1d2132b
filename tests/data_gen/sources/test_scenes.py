"""Drawn scenes: the same on every run, and what they say is what they show."""

import random
import re

import numpy as np
import pytest
import zxingcpp

from llava_plus.data_gen.sources import DrawnScenes
from llava_plus.data_gen.sources.figures import chart
from llava_plus.data_gen.sources.painting import COLORS, thing
from llava_plus.data_gen.sources.panels import code_label, receipt
from llava_plus.data_gen.sources.shapes import KINDS
from llava_plus.errors import SetupError


def drawn(seed, count=2):
    return list(DrawnScenes(count=count).items(print, seed=seed))


def test_a_scene_is_the_same_on_every_run_and_another_with_another_seed():
    once, again, other = drawn(7), drawn(7), drawn(8)
    assert [item.image().digest for item in once] == [item.image().digest for item in again]
    assert [item.truth for item in once] == [item.truth for item in again]
    assert not {item.image().digest for item in once} & {item.image().digest for item in other}
    assert len({item.id for item in once + other}) == 4


def test_a_scene_says_that_it_lists_everything_and_whose_it_is():
    item = drawn(7, 1)[0]
    assert item.truth.complete >= {"things", "faces", "lines", "codes"}
    assert (item.image().width, item.image().height) == (item.width, item.height)
    assert item.licence == "CC0-1.0"
    assert sum(item.truth.counts().values()) == len(item.truth.masks()) == len(item.truth.boxes())


def test_no_scene_is_asked_for_and_none_comes():
    assert drawn(1, 0) == []
    with pytest.raises(SetupError, match="count must be 0 or more"):
        DrawnScenes(count=-1)


@pytest.mark.parametrize("label", sorted(KINDS))
def test_every_kind_shows_its_colour(label):
    layer = thing(random.Random(3), label, "blue", 64)
    alpha = layer.pixels[..., 3]
    assert 0.03 < (alpha > 0.5).mean() < 0.95
    blue = layer.pixels[..., 2] > 1.15 * layer.pixels[..., 0]
    assert (blue & (alpha > 0.5)).sum() > 0.25 * (alpha > 0.5).sum()
    assert layer.pixels.min() >= 0
    assert layer.pixels.max() <= 1.0001


def test_colours_can_be_told_apart():
    values = np.array(list(COLORS.values()))
    distances = np.linalg.norm(values[:, None] - values[None], axis=2)
    assert distances[~np.eye(len(values), dtype=bool)].min() > 0.25


@pytest.mark.parametrize("seed", range(12))
def test_the_code_on_a_label_says_what_the_truth_says(seed):
    layer = code_label(random.Random(seed), 300)
    (mark,) = layer.codes
    grey = (layer.pixels[..., :3].mean(axis=2) * 255).astype(np.uint8)
    (found,) = zxingcpp.read_barcodes(grey)
    assert (found.text, found.format.name) == (mark.text, mark.format)
    assert (mark.corners[0] <= [found.position.top_left.x + 3, found.position.top_left.y + 3]).all()


@pytest.mark.parametrize("seed", range(8))
def test_a_chart_writes_the_numbers_of_its_table(seed):
    layer = chart(random.Random(seed), 700)
    (figures,) = layer.figures
    written = " ".join(mark.text for mark in layer.lines)
    for name, value in figures.table.rows:
        assert name in written
        assert re.search(rf"\b{value:.0f}\b", written)
    if figures.kind == "pie":
        assert sum(value for _, value in figures.table.rows) == 100


@pytest.mark.parametrize("seed", range(4))
def test_a_receipt_adds_up(seed):
    (figures,) = receipt(random.Random(seed), 600).figures
    *prices, total = [value for _, value in figures.table.rows]
    assert sum(prices) == pytest.approx(total)
    assert figures.table.rows[-1][0] == "TOTAL"
