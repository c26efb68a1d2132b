"""``llava-plus model``: what a model is made of."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from .options import AsJson
from .terminal import print_json, say

if TYPE_CHECKING:
    from llava_plus.model.inspecting import Inspection

model_app = typer.Typer(no_args_is_help=True, help="Look at models and checkpoints.")


@model_app.callback()
def _model() -> None:
    """Keeps ``inspect`` a command of its own."""


@model_app.command()
def inspect(
    name: Annotated[str, typer.Argument(metavar="DIR|PRESET")],
    json: AsJson = False,
) -> None:
    """Show a model's parts, their parameters, tokens per picture and memory."""
    from llava_plus.model.inspecting import FRAMES, inspect_model

    found = inspect_model(name)
    if json:
        print_json(_facts(found))
        return
    console = Console()
    total = sum(found.parameters.values())
    rows = [*found.composition.items(), ("parameters", f"{total / 1e9:.3f} B")]
    rows += [(f"  {part}", f"{count / 1e6:,.1f} M") for part, count in found.parameters.items()]
    rows += [(f"{h} x {w} pixels", f"{count} tokens") for (h, w), count in found.tokens.items()]
    if found.video_tokens is not None:
        rows.append((f"{FRAMES} frames", f"{found.video_tokens} tokens"))
    rows += [(form, f"{size / 2**30:.2f} GiB") for form, size in found.memory.items()]
    for label, words in rows:
        say(console, f"{label:<20} {words}")


def _facts(found: "Inspection") -> dict[str, object]:
    return {
        "name": found.name,
        "composition": found.composition,
        "parameters": found.parameters,
        "tokens": [{"height": h, "width": w, "tokens": n} for (h, w), n in found.tokens.items()],
        "video_tokens": found.video_tokens,
        "memory_bytes": found.memory,
    }
