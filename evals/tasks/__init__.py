"""Benchmarks of vision-language models under their own rules."""

from .answering import LocalAnswerer, RemoteAnswerer
from .figures import Figure
from .questions import Question, read_questions
from .registry import TASKS, find_task
from .summaries import Marked
from .task import Judge, Task

__all__ = [
    "TASKS",
    "Figure",
    "Judge",
    "LocalAnswerer",
    "Marked",
    "Question",
    "RemoteAnswerer",
    "Task",
    "find_task",
    "read_questions",
]
