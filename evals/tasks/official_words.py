"""VQAv2, TextVQA, VizWiz, GQA, MM-Vet and LLaVA-Bench: what is answered in words."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from .published import Row, as_expected, entries_of, json_of, lines_of


def vqav2(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """Questions and annotations; pictures by their names in COCO's val2014."""
    questions, annotations = files
    people: dict[int, list[str]] = {}
    for number, row in entries_of(annotations, "annotations"):
        with as_expected(annotations, number):
            people[row["question_id"]] = [one["answer"] for one in row["answers"]]
    for number, row in entries_of(questions, "questions"):
        with as_expected(questions, number):
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
        for number, row in entries_of(file, "data"):
            with as_expected(file, number):
                tokens[row["image_id"]] = row["ocr_tokens"]
    for number, row in entries_of(files[0], "data"):
        with as_expected(files[0], number):
            yield {
                "id": row["question_id"],
                "image": f"{row['image_id']}.jpg",
                "question": row["question"],
                "answers": row["answers"],
                "ocr": tokens.get(row["image_id"], []),
            }


def vizwiz(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """The annotations of a set whose answers are public, such as ``val.json``."""
    (file,) = files
    for number, row in enumerate(json_of(file), start=1):
        with as_expected(file, number):
            yield {
                "id": row["image"],
                "image": row["image"],
                "question": row["question"],
                "answers": [one["answer"] for one in row["answers"]],
                "category": row["answer_type"],
            }


def gqa(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """Balanced questions with answers, such as ``testdev_balanced_questions.json``."""
    (file,) = files
    with as_expected(file, 0):
        rows = list(json_of(file).items())
    for number, (id, row) in enumerate(rows, start=1):
        with as_expected(file, number):
            yield {
                "id": id,
                "image": f"{row['imageId']}.jpg",
                "question": row["question"],
                "answer": row["answer"],
            }


def mmvet(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """``mm-vet.json``: an entry for each question, by its id."""
    (file,) = files
    with as_expected(file, 0):
        rows = list(json_of(file).items())
    for number, (id, row) in enumerate(rows, start=1):
        with as_expected(file, number):
            yield {
                "id": id,
                "image": row["imagename"],
                "question": row["question"],
                "answer": row["answer"],
                "capabilities": row["capability"],
            }


def llava_bench(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """``questions.jsonl``, ``context.jsonl`` and ``answers_gpt4.jsonl`` of LLaVA-Bench (Wild)."""
    questions, contexts, references = files
    said: dict[str, str] = {}
    for number, row in lines_of(contexts):
        with as_expected(contexts, number):
            said[row["image"]] = row["caption"]
    answers: dict[int, str] = {}
    for number, row in lines_of(references):
        with as_expected(references, number):
            answers[row["question_id"]] = row["text"]
    for number, row in lines_of(questions):
        with as_expected(questions, number):
            yield {
                "id": row["question_id"],
                "image": row["image"],
                "question": row["text"],
                "answer": answers[row["question_id"]],
                "category": row["category"],
                "context": said[row["image"]],
            }
