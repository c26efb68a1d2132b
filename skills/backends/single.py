"""Weights that are one file, as their authors published them: finding, fetching and checking it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llava_plus.errors import SetupError

from .weights import find_weights

Beside = tuple[str, tuple[str, ...]]  # a repository, and patterns of files in it


@dataclass(frozen=True, kw_only=True)
class Single:
    """How a backend finds and checks its one file.

    Such weights are named by the file, a folder that holds one, or an id on the hub with the file
    in it: "ybelkada/segment-anything/checkpoints/sam_vit_b_01ec64.pth".

    Args:
        ending: Of the file's name, with its dot.
        check: Raises a `SetupError` where the file, or what belongs to it, will not do.
        companions: Patterns of files in the same repository that belong to it.
        beside: Other repositories with files that it needs.
        wants: Says what it needs that cannot be pulled, "" where that is there; asked before
            anything is fetched.
    """

    ending: str
    check: Callable[[Path], None]
    companions: tuple[str, ...] = ()
    beside: tuple[Beside, ...] = ()
    wants: Callable[[], str] | None = None

    def find(self, place: str) -> Path | None:
        """Return the file; None where a hub id has not been pulled.

        Raises:
            SetupError: What can only be a file or folder is not there, or a folder has none or
                several such files.
        """
        path = Path(place).expanduser()
        if path.is_file():
            return path.absolute()  # what the hub's cache links to has another name
        if path.is_dir():
            return self._only_one(path)
        repository, name = self.split(place)
        folder = find_weights(repository)
        if folder is None:
            return None
        if not name:
            return self._only_one(folder)
        return folder / name if (folder / name).is_file() else None

    def split(self, place: str) -> tuple[str, str]:
        """Take a hub id with a file in it apart; anything else stays as it is."""
        parts = place.split("/")
        if len(parts) > 2 and place.endswith(self.ending) and not place.startswith((".", "/", "~")):
            return "/".join(parts[:2]), "/".join(parts[2:])
        return place, ""

    def patterns(self, name: str) -> tuple[str, ...]:
        """Name what has to be fetched of the repository for a file in it."""
        return (name or f"*{self.ending}", *self.companions)

    def _only_one(self, folder: Path) -> Path:
        found = sorted(folder.glob(f"*{self.ending}"))
        if len(found) == 1:
            return found[0].absolute()
        raise SetupError(
            f"{folder} holds {_listed(found) if found else 'no file that ends in ' + self.ending}. "
            f"Name the file itself, such as {folder / ('weights' + self.ending)}."
        )


def _listed(found: Sequence[Path]) -> str:
    names = ", ".join(path.name for path in found[:5])
    return f"{len(found)} files of weights: {names}" + (" …" if len(found) > 5 else "")
