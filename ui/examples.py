"""Requests to begin with, each with a picture; examples/SOURCES.md says whose the pictures are."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "examples"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A picture and what to ask of it; nano reads English, so that is what is sent."""

    picture: str
    text: str
    chinese: str

    @property
    def path(self) -> str:
        return str(FOLDER / self.picture)

    def shown(self, language: str) -> str:
        """Return how the example is offered on a page in the language."""
        return self.chinese if language == "中文" else self.text


EXAMPLES = (
    Example(picture="astronaut.jpg", text="Blur the face.", chinese="模糊人脸"),
    Example(picture="notice.jpg", text="What does the notice say?", chinese="读出告示上的文字"),
    Example(picture="notice.jpg", text="Read the QR code.", chinese="读取二维码"),
    Example(picture="grace_hopper.jpg", text="Crop to the face.", chinese="裁剪到人脸"),
    Example(picture="coffee.jpg", text="Turn it black and white.", chinese="变成黑白"),
    Example(picture="chelsea.jpg", text="Flip it horizontally.", chinese="水平翻转"),
    Example(picture="rocket.jpg", text="Make it brighter.", chinese="调亮"),
)
