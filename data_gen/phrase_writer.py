"""A writer of single requests: the bundled phrase banks about what is in a picture."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from llava_plus.agent.notation import Plan, parse_context, parse_plan
from llava_plus.skills import Boxes, Points
from llava_plus.skills.builtin.planned import PLANNED
from llava_plus.skills.nouns import singular

from .grammar import Grammar
from .nouns import COMMON, Nouns
from .requests import Request, copied_labels
from .sources import Item
from .traces import PlanFollower
from .truth import Truth
from .verify import Verifier
from .writing import Ask, Conversation, Material, Tags, UnwrittenError

ABSENT = 0.15  # share of things asked for that are not in the picture
MIDDLE = (0.3, 0.3, 0.7, 0.7)


@dataclass(frozen=True, kw_only=True)
class PhraseWriter:
    """Draws requests with their plans from the phrase banks; what they name is in the picture.

    Where a source knows the things of a picture, requests are mostly about those, and `detect`
    finds them; else they are about faces, text and codes.
    """

    name: str = "phrases"
    at_once: int = 1

    async def write(self, material: Material) -> Sequence[Conversation]:
        """Draw as many requests as wanted."""
        if missing := [name for name in PLANNED if name not in material.skills]:
            raise UnwrittenError(f"phrases: the skills {', '.join(missing)} are not there.")
        return [_conversation(material, number) for number in range(material.count)]

    def verifiers(self) -> Sequence[Verifier]:
        """Return none: the standard ones know all that there is to ask."""
        return ()

    def close(self) -> None:
        """Nothing is open."""


def _conversation(material: Material, number: int) -> Conversation:
    rng, item = material.rng("phrases", number), material.item
    request = _drawn(item, rng)
    plan = parse_plan(request.plan, material.skills)
    context = parse_context(request.context, material.skills)
    return Conversation(
        turns=(
            Ask(
                text=request.text,
                images=(item,),
                pointers=_pointers(context.pointer, item, rng),
                truth=_truth(plan, request, item),
            ),
        ),
        planner=PlanFollower(plan, request, rng),
        tags=Tags(kind=plan.say or " > ".join(plan.skills), bank=request.origin.partition(":")[0]),
    )


def _drawn(item: Item, rng: random.Random) -> Request:
    """Draw a request about a thing of the picture, sometimes about one that is not there."""
    grammar = _grammar()
    grammar.nouns = _stock()
    there = tuple(sorted(item.truth.counts()))
    if there and rng.random() > ABSENT:
        grammar.nouns = Nouns(there, invented=0.0)
    (request,) = grammar.requests(1, seed=rng.getrandbits(64))
    return copied_labels(request)


@cache
def _grammar() -> Grammar:
    return Grammar.bundled(_stock())


@cache
def _stock() -> Nouns:
    return Nouns.bundled()


def _truth(plan: Plan, request: Request, item: Item) -> Truth | None:
    """Return what the source knows of the right answer."""
    known = item.truth
    whole = "things" in known.complete
    places = {label: known.boxes(singular(label.lower())).xyxy for label in _named(request)}
    boxes = {label: found for label, found in places.items() if found or whole}
    if "face" in request.labels and "faces" in known.complete:
        boxes["face"] = known.boxes("face").xyxy
    looked = plan.skills == ("detect",)
    texts: tuple[str, ...] = ()
    if plan.skills == ("ocr",) and "lines" in known.complete:
        texts = known.text().texts
    if plan.skills == ("read_codes",) and "codes" in known.complete:
        texts = known.code_lines().texts
    truth = Truth(
        boxes=boxes,
        counts={label: len(found) for label, found in boxes.items()} if looked else {},
        texts=texts,
        refuse=plan.say == "refuse",
    )
    return None if truth == Truth() else truth


def _named(request: Request) -> list[str]:
    return [label for label in request.labels if label not in COMMON]


def _pointers(kind: str | None, item: Item, rng: random.Random) -> tuple[Points | Boxes, ...]:
    """Point at a thing of the picture, where one is known."""
    if kind is None:
        return ()
    x0, y0, x1, y1 = rng.choice(item.truth.boxes().xyxy or (MIDDLE,))
    if kind == "points":
        return (Points(((round((x0 + x1) / 2, 3), round((y0 + y1) / 2, 3)),)),)
    return (Boxes(((round(x0, 3), round(y0, 3), round(x1, 3), round(y1, 3)),)),)
