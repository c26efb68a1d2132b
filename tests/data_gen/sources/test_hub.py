"""Rows of a data set, and what is said where the package is not there."""

import importlib.util

import pytest

from llava_plus.data_gen.sources import Columns, HubDataset
from llava_plus.data_gen.sources.hub import items_of
from llava_plus.errors import SetupError

COLUMNS = Columns(image="picture", id="key", captions="said", licence="terms")


@pytest.fixture
def row(tmp_path, photo):
    data = photo(tmp_path / "a.png").read_bytes()
    return {"picture": {"bytes": data, "path": None}, "key": 4, "said": "A cup.", "terms": "CC0"}


def test_rows_become_items_and_damaged_ones_are_reported(row, problems):
    rows = [row, {**row, "key": 5, "picture": {"bytes": b"x"}}, {**row, "key": 6, "picture": None},
            {**row, "key": 7, "said": ["One.", " Two. "], "terms": None}]  # fmt: skip
    items = list(items_of(rows, COLUMNS, "me/cups", problems.append, licence="unclear"))
    assert [item.id for item in items] == ["4", "7"]
    assert [p.id for p in problems] == ["row 5", "row 6"]
    assert [item.licence for item in items] == ["CC0", "unclear"]
    assert [caption.text for caption in items[1].truth.captions] == ["One.", "Two."]
    assert items[0].image().width == items[0].width == 40


def test_a_column_that_is_not_there_is_named_with_those_that_are(row, problems):
    with pytest.raises(SetupError, match=r"no column .said.\. Known: picture, key"):
        list(items_of([{"picture": 1, "key": 2}], COLUMNS, "me/cups", problems.append))


@pytest.mark.skipif(importlib.util.find_spec("datasets") is not None, reason="datasets is here")
def test_without_the_package_the_person_reads_how_to_install_it(problems):
    with pytest.raises(SetupError, match=r"pip install 'llava-plus\[datasets\]'"):
        next(HubDataset(name="me/cups", columns=COLUMNS).items(problems.append))
