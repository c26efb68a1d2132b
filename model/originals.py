"""Checkpoints as the LLaVA family's own code wrote them: whole, LoRA, or a projector alone.

Covered: LLaVA (the first, with ``[PAD]`` and picture tokens added to the vocabulary), LLaVA-1.5,
LLaVA-NeXT and LLaVA-Plus, with Llama, Mistral or Qwen2 decoders and CLIP towers.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from llava_plus.errors import SetupError

from .checkpoints import load_state
from .config import LMMConfig
from .lmm import LMM
from .weight_files import read_file, read_folder, read_json
from .zoo_parts import CLIP_L_224, CLIP_L_336

_DECODERS = {
    "llava": "llama",
    "llava_llama": "llama",
    "llava_mistral": "mistral",
    "llava_qwen": "qwen2",
}
_TOWERS = {
    "openai/clip-vit-large-patch14": CLIP_L_224,
    "openai/clip-vit-large-patch14-336": CLIP_L_336,
}
_MODES = {"pad": "pad", "anyres": "anyres", "square": "crop", None: "crop"}
_WITHOUT_PATCH_TOKEN = 32000  # Llama's own vocabulary
_TOWER = "model.vision_tower.vision_tower."


def config_of_original(folder: Path, *, image_token_id: int | None = None) -> LMMConfig:
    """Our config of a folder's ``config.json``, with its own vocabulary size.

    Args:
        folder: The checkpoint.
        image_token_id: The placeholder. If absent, ``<im_patch>`` where the vocabulary has one
            (after Llama's 32000 tokens and ``[PAD]``), and ``<unk>``, which no text holds, else.
    """
    facts = read_json(folder / "config.json")
    kind = facts.get("model_type")
    if kind not in _DECODERS:
        raise SetupError(
            f"{folder}: no LLaVA checkpoint of model_type {kind!r}. Known: {', '.join(_DECODERS)}."
        )
    tower = str(facts.get("mm_vision_tower"))
    if tower not in _TOWERS:
        raise SetupError(f"{folder}: no tower {tower!r}. Known: {', '.join(_TOWERS)}.")
    if image_token_id is None:
        image_token_id = 32001 if facts["vocab_size"] > _WITHOUT_PATCH_TOKEN + 1 else 0
    whole = facts.get("mm_vision_select_feature", "patch") == "cls_patch"
    return LMMConfig(
        text_config=_text(facts, _DECODERS[kind]),
        towers=[
            {
                "vision": _TOWERS[tower] | facts.get("vision_config", {}),
                "select_layer": facts.get("mm_vision_select_layer", -2),
                "select_feature": "full" if whole else "patch",
            }
        ],
        connector={"type": "mlp", "activation": "gelu", "depth": _depth(folder, facts)},
        layout={"image_token_id": image_token_id, **_layout(folder, facts)},
    )


def load_original(
    model: LMM, folder: Path, *, base: Path | None = None, tower: Path | None = None
) -> None:
    """Fill a model from a checkpoint of the LLaVA family's own code, strictly.

    Args:
        model: Built from `config_of_original`.
        folder: The checkpoint: whole, LoRA (``adapter_config.json``) or ``mm_projector.bin``.
        base: The language model that a LoRA or a projector belongs to.
        tower: The CLIP checkpoint, where the folder holds no tower.
    """
    lora, projector = folder / "adapter_config.json", folder / "mm_projector.bin"
    if lora.is_file():
        state = read_folder(_needed(base, folder, "base"))
        add_lora(state, _adapter(folder), read_json(lora))
        extra = read_file(folder / "non_lora_trainables.bin")
        state |= {_plain(name): weight for name, weight in extra.items()}
    elif projector.is_file() and base is not None:
        extra = read_file(projector)
        state = read_folder(base) | {_projector(name): weight for name, weight in extra.items()}
    else:
        state = read_folder(folder)
    if not any(name.startswith(_TOWER) for name in state):
        state |= _vision(read_folder(_needed(tower, folder, "tower")))
    load_state(model, state, "llava")


def add_lora(state: dict[str, Tensor], adapter: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Add ``alpha / r * B A`` to the weights that an adapter names (Hu et al. 2021).

    Args:
        state: The weights, under LLaVA's names; changed in place.
        adapter: Pairs ``NAME.lora_A.weight`` and ``NAME.lora_B.weight``, as PEFT writes them.
        facts: The adapter's config.
    """
    rank, alpha = facts["r"], facts["lora_alpha"]
    scale = alpha / (rank**0.5 if facts.get("use_rslora") else rank)
    plain = {_plain(name).replace(".default.", "."): one for name, one in adapter.items()}
    downs = [name for name in plain if name.endswith(".lora_A.weight")]
    ups = {name.replace(".lora_A.", ".lora_B.") for name in downs}
    targets = {name.replace(".lora_A.weight", ".weight") for name in downs}
    strange = sorted(set(plain) ^ (set(downs) | ups)) + sorted(targets - set(state))
    if strange:
        raise SetupError(f"The adapter does not fit these weights: {', '.join(strange)}.")
    for name in downs:
        down, up = plain[name], plain[name.replace(".lora_A.", ".lora_B.")]
        target = name.replace(".lora_A.weight", ".weight")
        whole = state[target]
        state[target] = whole + (scale * (up.float() @ down.float())).to(whole.dtype)


def _plain(name: str) -> str:
    """A name without what PEFT puts in front: ``base_model.model.model.x`` is ``model.x``."""
    return name.removeprefix("base_model.model.")


def _projector(name: str) -> str:
    """Older files leave the ``model.`` in front out, some say ``base_model.model.`` as well."""
    return "model." + _plain(name).removeprefix("model.")


def _vision(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tower of a CLIP checkpoint, which holds it alone or beside the text's half."""
    half = "vision_model."
    beside = any(name.startswith(half) for name in found)
    names = {name: name if beside else half + name for name in found}
    return {_TOWER + names[name]: one for name, one in found.items() if half in names[name]}


def _adapter(folder: Path) -> dict[str, Tensor]:
    file = folder / "adapter_model.safetensors"
    return read_file(file if file.is_file() else file.with_suffix(".bin"))


def _needed(path: Path | None, folder: Path, what: str) -> Path:
    if path is None:
        raise SetupError(f"{folder} holds no {what} weights: say where they are with {what}=….")
    return path


def _text(facts: dict[str, Any], kind: str) -> dict[str, Any]:
    """What of a LLaVA config is the decoder's."""
    strange = (
        "architectures", "auto_map", "dtype", "model_type", "quantization_config", "torch_dtype",
        "vision_config",
    )  # fmt: skip
    kept = {
        name: value
        for name, value in facts.items()
        if name not in strange and not name.startswith(("mm_", "image_", "_"))
    }
    return {"tie_word_embeddings": False, **kept, "model_type": kind}


def _depth(folder: Path, facts: dict[str, Any]) -> int:
    kind = facts.get("mm_projector_type") or "linear"
    if kind == "linear":
        return 1
    if kind.startswith("mlp") and kind.endswith("x_gelu") and kind[3:-6].isdigit():
        return int(kind[3:-6])
    raise SetupError(f"{folder}: no projector {kind!r}. Known: linear, mlp2x_gelu and the like.")


def _layout(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    ratio = facts.get("image_aspect_ratio")
    if ratio not in _MODES:
        known = ", ".join(str(one) for one in _MODES)
        raise SetupError(f"{folder}: no image_aspect_ratio {ratio!r}. Known: {known}.")
    if _MODES[ratio] != "anyres":
        return {"mode": _MODES[ratio]}
    merge = facts.get("mm_patch_merge_type", "flat")
    if merge != "spatial_unpad":
        raise SetupError(f"{folder}: no mm_patch_merge_type {merge!r}. Known: spatial_unpad.")
    pinpoints = [[height, width] for width, height in facts["image_grid_pinpoints"]]
    return {"mode": "anyres", "pinpoints": pinpoints, "newline": True}
