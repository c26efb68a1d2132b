"""Requests with their plans, written by hand: read, and kept apart from the evaluation."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from llava_plus.errors import SetupError
from llava_plus.skills.nouns import singular

from .nouns import COMMON, several

FOLDER = Path(__file__).parent / "phrases"
LABEL = re.compile(r'detect\((img_[0-9]+), "([^"]+)"\)')
SELECTED = re.compile(r'label="([^"]+)"')
NEAR = 0.75  # share of words in common from which two requests count as the same wording


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asks, in which context, and the plan that does it (notation of `agent`)."""

    context: str
    text: str
    plan: str
    origin: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the things that the plan looks for."""
        return tuple(found[1] for found in LABEL.findall(self.plan))


def hand_requests(folder: Path = FOLDER) -> list[Request]:
    """Every request of `hand_*.tsv`; a line without three fields is a `SetupError`."""
    requests = []
    for path in sorted(folder.glob("hand_*.tsv")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            origin = f"{path.stem}:{number}"
            fields = line.split("\t")
            if len(fields) != 3:
                raise SetupError(f"{path.name}:{number}: wanted context, request and plan.")
            context, text, plan = (field.strip() for field in fields)
            requests.append(Request(context=context, text=text, plan=plan, origin=origin))
    return requests


@dataclass(frozen=True)
class Heldout:
    """What the evaluation asks: its wordings and nouns are kept out of training."""

    texts: tuple[frozenset[str], ...]
    nouns: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> "Heldout":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        labels = {
            singular(label.lower())
            for row in rows
            for text in (*row["plans"], row["context"])
            for _, label in LABEL.findall(text)
        }
        return cls(tuple(_words(row["request"]) for row in rows), frozenset(labels) - set(COMMON))

    def near(self, text: str) -> bool:
        """Whether the wording is nearly one of the evaluation's."""
        words = _words(text)
        return any(len(words & other) >= NEAR * len(words | other) for other in self.texts)


def apart(requests: Iterable[Request], heldout: Heldout) -> Iterator[Request]:
    """Leave out near-copies of evaluation requests and those that use its nouns."""
    for request in requests:
        if heldout.near(request.text):
            continue
        if any(singular(label.lower()) in heldout.nouns for label in request.labels):
            continue
        yield request


def spelling(label: str, text: str) -> str | None:
    """How the text spells the label (its case, its plural), or None where it does not."""
    for form in sorted({label, several(label), singular(label)}, key=len, reverse=True):
        if found := re.search(rf"(?<!\w){re.escape(form)}(?!\w)", text, re.IGNORECASE):
            return found[0]
    return None


def copied_labels(request: Request) -> Request:
    """Write each label as the text spells it, so that a planner can copy it letter for letter."""
    plan = request.plan
    for label in (*request.labels, *SELECTED.findall(plan)):
        if label in COMMON:
            continue
        if (spelled := spelling(label, request.text)) is not None:
            plan = plan.replace(f'"{label}"', f'"{spelled}"')
    return replace(request, plan=plan)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))
