"""The command line: ``llava-plus ui``, ``chat``, ``run``, ``eval``, ``data`` and more."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import llava_plus
from llava_plus.agent import Agent, Planner, Retention, SessionStore, data_home, load_planner
from llava_plus.errors import SetupError
from llava_plus.skills import load_image

from .by_hand import run_skill
from .cli_data import data_app
from .cli_model import model_app
from .cli_skills import app as skills_app
from .cli_skills import load_registry
from .evaluating import evaluate
from .kept import sessions_app
from .options import AsJson, BackendNames, PictureFolder, Port, SkillFiles
from .results import open_results
from .terminal import print_json, say
from .training import train

KEEP_DAYS, KEEP_MB = 90.0, 2000
FAILED, UNFINISHED = 1, 3  # exit codes; 2 is typer's, for a command that cannot be read

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(skills_app, name="skills")
app.add_typer(sessions_app, name="sessions")
app.command("eval")(evaluate)
app.command()(train)
app.add_typer(data_app, name="data")
app.add_typer(model_app, name="model")

PLANNER_HELP = (
    '"nano", a folder with a checkpoint, the id of one, openai:MODEL@ADDRESS for a chat server, '
    "or a YAML file about one."
)
PlannerName = Annotated[str, typer.Option("--planner", help=PLANNER_HELP)]
PlannerNames = Annotated[
    list[str] | None,
    typer.Option("--planner", help=f"{PLANNER_HELP} Again for more that visitors may choose."),
]
Device = Annotated[str, typer.Option(help="cuda, mps, cpu or auto.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"llava-plus {llava_plus.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    """Chat with pictures: an assistant that plans and acts with skills."""


@app.command()
def ui(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="Where to listen; not only here needs a token.")] = (
        "127.0.0.1"
    ),
    port: Port = None,
    token: Annotated[str | None, typer.Option(help="Asked of every visitor.")] = None,
    planner: PlannerNames = None,
    device: Device = "auto",
    skills: SkillFiles = None,
    backend: BackendNames = None,
    pictures: PictureFolder = None,
    browser: Annotated[bool, typer.Option(help="Open a browser, too.")] = True,
    keep: Annotated[
        bool | None,
        typer.Option(help="Keep chats on disk; if left out, where only this machine sees them."),
    ] = None,
    keep_days: Annotated[float, typer.Option(min=1, help="Chats older than this go.")] = KEEP_DAYS,
    keep_mb: Annotated[int, typer.Option(min=1, help="All chats' room; the oldest go.")] = KEEP_MB,
    collect: Annotated[
        Path | None,
        typer.Option(help="Folder for chats and thumbs that visitors agree to give for training."),
    ] = None,
) -> None:
    """Open the chat page."""
    from .late import LatePlanner
    from .lobby import prune_hourly
    from .serve import needs_token, serve

    registry = load_registry(skills, backend, pictures)
    keep = not needs_token(host) if keep is None else keep
    store, results = (SessionStore(), open_results()) if keep else (None, None)
    home = None if store is None else store.home.root
    load = _loader(ctx)
    planners = {
        name: LatePlanner(partial(load, name, device=device), name=name)
        for name in planner or ["nano"]
    }
    first = next(iter(planners.values()))
    server = serve(
        lambda: Agent(first, registry, results=results, home=home),
        host=host,
        port=port,
        token=token,
        store=store,
        planners=planners,
        collection=None if collect is None else _collection(collect),
    )
    say(Console(), f"LLaVA-Plus is at {server.address}")
    if store is None:
        where = f"the pictures, which lie in {server.folder}"
        say(Console(), f"Ctrl-C ends it and deletes {where}; nothing is kept.", "dim")
    else:
        room = f"for {keep_days:g} days and up to {keep_mb} MB"
        say(Console(), f"Chats are kept in {home}, {room}; --no-keep keeps none.", "dim")
        prune_hourly(store, Retention(days=keep_days, bytes=keep_mb * 1_000_000))
    if collect is not None:
        say(Console(), f"Chats that visitors agree to give for training go to {collect}.", "dim")
    if results is not None:
        kept = f"up to {results.cap // 1_000_000} MB of what slow skills returned stay"
        say(Console(), f"So that nothing is computed twice, {kept} in {results.root}.", "dim")
    first.start()  # only now: the page comes first; others load when they are chosen
    if browser:
        typer.launch(server.address)
    server.wait()


@app.command()
def chat(
    ctx: typer.Context,
    images: Annotated[list[Path] | None, typer.Argument(metavar="IMAGE…")] = None,
    message: Annotated[
        list[str] | None, typer.Option("--message", "-m", help="A request; again for the next.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures that are made.")] = Path(
        "llava-plus-out"
    ),
    json: AsJson = False,
    planner: PlannerName = "nano",
    device: Device = "auto",
    skills: SkillFiles = None,
    backend: BackendNames = None,
    pictures: PictureFolder = None,
    point: Annotated[
        list[str] | None, typer.Option(help="x,y in 0..1: a place on the last picture.")
    ] = None,
    box: Annotated[
        list[str] | None, typer.Option(help="x0,y0,x1,y1 in 0..1: a box on the last picture.")
    ] = None,
    session: Annotated[
        str | None, typer.Option(help="Keep the chat under this name, or go on with it.")
    ] = None,
) -> None:
    """Chat in the terminal; without -m, it asks."""
    from .talk import Talk, point_at

    attached = [load_image(path) for path in images or []]  # what is wrong shows at once
    home = None if session is None else data_home()
    agent = Agent(
        _loader(ctx)(planner, device=device),
        load_registry(skills, backend, pictures),
        results=open_results(),
        home=home,
    )
    talk = Talk(agent, Console(stderr=json), out, session)
    with closing(talk.session):
        talk.go_on()
        talk.session.attach(attached)
        point_at(talk.session, point or [], box or [])
        turns = talk.ask_all(message or [])
        if not message:
            talk.prompt()
        if json:
            sys.stdout.write(talk.session.trace.to_json() + "\n")
    if turns and turns[-1].reason != "answered":
        say(Console(stderr=True), f"The request was not answered ({turns[-1].reason}).", "red")
        raise typer.Exit(UNFINISHED)


@app.command()
def run(
    skill: Annotated[str, typer.Argument(help="Name of the skill.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE…]")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="A picture; again for more.")] = None,
    region: Annotated[
        list[str] | None, typer.Option(help="x0,y0,x1,y1 in 0..1; again for more boxes.")
    ] = None,
    point: Annotated[list[str] | None, typer.Option(help="x,y in 0..1; again for more.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File for the picture that comes out.")
    ] = None,
    json: AsJson = False,
    skills: SkillFiles = None,
    backend: BackendNames = None,
    pictures: PictureFolder = None,
) -> None:
    """Run one skill by hand, without a planner."""
    result = asyncio.run(
        run_skill(
            load_registry(skills, backend, pictures),
            skill,
            arguments or [],
            images=image or [],
            regions=region or [],
            points=point or [],
            results=open_results(),
        )
    )
    saved = result.save(out)
    if json:
        print_json(result.to_json(saved))
    elif result.observation.ok:
        say(Console(), result.words())
        if saved:
            say(Console(), f"saved {saved}", "dim")
    if not result.observation.ok:
        say(Console(stderr=True), result.observation.text, "red")
        raise typer.Exit(UNFINISHED)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="LLaVA-Plus's training data or server log.")],
    image: Annotated[Path | None, typer.Option(help="The picture of the conversation.")] = None,
    number: Annotated[int, typer.Option(help="Which conversation of the file.")] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File for it with the new results.")
    ] = None,
    json: AsJson = False,
    skills: SkillFiles = None,
    backend: BackendNames = None,
    pictures: PictureFolder = None,
) -> None:
    """Run the calls of a LLaVA-Plus conversation with these skills."""
    from .replayed import replay_item, show_replay

    done = replay_item(file, number, image, load_registry(skills, backend, pictures), out)
    if json:
        sys.stdout.write(done.trace.to_json() + "\n")
    else:
        show_replay(done, Console())
    if not all(result.ok for result in done.results):
        raise typer.Exit(UNFINISHED)


def main(
    arguments: list[str] | None = None, *, load: Callable[..., Planner] = load_planner
) -> None:
    """Run the program and exit with its code.

    Args:
        arguments: Those of the command line if left out.
        load: Makes a planner from its name; tests give a scripted one.
    """
    try:
        app(arguments, obj=load)
    except SetupError as error:
        say(Console(stderr=True), str(error), "red")
        sys.exit(FAILED)


def _collection(folder: Path) -> Any:
    from llava_plus.data_gen.feedback import Collection

    return Collection(folder)


def _loader(ctx: typer.Context) -> Callable[..., Planner]:
    load: Callable[..., Any] = ctx.obj
    return load
