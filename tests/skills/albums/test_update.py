"""An index of a folder of pictures: brought up to date, whole after a kill, honest about damage."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from llava_plus.errors import SetupError
from llava_plus.skills.albums import Album, Index, update


class ByColor:
    """Turns pictures into their mean colours, and counts them."""

    def __init__(self):
        self.seen = 0

    def vectors(self, images):
        colors = []
        for image in images:
            self.seen += 1
            color = image.rgb().reshape(-1, 3).mean(0) + 1
            colors.append(color / np.linalg.norm(color))
        return np.array(colors, np.float32).reshape(-1, 3)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos" / "trips").mkdir(parents=True)
    return tmp_path / "photos"


@pytest.fixture
def index(tmp_path):
    return Index(tmp_path / "index")


def paint(folder, name, color=(250, 0, 0), size=(8, 6)):
    path = folder / name
    Pillow.new("RGB", size, color).save(path)
    return path


def counts(report):
    return report.new, report.changed, report.gone, report.same


def test_only_what_is_new_or_changed_is_looked_at(folder, index):
    paint(folder, "red.png")
    paint(folder, "trips/green.jpg", (0, 250, 0))
    (folder / "notes.txt").write_text("no picture")
    paint(folder, ".hidden.png")
    looker = ByColor()
    assert counts(update(index, folder, looker)) == (2, 0, 0, 0)
    assert counts(update(index, folder, looker)) == (0, 0, 0, 2)
    paint(folder, "red.png", (0, 0, 250), size=(9, 9))
    paint(folder, "grey.png", (90, 90, 90))
    (folder / "trips" / "green.jpg").unlink()
    assert counts(update(index, folder, looker)) == (1, 1, 1, 0)
    assert looker.seen == 4
    entries, vectors = index.vectors()
    assert [entry.path for entry in entries] == ["grey.png", "red.png"]
    assert vectors.dtype == np.float16
    assert vectors[1].astype(float) == pytest.approx([0.004, 0.004, 1], abs=0.01)


def test_a_picture_that_was_moved_or_lies_there_twice_is_known_by_its_bytes(folder, index):
    looker = ByColor()
    update(index, folder, looker)
    paint(folder, "red.png")
    update(index, folder, looker)
    (folder / "red.png").rename(folder / "trips" / "rot.png")
    paint(folder, "again.png")
    assert counts(update(index, folder, looker)) == (2, 0, 1, 0)
    assert looker.seen == 1
    assert len(index.vectors()[0]) == 2


def test_files_that_cannot_be_read_are_told_left_out_and_not_tried_again(folder, index):
    whole = paint(folder, "whole.png", size=(40, 40)).read_bytes()
    (folder / "cut.png").write_bytes(whole[:60])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "page.webp").write_text("<html>")
    looker = ByColor()
    for _ in range(2):
        report = update(index, folder, looker)
        assert [path for path, _ in report.problems] == ["cut.png", "empty.jpg", "page.webp"]
        assert "it is damaged or cut short" in dict(report.problems)["cut.png"]
    assert str(report) == "0 new, 0 changed, 0 gone, 4 as before; 3 could not be read"
    assert [entry.path for entry in index.vectors()[0]] == ["whole.png"]
    (folder / "cut.png").write_bytes(whole)
    assert len(update(index, folder, looker).problems) == 2


def test_an_empty_folder_is_an_empty_index_and_a_missing_one_an_error(folder, index, tmp_path):
    assert counts(update(index, folder, ByColor())) == (0, 0, 0, 0)
    assert index.vectors()[0] == ()
    with pytest.raises(SetupError, match=r"There is no folder .*gone'\. Name one with pictures"):
        update(index, tmp_path / "gone", ByColor())
    with pytest.raises(SetupError, match="There is no folder"):
        Album(tmp_path / "gone", tmp_path)


def test_a_picture_that_goes_while_the_folder_is_listed_is_left_out(folder, index, monkeypatch):
    paint(folder, "a.png")
    paint(folder, "b.png")

    def walk(top):
        for place, folders, files in os_walk(top):
            (Path(place) / "b.png").unlink(missing_ok=True)
            yield place, folders, files

    os_walk = os.walk
    monkeypatch.setattr(os, "walk", walk)
    assert counts(update(index, folder, ByColor())) == (1, 0, 0, 0)


def test_links_are_not_followed(folder, index, tmp_path):
    outside = paint(tmp_path, "secret.png")
    (folder / "link.png").symlink_to(outside)
    (folder / "further").symlink_to(tmp_path, target_is_directory=True)
    assert counts(update(index, folder, ByColor())) == (0, 0, 0, 0)


def test_a_thousand_small_files_are_kept_in_few_files_of_vectors(folder, index):
    for number in range(1000):
        tile = Pillow.new("RGB", (1, 1), (number % 250, number // 4, 77))
        tile.save(folder / f"{number:04}.bmp")
    told = []
    report = update(index, folder, ByColor(), say=lambda done, of: told.append((done, of)))
    assert counts(report) == (1000, 0, 0, 0)
    assert told[0] == (0, 1000)
    assert told[-1] == (1000, 1000)
    assert len(told) == 17
    assert len(list(index.root.glob("vectors-*"))) == 1
    entries, vectors = index.vectors()
    assert (len(entries), vectors.shape) == (1000, (1000, 3))
    color = np.array([999 % 250, 249, 77]) + 1
    assert vectors[999].astype(float) == pytest.approx(color / np.linalg.norm(color), abs=2e-3)
    for number in range(900):
        (folder / f"{number:04}.bmp").unlink()
    update(index, folder, ByColor())
    (path,) = index.root.glob("vectors-*")
    assert path.stat().st_size < 2000
    assert (index.vectors()[1] == vectors[900:]).all()


def test_after_a_kill_it_goes_on_where_it_was(folder, index, tmp_path):
    for number in range(200):
        paint(folder, f"{number:03}.png", (number, 9, 9), size=(2, 2))
    (index.root).mkdir()
    (index.root / ".half.part").write_bytes(b"left over")
    script = f"""
        import os, signal
        from pathlib import Path
        import numpy as np
        from llava_plus.skills.albums import Index, update

        class Killed:
            seen = 0
            def vectors(self, images):
                found = []
                for _ in images:
                    self.seen += 1
                    if self.seen == 150:
                        os.kill(os.getpid(), signal.SIGKILL)
                    found.append([1.0, 0.0, 0.0])
                return np.array(found, np.float32)

        update(Index(Path({str(index.root)!r})), Path({str(folder)!r}), Killed())
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert ended.returncode == -9
    assert len(index.vectors()[0]) == 128
    looker = ByColor()
    assert counts(update(index, folder, looker)) == (72, 0, 0, 128)
    assert looker.seen == 72
    assert not list(index.root.glob(".*.part"))
    assert len(index.vectors()[0]) == 200


