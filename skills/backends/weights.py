"""Where weights lie: in a folder that a person names, or in the cache that all hub tools share."""

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path

from llava_plus.errors import SetupError

from .pipelines import is_pipeline, part_weights, pipeline_class, pipeline_lacks, pipeline_weights

MIB = 2**20
_TOKENIZERS = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"))
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_SINGLE = "model.safetensors"


def find_weights(place: str) -> Path | None:
    """Return the folder of weights; None where a hub id has not been pulled.

    Args:
        place: A folder, or the id of a repository on the hub, such as "facebook/sam-vit-base".

    Raises:
        SetupError: What can only be a folder is not there, or it can be neither.
    """
    folder = Path(place).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if place.startswith((".", "/", "~")) or place.count("/") != 1 or "" in place.split("/"):
        raise SetupError(
            f"There is no folder {place!r} with weights. Name one that is there, or the id of a "
            "repository on the hub, such as 'facebook/sam-vit-base'."
        )
    return _snapshot(place)


def lacking(folder: Path, *, words: bool) -> str:
    """Name what a folder of weights lacks; empty where it is whole.

    Of weights, the length is checked, not each byte.

    Args:
        folder: Where the weights lie.
        words: Whether a tokenizer belongs to them.
    """
    if missing := _files_lacking(folder, words=words):
        return missing
    files = weight_files(folder)
    if not files:
        return _SINGLE
    return next((str(file.relative_to(folder)) for file in files if not _whole(file)), "")


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files that belong to a model, whether they are there or not."""
    return pipeline_weights(folder) if is_pipeline(folder) else part_weights(folder)


def weight_bytes(folder: Path) -> int:
    """Return the bytes of the weights in a folder, or of the one file that they are."""
    if folder.is_file():
        return folder.stat().st_size
    return sum(file.stat().st_size for file in weight_files(folder))


def fingerprint(folder: Path) -> str:
    """Name the state of a folder, or of one file, in 8 letters: by names, sizes and times."""
    found = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    files = ((path, path.stat()) for path in found if path.is_file())
    facts = [(str(p.relative_to(folder)), about.st_size, about.st_mtime_ns) for p, about in files]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:8]


def identity(folder: Path) -> str:
    """Name a model in 12 letters, wherever it lies: by its config, and by samples of its weights.

    Read are the sizes of the files of weights, their first and their last MiB.
    """
    told = hashlib.sha256((folder / "config.json").read_bytes())
    for file in weight_files(folder):
        size = file.stat().st_size
        told.update(str(size).encode())
        with file.open("rb") as opened:
            told.update(opened.read(MIB))
            opened.seek(max(0, size - MIB))
            told.update(opened.read(MIB))
    return told.hexdigest()[:12]


def model_type(folder: Path) -> str:
    """Return the kind of model that a folder holds, as its ``config.json`` says; else nothing.

    Of diffusers it is the class of the pipeline or of the network.
    """
    if own := pipeline_class(folder):
        return own
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return ""
    return str(config.get("model_type", "")) if isinstance(config, dict) else ""


def _files_lacking(folder: Path, *, words: bool) -> str:
    """Name a file beside the weights that is missing."""
    if is_pipeline(folder):
        return pipeline_lacks(folder)
    if not (folder / "config.json").is_file():
        return "config.json"
    if pipeline_class(folder):  # a single network of diffusers
        return ""
    if not any((folder / name).is_file() for name in _PROCESSORS):
        return _PROCESSORS[0]
    if words and not any(all((folder / n).is_file() for n in names) for names in _TOKENIZERS):
        return "tokenizer.json"
    return ""


def _snapshot(repository: str) -> Path | None:
    """Find a repository in the hub's cache, as its main branch was when it was pulled last."""
    if find_spec("huggingface_hub") is None:  # so nothing was ever pulled
        return None
    from huggingface_hub import constants

    home = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    try:
        commit = (home / "refs" / "main").read_text().strip()
    except OSError:
        return None
    folder = home / "snapshots" / commit
    return folder if commit and folder.is_dir() else None


def _whole(file: Path) -> bool:
    """Whether a safetensors file is as long as its own first lines say."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 2 <= length <= size - 8:
                return False
            header = json.loads(opened.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"]
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return False
    return size == 8 + length + max(ends, default=0)
