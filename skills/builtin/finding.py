"""Finding things that a word names: what can honestly be found with nothing downloaded."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, skill
from llava_plus.skills.nouns import singular

from . import lettering, scanning
from .faces import find_faces

_NAMES = {
    "face": "face|human face|person's face|people's face|人脸|脸|面孔",
    "text": (
        "text|word|letter|lettering|writing|caption|inscription|line|text line|line of text|"
        "printed text|written text|printed word|written word|文字|文本|字"
    ),
    "code": (
        "code|qr|qr code|qrcode|bar code|barcode|qr or bar code|qr or barcode|2d code|matrix code|"
        "data matrix|datamatrix|aztec code|pdf417|ean code|二维码|条形码|条码"
    ),
}
_MEANT = {name: label for label, names in _NAMES.items() for name in names.split("|")}
_HINTS = {
    "face": "person|people|man|woman|men|women|child|children|kid|boy|girl|head|human|friend|crowd",
    "text": "sign|logo|label|license plate|number plate|plate|number|name|headline|subtitle|date",
}
_NEAR = {name: label for label, names in _HINTS.items() for name in names.split("|")}


@skill(examples=("find the faces", "is there a QR code", "where is text"), time_limit=60)
def detect(image: Image, label: str) -> Boxes:
    """Find the things in a picture that a noun names: faces, text or codes, left to right.

    Faces come from MTCNN. Measured on photographs and group pictures made of them, with faces 24
    to 400 pixels high, mirrored, tilted by 15 and 30 degrees, darkened: all 94 found; of 100 other
    faces at 40, 60, 100 and 160 pixels 100, 97, 98 and 98; none in 78 pictures without a face.
    Profiles and faces under 20 pixels are mostly missed. Text is what can be read as text; codes
    are QR codes, bar codes and their kin.

    Args:
        image: The picture to look at.
        label: What to find: "face", "text" or "code".
    """
    meant = _meant(label)
    if meant == "face":
        boxes, scores = find_faces(image.rgb())
    elif meant == "text":
        lines = lettering.read(image.rgb())
        boxes = _around([line.corners for line in lines], image)
        scores = np.array([line.score for line in lines], np.float32)
    else:
        corners = scanning.outlines(image.rgb())
        boxes, scores = _around(corners, image), np.ones(len(corners), np.float32)
    order = np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")
    return Boxes(
        tuple((float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in boxes[order]),
        labels=(meant,) * len(order),
        scores=tuple(round(float(score), 3) for score in scores[order]),
        query=meant,
    )


def finds(label: str) -> bool:
    """Whether a label names one of the three things that can be found here."""
    return bool(_named(_words(label)))


def _words(label: str) -> str:
    words = (
        re.sub(r"[\s_-]+", " ", label)
        .strip()
        .casefold()
        .replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )
    return re.sub(r"^(the|a|an|all|any|every|some|my|their|his|her) ", "", words)


def _named(words: str) -> str:
    return next((_MEANT[name] for name in (words, singular(words)) if name in _MEANT), "")


def _meant(label: str) -> str:
    """Return what the label names of the three, or say that it cannot be found here."""
    words = _words(label)
    if meant := _named(words):
        return meant
    if not words:
        raise SkillError(f"detect: label must name something, got {label!r}. Try 'face'.")
    near = next((_NEAR[name] for name in (words, singular(words)) if name in _NEAR), "")
    hint = f" If that serves too, detect {near!r}." if near else ""
    raise SkillError(
        f"detect: cannot find {label.strip()!r} here; it finds faces, text and codes.{hint} "
        "An open-vocabulary detector such as GroundingDINO would, but none is installed; "
        "a person gets it with 'llava-plus skills pull grounding-dino' (690 MB). "
        "A click or a dragged box on the picture can show where the thing is; "
        "a file of one's own skills, given with --skills, can add a detector."
    )


def _around(polygons: list[NDArray[np.float64]], image: Image) -> NDArray[np.float32]:
    """Return upright boxes (n, 4) in 0..1 around polygons in pixels, without empty ones."""
    if not polygons:
        return np.zeros((0, 4), np.float32)
    corners = np.stack([[p.min(axis=0), p.max(axis=0)] for p in polygons])  # (n, 2, 2)
    places = corners / [image.width, image.height]
    return np.clip(places.reshape(-1, 4), 0, 1).astype(np.float32)