def test_two_cannot_write_at_once_and_others_read_meanwhile(folder, index):
    paint(folder, "red.png")
    update(index, folder, ByColor())
    with index.held():
        with pytest.raises(SetupError, match="being indexed already, by another process"):
            update(Index(index.root), folder, ByColor())
        assert len(Index(index.root).vectors()[0]) == 1


def test_one_who_reads_sees_what_another_has_written(folder, index):
    reader = Index(index.root)
    assert reader.vectors()[0] == ()
    for number in range(3):
        paint(folder, f"{number}.png")
        update(index, folder, ByColor())
        assert len(reader.vectors()[0]) == number + 1


def test_a_damaged_index_is_a_sentence_that_says_what_to_do(folder, index):
    paint(folder, "red.png")
    update(index, folder, ByColor())
    (shard,) = index.root.glob("vectors-*")
    shard.write_bytes(shard.read_bytes()[:9])
    with pytest.raises(SetupError, match=r"is damaged\. Delete the folder .* index the pictures"):
        Index(index.root).vectors()
    shard.unlink()
    with pytest.raises(SetupError, match="Files of vectors are missing"):
        Index(index.root).vectors()
    (index.root / "index.sqlite").write_bytes(b"no database" * 999)
    with pytest.raises(SetupError, match="cannot be used: file is not a database"):
        Index(index.root).vectors()


def test_an_index_that_cannot_be_written_is_a_sentence(folder, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SetupError, match="Cannot keep an index in"):
        update(Index(tmp_path / "taken" / "below"), folder, ByColor())


def test_what_the_model_breaks_at_loses_nothing_that_was_done(folder, index):
    for number in range(70):
        paint(folder, f"{number:02}.png", size=(2, 2))

    class Broken(ByColor):
        def vectors(self, images):
            found = super().vectors(images)
            if self.seen > 64:
                raise MemoryError
            return found

    with pytest.raises(MemoryError):
        update(index, folder, Broken())
    assert len(index.entries()) == 64
    assert counts(update(index, folder, ByColor())) == (6, 0, 0, 64)


def test_numbers_of_pictures_are_never_used_again(folder, index):
    paint(folder, "red.png")
    update(index, folder, ByColor())
    (first,) = index.entries().values()
    paint(folder, "red.png", size=(3, 3))
    update(index, folder, ByColor())
    (second,) = index.entries().values()
    assert second.id > first.id
    assert index.entry(first.id) is None


def test_an_index_is_for_its_owner_only(folder, index):
    update(index, folder, ByColor())
    assert index.root.stat().st_mode & 0o077 == 0


def test_odd_names_are_kept_and_those_that_cannot_be_shown_left_out(folder, index):
    paint(folder, "caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{CJK UNIFIED IDEOGRAPH-72D7}.png")
    paint(folder, "two\nlines.png")
    Pillow.new("RGB", (3, 3)).save(os.fsencode(folder / "plain.png"))
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.png")).write_bytes(b"")
    assert counts(update(index, folder, ByColor())) == (2, 0, 0, 0)
