"""Whether a backend can work here, and what makes it able to."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llava_plus.errors import SetupError
from llava_plus.skills.classes import best_device

from .backend import Backend
from .installing import install_command, not_installed
from .pipelines import is_pipeline
from .single import Single
from .weights import MIB, find_weights, lacking, model_type, weight_bytes

State = Literal["available", "needs extra", "needs weights", "too large"]


@dataclass(frozen=True, kw_only=True)
class Status:
    """What is so with a backend here.

    Args:
        state: In two words.
        why: What is missing or too large; empty where it is available.
        command: What a person types to make it available; empty where no command does.
        folder: Where its weights lie, if they do: their folder, or the one file that they are.
    """

    state: State
    why: str = ""
    command: str = ""
    folder: Path | None = None

    @property
    def sentence(self) -> str:
        """The state, why, and what to do."""
        reason = f"{self.state}: {self.why}" if self.why else self.state
        return f"{reason}. Run: {self.command}" if self.command else reason


def status_of(backend: Backend, place: str = "") -> Status:
    """Look what there is of a backend; nothing is loaded, and the hub is not asked.

    PyTorch is imported only where weights are there, to ask how much memory its device has; before
    that a model counts as too large where it does not fit into the machine's own memory.

    Args:
        backend: The backend.
        place: A folder or a hub id of its weights; its own ones if left out.

    Raises:
        SetupError: The place names a folder that is not there.
    """
    if gone := not_installed(backend.packages):
        return Status(
            state="needs extra",
            why=f"{', '.join(gone)} of llava-plus[{backend.extra}] is not installed",
            command=install_command(gone),
        )
    find = backend.single.find if backend.single else find_weights
    folder = find(place or backend.weights)
    command = f"llava-plus skills pull {backend.name}" + (f":{place}" if place else "")
    if folder is None:
        if (small := _too_large(backend, backend.download, memory_of("cpu"))) is not None:
            return small
        size = f"{backend.download} MB, " if not place else ""
        return Status(
            state="needs weights",
            why=f"{size}{place or backend.weights} is not on this machine",
            command=command,
        )
    if backend.single is not None:
        return _checked(backend, backend.single, folder, command="" if _is_own(place) else command)
    missing, found = lacking(folder, words=backend.words), model_type(folder)
    if not backend.fits(found) and (found or not missing):
        wanted = " or ".join(map(repr, backend.model_types))
        why = f"{folder} holds a model of type {found!r}, wanted {wanted}"
        return Status(state="needs weights", why=why + _other_place(backend))
    if missing:
        own = _is_own(place)
        why = f"{missing} in {folder} is missing or cut off"
        do = ". Copy the folder again" if own else ", half a download; the rest is fetched by"
        return Status(state="needs weights", why=why + do, command="" if own else command)
    if missing := lacking_beside(backend, folder):
        why = f"{missing}, which belongs to it, is not on this machine"
        return Status(
            state="needs weights", why=why, command=f"llava-plus skills pull {backend.name}"
        )
    return _fitting(backend, folder)


def lacking_beside(backend: Backend, folder: Path) -> str:
    """Name the other weights that a lone network needs and that are not here; else nothing."""
    if is_pipeline(folder):
        return ""
    places = ((other, find_weights(other)) for other in backend.beside)
    lost = (other for other, place in places if place is None or lacking(place, words=False))
    return next(lost, "")


def memory_of(device: str) -> int:
    """Return the MiB of memory that a device has; where there is no such device, the machine's."""
    if device.startswith("cuda"):
        import torch

        if torch.cuda.is_available():
            return int(torch.cuda.mem_get_info(device)[1]) // MIB
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB


def need_of(backend: Backend, folder: Path) -> int:
    """Return the MiB that a backend takes with the weights of a folder, about."""
    return weight_bytes(folder) // MIB + backend.working


def _is_own(place: str) -> bool:
    """Whether a place is on this machine, and not on the hub."""
    return bool(place) and Path(place).expanduser().exists()


def _checked(backend: Backend, single: Single, file: Path, *, command: str) -> Status:
    try:
        single.check(file)
    except SetupError as error:
        return Status(state="needs weights", why=str(error).removesuffix("."), command=command)
    return _fitting(backend, file)


def _fitting(backend: Backend, folder: Path) -> Status:
    device = best_device()
    if backend.device not in ("any", device.partition(":")[0]):
        why = f"it needs {backend.device}, and here is {device}"
        return Status(state="too large", why=why, folder=folder)
    weights = weight_bytes(folder) // MIB
    small = _too_large(backend, weights, memory_of(device))
    return small or Status(state="available", folder=folder)


def _too_large(backend: Backend, weights: int, memory: int) -> Status | None:
    if (need := weights + backend.working) <= memory:
        return None
    why = f"it takes about {need} MiB of memory, and there are {memory} MiB"
    return Status(state="too large", why=why + _other_place(backend))


def _other_place(backend: Backend) -> str:
    return f". Name other weights: --backend {backend.skill}={backend.name}:FOLDER_OR_ID"
