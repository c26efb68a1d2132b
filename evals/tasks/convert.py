"""Write published files of a benchmark as questions.

python -m llava_plus.evals.tasks.convert pope coco_pope_*.json --out pope
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from llava_plus.errors import SetupError

from .official import READERS
from .questions import FILE


def convert(name: str, files: Sequence[Path], out: Path) -> int:
    """Write ``questions.jsonl`` into a folder and return how many there are.

    Args:
        name: Of the benchmark.
        files: As published, in the order that docs/evaluation.md gives.
        out: The folder; made where it is not there.
    """
    _, fewest, most = READERS[name]
    if not fewest <= len(files) <= most:
        wanted = str(most) if fewest == most else f"{fewest} to {most}"
        raise SetupError(
            f"{name}: wanted {wanted} paths, got {len(files)}. docs/evaluation.md names them."
        )
    target = out / FILE
    if target.exists():
        raise SetupError(f"{target} is there already. Name another folder, or delete it.")
    out.mkdir(parents=True, exist_ok=True)
    return write_questions(name, files, out, target)


def write_questions(name: str, files: Sequence[Path], out: Path, target: Path) -> int:
    """Write a benchmark's questions into a file and return how many there are.

    Args:
        name: Of the benchmark.
        files: As published, as many as its reader takes.
        out: The folder where pictures that stand inside the files go.
        target: The file for the questions.
    """
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in READERS[name][0](files, out)]
    if not lines:
        raise SetupError(f"There is no question in {', '.join(map(str, files))}.")
    target.write_text("".join(lines), encoding="utf-8")
    return len(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Convert what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=READERS)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="the folder for questions.jsonl")
    options = parser.parse_args(arguments)
    try:
        count = convert(options.name, options.files, options.out)
    except SetupError as error:
        sys.exit(str(error))
    print(f"{count} questions in {options.out / FILE}")  # noqa: T201


if __name__ == "__main__":
    main()
