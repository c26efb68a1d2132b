"""Traces as training data: ``llava-plus data new | generate | verify | stats | export | …``."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from llava_plus.skills import SkillRegistry, load_skills, with_original_names

from .cli_generate import generate, new
from .data_report import complain, list_problems, show_report, show_statistics
from .options import AsJson, Port, SkillFiles
from .results import open_results
from .terminal import print_json, say

if TYPE_CHECKING:
    from llava_plus.data_gen.folders import TraceFolder

INTERRUPTED = 130  # exit code after Ctrl-C

data_app = typer.Typer(no_args_is_help=True, help="Make, verify, count and export traces.")
data_app.command()(new)
data_app.command()(generate)


class Form(StrEnum):
    """What `export` writes."""

    TRACES = "traces"
    LLAVA_PLUS = "llava-plus"
    TRL = "trl"
    LLAMA_FACTORY = "llama-factory"
    MS_SWIFT = "ms-swift"
    PARQUET = "parquet"
    CONVERSATIONS = "conversations"
    DPO = "dpo"


Folder = Annotated[Path, typer.Argument(help="Folder with traces: *.jsonl or trace.json.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="A new folder.")]
Pictures = Annotated[
    list[Path] | None,
    typer.Option(help="Folder of pictures by content, as `artifacts` is; again for more."),
]
Licence = Annotated[str, typer.Option(help="That of the pictures of traces that name none.")]


@data_app.command()
def verify(
    folder: Folder,
    out: Out,
    licence: Licence = "",
    allow: Annotated[
        list[str] | None, typer.Option(help="A licence that may be used, too; again for more.")
    ] = None,
    replay: Annotated[bool, typer.Option(help="Run every call once more.")] = True,
    bypass: Annotated[
        float, typer.Option(min=0, max=1, help="Share of steps replayed past kept results.")
    ] = 0.02,
    seed: Annotated[int, typer.Option(help="Draws those.")] = 0,
    pictures: Pictures = None,
    skills: SkillFiles = None,
    json: AsJson = False,
) -> None:
    """Keep the traces that are right; the others lie in `dropped`, with the reason."""
    from llava_plus.data_gen.folders import TraceFolder
    from llava_plus.data_gen.verify import ALLOWED, sift_folder, standard_verifiers

    traces = TraceFolder(folder, pictures=pictures or [])
    verifiers = standard_verifiers(
        _skills(skills),
        results=open_results(),
        licences=[*ALLOWED, *(allow or [])],
        replay=replay,
        share=bypass,
        seed=seed,
    )
    with _progress("verifying", traces) as tick:
        report = sift_folder(traces, out, verifiers, licence=licence, tick=tick)
    show_report(report, out, as_json=json)


@data_app.command()
def decontaminate(
    folder: Folder,
    out: Out,
    against: Annotated[
        list[Path], typer.Option(help="Evaluation: *.jsonl, *.json, *.txt, pictures, or a folder.")
    ],
    share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of a request's 5-grams from which it goes.")
    ] = 0.5,
    distance: Annotated[
        int, typer.Option(min=0, max=128, help="Bits of 128 by which hashes may differ.")
    ] = 10,
    pictures: Pictures = None,
    json: AsJson = False,
) -> None:
    """Leave out what an evaluation asks, and its pictures."""
    from llava_plus.data_gen.decontaminate import Evaluation, Uncontaminated
    from llava_plus.data_gen.folders import TraceFolder
    from llava_plus.data_gen.verify import sift_folder

    traces = TraceFolder(folder, pictures=pictures or [])
    verifier = Uncontaminated(Evaluation.read(against), share=share, distance=distance)
    with _progress("comparing", traces) as tick:
        report = sift_folder(traces, out, [verifier], tick=tick)
    show_report(report, out, as_json=json)


@data_app.command()
def stats(
    folder: Folder,
    plots: Annotated[Path | None, typer.Option(help="Folder for bar charts.")] = None,
    pictures: Pictures = None,
    json: AsJson = False,
) -> None:
    """Count skills, steps, lengths and how calls ended."""
    from llava_plus.data_gen.export import Statistics, save_plots
    from llava_plus.data_gen.folders import Problem, TraceFolder, yields_of

    traces, statistics = TraceFolder(folder, pictures=pictures or []), Statistics()
    problems: list[Problem] = []
    with _progress("counting", traces) as tick:
        for found in traces.read():
            if isinstance(found, Problem):
                problems.append(found)
                del problems[5:]
                statistics.counts["unreadable"] += 1
            else:
                statistics.add(found)
            tick()
    facts = {**statistics.to_json(), "yields": yields_of(folder)}
    saved = save_plots(facts, plots) if plots else []
    if json:
        print_json(facts)
    else:
        show_statistics(facts, saved)
    complain(statistics.counts["unreadable"], problems)


@data_app.command()
def export(
    folder: Folder,
    out: Out,
    form: Annotated[Form, typer.Option("--format", "-f", help="What to write.")] = Form.TRACES,
    own_names: Annotated[
        bool, typer.Option(help="llava-plus: calls keep our skills' names.")
    ] = False,
    name: Annotated[str, typer.Option(help="parquet: what the card calls it.")] = "traces",
    side: Annotated[
        int, typer.Option(min=1, help="conversations: pixels of a picture's side.")
    ] = 64,
    pictures: Pictures = None,
    skills: SkillFiles = None,
) -> None:
    """Write traces in a format that trainers read."""
    from llava_plus.data_gen.export import (
        ChatLines,
        Format,
        Lessons,
        ParquetRows,
        PlusItems,
        PreferencePairs,
        TraceLines,
        check_parquet,
        export_folder,
    )
    from llava_plus.data_gen.folders import TraceFolder, yields_of
    from llava_plus.data_gen.output import Output

    traces, registry = TraceFolder(folder, pictures=pictures or []), _skills(skills)
    make: Callable[[Output], Format]
    match form:
        case Form.TRACES:
            make = TraceLines
        case Form.LLAVA_PLUS:
            make = partial(PlusItems, skills=registry, own_names=own_names)
        case Form.PARQUET:
            check_parquet()
            make = partial(ParquetRows, name=name, yields=yields_of(folder))
        case Form.CONVERSATIONS:
            make = partial(Lessons, skills=registry, side=side)
        case Form.DPO:
            make = partial(PreferencePairs, skills=registry)
        case _:
            style: Any = form.value
            make = partial(ChatLines, skills=registry, style=style)
    with _progress("exporting", traces) as tick:
        done = export_folder(traces, out, make, tick=tick)
    say(Console(), f"{done.written} of {done.read} traces are in {out}")
    if done.left_out:
        say(Console(), f"{done.left_out} cannot be written in this format, for instance:", "yellow")
        list_problems(done.unfit)
    complain(done.unreadable, done.problems)


@data_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="LLaVA-Plus's training data.")],
    out: Out,
    images: Annotated[
        list[Path] | None, typer.Option(help="Folder with its pictures; again for more.")
    ] = None,
    licence: Licence = "",
    skills: SkillFiles = None,
) -> None:
    """Read LLaVA-Plus's training data; its calls are run by these skills."""
    from llava_plus.data_gen.export import import_plus

    loaded = load_skills(skills or []).skills
    console = Console(stderr=True)
    with _bar(console, None) as (bar, task), _interruptible():
        done = import_plus(
            file,
            out,
            images=images or [],
            skills=loaded,
            licence=licence,
            tick=lambda: bar.advance(task),
        )
    say(Console(), f"{done.written} of {done.read} conversations are in {out}")
    words = f"{done.calls} calls: {done.same} gave the recorded result, {done.failed} failed"
    say(Console(), words)
    complain(done.refused, done.problems)


