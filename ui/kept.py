"""The sessions that were kept: ``llava-plus sessions``."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llava_plus.agent import Retention, SessionInfo, SessionStore
from llava_plus.errors import SetupError

from .render import written
from .terminal import printable, say

sessions_app = typer.Typer(
    invoke_without_command=True, help="List, show, rename, export and delete kept sessions."
)
Id = Annotated[str, typer.Argument(help="As `llava-plus sessions list` shows it.")]


@sessions_app.callback()
def _sessions(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        list_sessions()


@sessions_app.command("list")
def list_sessions() -> None:
    """List the sessions, the newest first."""
    store, console = SessionStore(), Console()
    if not (infos := store.infos()):
        say(
            console,
            f"No sessions in {store.home.root}. `llava-plus chat --session NAME` keeps one.",
        )
        return
    table = Table("id", "title", "changed", "turns", "size", box=None, pad_edge=False)
    for info in infos:
        table.add_row(*map(_cell, _row(info)))
    console.print(table)


@sessions_app.command()
def show(id: Id) -> None:
    """Show a session's requests, calls and answers."""
    console = Console()
    for turn in SessionStore().trace(id).turns:
        say(console, f"> {turn.message}", "bold")
        for step in turn.steps:
            for call in step.actions:
                say(console, f"  {written(call)}", "cyan")
        say(console, turn.answer or f"({turn.reason})")


@sessions_app.command()
def rename(id: Id, title: str) -> None:
    """Give a session another title."""
    SessionStore().rename(id, title)
    say(Console(), f"{id} is now called {title!r}")


@sessions_app.command()
def export(
    id: Id, target: Annotated[Path, typer.Argument(help="A new folder, or a new .zip file.")]
) -> None:
    """Write a session's trace and its pictures."""
    say(Console(), f"exported {SessionStore().export(id, target)}")


@sessions_app.command()
def delete(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]")] = None,
    older_than: Annotated[
        float | None, typer.Option(help="Delete all that did not change for so many days.")
    ] = None,
    over: Annotated[
        int | None, typer.Option(help="Delete the oldest until all take at most so many MB.")
    ] = None,
) -> None:
    """Delete sessions, and the pictures that no other session uses."""
    store, console = SessionStore(), Console()
    if not ids and older_than is None and over is None:
        raise SetupError("Say what to delete: an id, --older-than DAYS or --over MB.")
    for id in ids or []:
        say(console, f"deleted {id}, {_shown_size(store.delete(id))}")
    limit = None if over is None else over * 1_000_000
    for id in store.prune(Retention(days=older_than, bytes=limit)):
        say(console, f"deleted {id}")


def _row(info: SessionInfo) -> tuple[str, ...]:
    if info.problem:
        return info.id, info.problem, "", "", _shown_size(info.bytes)
    changed = datetime.fromtimestamp(info.changed).strftime("%Y-%m-%d %H:%M")
    turns = f"{info.turns} + 1 broken off" if info.interrupted else str(info.turns)
    return info.id, info.title, changed, turns, _shown_size(info.bytes)


def _cell(text: str) -> Text:
    return Text(printable(text))


def _shown_size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB"
