"""Pictures of which much is known, or nothing, and ways to look at what was written about them."""

import asyncio
from itertools import count

import numpy as np
import pytest

from llava_plus.data_gen.execution import play
from llava_plus.data_gen.planned.script import Found, Given, Made
from llava_plus.data_gen.sources import Chart, Item, Thing, Truth, Writing
from llava_plus.data_gen.writing import Material
from llava_plus.skills import ArtifactStore, Image, Table, default_registry


def _line(text: str, top: float) -> Writing:
    corners = ((0.1, top), (0.4, top), (0.4, top + 0.05), (0.1, top + 0.05))
    return Writing(text=text, polygon=corners, hidden=0.0)


def _item(name: str, truth: Truth, shade: int) -> Item:
    pixels = np.full((48, 64, 3), shade, np.uint8)
    pixels[10:30, 10:40] = (200, 30, 40)
    picture = Image.from_array(pixels)
    return Item(
        id=name, picture=picture, width=64, height=48, origin="test", licence="CC0-1.0", truth=truth
    )


@pytest.fixture(scope="session")
def skills():
    return default_registry()


@pytest.fixture(scope="session")
def known():
    """A picture of which everything is known: mugs, a key, a clock, kites, a receipt, a code."""
    things = (
        Thing(label="mug", box=(0.05, 0.1, 0.2, 0.3), color="red"),
        Thing(label="mug", box=(0.5, 0.4, 0.85, 0.8), color="blue"),
        Thing(label="key", box=(0.3, 0.85, 0.4, 0.95), color="green"),
        Thing(label="clock", box=(0.85, 0.05, 0.95, 0.12), color="pink"),
        *(
            Thing(label="kite", box=(x, y, x + 0.05 + x / 5, y + 0.1), color=color)
            for x, y, color in ((0.02, 0.5, "red"), (0.25, 0.65, "red"), (0.6, 0.1, "white"))
        ),
    )
    prices = Table(("name", "value"), (("Milk", 1.25), ("Rice", 2.5), ("TOTAL", 3.75)))
    truth = Truth(
        things=things,
        lines=tuple(map(_line, ("Bakery", "Milk", "1.25"), (0.1, 0.2, 0.3))),
        codes=(
            Writing(text="ticket 77", polygon=((0.7, 0.7), (0.9, 0.7), (0.9, 0.9)), hidden=0.0),
        ),
        charts=(Chart(kind="receipt", title="Bakery", box=(0.1, 0.1, 0.4, 0.4), table=prices),),
        complete=frozenset(("things", "faces", "lines", "codes")),
    )
    return _item("known", truth, 90)


@pytest.fixture(scope="session")
def unknown():
    """A photograph of which nothing is known."""
    return _item("unknown", Truth(), 140)


@pytest.fixture(scope="session")
def material(known, unknown, skills):
    """Make what a writer is asked to write about."""

    def made(index=0, count=50, items=None, skills=skills, seed=0):
        found = items or ((known, unknown, known) if index % 3 else (unknown, known, unknown))
        return Material(index=index, seed=seed, count=count, items=found, skills=skills)

    return made


@pytest.fixture(scope="session")
def played(skills):
    """Play a conversation with the real skills."""
    numbers = count()

    def run(conversation, skills=skills):
        wanted = play(
            conversation,
            id=f"t{next(numbers)}",
            skills=skills,
            store=ArtifactStore(),
            results=None,
            seed=0,
            writer="planned",
        )
        return asyncio.run(wanted)

    return run


@pytest.fixture(scope="session")
def obstacle():
    """Say what is wrong with a conversation's calls by their skills' signatures; nothing, if none.

    Calls that are meant to go wrong must go wrong: by their name, or by an argument.
    """

    def found(conversation, skills):
        scripts = conversation.planner.scripts
        for script in scripts:
            for move in script.moves:
                problems = [_problem(deed, conversation, skills) for deed in move.deeds]
                # A detector that does not know a word tells so when it is called.
                looks = all(deed.skill in ("detect", "close_read") for deed in move.deeds)
                if not move.slip and any(problems):
                    return f"{conversation.turns[0].text}: {problems}"
                if move.slip and not looks and not all(problems):
                    return f"{conversation.turns[0].text}: {move} goes well"
        return ""

    return found


def _problem(deed, conversation, skills):
    if deed.skill not in skills:
        return f"no skill {deed.skill}"
    spec = skills[deed.skill]
    for parameter in spec.parameters:
        if parameter.required and parameter.name not in deed.args:
            return f"{deed.skill} lacks {parameter.name}"
    for name, arg in deed.args.items():
        if (parameter := spec.parameter(name)) is None:
            return f"{deed.skill} has no {name}"
        if isinstance(arg, Made | Given):
            kinds = _kinds(arg, conversation, skills)
            if not set(kinds) & set(parameter.kinds):
                return f"{deed.skill}: {name} takes {parameter.kinds}, got {kinds}"
        elif isinstance(arg, Found):
            continue
        elif parameter.kinds:
            if not (parameter.literals and isinstance(arg, list)):
                return f"{deed.skill}: {name} is {arg!r}"
        else:
            try:
                parameter.adapter.validate_python(arg)
            except ValueError as error:
                return str(error)
    return ""


def _kinds(ref, conversation, skills):
    if isinstance(ref, Given):
        turn = conversation.turns[ref.turn]
        return (
            (turn.pointers[ref.place].kind,)
            if ref.pointed
            else (turn.images[ref.place] and "image",)
        )
    deed = conversation.planner.scripts[ref.turn].moves[ref.move].deeds[ref.call]
    if deed.skill == "select":
        return _kinds(deed.args["region"], conversation, skills)
    return skills[deed.skill].returns
