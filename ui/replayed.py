"""``llava-plus replay``: a conversation of LLaVA-Plus, its calls run by our skills."""

import json
from pathlib import Path

from rich.console import Console

from llava_plus.agent import Replay, read_items, recorded, replay
from llava_plus.errors import SetupError
from llava_plus.skills import SkillRegistry

from .terminal import say


def replay_item(
    file: Path, number: int, image: Path | None, skills: SkillRegistry, out: Path | None
) -> Replay:
    """Replay one conversation of a file, and write it with the new results.

    Args:
        file: See `read_items`.
        number: Which conversation, from 1.
        image: Its picture.
        skills: Those that run.
        out: The file to write, nothing if left out.
    """
    items = read_items(file)
    if not 1 <= number <= len(items):
        raise SetupError(f"There is no conversation {number} in {file.name}: it has {len(items)}.")
    if out is not None and not out.parent.is_dir():
        raise SetupError(f"There is no folder {str(out.parent)!r} to save in. Make it first.")
    try:
        done = replay(recorded(items[number - 1]), image, skills=skills)
    except SetupError as error:
        raise SetupError(f"{file.name}, conversation {number}: {error}") from error
    if out is not None:
        _write(out, json.dumps(done.item) + "\n")
    return done


def show_replay(done: Replay, console: Console) -> None:
    """Print what each call gave, now and then."""
    if not done.results:
        say(console, "The conversation calls nothing.")
    for result in done.results:
        verdict = "the same" if result.same else "another result" if result.ok else "failed"
        say(console, f"turn {result.turn}, {result.api}: {verdict}", "bold")
        say(console, f"  now:  {_head(result.now)}", "" if result.ok else "red")
        if not result.same:
            say(console, f"  then: {_head(result.before)}", "dim")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SetupError(
            f"Cannot write {str(path)!r}: {error.strerror}. Choose another."
        ) from error


def _head(text: str) -> str:
    """Return a result without the question after it."""
    return text.partition("\n\n")[0]
