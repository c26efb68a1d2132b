"""What a person reads when a turn ends without an answer: why, and what there is so far."""

import re

from .trace import Reason, Turn

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH_WORDS = {
    "steps": "I stopped after {steps} steps, the limit for one request.",
    "time": "I stopped after {seconds:g} seconds, the limit for one request.",
    "cancelled": "Stopped.",
    "error": "{problem}",
    "so far": "So far: {results}.",
}
CHINESE_WORDS = {
    "steps": "已达到单次请求 {steps} 步的上限,因此停止。",
    "time": "已达到单次请求 {seconds:g} 秒的上限,因此停止。",
    "cancelled": "已停止。",
    "error": "{problem}",
    "so far": "目前的结果:{results}。",
}


def closing_words(
    turn: Turn, reason: Reason, *, problem: str, steps: int, seconds: float | None
) -> str:
    """Return the closing sentences; results are cited in braces."""
    words = CHINESE_WORDS if CHINESE.search(turn.message) else ENGLISH_WORDS
    why = words[reason].format(steps=steps, seconds=seconds or 0.0, problem=problem)
    if not (results := _results(turn)):
        return why
    return f"{why} {words['so far'].format(results=results)}"


def _results(turn: Turn) -> str:
    seen = [one for step in turn.steps for one in step.observations if one.handle is not None]
    return "; ".join(f"{one.skill}: {{{one.handle}}}" for one in seen)
