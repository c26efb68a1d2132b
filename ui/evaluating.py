"""Evaluating a model on a benchmark: ``llava-plus eval``."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llava_plus.errors import SetupError

from .options import AsJson
from .terminal import print_json, say

if TYPE_CHECKING:
    from llava_plus.evals.tasks import Figure
    from llava_plus.evals.tasks.answering import Answerer
    from llava_plus.evals.tasks.evaluation import Evaluation
    from llava_plus.evals.tasks.served import Server

STOPPED = 130  # the exit code after Ctrl-C, as shells have it
EVERY = 5.0  # seconds between two lines where nobody watches


def evaluate(
    task: Annotated[str | None, typer.Argument(help="Its exact name; left out: list them.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A folder with questions.jsonl or files as published, or such a file."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="The folder of pictures, if it is another.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help='"nano", a folder with a checkpoint, or the id of one.')
    ] = None,
    remote: Annotated[
        str | None, typer.Option(help="openai:MODEL@ADDRESS, or a YAML file about a server.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Score the answers in this file instead of asking a model.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="The server that judges answers, named as for --remote.")
    ] = None,
    judgements: Annotated[
        Path | None, typer.Option(help="Judgements in a file instead of asking a judge.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File for the answers; gone on with.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    tokens: Annotated[
        int | None, typer.Option(min=1, help="An answer's greatest length, if not the task's.")
    ] = None,
    blind: Annotated[bool, typer.Option("--blind", help="Show the model no pictures.")] = False,
    without: Annotated[
        Path | None, typer.Option(help="Answers given with --blind, to tell the difference.")
    ] = None,
    device: Annotated[str, typer.Option(help="cuda, mps, cpu or auto.")] = "auto",
    json: AsJson = False,
) -> None:
    """Evaluate a model on a benchmark, by its own rules (docs/evaluation.md)."""
    from llava_plus.evals.tasks import find_task
    from llava_plus.evals.tasks.evaluation import answer, answers_file, figures, mark, prepare

    if task is None:
        _list_tasks()
        return
    find_task(task)  # what is not there is said before what it needs
    if data is None:
        raise SetupError("No questions. Name a folder with questions.jsonl by --data.")
    if sum(map(bool, (model, remote, predictions or judgements))) != 1:
        raise SetupError("Name one of --model, --remote and --predictions (or --judgements).")
    work = prepare(
        task,
        data,
        images=images,
        limit=limit,
        tokens=tokens,
        predictions=predictions,
        judgements=judgements,
        without=without,
    )
    judging = None if judge is None else _server(judge)
    judged = work.task.judge is None or judging is not None or judgements is not None
    if not judged and predictions:
        raise SetupError(f"{task} is scored by a judge: name one by --judge, or --judgements FILE.")
    answers, watch = work.answers, _Watch()
    file = out or predictions or judgements or Path()
    try:
        if model or remote:
            answerer = _answerer(work, model, remote, device)
            file = out or answers_file(work.task.name, answerer.name, blind=blind)
            answers = answer(work, answerer, file, blind=blind, progress=watch)
        if not judged:
            say(Console(stderr=True), f"The answers wait for a judge: --predictions {file} --judge")
            return
        answers = answers or [""] * len(work.questions)  # only the judgements are known
        aside = file.with_suffix(".judged.jsonl")
        marked = mark(work, answers, judge=judging, out=aside, progress=watch)
    except KeyboardInterrupt:
        say(Console(stderr=True), "\nStopped. The same command goes on from here.", "yellow")
        raise typer.Exit(STOPPED) from None
    _show(work, figures(work, marked, answers), file, as_json=json)


class _Watch:
    """Says how far it is: on one line of a terminal, in a line now and then elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._what = ""
        self._began = self._told = (0.0, 0)  # when, and how much was done by then

    def __call__(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if what != self._what:
            self._what, self._began = what, (now, done)
        elif done < of and now - self._told[0] < (0 if self._console.is_terminal else EVERY):
            return
        self._told = now, done
        fresh, seconds = done - self._began[1], now - self._began[0]
        left = f", about {_span(seconds / fresh * (of - done))} left" if fresh and done < of else ""
        end = "\r" if self._console.is_terminal and done < of else "\n"
        say(self._console, f"{what} {done} of {of}{left}   ", "dim", end=end)


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 100 else f"{round(minutes / 60)} h"


def _answerer(work: "Evaluation", model: str | None, remote: str | None, device: str) -> "Answerer":
    from llava_plus.agent.planners.remote_config import read_config
    from llava_plus.evals.tasks import LocalAnswerer, RemoteAnswerer

    if remote is not None:
        return RemoteAnswerer(read_config(remote), tokens=work.task.tokens)
    return LocalAnswerer(model or "", device=device, tokens=work.task.tokens)


def _server(name: str) -> "Server":
    from llava_plus.agent.planners.remote_config import read_config
    from llava_plus.evals.tasks.served import Server

    return Server(read_config(name))


def _list_tasks() -> None:
    from llava_plus.evals.tasks import TASKS

    table = Table("task", "rule", box=None, pad_edge=False)
    for task in TASKS.values():
        table.add_row(Text(task.name), Text(task.about))
    Console().print(table)


def _show(work: "Evaluation", found: "list[Figure]", file: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "task": work.task.name,
                "questions": len(work.questions),
                "answers": str(file),
                "figures": [figure.to_json() for figure in found],
            }
        )
        return
    for figure in found:
        say(Console(), figure.line())
    say(Console(stderr=True), f"{len(work.questions)} questions, answers in {file}", "dim")
