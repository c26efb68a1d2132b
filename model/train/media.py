"""Pictures, videos and states of data sets, from the files and numbers that stand in an item."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, StatePart, VideoPart

FRAME_FILES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_PER_SECOND = 1.0  # frames of a movie, before there are too many


class SampleError(SetupError):
    """A conversation that cannot be learned from; names its file and which one it is."""


def read_picture(path: Path, where: str, *, with_pixels: bool) -> ImagePart:
    """A picture's file; without pixels, an empty one of the right size."""
    pixels = _pixels(path, f"{where}: ", "picture", with_pixels)
    return ImagePart(pixels=pixels, digest="" if with_pixels else "blank")


def read_state(values: Any, number: int, where: str) -> StatePart:
    """A list of numbers."""
    numbers = isinstance(values, list) and values != []
    if not numbers or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        raise SampleError(f"{where}: state {number} is no list of numbers, but {short(values)}")
    return StatePart(values=np.array(values, np.float32))


def read_video(said: Any, home: Path, most: int, where: str, *, with_pixels: bool) -> VideoPart:
    """A video, of which at most so many frames are chosen, at even distances.

    Args:
        said: A folder of frames, in the order of the numbers in their names; a list of frames'
            files; or a movie that OpenCV reads, of which one frame a second is considered.
        home: The folder that its paths begin in.
        most: The most frames.
        where: What to call its conversation in an error.
        with_pixels: Else its frames are empty ones of the right size.
    """
    if isinstance(said, str) and (home / said).is_file():
        return VideoPart(frames=_movie(home / said, most, where, with_pixels))
    if isinstance(said, str) and (home / said).is_dir():
        files = sorted(_frame_files(home / said), key=_numbers_apart)
    elif isinstance(said, list) and all(isinstance(one, str) for one in said):
        files = [home / one for one in said]
    elif isinstance(said, str):
        raise SampleError(f"{where}: no video {home / said}, neither a file nor a folder.")
    else:
        raise SampleError(f"{where}: a video is a path or a list of frames, not {short(said)}")
    if not files:
        raise SampleError(f"{where}: video {short(said)} has no frames, so it takes no tokens.")
    chosen = [files[one] for one in evenly(len(files), most)]
    frames = [_pixels(file, f"{where}: ", "frame", with_pixels) for file in chosen]
    if other := [n for n, one in enumerate(frames) if one.shape != frames[0].shape]:
        raise SampleError(
            f"{where}: frame {chosen[other[0]]} is of another size than {chosen[0].name}."
        )
    return VideoPart(frames=np.stack(frames) if with_pixels else _repeated(frames[0], len(frames)))


def evenly(count: int, most: int) -> list[int]:
    """Which of so many frames are chosen: all, or ``most`` from the first to the last."""
    if count <= most:
        return list(range(count))
    return [int(one) for one in np.linspace(0, count - 1, most)]


def _movie(path: Path, most: int, where: str, with_pixels: bool) -> NDArray[np.uint8]:
    movie = cv2.VideoCapture(str(path))
    try:
        count, rate = int(movie.get(cv2.CAP_PROP_FRAME_COUNT)), movie.get(cv2.CAP_PROP_FPS)
        if not movie.isOpened() or count < 1 or not movie.grab():
            raise SampleError(f"{where}: video {path} cannot be read: it holds no frames.")
        step = max(1, round(rate / _PER_SECOND)) if rate > 0 else 1
        considered = range(0, count, step)
        chosen = [considered[one] for one in evenly(len(considered), most)]
        good, first = movie.retrieve()
        if not good:
            raise SampleError(f"{where}: video {path} cannot be read: its first frame is damaged.")
        if not with_pixels:
            return _repeated(empty(*first.shape[:2]), len(chosen))
        frames = list(_retrieved(movie, chosen))
        if len(frames) < len(chosen):
            raise SampleError(
                f"{where}: video {path} ends after {len(frames)} of the {len(chosen)} frames that"
                " were chosen: it is damaged. Write it anew, or leave it out."
            )
        return np.stack(frames)
    finally:
        movie.release()


def _retrieved(movie: Any, chosen: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """Frames by number, in order; the first one was grabbed already."""
    at = 0
    for number in chosen:
        while at < number:
            if not movie.grab():
                return
            at += 1
        good, frame = movie.retrieve()
        if not good:
            return
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def _frame_files(folder: Path) -> list[Path]:
    return [one for one in folder.iterdir() if one.suffix.lower() in FRAME_FILES]


def _numbers_apart(path: Path) -> list[tuple[int, str]]:
    """A key by which frame 2 comes before frame 10."""
    pieces = re.findall(r"\d+|\D+", path.name)
    return [(int(one), "") if one.isdecimal() else (-1, one) for one in pieces]


def _pixels(path: Path, where: str, kind: str, with_pixels: bool) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if with_pixels:
                return np.asarray(picture.convert("RGB"))
            if not _whole(path, picture.format):
                picture.load()  # which says what is missing
            return empty(height, width)
    except FileNotFoundError:
        raise SampleError(f"{where}no {kind} {path}.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SampleError(f"{where}{kind} {path} cannot be read: {error}") from error


def _whole(path: Path, kind: str | None) -> bool:
    """Whether a file ends as its kind does; most that are damaged were cut off."""
    ends = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64))
        return kind in ends and ends[kind] in file.read()


def empty(height: int, width: int) -> NDArray[np.uint8]:
    """Pixels that take no memory."""
    return np.broadcast_to(np.uint8(0), (height, width, 3))


def _repeated(frame: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    return np.broadcast_to(frame, (count, *frame.shape))


def short(value: Any) -> str:
    """The beginning of a value, for an error."""
    words = repr(value)
    return words if len(words) <= 60 else words[:57] + "..."
