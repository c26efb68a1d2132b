"""Training a model from a recipe: ``llava-plus train``."""

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from llava_plus.errors import SetupError

from .terminal import say

if TYPE_CHECKING:
    from llava_plus.model.train import Recipe, Stage

STOPPED = 130  # the exit code after Ctrl-C, as shells have it


def train(
    recipe: Annotated[Path, typer.Argument(help="A file such as recipes/llava-1.5.yaml.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the run; gone on with.")],
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE, such as stages.0.max_steps=10; again for more."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="A model to begin with, or a processor alone for random weights."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="NAME=PATH of a data set, or PATH for all; again for more."),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FOLDER of a data set's pictures, or FOLDER for all."),
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave broken conversations out.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only look at recipe, data and model.")
    ] = False,
) -> None:
    """Train a model, stage by stage (docs/training.md)."""
    from llava_plus.model.train import read_recipe

    if not recipe.is_file():
        raise SetupError(f"There is no recipe at {recipe}.")
    read = _with_data(read_recipe(recipe, change or []), data or [], images or [])
    _log()
    from llava_plus.model.train.prepare import Order
    from llava_plus.model.train.run import train_recipe

    watch = Console(stderr=True)
    order = Order(
        recipe=read,
        out=out,
        model=model,
        skip_broken=skip_broken,
        check=check,
        tick=lambda name, done, of: (
            say(watch, f"reading {name}: {done} of {of}   ", "dim", "\r")
            if watch.is_terminal
            else None
        ),
    )
    try:
        made = train_recipe(order)
    except KeyboardInterrupt:
        say(watch, "\nStopped. The same command goes on from the last checkpoint.", "yellow")
        raise typer.Exit(STOPPED) from None
    if os.environ.get("RANK", "0") == "0":
        words = "Everything fits; nothing was trained." if check else f"The model is in {made}"
        say(Console(), words)


def _log() -> None:
    from transformers.utils import logging as transformers_logging

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("llava_plus").setLevel(logging.INFO)
    quiet: Any = transformers_logging.disable_progress_bar
    quiet()


def _with_data(recipe: "Recipe", data: list[str], images: list[str]) -> "Recipe":
    """Put the paths of the command line into a recipe."""
    known = {source.name for stage in recipe.stages for source in stage.data}
    paths, folders = _named(data, known, "--data"), _named(images, known, "--images")
    return replace(recipe, stages=tuple(_placed(stage, paths, folders) for stage in recipe.stages))


def _placed(stage: "Stage", paths: dict[str, str], folders: dict[str, str]) -> "Stage":
    sources = tuple(
        replace(
            source,
            path=paths.get(source.name, paths.get("", source.path)),
            images=folders.get(source.name, folders.get("", source.images)),
        )
        for source in stage.data
    )
    return replace(stage, data=sources)


def _named(given: list[str], known: set[str], option: str) -> dict[str, str]:
    """Values by name; the one without a name is for all others."""
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or Path(one).exists():
            name, value = "", one
        elif name not in known:
            raise SetupError(
                f"{option} {one}: the recipe has no data set {name!r}; it has"
                f" {', '.join(sorted(known))}."
            )
        found[name] = value
    return found
