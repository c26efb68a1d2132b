"""Requests for a skill, multiplied by a teacher from a few: self-instruct (Wang et al. 2022).

The first ones are the examples that the skill's author gave. Each round shows the teacher some of
those that there are and asks for more; what is nearly the same as one of them is left out.
"""

import asyncio
import fcntl
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from llava_plus.skills import SkillSpec

from .reading import Wishes, ask_for
from .teacher import Teacher
from .wording import prompt

SHOWN = 8  # requests that a round begins with
MORE = 12  # that it asks for
SAME = 0.7  # ROUGE-L from which two requests are the same
NO_SEEDS = "(none yet)"


async def pool_of(
    spec: SkillSpec, teacher: Teacher, *, rounds: int, seeds: Sequence[str] = (), seed: int = 0
) -> list[str]:
    """Return requests for a skill, the first ones first.

    Args:
        spec: The skill.
        teacher: Who writes them.
        rounds: How often it is asked; none leaves the first ones.
        seeds: More first ones, by a person.
        seed: Draws those that are shown.

    Raises:
        TeacherError: It wrote nothing of use.
    """
    pool = list(dict.fromkeys([*spec.examples, *seeds]))
    async with _alone(teacher.replies.path):
        for number in range(rounds):
            rng = random.Random(f"{seed}:{spec.name}:{number}")
            shown = rng.sample(pool, min(SHOWN, len(pool)))
            words = prompt(
                "pool",
                teacher.config.language,
                skills=signature(spec),
                seeds=listed(shown),
                count=str(MORE),
            )
            found = await ask_for(Wishes, teacher, [{"role": "user", "content": words}])
            for request in found.requests:
                if request.strip() and not any(likeness(request, one) >= SAME for one in pool):
                    pool.append(request.strip())
    return pool


def signature(*specs: SkillSpec) -> str:
    """Return what the teacher reads of skills."""
    return "\n".join(f"- {spec.signature()}: {spec.told}" for spec in specs)


def listed(requests: Sequence[str]) -> str:
    """Return requests as a list."""
    return "\n".join(f"- {request}" for request in requests) or NO_SEEDS


def likeness(one: str, other: str) -> float:
    """Return ROUGE-L (Lin 2004): the F1 of the longest common subsequence of words, 0..1.

    A Chinese or Japanese character counts as a word.
    """
    first, second = _words(one), _words(other)
    if not first or not second:
        return float(first == second)
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for index, against in enumerate(second, 1):
            above = row[index]
            row[index] = diagonal + 1 if word == against else max(above, row[index - 1])
            diagonal = above
    return 2 * row[-1] / (len(first) + len(second))


def _words(text: str) -> list[str]:
    return re.findall(
        r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+", text.lower()
    )


@asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[None]:
    """Let one at a time, of all processes, grow a pool, so that the others find its replies."""
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield
