"""Pictures that a run remembers: their size is read at once, their pixels when they are wanted."""

import numpy as np
import pytest

from llava_plus.data_gen import remembered
from llava_plus.data_gen.remembered import LazyPictures, LinkedPictures
from llava_plus.errors import ImageError
from llava_plus.skills import Image


@pytest.fixture
def picture():
    return Image(np.arange(6 * 9 * 3, dtype=np.uint8).reshape(6, 9, 3))


@pytest.fixture
def store(tmp_path, picture):
    store = LazyPictures(tmp_path / "pictures")
    store.put(picture)
    return store


def test_a_kept_picture_is_the_same_to_the_pixel(store, picture):
    found = store.get(picture.digest)
    assert (found.width, found.height) == (9, 6)
    assert np.array_equal(found.pixels, picture.pixels)


@pytest.mark.parametrize(
    "harm", [lambda data: b"", lambda data: data[:20], lambda data: b"GIF89a" + data[6:]]
)
def test_a_file_that_does_not_begin_as_a_picture_is_an_error(store, picture, harm):
    path = store.path(picture.digest)
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(ImageError, match=r"is damaged\. Delete it"):
        store.get(picture.digest)


def test_a_file_whose_pixels_are_damaged_is_an_error_when_they_are_read(store, picture):
    path = store.path(picture.digest)
    path.write_bytes(path.read_bytes()[:40])
    found = store.get(picture.digest)
    with pytest.raises(ImageError):
        _ = found.pixels


def test_no_more_pictures_are_borne_in_mind_than_some_thousands(tmp_path, monkeypatch):
    monkeypatch.setattr(remembered, "KNOWN", 3)
    store = LinkedPictures(tmp_path, None)
    pictures = [Image(np.full((2, 2, 3), shade, np.uint8)) for shade in range(8)]
    for one in pictures * 2:
        store.put(one)
    assert len(store._there) <= 3
    assert all(one.digest in store for one in pictures)
