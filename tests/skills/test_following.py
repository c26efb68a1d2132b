"""Numbers for things in several pictures."""

import pytest

from llava_plus.skills import Boxes, followed


def boxes(**places):
    """Make boxes of a fifth of the picture's side; a name may end in a digit that is no part."""
    sides = tuple((x, y, x + 0.2, y + 0.2) for x, y in places.values())
    return Boxes(sides, labels=tuple(name.rstrip("0123456789") for name in places), query="all")


def test_things_keep_their_numbers_while_they_move_and_their_order_changes():
    found = [
        boxes(car1=(0.0, 0.1), car2=(0.6, 0.1), dog=(0.3, 0.5)),
        boxes(car2=(0.55, 0.1), dog=(0.35, 0.52), car1=(0.05, 0.1)),
        boxes(car1=(0.1, 0.1), car2=(0.5, 0.1)),
    ]
    named = followed(iter(found))
    assert [each.labels for each in named] == [
        ("car 1", "car 2", "dog 1"),
        ("car 2", "dog 1", "car 1"),
        ("car 1", "car 2"),
    ]
    assert [(each.xyxy, each.query) for each in named] == [(each.xyxy, "all") for each in found]


def test_another_label_at_the_same_place_is_another_thing():
    named = followed([boxes(cat=(0.1, 0.1)), boxes(dog=(0.1, 0.1)), boxes(cat=(0.1, 0.1))])
    assert [each.labels for each in named] == [("cat 1",), ("dog 1",), ("cat 1",)]


@pytest.mark.parametrize(("missing", "name"), [(2, "car 1"), (3, "car 2")])
def test_a_thing_may_be_missing_as_long_as_patience_lasts(missing, name):
    found = [boxes(car=(0.1, 0.1)), *[Boxes(())] * missing, boxes(car=(0.1, 0.1))]
    assert followed(found, patience=2)[-1].labels == (name,)


def test_the_closest_pair_goes_first_and_too_little_overlap_is_a_new_thing():
    named = followed([boxes(car=(0.2, 0.1)), boxes(car1=(0.1, 0.1), car2=(0.21, 0.1))])
    assert named[1].labels == ("car 2", "car 1")
    assert followed([boxes(car=(0.0, 0.1)), boxes(car=(0.15, 0.1))])[1].labels == ("car 2",)


def test_no_pictures_no_boxes_no_labels_and_boxes_without_size_are_no_trouble():
    assert followed([]) == []
    assert followed([Boxes(()), Boxes(())]) == [Boxes(()), Boxes(())]
    point = Boxes(((0.5, 0.5, 0.5, 0.5),), scores=(0.4,))
    assert [(b.labels, b.scores) for b in followed([point])] == [(("thing 1",), (0.4,))]
