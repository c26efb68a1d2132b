"""What makes a benchmark under one rule, and a judge."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .figures import Figure
from .judged import FAILED
from .questions import Question
from .summaries import Marked

Answer = str


@dataclass(frozen=True, kw_only=True)
class Judge:
    """How another model's words about an answer become numbers.

    Args:
        ask: Writes the question to the judge.
        read: Takes the numbers out of a judgement; None where it finds none.
        failed: What stands for a judgement that cannot be read.
        tokens: A judgement's greatest length.
        temperature: Of the first try.
        tries: How often to ask while nothing can be read, each time 0.5 warmer.
    """

    ask: Callable[[Question, Answer], str]
    read: Callable[[str], tuple[float, ...] | None]
    failed: tuple[float, ...]
    tokens: int
    temperature: float
    tries: int

    def mark(self, question: Question, judgement: str) -> Marked:
        values = self.read(judgement)
        unread = values is None or values == self.failed == FAILED
        return Marked(question=question, values=values or self.failed, unread=unread)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One benchmark under one rule.

    Args:
        name: Exact; the same data under another rule has another name.
        about: The rule in a line.
        prompt: How a question is put.
        mark: What an answer is worth, in 0..1; None where a judge says so.
        sum_up: The figures, the main one first.
        needs: Fields that every question has.
        answers: What a right answer may be, where that is a fixed set.
        categories: Those that are known; any, if none.
        capabilities: Likewise.
        weights: Of the categories in the figure, where they are not weighed by size.
        group: What is right or wrong together.
        together: How many questions such a group has, if that is fixed.
        grouped: What to call a group.
        numbered: Whether ids are numbers.
        tokens: An answer's greatest length.
        judge: For answers that another model judges.
    """

    name: str
    about: str
    prompt: Callable[[Question], str]
    sum_up: Callable[[Sequence[Marked]], list[Figure]]
    mark: Callable[[Question, Answer], float] | None = None
    needs: tuple[str, ...] = ("image", "answer")
    answers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    group: Callable[[Question], str] = lambda question: question.id
    together: int | None = None
    grouped: str = "a question"
    numbered: bool = False
    tokens: int = 128
    judge: Judge | None = None
