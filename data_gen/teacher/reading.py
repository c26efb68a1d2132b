"""Reading what a teacher wrote: one JSON object of the shape that was asked for, or nothing."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llava_plus.agent.dialects.reading import decoder, short, tidy

from .teacher import Chat, Teacher, TeacherError

T = TypeVar("T", bound=BaseModel)
BRACES = 20  # opening ones that are tried


class Said(BaseModel):
    """One question with what the assistant thinks and answers."""

    model_config = ConfigDict(frozen=True)

    question: str = Field(min_length=1, max_length=2000)
    thought: str = Field(default="", max_length=2000)
    answer: str = Field(min_length=1, max_length=8000)


class Talk(BaseModel):
    """A conversation."""

    model_config = ConfigDict(frozen=True)

    turns: tuple[Said, ...] = Field(min_length=1, max_length=12)


class Wish(BaseModel):
    """One request."""

    model_config = ConfigDict(frozen=True)

    request: str = Field(min_length=2, max_length=2000)


class Wishes(BaseModel):
    """Several requests."""

    model_config = ConfigDict(frozen=True)

    requests: tuple[str, ...] = Field(min_length=1, max_length=100)


async def ask_for(
    kind: type[T],
    teacher: Teacher,
    chat: Sequence[Chat],
    *,
    check: Callable[[T], str] = lambda _: "",
    sample: int = 0,
) -> T:
    """Ask until a reply has the right shape, each time for another one.

    Args:
        kind: The shape.
        teacher: Who is asked.
        chat: The messages.
        check: Says what is wrong with a reply that has the shape, "" where nothing is.
        sample: Which of several good replies, from 0.

    Raises:
        TeacherError: None was of use, or it cannot be asked.
    """
    why = ""
    for attempt in range(teacher.config.tries):
        text = await teacher.ask(chat, sample=sample * teacher.config.tries + attempt)
        try:
            found = _read(kind, text)
        except ValueError as error:
            why = str(error)
        else:
            if not (why := check(found)):
                return found
    raise TeacherError(f"The teacher wrote nothing of use in {teacher.config.tries} tries: {why}.")


def _read(kind: type[T], text: str) -> T:
    """Return the first object of the right shape in a text.

    Raises:
        ValueError: There is none.
    """
    reader, start, problem = decoder(), text.find("{"), f"no JSON object in {short(text)}"
    for _ in range(BRACES):
        if start < 0:
            break
        try:
            found, _ = reader.raw_decode(text, start)
            return kind.model_validate(tidy(found))
        except ValidationError as error:
            first = error.errors()[0]
            problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']} in {short(text)}"
        except (ValueError, RecursionError):
            pass
        start = text.find("{", start + 1)
    raise ValueError(problem)
