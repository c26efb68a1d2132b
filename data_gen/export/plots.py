"""Statistics as pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llava_plus.data_gen.output import writing

from .extra import needed

SHOWN = ("skills", "steps", "words of requests", "words of answers")
MOST = 30  # bars


def save_plots(statistics: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw bars of the main tables, and of the yields where there are some.

    Args:
        statistics: As `Statistics.to_json` gives them; ``yields`` may be among them.
        folder: Where the PNG files go.

    Raises:
        SetupError: matplotlib is not installed, or the folder cannot be written.
    """
    figures = needed("matplotlib.figure", "Drawing plots")
    tables = {name: dict(statistics.get(name) or {}) for name in SHOWN}
    tables["yields"] = {one["name"]: one["kept"] for one in statistics.get("yields") or ()}
    saved = []
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            if not table:
                continue
            rows = list(table.items())[:MOST]
            figure = figures.Figure(figsize=(6, 1 + 0.25 * len(rows)), layout="constrained")
            axes = figure.add_subplot()
            axes.barh([str(row) for row, _ in rows], [count for _, count in rows])
            axes.invert_yaxis()
            axes.set_title(name)
            saved.append(folder / f"{name.replace(' ', '_')}.png")
            figure.savefig(saved[-1], dpi=100)
    return saved
