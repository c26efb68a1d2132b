"""From a folder of traces to an output in another format, one trace at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from llava_plus.agent import Trace
from llava_plus.data_gen.folders import PICTURES, Problem, TraceFolder
from llava_plus.data_gen.output import Output, Shards
from llava_plus.data_gen.verify import put_pictures
from llava_plus.errors import LlavaPlusError, SkillError
from llava_plus.skills import ArtifactStore

SHOWN = 5  # problems whose words a report keeps


class LeftOutError(LlavaPlusError):
    """A trace that a format cannot express."""


class Format(Protocol):
    """Writes traces into an output."""

    def add(self, trace: Trace) -> None:
        """Write one trace; one that does not fit is a `LeftOutError` or a `SkillError`."""

    def close(self) -> Mapping[str, Any]:
        """Bring everything to the disk; return what the manifest says of it."""


@dataclass(kw_only=True)
class Exported:
    """What became of a folder."""

    read: int = 0
    written: int = 0
    unreadable: int = 0
    left_out: int = 0
    problems: list[Problem] = field(default_factory=list)  # the first few that could not be read
    unfit: list[Problem] = field(default_factory=list)  # the first few that were left out


def export_folder(
    folder: TraceFolder,
    out: str | Path,
    make: Callable[[Output], Format],
    *,
    tick: Callable[[], object] = lambda: None,
) -> Exported:
    """Write all traces of a folder that the format can express.

    Args:
        folder: What is read.
        out: A new folder.
        make: Begins the format.
        tick: Called after each line.

    Raises:
        SetupError: Something cannot be read or written.
    """
    done = Exported()
    output = Output(out)
    form = make(output)
    for found in folder.read():
        done.read += 1
        if isinstance(found, Problem):
            done.unreadable += 1
            done.problems += [found][: SHOWN - len(done.problems)]
        else:
            try:
                form.add(found)
                done.written += 1
            except (LeftOutError, SkillError) as error:
                done.left_out += 1
                unfit = Problem(where=found.id, why=str(error), line="")
                done.unfit += [unfit][: SHOWN - len(done.unfit)]
        tick()
    counts = {"read": done.read, "written": done.written}
    left = {"unreadable": done.unreadable, "left_out": done.left_out}
    output.finish({**form.close(), **counts, **left})
    return done


class TraceLines:
    """Our own format: shards of traces, and their pictures by content."""

    def __init__(self, output: Output) -> None:
        self._shards = Shards(output)
        self._store = ArtifactStore(output.folder / PICTURES)

    def add(self, trace: Trace) -> None:
        """Write a line and its pictures."""
        put_pictures(trace, self._store)
        self._shards.add(trace.to_json())

    def close(self) -> Mapping[str, Any]:
        """End the last shard."""
        self._shards.close()
        return {"kind": "traces"}
