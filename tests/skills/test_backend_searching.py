"""Searching a person's folder of pictures: words or a picture in, pictures out."""

import asyncio
import runpy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from llava_plus.errors import SetupError
from llava_plus.skills import (
    Artifacts,
    Call,
    Image,
    Runtime,
    Table,
    default_registry,
    load_image,
    load_skills,
)
from llava_plus.skills.albums import Album
from llava_plus.skills.albums.sheet import CELL, LINE, sheet, thumbnail
from llava_plus.skills.backends import (
    index_album,
    named,
    skill_backends,
    with_album,
    with_backends,
)

ALL = ("search_images", "open_found", "show_found")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    tiny = runpy.run_path(str(Path(__file__).with_name("tiny_saying.py")))
    return cache(lambda: tiny["clip"](tmp_path_factory.mktemp("clip")))()


@pytest.fixture
def chosen(clip, own_choice):
    return [f"search_images=clip:{clip}"]


@pytest.fixture
def photos(tmp_path):
    """Return a folder of five pictures of noise."""
    (tmp_path / "photos" / "trip").mkdir(parents=True)
    draw = np.random.default_rng(0)
    for name in ("a.png", "b.png", "trip/c.png", "trip/d.png", "trip/e.png"):
        pixels = draw.integers(0, 255, (20, 30, 3), np.uint8)
        Pillow.fromarray(pixels).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


@pytest.fixture
def album(photos, tmp_path):
    return Album(photos, tmp_path / "albums")


@pytest.fixture
def session(chosen, album):
    """Return what runs a skill, with the folder indexed and picture c at hand."""
    index_album(album, chosen)
    return Session(with_album(with_backends(default_registry(), chosen), album), album)


class Session:
    def __init__(self, skills, album):
        self.artifacts = Artifacts()
        self.artifacts.add(load_image(album.folder / "trip/c.png"))
        self.runtime = Runtime(skills, self.artifacts)

    def run(self, skill, **args):
        seen = asyncio.run(self.runtime.run(Call(id="c", skill=skill, args=args)))
        return seen, self.artifacts[seen.handle].value if seen.handle else None


def test_pictures_are_found_by_words_in_the_order_of_the_models_likeness(session, clip, photos):
    seen, found = session.run("search_images", text="red dog", most=3)
    assert (seen.ok, seen.backend) == (True, "clip")
    assert found.columns == ("picture", "file", "likeness")
    model = named("clip").load(clip, "cpu").pairing
    names = sorted(str(path.relative_to(photos)) for path in photos.rglob("*.png"))
    likeness = model.vectors([load_image(photos / name) for name in names]) @ model.words("red dog")
    best = np.argsort(-likeness)[:3]
    assert [row[1] for row in found.rows] == [names[i] for i in best]
    assert [row[2] for row in found.rows] == pytest.approx(likeness[best], abs=2e-3)


def test_a_picture_finds_itself_first_and_can_be_opened_and_shown(session, photos):
    _, found = session.run("search_images", image="img_1")
    assert found.rows[0][1:] == ("trip/c.png", 1.0)
    seen, opened = session.run("open_found", found="table_1", nth=2)
    assert opened == load_image(photos / found.rows[1][1])
    assert (seen.kind, opened.meta["file"]) == ("image", found.rows[1][1])
    seen, shown = session.run("show_found", found="table_1")
    assert (seen.backend, shown.width, shown.height) == ("album", 3 * CELL, 2 * (CELL + LINE))
    left, top = (CELL - 30) // 2, (CELL - 20) // 2
    there = shown.pixels[top : top + 20, left : left + 30].astype(int)
    assert np.abs(there - load_image(photos / "trip/c.png").pixels).max() <= 1


def test_what_is_gone_since_is_neither_found_nor_opened(session, photos):
    _, before = session.run("search_images", image="img_1")
    (photos / "trip/c.png").unlink()
    _, after = session.run("search_images", image="img_1")
    assert [row[1] for row in after.rows] == [row[1] for row in before.rows[1:]]
    seen, _ = session.run("open_found", found="table_1")
    assert (seen.ok, seen.error) == (False, "skill")
    assert "open_found: trip/c.png cannot be opened: Cannot read 'c.png': there is no" in seen.text
    _, shown = session.run("show_found", found="table_1")
    assert shown.width == 2 * CELL


def test_a_new_picture_is_found_after_the_folder_was_indexed_again(session, album, photos, chosen):
    Pillow.new("RGB", (9, 9), "red").save(photos / "new.png")
    Pillow.new("RGB", (9, 9), "blue").save(photos / "broken.png")
    (photos / "broken.png").write_bytes((photos / "broken.png").read_bytes()[:40])
    report = index_album(album, chosen)
    assert (report.new, report.same, len(report.problems)) == (2, 5, 1)
    _, found = session.run("search_images", text="anything")
    assert len(found) == 6
    assert "new.png" in [row[1] for row in found.rows]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "give either text, such as 'a dog on a beach', or image"),
        ({"text": " "}, "give either text"),
        ({"text": "a dog", "image": "img_1"}, "give either text"),
        ({"text": "long story " * 40}, "tokens long, and the model reads"),
        ({"text": "a dog", "most": 0}, "most cannot be 0"),
        ({"text": "a dog", "folder": "/"}, "no parameter 'folder'"),
    ],
)
def test_what_cannot_be_searched_is_said(session, args, words):
    seen, _ = session.run("search_images", **args)
    assert seen.error == "skill"
    assert words in seen.text


