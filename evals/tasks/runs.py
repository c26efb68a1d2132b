"""Working through the questions of a task, one by one, and marking what comes."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from llava_plus.errors import ImageError, SetupError
from llava_plus.skills import Image
from llava_plus.skills.images import load_image

from .answering import Answerer
from .figures import Figure
from .questions import Question, picture_path
from .served import Server
from .stored import Growing
from .summaries import Marked, difference
from .task import Judge, Task

WARMER = 0.5  # of a judge's temperature, after a judgement that cannot be read

Progress = Callable[[int, int], None]  # done, of how many


def answer_all(
    task: Task,
    questions: Sequence[Question],
    answerer: Answerer,
    file: Growing,
    *,
    pictures: Path,
    blind: bool = False,
    progress: Progress,
) -> list[str]:
    """Answer what the file does not answer yet; return all answers in order.

    Args:
        task: How to ask.
        questions: What to ask.
        answerer: The model.
        file: Gets each answer as it comes.
        pictures: The folder that images are named in.
        blind: Show no pictures.
        progress: Told before the first question and after each.
    """
    waiting = [question for question in questions if question.id not in file.rows]
    done = len(questions) - len(waiting)
    progress(done, len(questions))
    for number, question in enumerate(waiting, start=done + 1):
        image = None if blind or not question.image else _seen(question, pictures)
        prompt = task.prompt(question)
        began = time.perf_counter()
        try:
            answer = answerer.answer(prompt, image)
        except SetupError as error:
            raise SetupError(f"{_place(question)}: {error} What was answered is kept.") from error
        seconds = round(time.perf_counter() - began, 3)
        file.add(question.id, prompt=prompt, answer=answer, seconds=seconds)
        progress(number, len(questions))
    return [file.rows[question.id]["answer"] for question in questions]


def judge_all(
    judge: Judge,
    questions: Sequence[Question],
    answers: Sequence[str],
    server: Server,
    file: Growing,
    *,
    progress: Progress,
) -> list[str]:
    """Have the answers judged that the file holds no judgement of; return all in order."""
    _check_judged(questions, answers, file)
    done = sum(question.id in file.rows for question in questions)
    progress(done, len(questions))
    for question, answer in zip(questions, answers, strict=True):
        if question.id in file.rows:
            continue
        judgement = _judgement(judge, server, judge.ask(question, answer))
        file.add(question.id, answer=answer, judgement=judgement)
        done += 1
        progress(done, len(questions))
    return [file.rows[question.id]["judgement"] for question in questions]


def mark_answers(task: Task, questions: Sequence[Question], answers: Sequence[str]) -> list[Marked]:
    """Mark answers by the task's rule."""
    if task.mark is None:
        raise SetupError(
            f"{task.name} is scored by a judge: name one by --judge, or --judgements FILE."
        )
    return [
        Marked(question=question, values=(float(task.mark(question, answer)),))
        for question, answer in zip(questions, answers, strict=True)
    ]


def mark_judgements(
    judge: Judge, questions: Sequence[Question], judgements: Sequence[str]
) -> list[Marked]:
    """Mark what a judge said."""
    return [judge.mark(*both) for both in zip(questions, judgements, strict=True)]


def gained(
    task: Task, questions: Sequence[Question], answers: Sequence[str], blind: Sequence[str]
) -> Figure:
    """How much is gained by seeing the pictures, for tasks that mark each answer by itself."""
    if task.mark is None or task.numbered or task.together is not None:
        raise SetupError(
            f"{task.name} does not mark each answer by itself: it has no difference with and "
            "without pictures. Leave --without out."
        )
    seen, unseen = (mark_answers(task, questions, each) for each in (answers, blind))
    return difference(seen, unseen, task.weights)


def _seen(question: Question, pictures: Path) -> Image:
    try:
        return load_image(picture_path(question, pictures))
    except ImageError as error:
        raise SetupError(f"{_place(question)}: {error} What was answered is kept.") from error


def _place(question: Question) -> str:
    return f"Question {question.id!r} (line {question.line})"


def _judgement(judge: Judge, server: Server, prompt: str) -> str:
    """Ask until the judgement can be read, warmer each time; return the last one."""
    judgement = ""
    for tries in range(judge.tries):
        warmth = judge.temperature + WARMER * tries
        judgement = server.ask(prompt, tokens=judge.tokens, temperature=warmth)
        if judge.read(judgement) is not None:
            break
    return judgement


def _check_judged(questions: Sequence[Question], answers: Sequence[str], file: Growing) -> None:
    for question, answer in zip(questions, answers, strict=True):
        row = file.rows.get(question.id)
        if row is not None and row["answer"] != answer:
            raise SetupError(
                f"{file.path} judged another answer to question {question.id!r}. "
                "Name another file with --out, or delete this one."
            )
