"""Traces as a folder of Parquet files that dataset hubs and `datasets` read, with a card."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from llava_plus.agent import Trace
from llava_plus.data_gen.output import Output, writing
from llava_plus.skills import Image

from .card import dataset_card
from .extra import needed
from .plots import save_plots
from .statistics import Statistics

ROWS = 1000  # of one file
BATCH = 50  # rows that are in memory at once, with their pictures
WORDS = {"dtype": "string", "_type": "Value"}
COUNT = {"dtype": "int32", "_type": "Value"}
FEATURES = {  # as `datasets` notes them in a file
    "id": WORDS,
    "request": WORDS,
    "answer": WORDS,
    "skills": {"feature": WORDS, "_type": "Sequence"},
    "turns": COUNT,
    "calls": COUNT,
    "licence": WORDS,
    "trace": WORDS,
    "images": {"feature": {"_type": "Image"}, "_type": "Sequence"},
}


class ParquetRows:
    """Writes ``data/train-*.parquet``, ``README.md``, ``statistics.json`` and ``plots``.

    A row holds the pictures of its trace, each once; a picture that several traces share is in
    each of their rows.

    Args:
        output: Where to.
        name: Of the dataset.
        yields: What verifiers let through, for the card.

    Raises:
        SetupError: pyarrow or matplotlib is not installed.
    """

    def __init__(
        self, output: Output, *, name: str, yields: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self._arrow = needed("pyarrow", "Writing Parquet")
        self._parquet = needed("pyarrow.parquet", "Writing Parquet")
        self._output = output
        self._name = name
        self._yields = yields
        self._statistics = Statistics()
        self._rows: list[dict[str, Any]] = []
        self._schema = _schema(self._arrow)
        self._writer: Any = None
        self._name_now = ""  # of the file that is being written
        self._written = 0

    def add(self, trace: Trace) -> None:
        """Take in one trace; every few of them are written."""
        self._statistics.add(trace)
        self._rows.append(_row(trace))
        if len(self._rows) >= BATCH:
            self._flush()

    def close(self) -> Mapping[str, Any]:
        """Write the last rows, the statistics, the plots and the card."""
        self._flush()
        self._end()
        facts = {**self._statistics.to_json(), "yields": list(self._yields)}
        plots = save_plots(facts, self._output.folder / "plots")
        names = [f"plots/{path.name}" for path in plots]
        with self._output.create("statistics.json") as file:
            file.write(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
        with self._output.create("README.md") as file:
            card = dataset_card(facts, name=self._name, yields=self._yields, plots=names)
            file.write(card)
        return {"kind": "parquet"}

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None or self._written % ROWS == 0:
            self._next()
        with writing(self._output.folder):
            table = self._arrow.Table.from_pylist(self._rows, schema=self._schema)
            self._writer.write_table(table)
        self._written += len(self._rows)
        self._rows = []

    def _next(self) -> None:
        self._end()
        self._name_now = f"data/train-{self._written // ROWS:05d}.parquet"
        path = self._output.reserve(self._name_now)
        with writing(self._output.folder):
            self._writer = self._parquet.ParquetWriter(path, self._schema)

    def _end(self) -> None:
        if self._writer is not None:
            with writing(self._output.folder):
                self._writer.close()
            self._output.take(self._name_now)


def check_parquet() -> None:
    """Make sure that all which this format needs is there, before a folder is made.

    Raises:
        SetupError: pyarrow or matplotlib is not installed.
    """
    needed("pyarrow.parquet", "Writing Parquet")
    needed("matplotlib.figure", "Drawing plots")


def _schema(arrow: Any) -> Any:
    picture = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    kinds = {
        "skills": arrow.list_(arrow.string()),
        "turns": arrow.int32(),
        "calls": arrow.int32(),
        "images": arrow.list_(picture),
    }
    columns = [(name, kinds.get(name, arrow.string())) for name in FEATURES]
    noted = json.dumps({"info": {"features": FEATURES}})
    return arrow.schema(columns, metadata={"huggingface": noted})


def _row(trace: Trace) -> dict[str, Any]:
    calls = [call for turn in trace.turns for step in turn.steps for call in step.actions]
    values = [artifact.value for _, artifact in trace.artifacts.items()]
    pictures = {value.digest: value for value in values if isinstance(value, Image)}
    return {
        "id": trace.id,
        "request": trace.turns[-1].message if trace.turns else "",
        "answer": trace.turns[-1].answer if trace.turns else "",
        "skills": [call.skill for call in calls],
        "turns": len(trace.turns),
        "calls": len(calls),
        "licence": trace.licence,
        "trace": trace.to_json(),
        "images": [
            {"bytes": _png(picture), "path": f"{digest}.png"}
            for digest, picture in pictures.items()
        ],
    }


def _png(image: Image) -> bytes:
    file = io.BytesIO()
    image.to_pil().save(file, "PNG", compress_level=3)
    return file.getvalue()
