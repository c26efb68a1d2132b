"""The words of the gallery: the calls as a shell and Python take them, and the page's Markdown."""

import shlex
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from gallery_inputs import INPUTS, Input
from gallery_showings import Showing
from pydantic import JsonValue

from llava_plus.agent import write_call
from llava_plus.agent.notation import HANDLE, parse_plan, result_prefix
from llava_plus.skills import Boxes, Call, Image, Masks, Parameter, SkillRegistry, Table, Value

FOLDER = "docs/gallery"
_WIDTH = 360  # pixels at which a picture of any size is shown
_TOP = """\
# The skills at work

<!-- Made by `python docs/make_gallery.py`; do not edit. -->

All {number} skills that work with nothing downloaded, each on a real picture or, where no
photograph serves, on a drawn one. Every call can be repeated from the root of this repository: the
pictures that go in lie there, and the results below came from exactly these calls. Boxes, masks
and lines are drawn as the chat page draws them. Signatures: [catalog.md](catalog.md); what was
measured of the skills, and where they end: [skills.md](skills.md) and [edits.md](edits.md).
"""
_END = """\
## Where the pictures come from

| File | What it shows | From | Rights |
|---|---|---|---|
"""


def calls_of(showing: Showing, skills: SkillRegistry) -> tuple[Call, ...]:
    """Return the calls of a showing, in order."""
    return parse_plan(showing.calls, skills).calls


def shell(showing: Showing, skills: SkillRegistry) -> str:
    """Return the command that does the same: ``run`` for one call, ``chat`` for several."""
    calls = calls_of(showing, skills)
    if len(calls) > 1:
        texts = [write_call(call.skill, call.args) for call in calls]
        words = [" ".join(["llava-plus chat", *showing.pictures])]
        return _lines([*words, *(f"-m {_quoted(text)}" for text in texts)])
    (call,) = calls
    words = [f"llava-plus run {call.skill}", *(f"--image {path}" for path in showing.pictures)]
    places = [p for p in skills[call.skill].parameters if isinstance(call.args.get(p.name), list)]
    for parameter in skills[call.skill].parameters:
        value = call.args.get(parameter.name)
        if value is None or _is_handle(value):
            continue
        if places[:1] == [parameter]:
            words += [_place(row) for row in _rows(value)]
        else:
            text = value if isinstance(value, str) else str(value).lower()
            words.append(f"{parameter.name}={shlex.quote(text)}")
    return _lines(words)


def python(showing: Showing, skills: SkillRegistry) -> str:
    """Return the lines of Python that do the same."""
    calls = calls_of(showing, skills)
    names = ["load_image"] if showing.pictures else []
    names += [kind for kind in ("Boxes", "Points") if _needs(kind, calls, skills)]
    lines = [f"from llava_plus.skills import {', '.join(sorted(names))}"] if names else []
    used = sorted({call.skill for call in calls})
    lines += [f"from llava_plus.skills.builtin import {', '.join(used)}", ""]
    counts: Counter[str] = Counter()
    for path in showing.pictures:
        counts["img"] += 1
        lines.append(f'img_{counts["img"]} = load_image("{path}")')
    handle = ""
    for call in calls:
        prefix = result_prefix(call, skills)
        counts[prefix] += 1
        handle = f"{prefix}_{counts[prefix]}"
        lines.append(f"{handle} = {_written(call, skills)}")
    is_image = handle.startswith("img_")
    return "\n".join(
        [*lines, f'{handle}.save("out.png")' if is_image else f"print({handle}.cite())"]
    )


def page(
    showings: Sequence[Showing],
    skills: SkillRegistry,
    values: Mapping[str, Mapping[str, Value]],
    pictures: Mapping[str, Mapping[str, str]],
) -> str:
    """Return the whole page.

    Args:
        showings: In the order of the page.
        skills: Where descriptions come from.
        values: What each showing's handles hold, by skill.
        pictures: The files that show them, by skill and handle, from the repository's root.
    """
    parts = [_TOP.format(number=len(showings))]
    for showing in showings:
        seen = values[showing.skill]
        parts.append(section(showing, skills, seen, pictures[showing.skill]))
    rows = [_source(one) for one in INPUTS]
    return "\n".join([*parts, _END + "\n".join(rows) + "\n"])