@data_app.command()
def show(
    folder: Folder,
    port: Port = None,
    browser: Annotated[bool, typer.Option(help="Open a browser, too.")] = True,
    pictures: Pictures = None,
) -> None:
    """Browse traces, kept and dropped, on a page."""
    from llava_plus.data_gen.browsing import TraceIndex

    index = TraceIndex(folder, pictures=pictures or [])
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    from .showing import show_traces

    with closing(index):
        server = show_traces(index, port=port)
        say(Console(), f"The traces of {folder} are shown at {server.address}")
        say(Console(), "Ctrl-C ends it.", "dim")
        if browser:
            typer.launch(server.address)
        server.wait()


def _skills(files: list[Path] | None) -> SkillRegistry:
    """Return the skills that traces may have used: those that are there, and LLaVA-Plus's names."""
    loaded = load_skills(files or [])
    for problem in loaded.problems:
        say(Console(stderr=True), problem, "yellow")
    return with_original_names(loaded.skills)


@contextmanager
def _progress(words: str, traces: "TraceFolder") -> Iterator[Callable[[], None]]:
    """Show how much of a folder was read; the function given is called after each line."""
    with _bar(Console(stderr=True), traces.bytes, words) as (bar, task), _interruptible():
        yield lambda: bar.update(task, completed=traces.done)


@contextmanager
def _bar(console: Console, total: int | None, words: str = "reading") -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    counted = (TextColumn("{task.description}"), MofNCompleteColumn())
    shown = counted if total is None else columns
    terminal = console.is_terminal
    with Progress(*shown, console=console, transient=True, disable=not terminal) as bar:
        yield bar, bar.add_task(words, total=total)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Say what an interrupted run has left."""
    try:
        yield
    except KeyboardInterrupt:
        words = "Interrupted. What was written is marked as unfinished; the same command begins"
        say(Console(stderr=True), f"{words} again.", "yellow")
        raise typer.Exit(INTERRUPTED) from None
