"""What a run remembers: results of calls and pictures, by content, read no sooner than needed."""

import hashlib
import json
import os
import shutil
from collections import OrderedDict
from contextlib import suppress
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from llava_plus.errors import ImageError, SetupError
from llava_plus.skills import ArtifactStore, Image, ResultCache, SkillSpec, Value
from llava_plus.skills.decorator import spec_of
from llava_plus.skills.origin import code_digest, origin_of
from llava_plus.skills.pixels import StoredImage
from llava_plus.skills.spec import Function
from llava_plus.skills.store import write_whole

from .sources import Item, Truth

_TRUTH: TypeAdapter[Truth] = TypeAdapter(Truth)
RECENT = 64  # results that stay in memory
KNOWN = 4096  # pictures that are known to be there without a look at the disk
CAP = 20_000_000_000  # bytes


class LazyPictures(ArtifactStore):
    """A store on disk of which only a picture's header is read until somebody looks at it."""

    def get(self, digest: str) -> Image:
        """Return a picture; a damaged one is an error when its pixels are read."""
        path = self.path(digest)
        try:
            size = _png_size(path)
        except (OSError, ValueError) as error:
            raise ImageError(f"{path} is damaged. Delete it and make the data again.") from error
        return StoredImage(digest, size, lambda: self._pixels(digest))

    def _pixels(self, digest: str) -> NDArray[np.uint8]:
        return super().get(digest).pixels


def _png_size(path: Path) -> tuple[int, int]:
    """Return width and height, which stand at the beginning of a PNG file."""
    with path.open("rb") as file:
        head = file.read(24)  # signature, length and name of the first chunk, width, height
    size = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    if head[:16] != b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" or not all(size):
        raise ValueError("it is no PNG file")
    return size


class LinkedPictures(ArtifactStore):
    """A store that takes a picture's file from another store, where that has it.

    Args:
        root: The folder.
        kept: The other store.
    """

    quick = True

    def __init__(self, root: Path, kept: ArtifactStore | None) -> None:
        super().__init__(root)
        self._kept = kept
        self._there: set[str] = set()  # put by this process of late

    def put(self, image: Image) -> str:
        """Keep a picture and return its digest; on one disk the two stores share its file."""
        if image.digest in self._there:
            return image.digest
        path = self.path(image.digest)
        if self._kept is not None and not path.exists():
            with suppress(OSError):  # it is not there, or cannot be had: then it is written
                link(self._kept.path(image.digest), path)
        if len(self._there) >= KNOWN:
            self._there.clear()
        self._there.add(super().put(image))
        return image.digest


def link(source: Path, target: Path) -> None:
    """Give a file a second name; where that cannot be, copy it. Nobody ever sees half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except FileExistsError:
        return
    except FileNotFoundError:
        raise
    except OSError:
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        shutil.copyfile(source, part)
        part.replace(target)


class KeptResults(ResultCache):
    """Results of all calls, whatever they took; pictures among them are read when looked at.

    The code of a skill is looked at once for each process. Results of calls that a source's
    ground truth has answered are not kept.
    """

    quick = True

    def __init__(self, root: Path, *, cap: int = CAP) -> None:
        super().__init__(root, cap=cap, worth=0.0)
        self.pictures = LazyPictures(root / "pictures")
        self._pictures = self.pictures
        self._recent: OrderedDict[str, Value] = OrderedDict()  # a replay comes soon

    def find(self, spec: SkillSpec, key: str) -> Value | None:
        """Return the result of a call, if it was kept."""
        code = _code(spec.function)
        if not code:
            return None
        name = _named(key, code)
        if name in self._recent:
            return self._recent[name]
        value = self.get(name)
        if value is not None:
            self._note(name, value)
        return value

    def keep(self, spec: SkillSpec, key: str, value: Value, seconds: float) -> None:
        """Keep the result of a call."""
        if code := _code(spec.function):
            self.put(_named(key, code), value)
            self._note(_named(key, code), value)

    def _note(self, name: str, value: Value) -> None:
        self._recent[name] = value
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)


class KeptScenes:
    """Drawn scenes with what is known of them; drawing one takes longer than most work on it.

    Args:
        results: Where they are kept.
    """

    def __init__(self, results: KeptResults) -> None:
        self._root = results.root / "items"
        self._pictures = results.pictures

    def find(self, key: str) -> Item | None:
        """Return a scene that was kept; what cannot be read counts as not there."""
        try:
            facts = json.loads(self._path(key).read_text(encoding="utf-8"))
            picture = self._pictures.get(facts.pop("digest"))
            truth = _TRUTH.validate_python(facts.pop("truth"))
            return Item(**facts, picture=picture, truth=truth)
        except (OSError, ValueError, KeyError, TypeError, ImageError):
            return None

    def keep(self, key: str, item: Item) -> None:
        """Keep a scene, if the disk can take it."""
        image = item.image()
        facts: dict[str, Any] = {"truth": _TRUTH.dump_python(item.truth, mode="json")}
        names = ("id", "width", "height", "origin", "licence")
        facts |= {name: getattr(item, name) for name in names} | {"digest": image.digest}
        with suppress(OSError, SetupError):
            self._pictures.put(image)
            text = json.dumps(facts, ensure_ascii=False)
            write_whole(self._path(key), lambda file: file.write(text.encode()))

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(f"{key} {_drawing()}".encode()).hexdigest()
        return self._root / name[:2] / f"{name}.json"


@cache
def _drawing() -> str:
    """Name the code that draws scenes, and the packages below it."""
    total = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "sources").glob("*.py")):
        total.update(path.read_bytes())
    for name in ("numpy", "pillow", "opencv-python-headless", "zxing-cpp"):
        with suppress(metadata.PackageNotFoundError):
            total.update(f"{name} {metadata.version(name)}".encode())
    return total.hexdigest()


@lru_cache(1024)
def _code(function: Function) -> str:
    """Name the code behind a skill's function, "" where that cannot be told."""
    try:
        spec = spec_of(function)
        origin = origin_of(spec) if spec else None
        return code_digest(origin) if origin else ""
    except (SetupError, OSError):
        return ""


def _named(key: str, code: str) -> str:
    return hashlib.sha256(f"{key} {code}".encode()).hexdigest()
