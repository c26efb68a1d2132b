"""One evaluation: all that is given is read first, then a model answers, then it is marked."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from llava_plus.errors import SetupError

from .answering import Answerer
from .figures import Figure
from .folders import questions_in
from .questions import Question, first_groups, read_questions
from .registry import find_task
from .runs import answer_all, gained, judge_all, mark_answers, mark_judgements
from .served import Server
from .stored import ANSWERS, JUDGEMENTS, Growing, all_of, read_stored
from .summaries import Marked
from .task import Task

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What to evaluate on, checked: questions, and what is stored already in their order."""

    task: Task
    file: Path
    pictures: Path
    questions: list[Question]
    answers: list[str] | None
    judgements: list[str] | None
    unseen: list[str] | None  # answers that were given without the pictures

    @property
    def digest(self) -> str:
        """Names the content of the file of questions."""
        return sha256(self.file.read_bytes()).hexdigest()[:16]


def prepare(
    name: str,
    data: Path,
    *,
    images: Path | None = None,
    limit: int | None = None,
    tokens: int | None = None,
    predictions: Path | None = None,
    judgements: Path | None = None,
    without: Path | None = None,
) -> Evaluation:
    """Read and check all that is given.

    Args:
        name: The task's.
        data: A folder with ``questions.jsonl`` or with files as published, or such a file.
        images: The folder of pictures, if it is another.
        limit: Only the first so many questions; what is right together stays together.
        tokens: An answer's greatest length, if it is not the task's.
        predictions: Stored answers.
        judgements: Stored judgements.
        without: Answers given without pictures, to tell the difference.
    """
    task = find_task(name)
    task = replace(task, tokens=tokens or task.tokens)
    file, beside = questions_in(name, data) if data.is_dir() else (data, data.parent)
    pictures = images or beside
    if not pictures.is_dir():
        raise SetupError(f"There is no folder {str(pictures)!r}. Name the pictures' with --images.")
    everything = read_questions(task, file, pictures)
    questions = everything if limit is None else first_groups(task, everything, limit)
    if judgements is not None and task.judge is None:
        raise SetupError(f"{task.name} needs no judge. Leave --judgements out.")

    def stored(path: Path | None, fields: Sequence[str]) -> list[str] | None:
        if path is None:
            return None
        return all_of(read_stored(path, fields, (one.id for one in everything)), questions, path)

    return Evaluation(
        task=task,
        file=file,
        pictures=pictures,
        questions=questions,
        answers=stored(predictions, ANSWERS),
        judgements=stored(judgements, JUDGEMENTS),
        unseen=stored(without, ANSWERS),
    )


def answer(
    work: Evaluation, answerer: Answerer, out: Path, *, blind: bool, progress: Progress
) -> list[str]:
    """Have a model answer, or go on with its answers in a file; return them all."""
    facts = {
        "task": work.task.name,
        "model": answerer.source,
        "questions": work.digest,
        "blind": blind,
        "tokens": work.task.tokens,
    }
    with Growing(out, facts) as file:
        return answer_all(
            work.task,
            work.questions,
            answerer,
            file,
            pictures=work.pictures,
            blind=blind,
            progress=lambda done, of: progress("answered", done, of),
        )


def mark(
    work: Evaluation,
    answers: Sequence[str],
    *,
    judge: Server | None,
    out: Path,
    progress: Progress,
) -> list[Marked]:
    """Mark answers by the task's rule, by stored judgements, or by asking a judge."""
    task = work.task
    if task.judge is None:
        return mark_answers(task, work.questions, answers)
    if work.judgements is not None:
        return mark_judgements(task.judge, work.questions, work.judgements)
    if judge is None:
        return mark_answers(task, work.questions, answers)
    source = f"{judge.config.model}@{judge.config.address}"
    facts = {"task": task.name, "judge": source, "questions": work.digest}
    with Growing(out, facts) as file:
        judgements = judge_all(
            task.judge,
            work.questions,
            answers,
            judge,
            file,
            progress=lambda done, of: progress("judged", done, of),
        )
    return mark_judgements(task.judge, work.questions, judgements)


def figures(work: Evaluation, marked: Sequence[Marked], answers: Sequence[str]) -> list[Figure]:
    """The task's figures, and the difference that the pictures make where it can be told."""
    found = work.task.sum_up(marked)
    if work.unseen is None:
        return found
    return [*found, gained(work.task, work.questions, answers, work.unseen)]


def answers_file(task: str, model: str, *, blind: bool) -> Path:
    """Where answers go if nobody says so."""
    plain = re.sub(r"[^\w.-]+", "-", model).strip("-.") or "model"
    return Path(f"{task}-{plain}{'-blind' if blind else ''}.jsonl")
