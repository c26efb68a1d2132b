"""Which model teaches, how fast it may be asked, and what may be spent on it."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from llava_plus.agent.planners.remote_config import RemoteConfig, read_config_as

Language = Literal["English", "Chinese"]


class TeacherConfig(RemoteConfig):
    """An OpenAI-compatible server that writes data.

    Budgets hold for all that its file of replies has ever cost, over all runs and processes.
    """

    temperature: float | None = Field(default=0.9, ge=0)
    language: Language = "English"  # of requests and answers
    sees: bool = False  # whether pictures are sent along, beside what is known of them
    per_minute: float | None = Field(default=None, gt=0)  # requests, of all processes together
    at_once: int = Field(default=8, ge=1)  # items of one process that it is asked about
    tries: int = Field(default=3, ge=1)  # times that it is asked where its reply is of no use
    patience: int = Field(default=10, ge=1)  # failures in a row after which it is asked no more
    cache: str = "teacher.sqlite"  # the file of replies, beside this one if it is no absolute path


def read_teacher(name: str | Path) -> TeacherConfig:
    """Read ``openai:MODEL@ADDRESS`` or a YAML file with the fields of `TeacherConfig`."""
    config = read_config_as(TeacherConfig, name)
    folder = Path() if str(name).startswith("openai:") else Path(name).expanduser().parent
    path = folder.resolve() / Path(config.cache).expanduser()
    return config.model_copy(update={"cache": str(path)})
