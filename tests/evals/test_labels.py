"""Names of things, compared."""

import pytest

from llava_plus.data_gen.nouns import Nouns
from llava_plus.evals.labels import same_label
from llava_plus.skills.nouns import plural


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("face", "faces"),
        ("the faces", "Face"),
        ("people's faces", "face"),
        ("all my human faces", "face"),
        ("a red car", "red cars"),
        ("my cookies", "cookie"),
        ("potatoes", "potato"),
        ("wolves", "wolf"),
        ("smoothies", "smoothie"),
        ("axes", "axe"),
        ("buses", "bus"),
        ("children", "child"),
        ("cherries", "cherry"),
        ("glasses", "the glasses"),
        ("t-shirts", "t shirt"),
        ("QR codes", "code"),
        ("qr-code", "code"),
        ("barcodes", "code"),
        ("writing", "text"),
        ("words", "text"),
        ("“stop sign”", "stop sign"),
        ("汽车", "汽车"),
    ],
)
def test_labels_are_the_same_in_other_words(mine, theirs):
    assert same_label(mine, theirs)
    assert same_label(theirs, mine)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("face", "text"),
        ("red car", "car"),
        ("car park", "car"),
        ("glass", "glasses"),
        ("cat", "cart"),
        ("qr code", "dress code"),
        ("", "face"),
        ("bass", "base"),
        ("汽车", "自行车"),
    ],
)
def test_labels_of_other_things_are_not_the_same(mine, theirs):
    assert not same_label(mine, theirs)


def test_every_noun_that_ships_is_its_plural():
    assert [name for name in Nouns.bundled().names if not same_label(plural(name), name)] == []
