"""Make docs/gallery.md and its pictures: ``python docs/make_gallery.py``.

Every skill runs through a session, as in the chat page. Takes a minute or some, reruns less, since
what slow skills returned is kept; the same versions of the packages give the same files.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from gallery_inputs import INPUTS
from gallery_page import FOLDER, calls_of, page
from gallery_showings import SHOWINGS, Showing
from PIL import Image as Pillow

from llava_plus.agent import Agent, Limits, ScriptedPlanner, Trace
from llava_plus.errors import SetupError
from llava_plus.skills import Image, SkillRegistry, Value, default_registry
from llava_plus.ui.overlays import Drawable, picture_under
from llava_plus.ui.results import open_results

ROOT = Path(__file__).parents[1]
SIDE, CHART = 360, 480  # pixels of the longer side of what is shown
INPUT, RESULT = 25_000, 18_000  # bytes of a picture that goes in, and of one that comes out
PATIENCE = 600.0  # seconds for a call: a busy machine gives the same page
_SQUARES = (255, 205)  # grey levels behind what is transparent


def main() -> None:
    """Write the pictures that go in, those that come out, and the page."""
    skills = SkillRegistry(replace(spec, time_limit=PATIENCE) for spec in default_registry())
    for one in INPUTS:
        if one.make is not None:
            write(one.make(), one.path, INPUT)
    values: dict[str, dict[str, Value]] = {}
    pictures: dict[str, dict[str, str]] = {}
    for showing in SHOWINGS:
        trace = run(showing, skills)
        values[showing.skill] = {h: trace.artifacts[h].value for h in showing.results}
        pictures[showing.skill] = show(showing, trace)
    text = page(SHOWINGS, skills, values, pictures)
    (ROOT / "docs" / "gallery.md").write_text(text, encoding="utf-8")
    remove_others(pictures)


def run(showing: Showing, skills: SkillRegistry) -> Trace:
    """Carry out the calls of a showing in a session of its own."""
    limits = Limits(seconds=PATIENCE)
    session = Agent(ScriptedPlanner([]), skills, limits=limits, results=open_results()).session()
    session.attach([ROOT / path for path in showing.pictures])
    for call in calls_of(showing, skills):
        trace = session.call_sync(call.skill, call.args)
        seen = trace.turns[-1].steps[-1].observations[0]
        sys.stdout.write(f"{showing.skill}: {seen.skill} {seen.text[:70]} ({seen.seconds:.1f} s)\n")
        sys.stdout.flush()
        if not seen.ok:
            raise SetupError(f"The showing of {showing.skill} fails: {seen.text}")
    return trace


def show(showing: Showing, trace: Trace) -> dict[str, str]:
    """Write a picture of every result that can be seen; return the files by handle."""
    files = {}
    for handle in showing.results:
        seen = drawn(handle, trace, CHART if showing.skill == "plot" else SIDE)
        if seen is not None:
            files[handle] = f"{FOLDER}/{showing.skill}-{handle}.jpg"
            write(seen, files[handle], RESULT)
    return files


def drawn(handle: str, trace: Trace, side: int) -> Pillow.Image | None:
    """Return a small picture of a value, drawn on the one that it was found in; None of words."""
    value = trace.artifacts[handle].value
    if isinstance(value, Image):
        return small(value, side)
    under = picture_under(handle, trace.artifacts, trace.turns)
    if under is None or not isinstance(value, Drawable):
        return None
    picture = trace.artifacts[under].value
    assert isinstance(picture, Image)
    return value.overlay(Image.from_pil(small(picture, side))).to_pil()


def small(image: Image, side: int) -> Pillow.Image:
    """Return a copy of bounded size, with grey squares behind what is transparent."""
    picture = image.to_pil()
    picture.thumbnail((side, side), Pillow.Resampling.LANCZOS)
    if picture.mode == "RGB":
        return picture
    y, x = np.mgrid[: picture.height, : picture.width] // 8
    squares = np.where((x + y) % 2 == 0, *_SQUARES).astype(np.uint8)
    ground = Pillow.fromarray(squares).convert("RGBA")
    return Pillow.alpha_composite(ground, picture).convert("RGB")


def write(picture: Pillow.Image, path: str, limit: int) -> None:
    """Write a JPEG of bearable size."""
    place = ROOT / path
    place.parent.mkdir(exist_ok=True)
    for quality in range(88, 30, -4):
        picture.save(place, "JPEG", quality=quality, optimize=True)
        if place.stat().st_size <= limit:
            break
    size = f"{picture.width}x{picture.height}, quality {quality}, {place.stat().st_size} bytes"
    sys.stdout.write(f"  {path}: {size}\n")


def remove_others(pictures: Mapping[str, Mapping[str, str]]) -> None:
    """Delete the pictures of showings that are no more."""
    kept = {one.path for one in INPUTS} | {p for files in pictures.values() for p in files.values()}
    for place in (ROOT / FOLDER).glob("*.jpg"):
        if f"{FOLDER}/{place.name}" not in kept:
            place.unlink()


if __name__ == "__main__":
    main()
