import pytest

from llava_plus.errors import ImageError


def test_attached_pictures_belong_to_the_next_turn(session, picture):
    chat = session("Two.", "None.")
    assert chat.attach([picture]) == ("img_1",)
    chat.point("img_1", 0.5, 0.5)
    chat.run_sync("How many?", images=[picture])
    chat.run_sync("And now?")
    first, second = chat.trace.turns
    assert (first.images, first.pointers) == (("img_1", "img_2"), ("points_1",))
    assert (second.images, second.pointers) == ((), ())


def test_a_call_by_hand_takes_attached_pictures(session, picture):
    chat = session()
    chat.attach([picture])
    chat.call_sync("blur", {"image": "img_1"})
    assert chat.trace.turns[0].images == ("img_1",)


def test_one_bad_picture_attaches_none(session, picture):
    chat = session()
    with pytest.raises(ImageError):
        chat.attach([picture, b"no picture"])
    assert not chat.artifacts.handles()