def section(
    showing: Showing,
    skills: SkillRegistry,
    values: Mapping[str, Value],
    pictures: Mapping[str, str],
) -> str:
    """Return what the page says of one skill."""
    parts = [heading(showing, skills), showing.note + "\n"]
    shown = [(f"img_{i}", path) for i, path in enumerate(showing.pictures, 1)]
    shown += [(handle, pictures[handle]) for handle in showing.results if handle in pictures]
    if shown:
        cells = [_picture(handle, path, showing) for handle, path in shown]
        names = [f"`{handle}`" for handle, _ in shown]
        parts += [_row(names) + _row(["---"] * len(shown)) + _row(cells)]
    parts += [
        f"```sh\n{shell(showing, skills)}\n```\n",
        f"```python\n{python(showing, skills)}\n```\n",
    ]
    said = [handle for handle in showing.results if not isinstance(values[handle], Image)]
    said = [h for h in said if h == showing.results[-1] or not isinstance(values[h], Boxes | Masks)]
    return "\n".join([*parts, *(_said(handle, values[handle]) for handle in said)])


def heading(showing: Showing, skills: SkillRegistry) -> str:
    """Return the first lines of a section: name and description of the skill."""
    return f"## `{showing.skill}`\n\n{skills[showing.skill].description}\n"


def _said(handle: str, value: Value) -> str:
    """Return a value in words, a table as one."""
    if isinstance(value, Table):
        cells = [[_cell(cell) for cell in row] for row in value.rows]
        head = _row(value.columns) + _row(["---"] * len(value.columns))
        return f"`{handle}`:\n\n{head}{''.join(map(_row, cells))}"
    lines = [textwrap.fill(line, 100) for line in value.cite().splitlines()]
    return f"`{handle}`:\n\n```text\n{chr(10).join(lines)}\n```\n"


def _cell(cell: object) -> str:
    return {True: "yes", False: "no"}[cell] if isinstance(cell, bool) else str(cell)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _picture(handle: str, path: str, showing: Showing) -> str:
    here = path.removeprefix("docs/") if path.startswith("docs/") else f"../{path}"
    many = len(showing.pictures) > 2 and path in showing.pictures
    size = f' width="{_WIDTH // 2 if many else _WIDTH}"' if path in showing.pictures else ""
    return f'<img src="{here}" alt="{handle} of {showing.skill}"{size}>'


def _source(one: Input) -> str:
    return _row([f"`{PurePosixPath(one.path)}`", one.shows, one.origin, one.rights]).rstrip()


def _written(call: Call, skills: SkillRegistry) -> str:
    """Write a call of the skill's own function."""
    words = []
    for parameter in skills[call.skill].parameters:
        if parameter.name in call.args:
            value = _literal(call.args[parameter.name], parameter)
            words.append(f"{parameter.name}={value}" if parameter.keyword_only else value)
    return f"{call.skill}({', '.join(words)})"


def _literal(value: JsonValue, parameter: Parameter) -> str:
    if _is_handle(value):
        return str(value)
    if not isinstance(value, list) or not parameter.kinds:
        return f'"{value}"' if isinstance(value, str) else repr(value)
    rows = tuple(tuple(row) for row in _rows(value))
    return f"{'Boxes' if len(rows[0]) == 4 else 'Points'}({rows})"


def _needs(kind: str, calls: Sequence[Call], skills: SkillRegistry) -> bool:
    return any(f"{kind}(" in _written(call, skills) for call in calls)


def _place(row: Sequence[object]) -> str:
    """Write a box or a point as an option of ``llava-plus run``."""
    return f"{'--region' if len(row) == 4 else '--point'} {','.join(map(str, row))}"


def _quoted(text: str) -> str:
    """Quote a call for a shell, by the plainer quotes where they do."""
    return shlex.quote(text) if '"' in text else f'"{text}"'


def _rows(value: JsonValue) -> list[list[JsonValue]]:
    """Return the boxes or points of a literal, one or many."""
    assert isinstance(value, list)
    rows = [row for row in value if isinstance(row, list)]
    return rows or [value]


def _is_handle(value: JsonValue) -> bool:
    return isinstance(value, str) and HANDLE.fullmatch(value) is not None


def _lines(words: Sequence[str]) -> str:
    """Break a long command."""
    one = " ".join(words)
    return one if len(one) <= 96 else " \\\n  ".join(words)
