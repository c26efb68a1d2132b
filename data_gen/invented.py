"""Invented skills, as somebody might add them: a planner learns to read what is listed."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError
from llava_plus.skills import Image, Number, Region, SkillRegistry, Text, skill

from .nouns import invented_word
from .requests import Request

FILE = Path(__file__).parent / "phrases" / "invented.tsv"
FORMS = ("image", "region", "number", "text", "word")
QUOTED = '"'


@dataclass(frozen=True, kw_only=True)
class Invented:
    """A skill that nobody has: its name, its form and how people ask for it."""

    name: str
    form: str
    description: str
    requests: tuple[str, ...]

    def declared(self, name: str = "") -> Callable[..., Any]:
        """The skill as a user's file would hold it; what it does is simple, but it is done."""
        function = {
            "image": _image, "region": _region, "number": _number, "text": _text, "word": _word,
        }[self.form]()  # fmt: skip
        function.__name__ = function.__qualname__ = name or self.name
        function.__doc__ = self.description
        return skill(function)

    def plan(self, text: str, name: str) -> str:
        """What does the wish."""
        if self.form == "region":
            words = text.lower()
            label = "code" if "code" in words else "text" if "text" in words else "face"
            return f'detect(img_1, "{label}") ; {name}(img_1, boxes_1)'
        if self.form == "word":
            return f'{name}(img_1, "{text.split(QUOTED)[1]}")'
        return f"{name}(img_1)"


def read_invented(path: Path = FILE) -> list[Invented]:
    """The list; a line of another shape is a `SetupError`."""
    skills = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        name, form, description, *requests = (field.strip() for field in line.split("\t"))
        if form not in FORMS or len(requests) != 3:
            raise SetupError(
                f"{path.name}:{number}: wanted name, form, description, three requests."
            )
        skills.append(
            Invented(name=name, form=form, description=description, requests=tuple(requests))
        )
    return skills


def added_requests(
    builtin: list[Request], *, copies: int, seed: int
) -> Iterator[tuple[Request, SkillRegistry]]:
    """Requests in sessions with one to four added skills; some of them want none of those."""
    rng = random.Random(seed)
    known = read_invented()
    for wanted in known:
        for text in wanted.requests:
            for _ in range(copies):
                others = rng.sample(
                    [one for one in known if one is not wanted], rng.choice((0, 1, 1, 2))
                )
                name = invented_word(rng) if rng.random() < 0.35 else wanted.name
                registry = _registry([*others, wanted], rng, {wanted.name: name})
                plan = wanted.plan(text, name)
                origin = f"invented:{wanted.name}"
                yield Request(context="1", text=text, plan=plan, origin=origin), registry
            if rng.random() < 0.5 * copies and builtin:
                yield (
                    rng.choice(builtin),
                    _registry(rng.sample(known, rng.choice((1, 2, 3))), rng, {}),
                )


def _registry(skills: list[Invented], rng: random.Random, names: dict[str, str]) -> SkillRegistry:
    skills = skills.copy()
    rng.shuffle(skills)
    return SkillRegistry(one.declared(names.get(one.name, one.name)) for one in skills)


def _image() -> Callable[..., Any]:
    def run(image: Image) -> Image:
        return Image.from_array(255 - image.rgb())

    return run


def _region() -> Callable[..., Any]:
    def run(image: Image, region: Region) -> Image:
        del region
        return Image.from_array(255 - image.rgb())

    return run


def _number() -> Callable[..., Any]:
    def run(image: Image) -> Number:
        return Number(round(float(image.rgb().mean()), 1))

    return run


def _text() -> Callable[..., Any]:
    def run(image: Image) -> Text:
        return Text(f"{image.width} by {image.height}, mean {image.rgb().mean():.0f}")

    return run


def _word() -> Callable[..., Any]:
    def run(image: Image, text: str) -> Image:
        del text
        return Image.from_array(255 - image.rgb())

    return run
