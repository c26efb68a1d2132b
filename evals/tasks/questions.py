"""The questions of an evaluation: one JSON object a line, checked before anything is run.

Every mistake is named by file and line, ten at most, so that one look puts a file right.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from llava_plus.errors import SetupError

from .vqa import PEOPLE

if TYPE_CHECKING:
    from .task import Task

FILE = "questions.jsonl"
SHOWN = 10  # mistakes of one file
LAYOUT = "docs/evaluation.md has the layout."

Id = Annotated[str, BeforeValidator(lambda id: str(id) if type(id) is int else id)]
Texts = tuple[str, ...]


class Question(BaseModel):
    """One question, its picture and what is right; which fields it needs, its task says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id = Field(min_length=1)
    question: str = Field(min_length=1)
    image: str = ""  # inside the folder of pictures
    answer: str = ""  # what is right: a letter, yes or no, words, or a reference answer
    answers: Texts = ()  # of ten people
    options: Texts = Field(default=(), max_length=len(ascii_uppercase))
    category: str = ""
    hint: str = ""  # asked before the question
    ocr: Texts = ()  # words that an OCR system read
    box: tuple[float, float, float, float] | None = None  # x0, y0, x1, y1 in 0..1
    capabilities: Texts = ()
    context: str = ""  # what a judge without eyes reads about the picture

    line: int = 0  # of the file


@dataclass(frozen=True, kw_only=True)
class Mistakes:
    """What is wrong with a file, line by line."""

    file: Path
    found: list[tuple[int, str]]

    def add(self, line: int, what: str) -> None:
        self.found.append((line, what))

    def end(self, *, advice: str = LAYOUT) -> None:
        """Raise `SetupError` where anything was wrong."""
        if not self.found:
            return
        said = [f"line {line}: {what}" if line else what for line, what in sorted(self.found)]
        rest = len(said) - SHOWN
        more = [f"and {rest} more"] if rest > 0 else []
        raise SetupError(f"{self.file}: {'; '.join(said[:SHOWN] + more)}. {advice}")


def read_questions(task: "Task", file: Path, pictures: Path) -> list[Question]:
    """Read a file of questions, or say what is wrong with it.

    Args:
        task: Whose rules they have to fit.
        file: One JSON object a line; empty lines are skipped.
        pictures: The folder that images are named in.
    """
    mistakes = Mistakes(file=file, found=[])
    questions: list[Question] = []
    known: dict[str, int] = {}
    for line, fields in read_objects(file, mistakes):
        question = _question(fields, line, mistakes)
        if question is None:
            continue
        if question.id in known:
            mistakes.add(line, f"the id {question.id!r} is that of line {known[question.id]}, too")
        known.setdefault(question.id, line)
        for what in _wrong(task, question, pictures):
            mistakes.add(line, what)
        questions.append(question)
    if not questions and not mistakes.found:
        mistakes.add(0, "there is no question in it")
    mistakes.end()
    _check_groups(task, questions, mistakes)
    mistakes.end()
    return questions


def first_groups(task: "Task", questions: Sequence[Question], limit: int) -> list[Question]:
    """The questions of the first so many groups; a group is what is right or wrong together."""
    kept = set(list(dict.fromkeys(map(task.group, questions)))[:limit])
    return [question for question in questions if task.group(question) in kept]


def read_objects(file: Path, mistakes: Mistakes) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a file with one a line, by line; lines that are none are mistakes."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise SetupError(f"Cannot read {file}: {why}. {LAYOUT}") from error
    objects = []
    for line, row in enumerate(text.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            fields = json.loads(row)
        except (ValueError, RecursionError) as error:
            mistakes.add(line, f"no JSON ({getattr(error, 'msg', 'nested too deeply')})")
            continue
        if isinstance(fields, dict):
            objects.append((line, fields))
        else:
            mistakes.add(line, f"wanted an object, got {type(fields).__name__}")
    return objects


def picture_path(question: Question, pictures: Path) -> Path:
    return pictures / question.image


def _question(fields: dict[str, Any], line: int, mistakes: Mistakes) -> Question | None:
    if "line" in fields:
        mistakes.add(line, "no field 'line'")
        return None
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return Question.model_validate({**given, "line": line})
    except ValidationError as error:
        for problem in error.errors():
            name = ".".join(map(str, problem["loc"]))
            extra = problem["type"] == "extra_forbidden"
            what = f"no field {name!r}" if extra else f"{name}: {problem['msg']}"
            mistakes.add(line, what)
        return None


def _wrong(task: "Task", question: Question, pictures: Path) -> list[str]:
    """What does not fit the task."""
    found = [f"no {name!r}" for name in task.needs if not getattr(question, name)]
    if "answers" in task.needs and question.answers and len(question.answers) != PEOPLE:
        found.append(f"wanted {PEOPLE} answers, got {len(question.answers)}")
    letters = ascii_uppercase[: len(question.options)]
    right = tuple(letters) if "options" in task.needs else task.answers
    if right and question.answer and question.answer not in right:
        found.append(f"the answer {question.answer!r} is none of {', '.join(right)}")
    if task.categories and question.category and question.category not in task.categories:
        known = ", ".join(task.categories)
        found.append(f"unknown category {question.category!r}; known: {known}")
    odd = sorted(set(question.capabilities) - set(task.capabilities))
    if task.capabilities and odd:
        found.append(f"unknown capability {odd[0]!r}; known: {', '.join(task.capabilities)}")
    if task.numbered and not (question.id.isascii() and question.id.isdecimal()):
        found.append(f"the id {question.id!r} is no number")
    if question.box is not None and not _is_box(question.box):
        found.append("box: wanted x0 < x1 and y0 < y1 in 0..1")
    return [*found, *_wrong_picture(question, pictures)]


def _is_box(box: Sequence[float]) -> bool:
    x0, y0, x1, y1 = box
    return 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1


def _wrong_picture(question: Question, pictures: Path) -> list[str]:
    if not question.image:
        return []
    inside = Path(question.image)
    if inside.is_absolute() or ".." in inside.parts or "\0" in question.image:
        return [f"the picture {question.image!r} is not inside {pictures}"]
    if not picture_path(question, pictures).is_file():
        return [f"there is no picture {question.image!r} in {pictures}"]
    return []


def _check_groups(task: "Task", questions: Sequence[Question], mistakes: Mistakes) -> None:
    if task.together is None:
        return
    sizes = Counter(map(task.group, questions))
    for question in questions:
        size = sizes.pop(task.group(question), task.together)
        if size != task.together:
            mistakes.add(
                question.line,
                f"{task.grouped} has {size} questions; {task.together} are right together",
            )
