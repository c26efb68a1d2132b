"""MiniGPT-4 and MiniGPT-v2, released as what was trained: a projection, and v2's LoRA.

The rest is other people's: EVA-CLIP-g as LAVIS has it (``eva_vit_g.pth``), for MiniGPT-4 BLIP-2's
Q-Former and the norm before it (``blip2_pretrained_flant5xxl.pth``), and Vicuna or Llama 2.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from llava_plus.model.lmm import LMM
from llava_plus.model.qformer import QFormerConnector

from .adapters import add_lora
from .naming import Rules, below, joined, renamed, under
from .sources import Sources, read_weights
from .towers import tower_at

LORA: dict[str, Any] = {"r": 64, "lora_alpha": 16}  # of MiniGPT-v2
EVA: Rules = (
    (r"cls_token$", "embeddings.class_embedding"),
    (r"pos_embed$", "embeddings.position_embedding"),
    (r"patch_embed\.proj\.", "embeddings.patch_embedding."),
    (r"blocks\.(\d+)\.norm([12])\.", r"encoder.layers.\1.layer_norm\2."),
    (r"blocks\.(\d+)\.attn\.qkv\.", r"encoder.layers.\1.self_attn.qkv."),
    (r"blocks\.(\d+)\.attn\.proj\.", r"encoder.layers.\1.self_attn.projection."),
    (r"blocks\.(\d+)\.mlp\.", r"encoder.layers.\1.mlp."),
)
# What EVA-CLIP-g ends with and LAVIS does not read.
_UNREAD = ("mask_token", "norm.", "fc_norm.", "head.", "lm_head.")
QFORMER: Rules = (
    (r"query_tokens$", "query_tokens"),
    (r"Qformer\.bert\.embeddings\.LayerNorm\.", "qformer.layernorm."),
    (
        r"Qformer\.bert\.encoder\.layer\.(\d+)\.(attention|crossattention)\.self\.",
        r"qformer.encoder.layer.\1.\2.attention.",
    ),
    (
        r"Qformer\.bert\.encoder\.layer\.(\d+)"
        r"\.(attention\.output|crossattention\.output|intermediate_query|output_query)\.",
        r"qformer.encoder.layer.\1.\2.",
    ),
)
_HERE = ("llama_proj.", "llama_model.")


def fits(state: Mapping[str, Tensor]) -> bool:
    """Whether a file's weights are of these systems."""
    return "llama_proj.weight" in state


def weights(model: LMM, sources: Sources) -> dict[str, Tensor]:
    """Our weights.

    A norm that no file holds stays as it begins: MiniGPT-v2's code never reads one.
    """
    found = read_weights(sources.home)
    base = sources.language()
    if adapter := below(found, "llama_model."):
        add_lora(base, adapter, LORA)
    rest = {name: one for name, one in found.items() if not name.startswith(_HERE)}
    parts = [
        under("decoder.", base),
        under("connector.projection.", below(found, "llama_proj.")),
        under("towers.0.encoder.", eva_weights(model, read_weights(sources.tower()))),
    ]
    norm = below(rest, "ln_vision.")
    rest = {name: one for name, one in rest.items() if not name.startswith("ln_vision.")}
    if isinstance(model.connector, QFormerConnector):
        whole = sources.queries()
        parts.append(under("connector.", _queries(whole)))
        norm = norm or below(whole, "ln_vision.")
    dim = tower_at(model).dim
    norm = norm or {"weight": torch.ones(dim), "bias": torch.zeros(dim)}
    return joined([*parts, under("towers.0.encoder.post_layernorm.", norm), rest])


def eva_weights(model: LMM, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """EVA-CLIP-g but its last norm, with places for the model's size of pictures."""
    tower = tower_at(model)
    depth: int = tower.encoder.config.num_hidden_layers
    biases = {name for name in found if name.endswith((".q_bias", ".v_bias"))}
    kept = {
        name: one
        for name, one in found.items()
        if not name.startswith((*_UNREAD, f"blocks.{depth}.")) and name not in biases
    }
    ours = renamed(kept, EVA)
    for at in range(depth):
        queries, values = (found.get(f"blocks.{at}.attn.{one}_bias") for one in "qv")
        if queries is not None and values is not None:
            bias = torch.cat([queries, torch.zeros_like(queries), values])
            ours[f"encoder.layers.{at}.self_attn.qkv.bias"] = bias
    places = "embeddings.position_embedding"
    if places in ours:
        ours[places] = _resized(ours[places], tower.size // tower.patch_size)
    return ours


def _queries(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What of BLIP-2's file the queries need: its words, heads and projections stay behind."""
    ours = renamed(found, QFORMER)
    return {name: one for name, one in ours.items() if name.startswith(("qformer.", "query_"))}


def _resized(places: Tensor, side: int) -> Tensor:
    """Learned places (1, 1 + n * n, dim), resized bicubically but for the first one."""
    old = round((places.shape[1] - 1) ** 0.5)
    if old == side:
        return places
    square = places[:, 1:].float().reshape(1, old, old, -1).permute(0, 3, 1, 2)
    square = functional.interpolate(square, (side, side), mode="bicubic", align_corners=False)
    rest = square.permute(0, 2, 3, 1).flatten(1, 2).to(places.dtype)
    return torch.cat([places[:, :1], rest], dim=1)
