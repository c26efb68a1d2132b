"""What a run of the generator is made of, as a person writes it into a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llava_plus.errors import SetupError
from llava_plus.skills import SkillRegistry, load_skills

from .mixture import Share
from .sources import (
    Coco,
    Columns,
    DrawnScenes,
    Fetcher,
    Folder,
    HierText,
    HubDataset,
    Source,
    TextOcr,
    UrlList,
    VisualGenome,
)

# What may change while a run goes on: it decides how far a run goes, not what it makes.
LIMITS = ("traces", "workers")
KINDS = ("drawn", "folder", "urls", "coco", "hiertext", "textocr", "genome", "hub")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourcePart(_Part):
    """One source: exactly one of ``KINDS``, and how much of the run it gives."""

    name: str = ""
    weight: float = Field(default=1.0, gt=0)
    licence: str = "unknown"
    drawn: int | None = None  # how many scenes
    folder: Path | None = None
    urls: Path | None = None
    fetch: bool = False  # whether the addresses of ``urls`` may be asked
    coco: list[Path] | None = None
    hiertext: Path | None = None
    textocr: Path | None = None
    genome: Path | None = None
    hub: str | None = None
    images: list[Path] = []  # folders of pictures, for the five above
    columns: dict[str, str] = {"image": "image"}  # of ``hub``
    split: str = "train"
    revision: str = ""
    rows: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"a source is exactly one of {', '.join(KINDS)}; got {given}")
        if given[0] in ("coco", "hiertext", "textocr", "genome") and not self.images:
            raise ValueError(f"{given[0]} needs images: the folder of its pictures")
        return self

    @property
    def kind(self) -> str:
        """Which of the kinds it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


class WriterPart(_Part):
    """One writer: its name, its options, and how many of the pictures it writes about."""

    writer: str
    weight: float = Field(default=1.0, gt=0)
    options: dict[str, Any] = {}


class SkillsPart(_Part):
    """Which skills can be called: the built-in ones or some of them, and those of a person."""

    use: list[str] = []  # names; all where empty
    files: list[Path] = []


class VerifyPart(_Part):
    """What traces must pass."""

    leave_out: list[str] = []  # names of verifiers
    licences: list[str] = []  # allowed beside those that always are
    bypass: float = Field(default=0.02, ge=0, le=1)  # share of replays past kept results


class Recipe(_Part):
    """A run: sources, writers, skills, verifiers, sizes and seed; docs/data.md explains each."""

    name: str = Field(default="traces", pattern=r"^[A-Za-z0-9_-]{1,40}$")
    seed: int = 0
    traces: int = Field(default=1000, ge=1)  # that are to be kept
    per_picture: int = Field(default=8, ge=1, le=1000)  # conversations each time a picture comes
    side: int = Field(default=512, ge=0)  # pixels of the longer side of a picture; 0: as it is
    pictures_per_part: int = Field(default=8, ge=1, le=1000)  # what a kill can cost
    workers: int = Field(default=1, ge=1)
    sources: list[SourcePart] = Field(min_length=1)
    writers: list[WriterPart] = Field(min_length=1)
    skills: SkillsPart = SkillsPart()
    verify: VerifyPart = VerifyPart()

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a file; paths in it are seen from its folder.

        Raises:
            SetupError: It cannot be read, or something in it makes no sense.
        """
        import yaml

        try:
            given = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            why = error.strerror or error
            raise SetupError(f"Cannot read {path}: {why}. `data new` writes one.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise SetupError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
        return cls.parse(given, path.parent, str(path))

    @classmethod
    def parse(cls, given: Any, folder: Path = Path(), where: str = "The recipe") -> Recipe:
        """Check plain values; paths among them are seen from a folder."""
        try:
            recipe = cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "it"
            raise SetupError(
                f"{where}: {place}: {first['msg']}. docs/data.md shows what a recipe holds."
            ) from error
        return recipe._placed(folder)

    def fingerprint(self) -> str:
        """Name what the run makes, apart from how far it goes and who works on it."""
        facts = self.model_dump(mode="json", exclude=set(LIMITS))
        for writer in facts["writers"]:
            writer["options"].pop("limits", None)
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def shares(self) -> list[Share]:
        """Make the sources."""
        return [
            Share(
                name=part.name or f"{part.kind}{number}",
                source=_source(part),
                weight=part.weight,
                rows=part.rows,
            )
            for number, part in enumerate(self.sources, 1)
        ]

    def registry(self) -> SkillRegistry:
        """Load the skills."""
        skills = load_skills(self.skills.files).skills
        return skills.subset(*self.skills.use) if self.skills.use else skills

    def _placed(self, folder: Path) -> Recipe:
        """Return the recipe with all paths seen from a folder."""
        names = ("folder", "urls", "hiertext", "textocr", "genome")
        sources = []
        for part in self.sources:
            moved: dict[str, Any] = {
                name: _seen(folder, getattr(part, name)) for name in names if getattr(part, name)
            }
            moved["images"] = [_seen(folder, path) for path in part.images]
            if part.coco is not None:
                moved["coco"] = [_seen(folder, path) for path in part.coco]
            sources.append(part.model_copy(update=moved))
        files = [_seen(folder, path) for path in self.skills.files]
        skills = self.skills.model_copy(update={"files": files})
        return self.model_copy(update={"sources": sources, "skills": skills})


def _seen(folder: Path, path: Path) -> Path:
    return (folder / path.expanduser()).absolute()


def _source(part: SourcePart) -> Source:
    licence, images = part.licence, part.images
    if part.drawn is not None:
        return DrawnScenes(count=part.drawn)
    if part.folder is not None:
        return Folder(path=part.folder, licence=licence)
    if part.urls is not None:
        fetcher = Fetcher(folder=part.urls.with_name(f"{part.urls.name}-fetched"))
        return UrlList(file=part.urls, fetcher=fetcher, allowed=part.fetch, licence=licence)
    if part.coco is not None:
        return Coco(files=part.coco, images=images[0], licence=licence)
    if part.hiertext is not None:
        return HierText(file=part.hiertext, images=images[0], licence=licence)
    if part.textocr is not None:
        return TextOcr(file=part.textocr, images=images[0], licence=licence)
    if part.genome is not None:
        return VisualGenome(folder=part.genome, images=images, licence=licence)
    assert part.hub is not None
    try:
        columns = Columns(**part.columns)
    except TypeError as error:
        raise SetupError(f"The columns of {part.hub!r}: {error}.") from error
    return HubDataset(
        name=part.hub, columns=columns, split=part.split, revision=part.revision, licence=licence
    )
