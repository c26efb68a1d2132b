"""Picture encoders from checkpoints of their own: those of transformers, of timm and of open_clip.

open_clip keeps timm's SigLIP and ConvNeXt under ``visual.trunk.``, beside an encoder of words.
"""

from pathlib import Path
from typing import Any, cast

from torch import Tensor
from transformers import CLIPVisionModel, PreTrainedModel

from llava_plus.errors import SetupError
from llava_plus.model.lmm import LMM
from llava_plus.model.towers import Tower

from .naming import Rules, below, cut, renamed
from .sources import read_weights

SIGLIP: Rules = (
    (r"patch_embed\.proj\.", "embeddings.patch_embedding."),
    (r"pos_embed$", "embeddings.position_embedding.weight"),
    (r"blocks\.(\d+)\.norm([12])\.", r"encoder.layers.\1.layer_norm\2."),
    (r"blocks\.(\d+)\.attn\.qkv\.", r"encoder.layers.\1.self_attn.qkv."),
    (r"blocks\.(\d+)\.attn\.proj\.", r"encoder.layers.\1.self_attn.out_proj."),
    (r"blocks\.(\d+)\.mlp\.", r"encoder.layers.\1.mlp."),
    (r"norm\.", "post_layernorm."),
)
_BLOCK = r"stages\.(\d+)\.blocks\.(\d+)\."
_LAYER = r"encoder.stages.\1.layers.\2."
CONVNEXT: Rules = (
    (r"stem\.0\.", "embeddings.patch_embeddings."),
    (r"stem\.1\.", "embeddings.layernorm."),
    (r"stages\.(\d+)\.downsample\.", r"encoder.stages.\1.downsampling_layer."),
    (_BLOCK + r"gamma$", _LAYER + "layer_scale_parameter"),
    (_BLOCK + r"conv_dw\.", _LAYER + "dwconv."),
    (_BLOCK + r"norm\.", _LAYER + "layernorm."),
    (_BLOCK + r"mlp\.fc([12])\.", _LAYER + r"pwconv\3."),
    (r"head\.norm\.", "layernorm."),
)
# What pools features into one vector, which no composition reads.
_POOLING = ("attn_pool.", "head.proj.", "head.mlp.", "head.fc.")


def tower_at(model: LMM, at: int = 0) -> Tower:
    """A model's picture encoder, by its number."""
    return cast("Tower", model.towers[at])


def tower_weights(tower: Tower, path: Path) -> dict[str, Tensor]:
    """An encoder's weights, under its own names.

    Args:
        tower: Of the model that is to be filled.
        path: A folder of transformers' layout, or a file or folder of timm's or open_clip's.
    """
    encoder = tower.encoder
    if isinstance(encoder, CLIPVisionModel):
        return clip_weights(read_weights(path))
    if (path / "config.json").is_file():
        return _hub_weights(encoder, path)
    state = read_weights(path)
    trunk = below(state, "visual.trunk.") or below(state, "trunk.") or state
    kept = {name: one for name, one in trunk.items() if not name.startswith(_POOLING)}
    if "stem.0.weight" in kept:
        return renamed(kept, CONVNEXT)
    if "patch_embed.proj.weight" in kept:
        ours = cut(renamed(kept, SIGLIP), "qkv", ("q_proj", "k_proj", "v_proj"))
        places = "embeddings.position_embedding.weight"
        return ours | {places: ours[places].flatten(0, 1)} if places in ours else ours
    raise SetupError(f"{path} holds no picture encoder of timm's, and no config.json lies there.")


def clip_weights(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tower of a CLIP checkpoint of transformers, which holds it alone or beside the words'."""
    half = "vision_model."
    return renamed(below(found, half) or found, ())


def _hub_weights(encoder: PreTrainedModel, folder: Path) -> dict[str, Tensor]:
    """Let transformers read the folder, which knows the names that older versions wrote."""
    read: Any = type(encoder).from_pretrained
    try:
        whole, report = read(folder, config=encoder.config, output_loading_info=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise SetupError(f"{folder} cannot be read as {type(encoder).__name__}: {error}") from error
    if missing := sorted(report["missing_keys"]):
        raise SetupError(f"{folder} lacks weights of {type(encoder).__name__}: {missing}.")
    return dict(whole.state_dict())
