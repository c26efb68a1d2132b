"""The card of a dataset: what is in it, under which licence, and how it was made."""

from collections.abc import Mapping, Sequence
from typing import Any

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
TABLES = ("skills", "steps", "results", "words of requests", "words of answers", "licences")


def dataset_card(
    statistics: Mapping[str, Any],
    *,
    name: str,
    yields: Sequence[Mapping[str, Any]] = (),
    plots: Sequence[str] = (),
) -> str:
    """Write the card as Markdown with the header that dataset hubs read.

    Args:
        statistics: As `Statistics.to_json` gives them.
        name: Of the dataset.
        yields: What each verifier let through, where the traces were verified.
        plots: Files to show.
    """
    licences = list(statistics["licences"])
    parts = [_header(int(statistics.get("traces", 0)), licences), f"# {name}", _summary(statistics)]
    if yields:
        parts += ["## Yields", yields_table(yields)]
    else:
        parts.append("These traces were not verified: `llava-plus data verify` does that.")
    parts.append("## Statistics")
    for table in TABLES:
        if rows := statistics.get(table):
            parts.append(_table((table, "count"), [(str(k), str(v)) for k, v in rows.items()]))
    parts += [f"![{plot}]({plot})" for plot in plots]
    return "\n\n".join(parts) + "\n"


def yields_table(yields: Sequence[Mapping[str, Any]]) -> str:
    """Write what each verifier let through."""
    rows = [
        (
            one["name"],
            *(str(one[column]) for column in ("seen", "kept", "dropped", "raised")),
            f"{one['kept'] / one['seen']:.1%}" if one["seen"] else "-",
        )
        for one in yields
    ]
    return _table(("verifier", "seen", "kept", "dropped", "raised", "share"), rows)


def _header(traces: int, licences: Sequence[str]) -> str:
    size = next((words for most, words in SIZES if traces < most), "n>1M")
    licence = licences[0].lower() if len(licences) == 1 else "other"
    licence = licence if licence in ("cc0-1.0", "cc-by-4.0", "apache-2.0", "mit") else "other"
    return (
        f"---\nlicense: {licence}\nsize_categories:\n- {size}\ntags:\n- tool-use\n- multimodal\n"
        "- llava-plus\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n"
        "    path: data/train-*.parquet\n---"
    )


def _summary(statistics: Mapping[str, Any]) -> str:
    traces, turns = statistics.get("traces", 0), statistics.get("turns in all", 0)
    return (
        f"{traces} traces of tool use on pictures, {turns} turns, {statistics.get('calls', 0)} "
        "calls of skills. Each row holds one trace: `trace` is its line of JSON, `images` the "
        "pictures that it names, as PNG. Made with LLaVA-Plus."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)
