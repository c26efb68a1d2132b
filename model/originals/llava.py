"""Checkpoints as the LLaVA family's own code wrote them: whole, LoRA, or a projector alone.

Covered: LLaVA (the first, with ``[PAD]`` and picture tokens added to the vocabulary), LLaVA-1.5,
LLaVA-NeXT, LLaVA-OneVision and LLaVA-Plus, with Llama, Mistral or Qwen2 decoders, CLIP towers or
SigLIP's.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from llava_plus.errors import SetupError
from llava_plus.model.checkpoints import renamed_from
from llava_plus.model.config import LMMConfig
from llava_plus.model.lmm import LMM
from llava_plus.model.weight_files import read_file, read_folder, read_json
from llava_plus.model.zoo_parts import CLIP_L_224, CLIP_L_336, SIGLIP_SO

from .adapters import add_lora, plain
from .naming import below
from .sources import Sources
from .towers import tower_at, tower_weights

_DECODERS = {
    "llava": "llama",
    "llava_llama": "llama",
    "llava_mistral": "mistral",
    "llava_qwen": "qwen2",
}
# The class says more than the type, which LLaVA-OneVision calls "llava" as well.
_CLASSES = {
    "LlavaLlamaForCausalLM": "llama",
    "LlavaMistralForCausalLM": "mistral",
    "LlavaQwenForCausalLM": "qwen2",
}
_SIGLIP = "google/siglip-so400m-patch14-384"
_TOWERS = {
    "openai/clip-vit-large-patch14": CLIP_L_224,
    "openai/clip-vit-large-patch14-336": CLIP_L_336,
    _SIGLIP: SIGLIP_SO | {"num_hidden_layers": 26},  # their code deletes the last one
}
_MODES = {"pad": "pad", "anyres": "anyres", "square": "crop", None: "crop"}
_MOST = "anyres_max_"
_TOWER = "model.vision_tower.vision_tower."


def fits(facts: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is of this family."""
    return "mm_vision_tower" in facts


def config(folder: Path, facts: dict[str, Any], image_token_id: int | None) -> LMMConfig:
    """Our config of a folder's ``config.json``, with its own vocabulary size.

    The placeholder, if none is given, is ``<im_patch>`` where the vocabulary has one, or a token
    that no text holds.
    """
    kind = facts.get("model_type")
    if kind not in _DECODERS:
        raise SetupError(
            f"{folder}: no LLaVA checkpoint of model_type {kind!r}. Known: {', '.join(_DECODERS)}."
        )
    tower = str(facts.get("mm_vision_tower"))
    if tower not in _TOWERS:
        raise SetupError(f"{folder}: no tower {tower!r}. Known: {', '.join(_TOWERS)}.")
    if image_token_id is None:
        image_token_id = placeholder(facts["vocab_size"])
    layer = -1 if tower == _SIGLIP else facts.get("mm_vision_select_layer", -2)
    classes = facts.get("architectures") or [None]
    whole = facts.get("mm_vision_select_feature", "patch") == "cls_patch"
    return LMMConfig(
        text_config=text_facts(facts, _CLASSES.get(classes[0], _DECODERS[kind])),
        towers=[
            {
                "vision": _TOWERS[tower] | facts.get("vision_config", {}),
                "select_layer": layer,
                "select_feature": "full" if whole else "patch",
            }
        ],
        connector={"type": "mlp", "activation": "gelu", "depth": _depth(folder, facts)},
        layout={"image_token_id": image_token_id, **_layout(folder, facts)},
    )


def placeholder(vocabulary: int) -> int:
    """The token that stands for pictures in a vocabulary of this size.

    ``<im_patch>`` of the first LLaVA (after Llama's 32000 tokens and ``[PAD]``); ``<unk>`` of
    Llama, Mistral and Yi; a reserved token of Llama 3; the end of Qwen's padding.
    """
    if 32001 < vocabulary <= 32004:
        return 32001
    if vocabulary < 100_000:
        return 0
    return 128003 if vocabulary < 150_000 else vocabulary - 1


def weights(model: LMM, sources: Sources) -> dict[str, Tensor]:
    """Our weights, of a whole checkpoint, of a LoRA on its base, or of a projector on its base."""
    home = sources.home
    lora, projector = home / "adapter_config.json", home / "mm_projector.bin"
    if lora.is_file():
        state = sources.language()
        add_lora(state, _adapter(home), read_json(lora))
        extra = read_file(home / "non_lora_trainables.bin")
        state |= {plain(name): weight for name, weight in extra.items()}
    elif projector.is_file() and (sources.base is not None or not _whole(home)):
        extra = read_file(projector)
        state = sources.language()
        state |= {_projector(name): weight for name, weight in extra.items()}
    else:
        state = read_folder(home)
    if not below(state, _TOWER):
        vision = tower_weights(tower_at(model), sources.tower())
        state |= {f"{_TOWER}vision_model.{name}": one for name, one in vision.items()}
    return renamed_from(state, "llava")


def _whole(home: Path) -> bool:
    return any(home.glob("*.safetensors")) or any(home.glob("pytorch_model*.bin"))


def _projector(name: str) -> str:
    """Older files leave the ``model.`` in front out, some say ``base_model.model.`` as well."""
    return "model." + plain(name).removeprefix("model.")


def _adapter(folder: Path) -> dict[str, Tensor]:
    file = folder / "adapter_model.safetensors"
    return read_file(file if file.is_file() else file.with_suffix(".bin"))


def text_facts(facts: dict[str, Any], kind: str) -> dict[str, Any]:
    """What of such a config is the decoder's."""
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
    ratio, more = facts.get("image_aspect_ratio"), {}
    if isinstance(ratio, str) and ratio.startswith(_MOST) and ratio[len(_MOST) :].isdigit():
        more = {"max_tiles": int(ratio.removeprefix(_MOST)), "tile_several": False}
        ratio = "anyres"
    if ratio not in _MODES:
        known = ", ".join(map(str, (*_MODES, f"{_MOST}9")))
        raise SetupError(f"{folder}: no image_aspect_ratio {ratio!r}. Known: {known}.")
    if _MODES[ratio] != "anyres":
        return {"mode": _MODES[ratio]}
    merge = facts.get("mm_patch_merge_type", "flat")
    if merge != "spatial_unpad":
        raise SetupError(f"{folder}: no mm_patch_merge_type {merge!r}. Known: spatial_unpad.")
    pinpoints = [[height, width] for width, height in facts["image_grid_pinpoints"]]
    return {"mode": "anyres", "pinpoints": pinpoints, "newline": True, **more}
