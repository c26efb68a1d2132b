"""Which system a checkpoint is of, and filling a model from it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor

from llava_plus.errors import SetupError
from llava_plus.model.checkpoints import fill
from llava_plus.model.config import LMMConfig
from llava_plus.model.lmm import LMM
from llava_plus.model.weight_files import read_json

from . import cambrian, cogvlm, flamingo, llava, minigpt, qwen_vl, visualglm
from .sources import Sources, read_weights

_FOLDERS: dict[str, ModuleType] = {
    "LLaVA": llava,
    "Cambrian-1": cambrian,
    "CogVLM": cogvlm,
    "Qwen-VL": qwen_vl,
    "VisualGLM-6B": visualglm,
}
_FILES: dict[str, ModuleType] = {"MiniGPT": minigpt, "OpenFlamingo": flamingo}


def is_original(facts: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is one that a system's own code wrote."""
    return any(system.fits(facts) for system in _FOLDERS.values())


def config_of_original(folder: Path, *, image_token_id: int | None = None) -> LMMConfig:
    """Our config of a folder's ``config.json``, with its own vocabulary size.

    MiniGPT and OpenFlamingo were released as one file without a config: build those from
    `PRESETS`.

    Args:
        folder: The checkpoint.
        image_token_id: The placeholder of pictures; if absent, a token that each system has for
            it, or one that no text holds.
    """
    facts = read_json(folder / "config.json")
    system = _system(folder, facts)
    try:
        made: LMMConfig = system.config(folder, facts, image_token_id)
    except KeyError as error:
        raise SetupError(f"{folder}/config.json lacks {error}. Download it again.") from error
    return made


def load_original(
    model: LMM,
    home: Path,
    *,
    base: Path | None = None,
    tower: Path | Sequence[Path] | None = None,
    qformer: Path | None = None,
) -> None:
    """Fill a model from a checkpoint that a system's own code wrote, strictly.

    Args:
        model: Built from `config_of_original`, or from a preset.
        home: The checkpoint: a folder, or the file of MiniGPT or OpenFlamingo.
        base: The language model, where the checkpoint holds none.
        tower: The picture encoder, where the checkpoint holds none; Cambrian-1's four in order.
        qformer: BLIP-2's file, of which MiniGPT-4 takes the Q-Former.
    """
    towers = () if tower is None else (tower,) if isinstance(tower, Path) else tuple(tower)
    sources = Sources(home=home, base=base, towers=towers, qformer=qformer)
    name, weights = _reader(home)
    fill(model, weights(model, sources), f"The weights of {home} ({name})")


def _system(folder: Path, facts: dict[str, Any]) -> ModuleType:
    for system in _FOLDERS.values():
        if system.fits(facts):
            return system
    raise SetupError(
        f"{folder}: no original checkpoint that is known, of model_type"
        f" {facts.get('model_type')!r}. Known: {', '.join(_FOLDERS)}."
    )


def _reader(home: Path) -> tuple[str, Callable[[LMM, Sources], dict[str, Tensor]]]:
    if home.is_dir():
        facts = read_json(home / "config.json")
        system = _system(home, facts)
    else:
        state = read_weights(home)
        fitting = [system for system in _FILES.values() if system.fits(state)]
        if not fitting:
            raise SetupError(f"{home} is a file of neither {' nor '.join(_FILES)}.")
        system = fitting[0]
    names = {module: name for name, module in (_FOLDERS | _FILES).items()}
    return names[system], system.weights
