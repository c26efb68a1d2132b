"""The files of VQAv2, TextVQA, POPE, MME, MMBench, SEED-Bench and ScienceQA as our questions.

Each reader takes the files as they are published and yields what a line of ``questions.jsonl``
holds. Pictures stay where they are, except MMBench's, which stand inside its table.
"""

import base64
import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError

from .summaries import COGNITION, PERCEPTION, POPE, ROTATION

Row = dict[str, Any]
OPTIONS = "ABCD"
NOTHING = ("", "nan", "none")  # what an empty cell may hold
SUFFIXES = (".jpg", ".png", ".jpeg")


def vqav2(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """Questions and annotations; pictures by their names in COCO's val2014."""
    questions, annotations = files
    people: dict[int, list[str]] = {}
    for number, row in _entries(annotations, "annotations"):
        with _as_expected(annotations, number):
            people[row["question_id"]] = [one["answer"] for one in row["answers"]]
    for number, row in _entries(questions, "questions"):
        with _as_expected(questions, number):
            yield {
                "id": row["question_id"],
                "image": f"COCO_val2014_{row['image_id']:012d}.jpg",
                "question": row["question"],
                "answers": people[row["question_id"]],
            }


def textvqa(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """Questions with answers, and (left out: none) the file of OCR tokens."""
    tokens: dict[str, list[str]] = {}
    for file in files[1:]:
        for number, row in _entries(file, "data"):
            with _as_expected(file, number):
                tokens[row["image_id"]] = row["ocr_tokens"]
    for number, row in _entries(files[0], "data"):
        with _as_expected(files[0], number):
            yield {
                "id": row["question_id"],
                "image": f"{row['image_id']}.jpg",
                "question": row["question"],
                "answers": row["answers"],
                "ocr": tokens.get(row["image_id"], []),
            }


def pope(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """The sets' files, named ``coco_pope_random.json`` and so on, one object a line."""
    for file in files:
        category = file.stem.rpartition("_")[2]
        if category not in POPE:
            raise SetupError(f"{file}: wanted a name such as coco_pope_{POPE[0]}.json.")
        for number, line in enumerate(_text(file).splitlines(), start=1):
            with _as_expected(file, number):
                row = json.loads(line)
                yield {
                    "id": f"{category}/{row['question_id']}",
                    "image": row["image"],
                    "question": row["text"],
                    "answer": row["label"],
                    "category": category,
                }


def mme(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """The folder with a folder for each subtask, in either of its two layouts."""
    (root,) = files
    for category in (*PERCEPTION, *COGNITION):
        folder = root / category
        apart = folder / "questions_answers_YN"
        texts, pictures = (apart, folder / "images") if apart.is_dir() else (folder, folder)
        for file in sorted(texts.glob("*.txt")):
            picture = _beside(pictures / file.stem)
            for number, line in enumerate(_text(file).splitlines(), start=1):
                with _as_expected(file, number):
                    question, answer = line.split("\t")
                    yield {
                        "id": f"{category}/{file.stem}/{number}",
                        "image": str(picture.relative_to(root)),
                        "question": question,
                        "answer": answer.strip().lower(),
                        "category": category,
                    }


def mmbench(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """The table, whose pictures go into ``images`` beside the questions."""
    (file,) = files
    csv.field_size_limit(sys.maxsize)
    pictures = out / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    rows = csv.DictReader(io.StringIO(_text(file)), delimiter="\t")
    for number, row in enumerate(rows, start=2):
        with _as_expected(file, number):
            index = int(row["index"])
            cell = row.get("image") or ""
            # A row without a picture of its own names the index of the row that has it.
            picture = pictures / f"{int(cell) if cell.isdecimal() else index % ROTATION}.jpg"
            if cell and not cell.isdecimal() and not picture.exists():
                picture.write_bytes(base64.b64decode(cell, validate=True))
            cells = [(row.get(letter) or "").strip() for letter in OPTIONS]
            yield {
                "id": index,
                "image": f"images/{picture.name}",
                "question": row["question"],
                "options": [cell for cell in cells if cell.lower() not in ("", "nan")],
                "answer": row["answer"].strip(),
                "hint": "" if (row.get("hint") or "").lower() in NOTHING else row["hint"],
                "category": row.get("category") or "",
            }


def seed(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """The questions about pictures; those about videos need frames and are left out."""
    (file,) = files
    for number, row in _entries(file, "questions"):
        with _as_expected(file, number):
            if row["data_type"] != "image":
                continue
            yield {
                "id": row["question_id"],
                "image": row["data_id"],
                "question": row["question"],
                "options": [row[f"choice_{letter}"] for letter in OPTIONS.lower()],
                "answer": row["answer"],
                "category": "image",
            }


def scienceqa(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """``problems.json`` and ``pid_splits.json``: the test questions, with their pictures' paths."""
    problems, splits = _json(files[0]), _json(files[1])
    with _as_expected(files[1], 1):
        ids = list(splits["test"])
    for number, id in enumerate(ids, start=1):
        with _as_expected(files[0], number):
            row = problems[id]
            yield {
                "id": id,
                "image": f"test/{id}/{row['image']}" if row["image"] else "",
                "question": row["question"],
                "options": row["choices"],
                "answer": "ABCDE"[row["answer"]],
                "hint": row["hint"],
            }


@contextmanager
def _as_expected(file: Path, number: int) -> Iterator[None]:
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise SetupError(
            f"{file}: entry {number} is not as published ({type(error).__name__}: {error}). "
            "See docs/evaluation.md for the files that are read."
        ) from error


def _entries(file: Path, name: str) -> Iterator[tuple[int, Row]]:
    whole = _json(file)
    with _as_expected(file, 0):
        entries = list(whole[name])
    yield from enumerate(entries, start=1)


def _json(file: Path) -> Any:
    with _as_expected(file, 0):
        return json.loads(_text(file))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise SetupError(f"Cannot read {file}: {why}. Name the published files.") from error


def _beside(stem: Path) -> Path:
    """The picture of that name, whichever its ending."""
    found = [Path(f"{stem}{suffix}") for suffix in SUFFIXES if Path(f"{stem}{suffix}").is_file()]
    return found[0] if found else Path(f"{stem}{SUFFIXES[0]}")


Reader = Callable[[Sequence[Path], Path], Iterator[Row]]
# How many files each takes, at least and at most.
READERS: dict[str, tuple[Reader, int, int]] = {
    "vqav2": (vqav2, 2, 2),
    "textvqa": (textvqa, 1, 2),
    "pope": (pope, 1, 3),
    "mme": (mme, 1, 1),
    "mmbench": (mmbench, 1, 1),
    "seed": (seed, 1, 1),
    "scienceqa": (scienceqa, 2, 2),
}
