"""``llava-plus skills``: what there is, what it needs, and getting it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import SkillRegistry, load_skills, model_registry, write_skill

from .indexing import index, open_album
from .options import BackendNames, SkillFiles
from .terminal import say, show_skill, show_skills

app = typer.Typer(invoke_without_command=True, help="List the skills.")
app.command()(index)


def load_registry(
    files: list[Path] | None, backends: list[str] | None = None, pictures: Path | None = None
) -> SkillRegistry:
    """Return the built-in skills, those of the person's own files and of installed packages.

    Args:
        files: Of the person's own skills.
        backends: Which models do which skills.
        pictures: The folder that may be searched.
    """
    album = None if pictures is None else open_album(pictures)
    loaded = load_skills(files or [], backends=backends or [], album=album)
    for problem in loaded.problems:
        say(Console(stderr=True), problem, "yellow")
    return loaded.skills


@app.callback()
def _skills(ctx: typer.Context, skills: SkillFiles = None, backend: BackendNames = None) -> None:
    ctx.meta["skills"], ctx.meta["backends"] = skills, backend
    if ctx.invoked_subcommand is None:
        show_skills(load_registry(skills, backend), Console())


@app.command()
def show(
    ctx: typer.Context, name: str, skills: SkillFiles = None, backend: BackendNames = None
) -> None:
    """Show all that is known of one skill."""
    registry = load_registry(
        [*(ctx.meta["skills"] or []), *(skills or [])],
        [*(ctx.meta["backends"] or []), *(backend or [])],
    )
    if name not in registry and name in model_registry():
        registry = model_registry()
    try:
        spec = registry.find(name)
    except SkillError as error:
        raise SetupError(str(error)) from error
    show_skill(spec, Console())


@app.command()
def new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Such as find_edges.")],
    folder: Annotated[Path, typer.Option(help="Where the two files go.")] = Path(),
) -> None:
    """Write a small working skill and its test, to change."""
    skill, test = write_skill(name, folder, load_registry(ctx.meta["skills"]))
    say(Console(), f"wrote {skill} and {test}")
    say(Console(), f"Try it: llava-plus run {name} --image PICTURE --skills {skill}", "dim")
    say(Console(), f"Test it: pytest {test}", "dim")


@app.command()
def pull(
    name: Annotated[
        str, typer.Argument(help="A backend, such as grounding-dino, or BACKEND:ID_ON_THE_HUB.")
    ],
) -> None:
    """Download the weights of a backend into the cache that all hub tools share."""
    from llava_plus.skills import backends

    known_as, _, place = name.partition(":")
    backend = backends.named(known_as)
    folder = backends.pull(backend, place, say=lambda text: say(Console(stderr=True), text))
    say(Console(), f"{backend.name} lies in {folder}")
    for skill in (each.skill for each in backends.BACKENDS if each.name == backend.name):
        how = f"with --backend {skill}={name}" if place else "from the next start on"
        say(Console(), f"{skill} has it {how}.", "dim")
