"""Weights of other homes: renaming tables, read and written strictly."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor
from transformers import PretrainedConfig

from llava_plus.errors import SetupError

from .config import LMMConfig
from .lmm import LMM
from .weight_files import read_folder

# Each row: the beginning of our names, what stands for it there, and what older or newer files of
# the same home write instead. The first row that fits counts.
Table = tuple[tuple[str, ...], ...]

LLAVA_HF: Table = (
    ("decoder.lm_head.", "language_model.lm_head.", "lm_head."),
    ("decoder.model.", "language_model.model.", "model.language_model."),
    (
        "towers.0.encoder.",
        "vision_tower.vision_model.",
        "model.vision_tower.vision_model.",
        "vision_tower.",
        "model.vision_tower.",
    ),
    (
        "connector.layers.0.",
        "multi_modal_projector.linear_1.",
        "model.multi_modal_projector.linear_1.",
    ),
    (
        "connector.layers.2.",
        "multi_modal_projector.linear_2.",
        "model.multi_modal_projector.linear_2.",
    ),
    ("newline", "image_newline", "model.image_newline"),
)
LLAVA: Table = (
    ("decoder.lm_head.", "lm_head."),
    ("towers.0.encoder.", "model.vision_tower.vision_tower.vision_model."),
    ("connector.layers.0.", "model.mm_projector.0.", "model.mm_projector."),
    ("connector.layers.2.", "model.mm_projector.2."),
    ("newline", "model.image_newline"),
    ("decoder.model.", "model."),
)
BLIP_2: Table = (
    ("decoder.", "language_model."),
    ("towers.0.encoder.", "vision_model."),
    ("connector.query_tokens", "query_tokens"),
    ("connector.qformer.", "qformer."),
    ("connector.projection.", "language_projection."),
)
TABLES: dict[str, Table] = {"llava-hf": LLAVA_HF, "llava": LLAVA, "blip-2": BLIP_2}

# What older files hold although it follows from the config.
_DERIVED = (".position_ids", ".rotary_emb.inv_freq")


def renamed_from(state: Mapping[str, Tensor], table: str) -> dict[str, Tensor]:
    """Weights under our names; a name that no row of the table fits stays as it is."""
    pairs = [(there, ours) for ours, *others in _rows(table) for there in others]
    pairs.sort(key=lambda pair: len(pair[0]), reverse=True)
    return {
        _renamed(name, pairs): tensor
        for name, tensor in state.items()
        if not name.endswith(_DERIVED)
    }


def renamed_to(state: Mapping[str, Tensor], table: str) -> dict[str, Tensor]:
    """Our weights under the names of another home."""
    pairs = [(ours, others[0]) for ours, *others in _rows(table)]
    renamed = {name: _renamed(name, pairs) for name in state}
    if strange := [name for name, new in renamed.items() if new == name]:
        raise SetupError(
            f"The names of {table!r} have no word for {_listed(strange)}: such a model cannot be"
            " written there. Keep it with save_pretrained."
        )
    return {renamed[name]: tensor for name, tensor in state.items()}


def load_state(model: LMM, state: Mapping[str, Tensor], table: str) -> None:
    """Fill a model with weights of another home; every one must come, and no other."""
    fill(model, renamed_from(state, table), f"These weights ({table!r})")


def fill(model: LMM, ours: Mapping[str, Tensor], said: str) -> None:
    """Fill a model with weights under our names; every one must come, and no other.

    Args:
        model: What to fill.
        ours: The weights; those that are tied to others may be left out.
        said: What errors call them.
    """
    known = model.state_dict()
    needed = {name for name, _ in model.named_parameters()}
    missing, surplus = sorted(needed - set(ours)), sorted(set(ours) - set(known))
    if missing or surplus:
        raise SetupError(
            f"{said} are not of this model: {len(missing)} missing"
            f" ({_listed(missing)}), {len(surplus)} surplus ({_listed(surplus)})."
            " Build the model from the config that belongs to them."
        )
    shapes = [name for name in ours if ours[name].shape != known[name].shape]
    if shapes:
        raise SetupError(
            f"{said} have other shapes: "
            + ", ".join(
                f"{name} {tuple(ours[name].shape)}, wanted {tuple(known[name].shape)}"
                for name in sorted(shapes)
            )
        )
    model.load_state_dict(ours, strict=False)  # tied weights may come once


def load_folder(model: LMM, folder: Path, table: str) -> None:
    """Fill a model from a folder of weights, safetensors or ``.bin``."""
    load_state(model, read_folder(folder), table)


def save_folder(model: LMM, folder: Path, table: str) -> None:
    """Write a model's weights under the names of another home into ``model.safetensors``."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: weight.detach().contiguous() for name, weight in model.named_parameters()}
    save_file(renamed_to(state, table), folder / "model.safetensors", {"format": "pt"})


def config_from_hub(hub: PretrainedConfig) -> LMMConfig:
    """Our config of a LLaVA, LLaVA-NeXT, LLaVA-OneVision or BLIP-2 config of transformers."""
    if hub.model_type not in _HUB_TYPES:
        raise SetupError(
            f"No composition for models of type {hub.model_type!r}."
            f" Known: {', '.join(sorted(_HUB_TYPES))}."
        )
    layout: dict[str, Any] = {"image_token_id": hub.image_token_id}
    if hub.model_type == "blip-2":
        connector = {
            "type": "qformer",
            "queries": hub.num_query_tokens,
            "qformer": hub.qformer_config.to_dict(),
        }
        tower = {"select_layer": "last", "select_feature": "full"}
    else:
        connector = {
            "type": "mlp",
            "depth": 2,
            "activation": hub.projector_hidden_act,
            "bias": hub.multimodal_projector_bias,
        }
        whole = hub.vision_feature_select_strategy == "full"
        tower = {
            "select_layer": hub.vision_feature_layer,
            "select_feature": "full" if whole else "patch",
        }
        layout["mode"] = "crop"
    if hub.model_type in ("llava_next", "llava_onevision"):
        canvases = [list(canvas) for canvas in hub.image_grid_pinpoints]
        layout |= {"mode": "anyres", "pinpoints": canvases, "newline": True}
    if hub.model_type == "llava_onevision":
        most = int(hub.vision_aspect_ratio.removeprefix("anyres_max_"))
        layout |= {"max_tiles": most, "tile_several": False, "video_token_id": hub.video_token_id}
    return LMMConfig(
        towers=[{"vision": hub.vision_config.to_dict(), **tower}],
        connector=connector,
        text_config=hub.text_config.to_dict(),
        layout=layout,
    )


_HUB_TYPES = ("blip-2", "llava", "llava_next", "llava_onevision")


def _rows(table: str) -> Table:
    if table not in TABLES:
        raise SetupError(f"No weight names {table!r}. Known: {', '.join(sorted(TABLES))}.")
    return TABLES[table]


def _renamed(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    for old, new in pairs:
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
