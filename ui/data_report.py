"""What ``llava-plus data`` prints: yields, statistics, and what could not be read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .terminal import print_json, printable, say

if TYPE_CHECKING:
    from llava_plus.data_gen.folders import Problem
    from llava_plus.data_gen.progress import Progress
    from llava_plus.data_gen.verify import Report

UNFINISHED = 3  # exit code: not everything could be read


def show_report(report: "Report", out: Path, *, as_json: bool) -> None:
    """Print what each verifier let through."""
    if as_json:
        print_json({**report.to_json(), "seconds": round(report.seconds, 1)})
    else:
        console = Console()
        console.print(_yields([one.to_json() for one in report.yields]))
        hours = report.seconds / 3600
        rate = f", {report.kept / hours:.0f} an hour" if hours else ""
        say(console, f"{report.kept} of {report.read} traces are kept in {out}{rate}")
        if report.replayed:
            words = f"{report.replayed} steps were replayed, {report.fresh} of them"
            say(console, f"{words} against results made anew", "dim")
    complain(report.unreadable, report.problems)


def show_made(progress: "Progress", out: Path, seconds: float) -> None:
    """Print what each verifier let through of what a run of the generator made, and how fast."""
    console = Console()
    facts = progress.to_json()
    console.print(_yields(facts["yields"]))
    words = f"{facts['kept']} of {facts['played']} traces are kept in {out}"
    say(console, f"{words}: {facts['written']} conversations about {facts['items']} pictures")
    say(console, f"{progress.rate:.1f} kept a second, {seconds:.0f} s in this run")
    if progress.found:
        say(console, f"{progress.found} of them were there from a run that was broken off", "dim")
    if facts["replayed"]:
        again = f"{facts['replayed']} steps were replayed, {progress.counts['fresh']} of them"
        say(console, f"{again} against results made anew", "dim")
    if progress.exhausted:
        why = f"{progress.wanted} were wanted: there is nothing new to say about these pictures."
        say(console, f"{why} Add pictures or writers.", "yellow")
    elif progress.kept < progress.wanted:
        say(console, f"{progress.wanted} were wanted: it was closed with what it had.", "yellow")
    if facts["problems"]:
        lines = [f"  {one['where']}: {one['why']}" for one in progress.problems]
        told = f"{facts['problems']} problems, in {out}/dropped/problems.jsonl, for instance:"
        say(Console(stderr=True), "\n".join([told, *map(printable, lines)]), "yellow")


def _yields(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("verifier", box=None, pad_edge=False)
    for column in ("seen", "kept", "dropped", "raised", "share"):
        table.add_column(column, justify="right")
    for row in rows:
        share = f"{row['kept'] / row['seen']:.1%}" if row["seen"] else "-"
        counts = (str(row[column]) for column in ("seen", "kept", "dropped", "raised"))
        table.add_row(_cell(row["name"]), *counts, share)
    return table


def _cell(text: str) -> Text:
    """Show words as they are: names in traces may hold what looks like markup."""
    return Text(printable(text))


def show_statistics(facts: dict[str, Any], saved: Sequence[Path]) -> None:
    """Print totals, then a table of each kind."""
    console = Console()
    for name, found in facts.items():
        if isinstance(found, int):
            say(console, f"{name}: {found}")
    for name, rows in facts.items():
        if isinstance(rows, dict) and rows:
            table = Table(name, "", box=None, pad_edge=False)
            for row, count in rows.items():
                table.add_row(_cell(row), str(count))
            console.print(table)
    if facts["yields"]:
        console.print(_yields(facts["yields"]))
    for path in saved:
        say(console, f"saved {path}", "dim")


def complain(number: int, problems: Sequence["Problem"]) -> None:
    """Tell of what could not be read, and end with a code that says so."""
    if not number:
        return
    say(Console(stderr=True), f"{number} could not be read, for instance:", "red")
    list_problems(problems)
    raise typer.Exit(UNFINISHED)


def list_problems(problems: Sequence["Problem"]) -> None:
    """Print where each is, and why."""
    for problem in problems:
        say(Console(stderr=True), f"  {problem.where}: {problem.why}")
