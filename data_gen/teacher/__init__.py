"""A model behind an OpenAI-compatible server that writes training data."""

from .config import TeacherConfig, read_teacher
from .consistency import SelfConsistent
from .replies import Replies
from .teacher import Teacher, TeacherError
from .writer import TeacherWriter

__all__ = [
    "Replies",
    "SelfConsistent",
    "Teacher",
    "TeacherConfig",
    "TeacherError",
    "TeacherWriter",
    "read_teacher",
]