def test_a_row_that_is_not_there_and_another_table_are_refused(session):
    session.run("search_images", text="a dog", most=2)
    seen, _ = session.run("open_found", found="table_1", nth=3)
    assert seen.text == "open_found: there is no picture 3, 2 were found."
    session.run("image_info", image="img_1")
    seen, _ = session.run("open_found", found="table_2")
    assert seen.text == "open_found: found wants what search_images gave, not another table."
    seen, _ = session.run("show_found", found="table_2")
    assert "not another table" in seen.text


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "trip/../../secret.png", "b.png"])
def test_a_table_that_names_other_places_opens_nothing(session, album, photos, path):
    Pillow.new("RGB", (9, 9)).save(photos.parent / "secret.png")
    _, found = session.run("search_images", text="a dog", most=1)
    id = found.rows[0][0] if found.rows[0][1] != "b.png" else 99
    session.artifacts.add(Table(found.columns, ((id, path, 0.5),)))
    seen, _ = session.run("open_found", found="table_2")
    assert f"{path} cannot be opened: it is not in the folder any more" in seen.text


@pytest.mark.parametrize("id", ["seven", None, 1.5])
def test_a_table_whose_numbers_are_none_opens_nothing(session, id):
    _, found = session.run("search_images", text="a dog", most=1)
    session.artifacts.add(Table(found.columns, ((id, found.rows[0][1], 0.5),)))
    seen, _ = session.run("open_found", found="table_2")
    assert (seen.error, "not in the folder any more" in seen.text) == ("skill", True)


def test_what_was_found_before_the_index_was_deleted_is_not_opened(session, album):
    session.run("search_images", text="a dog", most=1)
    assert album.forget()
    seen, _ = session.run("open_found", found="table_1")
    assert (seen.error, "not in the folder any more" in seen.text) == ("skill", True)


def test_a_folder_that_became_a_link_leads_nowhere(session, photos):
    session.run("search_images", image="img_1", most=1)
    (photos / "trip").rename(photos.parent / "elsewhere")
    (photos / "trip").symlink_to(photos.parent / "elsewhere")
    seen, _ = session.run("open_found", found="table_1")
    assert "it is not in the folder any more" in seen.text


def test_without_a_folder_or_an_index_it_says_what_a_person_does(chosen, album, photos):
    alone = Session(with_backends(default_registry(), chosen), album)
    seen, _ = alone.run("search_images", text="a dog")
    assert (seen.error, "--pictures FOLDER" in seen.text) == ("skill", True)
    skills = with_album(with_backends(default_registry(), chosen), None)
    assert not [name for name in ALL if name in skills]
    skills = with_album(with_backends(default_registry(), chosen), album)
    assert all(name in skills for name in ALL)
    seen, _ = Session(skills, album).run("search_images", text="a dog")
    assert seen.text.endswith(f"does that with: llava-plus skills index {photos}")


def test_without_a_model_nothing_is_offered_and_indexing_says_what_it_needs(album, own_choice):
    skills = load_skills(installed=False, album=album).skills
    assert not [name for name in ALL if name in skills]
    seen, _ = Session(skills, album).run("search_images", text="a dog")
    assert "search_images needs a model, and a folder of pictures that is named with" in seen.text
    with pytest.raises(SetupError, match=r"search_images needs a model, .* skills pull siglip"):
        index_album(album)


def test_another_model_has_an_index_of_its_own(album, chosen, tmp_path, clip):
    import shutil

    index_album(album, chosen)
    other = shutil.copytree(clip, tmp_path / "other")
    config = (other / "config.json").read_text()
    (other / "config.json").write_text(config.replace("2.6592", "2.7"))
    again = [f"search_images=clip:{other}"]
    assert index_album(album, again).new == 5
    assert index_album(album, chosen).same == 5
    assert album.forget()
    assert not album.forget()


def test_the_list_of_skills_names_the_model_in_use(chosen, album):
    skills = with_album(with_backends(default_registry(), chosen), album)
    lines = skill_backends(skills["search_images"])
    assert "clip: used" in lines
    assert skill_backends(skills["open_found"]) == ()


def test_a_sheet_shows_wide_high_and_tiny_pictures_and_names_that_no_font_has():
    cells = [
        (thumbnail(Image(np.full((*size, 3), 9, np.uint8))), f"{n}: 0.5", name)
        for n, (size, name) in enumerate(
            [((9, 4000), "x" * 200), ((4000, 9), "\U0001f9ff.png"), ((1, 1), "")]
        )
    ]
    shown = sheet(cells)
    assert (shown.width, shown.height) == (2 * CELL, 2 * (CELL + LINE))
    assert (shown.pixels[(CELL - 1) // 2, 5] == 9).all()
    assert (shown.pixels[5, CELL + (CELL - 1) // 2] == 9).all()
    assert sheet(cells[:1]).width == CELL
