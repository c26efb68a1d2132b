"""Searching a person's folder of pictures: the skills for it, bound to that folder."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from llava_plus.errors import SkillError
from llava_plus.skills import Image, SkillRegistry, SkillSpec, Table, model_registry
from llava_plus.skills.albums import Album, Report
from llava_plus.skills.albums.sheet import sheet, thumbnail

from .choosing import Chooser, use_model
from .matching import Matcher

SEARCH = "search_images"
SHOWN = 25  # pictures on one sheet


def with_album(skills: SkillRegistry, album: Album | None) -> SkillRegistry:
    """Return the skills with those that search a folder; without a folder there are none.

    Args:
        skills: What `with_backends` gave.
        album: The folder.
    """
    search = next((spec for spec in skills if spec.name == SEARCH), None)
    if search is None or not isinstance(search.function, Chooser):
        return skills
    others = [spec for spec in skills if spec is not search]
    if album is None:
        return SkillRegistry(others)
    model = search.function.model
    bound = replace(model, function=partial(model.function, album=album))
    chooser = Chooser(search.function.builtin, bound, None)
    shown = [
        _bound("open_found", partial(_open, album)),
        _bound("show_found", partial(_show, album)),
    ]
    return SkillRegistry([*others, replace(search, function=chooser), *shown])


def index_album(
    album: Album,
    wanted: Iterable[str] = (),
    say: Callable[[int, int], None] = lambda done, of: None,
) -> Report:
    """Bring the index of a folder up to date with the model that ``search_images`` has.

    Args:
        album: The folder.
        wanted: Choices of backends; see `with_backends`.
        say: Told how many of how many files are done.

    Raises:
        SetupError: No model is there, or the index cannot be written.
    """

    def update(model: Matcher) -> Report:
        return album.update(model.pairing.key, model.pairing, say)

    report: Report = use_model(SEARCH, wanted, update)
    return report


def _bound(name: str, function: Callable[..., Any]) -> SkillSpec:
    return replace(model_registry()[name], function=function, backend="album", isolation="inline")


def _open(album: Album, found: Table, *, nth: int = 1) -> Image:
    return album.opened("open_found", found, nth - 1)


def _show(album: Album, found: Table) -> Image:
    cells: list[tuple[Image, str, str]] = []
    why = "nothing was found"
    for row in range(min(len(found), SHOWN)):
        try:
            picture = thumbnail(album.opened("show_found", found, row))
        except SkillError as error:
            why = str(error).removeprefix("show_found: ")
            continue
        _, path, likeness = found.rows[row]
        cells.append((picture, f"{row + 1}: {likeness:.3f}", str(path)))
    if not cells:
        raise SkillError(f"show_found: no picture can be shown: {why}")
    return sheet(cells)
