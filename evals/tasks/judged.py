"""Answers that another model judges: what it is asked, and what its words are worth.

The questions to the judge are in our words: those of MM-Vet and LLaVA-Bench are not part of this
package. So figures with our questions are no figures of those papers; judgements that were made
with theirs can be scored.
"""

import math

from .questions import Question

FAILED = (-1.0, -1.0)  # a pair that cannot be read; it stays in the means


def mmvet(judgement: str) -> float | None:
    """MM-Vet's score in 0..1: the first word of the judgement; None where it is none."""
    try:
        score = float(judgement.split(" ")[0].strip())
    except ValueError:
        return None
    return score if 0 <= score <= 1 else None


def pair(judgement: str) -> tuple[float, float]:
    """LLaVA-Bench's scores of the reference and of the model, alone in the first line.

    Commas become blanks, and there must be exactly one blank: "8 9" and "8,9" are read, "8, 9" is
    not. What cannot be read is (-1, -1), as in the original; so are infinite numbers, which there
    were let in.
    """
    parts = judgement.split("\n")[0].replace(",", " ").split(" ")
    if len(parts) != 2:
        return FAILED
    try:
        first, second = map(float, parts)
    except ValueError:
        return FAILED
    return (first, second) if math.isfinite(first + second) else FAILED


def ask_mmvet(question: Question, answer: str) -> str:
    """Ask for the score of one answer."""
    return (
        "Judge how correct an answer about a picture is, from 0.0 (wrong) to 1.0 (right) in steps "
        "of 0.1. Where the right answer joins parts by <AND>, all are needed; where by <OR>, one "
        "is enough. Reply with the number only.\n\n"
        f"Question: {question.question}\nRight answer: {question.answer}\nAnswer: {answer}\nScore:"
    )


def ask_pair(question: Question, answer: str) -> str:
    """Ask for the scores of the reference, which comes first, and of the model's answer."""
    return (
        f"[Context]\n{question.context}\n\n[Question]\n{question.question}\n\n"
        f"[Assistant 1]\n{question.answer}\n[End of Assistant 1]\n\n"
        f"[Assistant 2]\n{answer}\n[End of Assistant 2]\n\n[System]\n"
        "Two assistants answered a question about a picture that the context describes. Rate how "
        "helpful, relevant, accurate and detailed each answer is, from 1 to 10; the order in which "
        "they stand must not matter. Write the two numbers, of Assistant 1 and of Assistant 2, "
        "with one blank between them, alone in the first line; then explain."
    )
