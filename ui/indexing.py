"""``llava-plus skills index``: what makes a person's folder of pictures searchable."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from llava_plus.agent import data_home
from llava_plus.skills.albums import Album

from .terminal import say

SHOWN = 20  # files that could not be read


def open_album(folder: Path) -> Album:
    """Return a folder of pictures, whose index lies in the data directory."""
    return Album(folder, data_home() / "albums")


def index(
    folder: Annotated[Path, typer.Argument(help="The pictures, also in folders below it.")],
    backend: Annotated[
        list[str] | None,
        typer.Option(help="Another model: search_images=clip, or search_images=clip:FOLDER_OR_ID."),
    ] = None,
    forget: Annotated[bool, typer.Option(help="Delete what was kept of this folder.")] = False,
) -> None:
    """Look at the pictures of a folder, so that search_images finds them; again after changes."""
    album = open_album(folder)
    if forget:
        there = album.forget()
        say(Console(), f"{album.folder}: " + ("the index is deleted" if there else "no index"))
        return
    from llava_plus.skills.backends import index_album

    columns = (TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("pictures", total=None)
        report = index_album(
            album, backend or [], lambda done, of: progress.update(task, completed=done, total=of)
        )
    for path, problem in report.problems[:SHOWN]:
        say(Console(stderr=True), f"{path}: {problem}", "yellow")
    if len(report.problems) > SHOWN:
        say(Console(stderr=True), f"… and {len(report.problems) - SHOWN} more", "yellow")
    say(Console(), f"{album.folder}: {report}")
    say(Console(), f"Search it: llava-plus chat --pictures {album.folder}", "dim")
