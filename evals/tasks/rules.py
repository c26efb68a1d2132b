"""How each task asks, and what it takes for right: the rules, fitted to questions."""

from collections.abc import Callable

from . import boxes, judged, letters, prompts, vqa, yes_no
from .questions import Question
from .task import Answer


def ask_short(question: Question) -> str:
    return prompts.short(question.question)


def ask_short_with_ocr(question: Question) -> str:
    return prompts.short_with_ocr(question.question, question.ocr)


def ask_short_or_unanswerable(question: Question) -> str:
    return prompts.short_or_unanswerable(question.question)


def ask_letter(question: Question) -> str:
    return prompts.letter(question.question, question.options, hint=question.hint)


def ask_letter_cn(question: Question) -> str:
    return prompts.letter_cn(question.question, question.options, hint=question.hint)


def ask_as_it_stands(question: Question) -> str:
    return question.question


def mark_official(question: Question, answer: Answer) -> float:
    return vqa.vqa_official(answer, question.answers)


def mark_evalai(question: Question, answer: Answer) -> float:
    return vqa.vqa_evalai(answer, question.answers)


def mark_gqa(question: Question, answer: Answer) -> float:
    return answer.rstrip(".").lower() == question.answer


def mark_science(question: Question, answer: Answer) -> float:
    return letters.science(answer, len(question.options)) == question.answer


def mark_pope(question: Question, answer: Answer) -> float:
    return yes_no.pope(answer) == question.answer


def mark_first_word(question: Question, answer: Answer) -> float:
    return yes_no.first_word(answer) == question.answer


def mark_mme(question: Question, answer: Answer) -> float:
    return yes_no.mme(answer) == question.answer


def mark_mmbench(question: Question, answer: Answer) -> float:
    return letters.mmbench(answer, question.options) == question.answer


def mark_equal(question: Question, answer: Answer) -> float:
    return answer == question.answer


def mark_first_letter(question: Question, answer: Answer) -> float:
    return letters.first_letter(answer) == question.answer


def mark_cambrian(question: Question, answer: Answer) -> float:
    return letters.cambrian_right(answer, question.answer, question.options)


def mark_strict(question: Question, answer: Answer) -> float:
    return letters.strict(answer) == question.answer


def mark_boxed(read: Callable[[str], boxes.Box]) -> Callable[[Question, Answer], float]:
    def check(question: Question, answer: Answer) -> float:
        return boxes.overlap(read(answer), question.box or boxes.NOWHERE) >= boxes.ENOUGH

    return check


def mmvet_score(judgement: str) -> tuple[float, ...] | None:
    score = judged.mmvet(judgement)
    return None if score is None else (score,)
