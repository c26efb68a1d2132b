"""Folders of pictures, whole and damaged, with and without sidecars."""

import pytest

from llava_plus.data_gen.sources import Folder
from llava_plus.errors import SetupError


def test_pictures_come_sorted_and_damaged_ones_are_reported(tmp_path, photo, problems):
    for name in ("b/two.png", "a.JPG", "c.webp"):
        photo(tmp_path / name)
    (tmp_path / "b" / "cut.png").write_bytes((tmp_path / "b" / "two.png").read_bytes()[:200])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "notes.txt").write_text("no picture")
    items = list(Folder(path=tmp_path, licence="CC0-1.0").items(problems.append))
    assert [item.id for item in items] == ["a.JPG", "b/two.png", "c.webp"]
    assert [(p.file, "empty" in p.why or "damaged" in p.why) for p in problems] == [
        ("b/cut.png", True), ("empty.jpg", True),
    ]  # fmt: skip
    assert items[1].image().width == items[1].width == 40
    assert {item.licence for item in items} == {"CC0-1.0"}


def test_a_sidecar_tells_whose_a_picture_is(tmp_path, photo, note, problems):
    photo(tmp_path / "one.png")
    photo(tmp_path / "two.png")
    photo(tmp_path / "three.png")
    said = {"licence": "CC BY 4.0", "origin": "Anna Berg", "captions": ["A quiet harbour."]}
    note("one.png.json", said)
    note("two.png.json", {"licence": 4, "captions": "no list"})
    (tmp_path / "three.png.json").write_text("{")
    items = {item.id: item for item in Folder(path=tmp_path).items(problems.append)}
    one = items["one.png"]
    assert (one.licence, one.origin) == ("CC BY 4.0", "Anna Berg")
    assert one.truth.captions[0].text == "A quiet harbour."
    assert (items["two.png"].licence, items["two.png"].origin) == ("unknown", "two.png")
    assert sorted((p.file, p.why.split()[1]) for p in problems) == [
        ("three.png", "sidecar"), ("two.png", "captions"), ("two.png", "licence"),
    ]  # fmt: skip


def test_a_seed_draws_the_order_and_the_same_one_each_time(tmp_path, photo, problems):
    for number in range(8):
        photo(tmp_path / f"{number}.png")
    orders = [
        [item.id for item in Folder(path=tmp_path).items(problems.append, seed=seed)]
        for seed in (None, 1, 1, 2)
    ]
    assert orders[0] == sorted(orders[0])
    assert orders[1] == orders[2] != orders[0]
    assert sorted(orders[3]) == orders[0]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path, photo, problems):
    secret = photo(tmp_path / "elsewhere" / "secret.png")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "link.png").symlink_to(secret)
    assert list(Folder(path=tmp_path / "mine").items(problems.append)) == []
    assert "leads out of the folder" in problems[0].why


def test_a_missing_folder_is_said_to_the_person(tmp_path, problems):
    with pytest.raises(SetupError, match="There is no folder 'nowhere'"):
        list(Folder(path=tmp_path / "nowhere").items(problems.append))
