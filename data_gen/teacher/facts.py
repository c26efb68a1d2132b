"""What is known of a picture, in words: all that a teacher that cannot see gets to know of it."""

from collections.abc import Iterable, Iterator

from llava_plus.data_gen.sources.item import Item, Thing

from .teacher import TeacherError

MOST = 40  # entries of a kind; a crowd of things would drown the rest


def facts_of(item: Item, *, sees: bool = False) -> str:
    """Write captions, things with their boxes, relations, text, codes and figures.

    Args:
        item: Of any source.
        sees: Whether the teacher gets the picture, too.

    Raises:
        TeacherError: Nothing is known, and the teacher cannot see.
    """
    parts = [part for part in _parts(item) if part]
    if not parts and not sees:
        raise TeacherError(
            f"Nothing is known of {item.id}. Take a source with captions or boxes, or a teacher "
            "that can see (sees: true)."
        )
    size = f"The picture is {item.width} pixels wide and {item.height} high."
    return "\n\n".join([size, *parts])


def known_of(item: Item) -> tuple[str, ...]:
    """Return what an answer may rest on without a skill: the facts, with how many there are."""
    counts = [f"{number} {label}" for label, number in item.truth.counts().items()]
    return (*_parts(item), ", ".join(counts))


def _parts(item: Item) -> Iterator[str]:
    truth = item.truth
    yield _listed("What people say about it", (caption.text for caption in truth.captions))
    title = "Things in it, each with left, top, right and bottom in 0..1 of the picture"
    yield _listed(title, map(_thing, truth.things))
    related = (
        f"{truth.things[one.subject].label} ({_place(truth.things[one.subject])}) "
        f"{one.predicate} {truth.things[one.object].label} ({_place(truth.things[one.object])})"
        for one in truth.relations
    )
    yield _listed("How things stand to one another", related)
    yield _listed("Text in it, line by line", (f'"{line}"' for line in truth.text().texts))
    codes = (f'{code.format}: "{code.text}"' for code in truth.codes)
    yield _listed("Codes in it, with their contents", codes)
    charts = (f'{one.kind} "{one.title}": {one.table.describe()}' for one in truth.charts)
    yield _listed("Figures in it", charts)
    absent = {"things": "things", "lines": "text", "codes": "codes", "faces": "faces"}
    whole = [words for name, words in absent.items() if name in truth.complete]
    yield f"Of {', '.join(whole)} there is nothing else in it." if whole else ""


def _listed(title: str, entries: Iterable[str]) -> str:
    found = list(entries)
    lines = [f"- {entry}" for entry in found[:MOST]]
    if len(found) > MOST:
        lines.append(f"- and {len(found) - MOST} more")
    return "\n".join([f"{title}:", *lines]) if found else ""


def _thing(thing: Thing) -> str:
    words = " ".join([*thing.attributes, thing.color, thing.label]).strip()
    crowd = " (several together)" if thing.crowd else ""
    hidden = ", partly hidden" if (thing.hidden or 0) > 0.1 else ""
    return f"{words}{crowd}{hidden}: {_place(thing)}"


def _place(thing: Thing) -> str:
    return ", ".join(f"{side:.2f}" for side in thing.box)
