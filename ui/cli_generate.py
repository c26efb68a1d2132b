"""``llava-plus data new | generate``: a recipe, and the traces that it makes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from llava_plus.agent import data_home

from .data_report import show_made
from .options import AsJson, SkillFiles
from .terminal import print_json, say

if TYPE_CHECKING:
    from llava_plus.data_gen.progress import Progress as Made

INTERRUPTED = 130  # exit code after Ctrl-C
SPENT = 4  # exit code: a budget is used up
EVERY = 15.0  # seconds between lines where there is no terminal
REMEMBERED = "generated"  # folder in the data directory


class Engine(StrEnum):
    """Who makes the parts of a run."""

    PROCESSES = "processes"
    RAY = "ray"


def new(
    folder: Annotated[Path, typer.Argument(help="A new folder for the recipe.")],
) -> None:
    """Write a recipe with comments, for you to change."""
    from llava_plus.data_gen.example import write_recipe

    path = write_recipe(folder)
    say(Console(), f"{path} is written. Change it, then: llava-plus data generate {path} -o OUT")


def generate(
    recipe: Annotated[Path, typer.Argument(help="What `data new` has written.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder, or a broken-off run's.")],
    traces: Annotated[int | None, typer.Option(min=1, help="How many are to be kept.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draws everything.")] = None,
    skills: SkillFiles = None,
    engine: Annotated[Engine, typer.Option(help="Who works.")] = Engine.PROCESSES,
    cache: Annotated[
        Path | None, typer.Option(help="Folder where results are remembered from run to run.")
    ] = None,
    remember: Annotated[bool, typer.Option(help="Whether they are remembered at all.")] = True,
    finish: Annotated[
        bool, typer.Option(help="Make nothing more; close a broken-off run.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Make verified traces as a recipe says; a run that was broken off goes on where it was."""
    from llava_plus.data_gen.generate import generate as run
    from llava_plus.data_gen.recipe import Recipe
    from llava_plus.data_gen.writing import SpentError

    given = {"traces": traces, "workers": workers, "seed": seed}
    read = Recipe.read(recipe)
    read = read.model_copy(update={name: one for name, one in given.items() if one is not None})
    if skills:
        files = [*read.skills.files, *(path.absolute() for path in skills)]
        read = read.model_copy(update={"skills": read.skills.model_copy(update={"files": files})})
    kept = (cache or data_home() / REMEMBERED) if remember else None
    console = Console(stderr=True)
    try:
        with _shown(console) as tick:
            done = run(read, out, cache=kept, engine=engine.value, finish=finish, tick=tick)
    except KeyboardInterrupt:
        say(console, "Interrupted. Nothing is lost: the same command goes on.", "yellow")
        raise typer.Exit(INTERRUPTED) from None
    except SpentError as error:
        words = "Raise it and run the same command to go on, or close the run with --finish."
        say(console, f"{error} {words}", "yellow")
        raise typer.Exit(SPENT) from None
    seconds = round(time.monotonic() - done.began, 1)
    if json:
        print_json({**done.to_json(), "fresh": done.counts["fresh"], "seconds": seconds})
    else:
        show_made(done, out, seconds)


@contextmanager
def _shown(console: Console) -> Iterator[Callable[["Made"], None]]:
    """Show how a run gets on: a bar in a terminal, else a line now and then."""
    if not console.is_terminal:
        last = [time.monotonic()]

        def tell(progress: "Made") -> None:
            if time.monotonic() - last[0] > EVERY:
                last[0] = time.monotonic()
                say(console, _words(progress))

        yield tell
        return
    with Progress(BarColumn(), TextColumn("{task.description}"), console=console) as bar:
        task = bar.add_task("beginning")

        def show(progress: "Made") -> None:
            words = _words(progress)
            bar.update(task, total=progress.wanted, completed=progress.kept, description=words)

        yield show


def _words(progress: "Made") -> str:
    left = progress.left
    eta = "" if left is None else f", {left // 60:.0f}:{left % 60:02.0f} left"
    return (
        f"{progress.kept} of {progress.wanted} traces, {progress.rate:.1f}/s, "
        f"{progress.share:.0%} kept{eta}"
    )
