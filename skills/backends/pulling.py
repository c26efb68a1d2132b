"""Fetching weights from the hub, which happens only when a person asks for it."""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from llava_plus.errors import SetupError

from .backend import Backend
from .single import Single
from .weights import find_weights, lacking, model_type

# Nothing that runs code when it is read, and nothing in a form that is not read here.
FILES = (
    "*.json",
    "*.txt",
    "*.jinja",
    "model*.safetensors",
    "diffusion_pytorch_model*.safetensors",
    "*/model*.safetensors",
    "*/diffusion_pytorch_model*.safetensors",
)
OTHERS = ("*.fp16.safetensors", "*.non_ema.safetensors")  # the same weights once more
_SHA256 = re.compile(r"[0-9a-f]{64}")  # the hub's cache calls a large file by its checksum


def pull(backend: Backend, place: str = "", *, say: Callable[[str], None] = print) -> Path:
    """Fetch the weights of a backend into the cache that all hub tools share, and check them.

    Files that are there already are not fetched again. A connection that breaks is taken up where
    it broke; of a download that was killed, the whole files stay and the others begin anew.

    Args:
        backend: The backend.
        place: The hub id of other weights than its own.
        say: Told what is about to happen.

    Raises:
        SetupError: The hub cannot be reached, has no such weights, or gave damaged ones.
    """
    repository = place or backend.weights
    if Path(repository).expanduser().is_dir():
        raise SetupError(f"{repository} is a folder; only what is on the hub can be pulled.")
    if backend.single is not None:
        return _pull_single(backend, backend.single, repository, say)
    find_weights(repository)  # says what is no hub id
    _announce(backend, repository, say)
    folder = _whole(repository, FILES)
    if missing := lacking(folder, words=backend.words):
        raise SetupError(
            f"{repository} has no {missing}. {backend.name} reads weights in safetensors form with "
            f"their config and processor files, as {backend.weights} has them."
        )
    if not backend.fits(kind := model_type(folder)):
        raise SetupError(
            f"{repository} holds a model of type {kind!r}, but {backend.name} takes "
            f"{' or '.join(map(repr, backend.model_types))}, such as {backend.weights}."
        )
    for other in backend.beside:
        _pull_beside(other, say)
    return folder


def _pull_beside(repository: str, say: Callable[[str], None]) -> None:
    """Fetch what a model is loaded beside."""
    say(f"Fetching {repository}, which belongs to it.")
    if missing := lacking(_whole(repository, FILES), words=False):
        raise SetupError(f"{repository} has no {missing} any more. Name weights that have all.")


def _pull_single(backend: Backend, single: Single, place: str, say: Callable[[str], None]) -> Path:
    """Fetch weights that are one file, and what belongs to them."""
    repository, name = single.split(place)
    find_weights(repository)
    _announce(backend, place, say)
    if single.wants and (wish := single.wants()):
        say(wish)
    _whole(repository, single.patterns(name))
    for other, patterns in single.beside:
        say(f"Fetching {', '.join(patterns)} of {other}.")
        _whole(other, patterns)
    file = single.find(place)
    if file is None:
        raise SetupError(f"{repository} has no {name}. Check the name.")
    single.check(file)
    return file


def _announce(backend: Backend, place: str, say: Callable[[str], None]) -> None:
    if place == backend.weights:
        about = f"about {backend.download} MB, licence {backend.licence}"
        say(f"Fetching {place} for {backend.name}: {about}.")
    else:
        say(f"Fetching {place} for {backend.name}; look up its licence on the hub.")


def _whole(repository: str, patterns: Sequence[str]) -> Path:
    """Fetch files of a repository and compare them with the hub's checksums."""
    folder = _fetched(repository, patterns)
    if damaged := _damaged(folder):
        names = ", ".join(path.name for path in damaged)
        for path in damaged:
            path.resolve().unlink()
            path.unlink()
        raise SetupError(f"{names} of {repository} came damaged and was deleted. Pull it again.")
    return folder


def _fetched(repository: str, patterns: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        return Path(
            snapshot_download(
                repository, allow_patterns=list(patterns), ignore_patterns=list(OTHERS)
            )
        )
    except GatedRepoError as error:
        raise SetupError(
            f"{repository} is given out to those only who agreed to its terms on the hub. Do so "
            "there, and log in with: hf auth login"
        ) from error
    except RepositoryNotFoundError as error:
        raise SetupError(
            f"There is no {repository!r} on the hub, or it is private. Check the name."
        ) from error
    except Exception as error:  # the hub's client raises whatever the libraries below it raise
        first = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise SetupError(
            f"{repository} could not be fetched: {first} Check the network and pull again, which "
            "keeps the files that have come; or copy the weights from another machine and name "
            "their folder instead."
        ) from error


def _damaged(folder: Path) -> list[Path]:
    """Return the large files whose content is not what the hub's checksum says.

    Not covered: a cache without links, as on some file systems, does not keep the checksums.
    """
    links = [path for path in folder.rglob("*") if path.is_symlink() and path.is_file()]
    named = [path for path in links if _SHA256.fullmatch(path.resolve().name)]
    return [path for path in named if _sha256(path) != path.resolve().name]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
