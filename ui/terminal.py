"""A turn in a terminal: printed as it happens; nothing in it can steer the terminal."""

import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

from rich.console import Console
from rich.text import Text

from llava_plus.agent import (
    ActionFinished,
    ActionProgressed,
    ActionProposed,
    AnswerDelta,
    ApprovalNeeded,
    Event,
    Finished,
    StepStarted,
    ThoughtDelta,
    Turn,
)
from llava_plus.errors import SetupError
from llava_plus.skills import Artifacts, Call, Image, SkillRegistry, SkillSpec, model_registry
from llava_plus.skills.absent import ABSENT, DONE_WITH, needs_model

from .overlays import drawn
from .render import written


def say(console: Console, text: str, style: str = "", end: str = "\n") -> None:
    """Print words as they are: no markup, no control codes."""
    console.print(Text(printable(text), style=style), end=end, soft_wrap=True)


def printable(text: str) -> str:
    """Return the text without what a terminal would obey."""
    return "".join(c for c in text if c in "\n\t" or c.isprintable())


async def narrate(
    events: AsyncGenerator[Event], console: Console, *, allow: Callable[[Call], None]
) -> Finished:
    """Print a turn while it runs; return how it ended.

    Args:
        events: The turn's.
        console: Where it is printed.
        allow: Asks the person about a call that needs it, and answers the session.
    """
    begun = ""  # what the line that is being written belongs to

    def go_on(kind: str, text: str, style: str) -> None:
        nonlocal begun
        if begun != kind and begun:
            say(console, "")
        begun = kind
        say(console, text, style, end="")

    def line(text: str, style: str) -> None:
        nonlocal begun
        if begun:
            say(console, "")
        begun = ""
        say(console, text, style)

    async with aclosing(events):
        async for event in events:
            match event:
                case StepStarted():
                    line(f"Step {event.index + 1}", "bold")
                case ThoughtDelta():
                    go_on("thought", event.text, "dim italic")
                case ActionProposed():
                    line(f"  {written(event.call)}", "cyan")
                case ApprovalNeeded():
                    line(f"  ? {written(event.call)} waits for you", "yellow")
                    allow(event.call)
                case ActionProgressed():
                    go_on("progress", f"  {event.done}/{event.total}", "dim")
                case ActionFinished():
                    line(*_outcome(event))
                case AnswerDelta():
                    go_on("answer", event.text, "")
                case Finished():
                    if begun:
                        say(console, "")
                    return event
    raise RuntimeError("the turn ended without saying so")


def _outcome(event: ActionFinished) -> tuple[str, str]:
    seen = event.observation
    name = f"{seen.handle}: " if seen.handle else ""
    mark, style = ("→", "green") if seen.ok else ("✗", "red")
    return f"  {mark} {name}{seen.text} ({seen.seconds:.2f} s)", style


def save_pictures(turns: Sequence[Turn], artifacts: Artifacts, folder: Path) -> list[Path]:
    """Write what the last turn made, and what its answer is about drawn on its picture."""
    turn = turns[-1]
    saved: list[Path] = []
    handles = [seen.handle for step in turn.steps for seen in step.observations if seen.handle]
    for handle in handles:
        value = artifacts[handle].value
        image = value if isinstance(value, Image) else None
        if image is None and handle in turn.cited:
            image = drawn(handle, artifacts, turns)
        if image is not None:
            _make(folder)
            saved.append(free_name(folder / f"{handle}.png"))
            image.save(saved[-1])
    return saved


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "a file has this name" if folder.is_file() else error.strerror
        raise SetupError(
            f"Pictures cannot be saved in {folder}: {why}. Name another folder with --out."
        ) from error


def free_name(path: Path) -> Path:
    """Return the path, or one with a number where there is such a file already."""
    number, free = 2, path
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free


def show_skills(registry: SkillRegistry, console: Console) -> None:
    """Print every skill with its signature, and which models do it or could.

    Those that only a model can do, and none does, come last.
    """
    from llava_plus.skills.backends import skill_backends

    absent = [spec for spec in model_registry() if spec.name not in registry]
    for number, spec in enumerate([*registry, *absent]):
        if number == len(registry):
            say(console, "With a model, which is not here yet:")
        say(console, spec.signature(), "cyan")
        say(console, f"    {spec.description}")
        if spec.source:
            say(console, f"    from {spec.source}", "dim")
        for line in skill_backends(spec):
            say(console, f"    backend {line}", "dim")


def show_skill(spec: SkillSpec, console: Console) -> None:
    """Print all that is known of a skill."""
    from llava_plus.skills.backends import skill_backends

    say(console, spec.signature(), "bold cyan")
    say(console, spec.told)
    for parameter in spec.parameters:
        say(console, f"  {parameter.signature()}", "cyan")
        if parameter.description:
            say(console, f"      {parameter.description}")
    for example in spec.examples:
        say(console, f"  e.g. {example}", "dim")
    if spec.aliases:
        say(console, f"  also called: {', '.join(spec.aliases)}")
    if spec.approval:
        say(console, "  asks before each call of a planner", "dim")
    if spec.source:
        say(console, f"  from {spec.source}")
    for line in skill_backends(spec):
        say(console, f"  backend {line}", "dim")
    if spec.name in DONE_WITH and spec.backend == ABSENT:
        say(console, f"  {needs_model(spec.name)}", "dim")
    facts = f"backend {spec.backend}, version {spec.version}, at most {spec.time_limit:g} s"
    say(console, f"  {facts}", "dim")


def print_json(data: object) -> None:
    """Print one line of JSON, nothing else, for programs to read."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")
