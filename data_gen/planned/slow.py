"""A skill that really takes longer than it may: what planners must be able to cope with.

A run with `--skills data_gen/planned/slow.py` has conversations in which reading runs out of time.
"""

import threading

from llava_plus.errors import SkillError
from llava_plus.skills import Image, TextLines, skill
from llava_plus.skills.builtin import ocr, resize
from llava_plus.skills.workers import GIVEN_UP

LIMIT = 0.01  # seconds: enlarging a picture eight times takes longer on any machine


@skill(name="close_read", time_limit=LIMIT, cache=False, isolation="inline")
def close_read(image: Image) -> TextLines:
    """Read very small print: slowly, on a copy that is enlarged eight times.

    Args:
        image: The picture to read.
    """
    large = resize(image, scale=min(8.0, 8000 / max(image.width, image.height)))
    if GIVEN_UP.get(threading.Event()).is_set():  # nobody waits any more
        raise SkillError("close_read: it was given up.")
    return ocr(large)
