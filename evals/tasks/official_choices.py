"""POPE, MME, MMBench, SEED-Bench, ScienceQA, CV-Bench and MMVP: yes or no, or one of several.

Pictures stay where they are, except MMBench's, which stand inside its table.
"""

import base64
import csv
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from llava_plus.errors import SetupError

from .published import Row, as_expected, beside, entries_of, json_of, lines_of, text_of
from .summaries import COGNITION, PERCEPTION, POPE, ROTATION

OPTIONS = "ABCD"
NOTHING = ("", "nan", "none")  # what an empty cell may hold
LETTERED = re.compile(r"\(([a-z])\) *(.*?) *(?=\([a-z]\)|$)", re.DOTALL)  # "(a) Open (b) Closed"


def pope(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """The sets' files, named ``coco_pope_random.json`` and so on, one object a line."""
    for file in files:
        category = file.stem.rpartition("_")[2]
        if category not in POPE:
            raise SetupError(f"{file}: wanted a name such as coco_pope_{POPE[0]}.json.")
        for number, line in enumerate(text_of(file).splitlines(), start=1):
            with as_expected(file, number):
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
            picture = beside(pictures / file.stem)
            for number, line in enumerate(text_of(file).splitlines(), start=1):
                with as_expected(file, number):
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
    rows = csv.DictReader(io.StringIO(text_of(file)), delimiter="\t")
    for number, row in enumerate(rows, start=2):
        with as_expected(file, number):
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
    for number, row in entries_of(file, "questions"):
        with as_expected(file, number):
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
    problems, splits = json_of(files[0]), json_of(files[1])
    with as_expected(files[1], 1):
        ids = list(splits["test"])
    for number, id in enumerate(ids, start=1):
        with as_expected(files[0], number):
            row = problems[id]
            yield {
                "id": id,
                "image": f"test/{id}/{row['image']}" if row["image"] else "",
                "question": row["question"],
                "options": row["choices"],
                "answer": "ABCDE"[row["answer"]],
                "hint": row["hint"],
            }


def cvbench(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """``test_2d.jsonl`` and ``test_3d.jsonl``; pictures by their paths under ``img``."""
    for file in files:
        for number, row in lines_of(file):
            with as_expected(file, number):
                yield {
                    "id": row["idx"],
                    "image": row["filename"],
                    "question": row["question"],
                    "options": row["choices"],
                    "answer": row["answer"].strip("()"),
                    "category": row["source"],
                }


def mmvp(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """``Questions.csv``: number, question, options as "(a) Open (b) Closed", answer as "(a)"."""
    (file,) = files
    rows = csv.reader(io.StringIO(text_of(file)))
    for number, cells in enumerate(rows, start=1):
        if number == 1 or not any(cells):
            continue
        with as_expected(file, number):
            index, question, options, answer = cells
            parts = LETTERED.findall(options)
            if [letter for letter, _ in parts] != list("abcdefgh"[: len(parts)]) or not parts:
                raise ValueError(f"options {options!r}")
            yield {
                "id": int(index),
                "image": f"{int(index)}.jpg",
                "question": question,
                "options": [text for _, text in parts],
                "answer": answer.strip().strip("()").upper(),
            }
