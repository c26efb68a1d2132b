"""Qwen-VL and Qwen-VL-Chat, the first of their kind (Qwen/Qwen-VL-Chat)."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llava_plus.errors import SetupError
from llava_plus.model.config import LMMConfig
from llava_plus.model.lmm import LMM
from llava_plus.model.resampler import square_places

from .naming import Rules, cut, renamed
from .sources import Sources, read_weights
from .towers import tower_at

_H = r"transformer\.h\.(\d+)\."
_LAYER = r"decoder.model.layers.\1."
_R = r"transformer\.visual\.transformer\.resblocks\.(\d+)\."
_BLOCK = r"towers.0.encoder.blocks.\1."
RULES: Rules = (
    (r"lm_head\.", "decoder.lm_head."),
    (r"transformer\.wte\.", "decoder.model.embed_tokens."),
    (r"transformer\.ln_f\.", "decoder.model.norm."),
    (_H + r"ln_1\.", _LAYER + "input_layernorm."),
    (_H + r"attn\.c_attn\.", _LAYER + "self_attn.c_attn."),
    (_H + r"attn\.c_proj\.", _LAYER + "self_attn.o_proj."),
    (_H + r"ln_2\.", _LAYER + "post_attention_layernorm."),
    (_H + r"mlp\.w1\.", _LAYER + "mlp.up_proj."),  # w1(x) * silu(w2(x))
    (_H + r"mlp\.w2\.", _LAYER + "mlp.gate_proj."),
    (_H + r"mlp\.c_proj\.", _LAYER + "mlp.down_proj."),
    (r"transformer\.visual\.conv1\.", "towers.0.encoder.patches."),
    (r"transformer\.visual\.positional_embedding$", "towers.0.encoder.positions"),
    (r"transformer\.visual\.ln_pre\.", "towers.0.encoder.norm."),
    (_R + r"ln_([12])\.", _BLOCK + r"norm\2."),
    (_R + r"attn\.in_proj\.", _BLOCK + "qkv."),
    (_R + r"attn\.out_proj\.", _BLOCK + "out."),
    (_R + r"mlp\.c_fc\.", _BLOCK + "mlp.0."),
    (_R + r"mlp\.c_proj\.", _BLOCK + "mlp.2."),
    (r"transformer\.visual\.attn_pool\.", "connector."),
    (r"transformer\.visual\.(ln_post\.|proj$)", r"connector.\1"),
)
_PLACES = "connector.pos_embed"  # fixed, so ours computes them


def fits(facts: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is of this system."""
    return facts.get("model_type") == "qwen" and "visual" in facts


def config(folder: Path, facts: dict[str, Any], image_token_id: int | None) -> LMMConfig:
    """Our config; the placeholder is ``<imgpad>``.

    Not covered: what the release does beyond ``seq_length`` tokens (attention scaled by the
    logarithm of the length, positions stretched).
    """
    visual, heads = facts["visual"], facts["num_attention_heads"]
    if (
        not facts.get("no_bias", True)
        or facts.get("kv_channels", 128) * heads != facts["hidden_size"]
    ):
        raise SetupError(f"{folder}: no Qwen with biases, or with heads of another width.")
    if image_token_id is None:
        image_token_id = visual["image_start_id"] + 2
    return LMMConfig(
        text_config={
            "model_type": "qwen2",
            "vocab_size": facts["vocab_size"],
            "hidden_size": facts["hidden_size"],
            "intermediate_size": facts["intermediate_size"] // 2,
            "num_hidden_layers": facts["num_hidden_layers"],
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "max_position_embeddings": facts["max_position_embeddings"],
            "rms_norm_eps": facts["layer_norm_epsilon"],
            "rope_parameters": {"rope_type": "default", "rope_theta": facts["rotary_emb_base"]},
            "tie_word_embeddings": facts["tie_word_embeddings"],
        },
        towers=[
            {
                "vision": {
                    "model_type": "lmm_vit",
                    "hidden_size": visual["width"],
                    "intermediate_size": int(visual["width"] * visual["mlp_ratio"]),
                    "num_hidden_layers": visual["layers"],
                    "num_attention_heads": visual["heads"],
                    "image_size": visual["image_size"],
                    "patch_size": visual["patch_size"],
                    "class_token": False,
                    "entry_norm": True,
                    "post_norm": False,
                    "patch_bias": False,
                    "position_side": 16,
                },
                "select_layer": "last",
                "select_feature": "patch",
            }
        ],
        connector={
            "type": "qwen_resampler",
            "queries": visual.get("n_queries", 256),
            "heads": visual["output_dim"] // 128,
        },
        layout={"image_token_id": image_token_id, "mode": "squeeze"},
    )


def weights(model: LMM, sources: Sources) -> dict[str, Tensor]:
    """Our weights; the folder holds all of them."""
    ours = renamed(read_weights(sources.home), RULES)
    places = ours.pop(_PLACES, None)
    if places is not None:
        _check_places(places, sources.home)
    heads: int = tower_at(model).encoder.config.num_attention_heads
    for name, one in ours.items():
        if name.startswith("towers.0.encoder.blocks.") and ".qkv." in name:
            ours[name] = by_part(one, heads)
    return cut(ours, "c_attn", ("q_proj", "k_proj", "v_proj"))


def by_part(weight: Tensor, heads: int) -> Tensor:
    """Rows head by head, each with its queries, keys and values, as all queries, keys, values."""
    split = weight.reshape(heads, 3, -1, *weight.shape[1:])
    return split.transpose(0, 1).reshape(weight.shape)


def _check_places(places: Tensor, home: Path) -> None:
    wanted = square_places(round(len(places) ** 0.5), places.shape[1])
    if not torch.allclose(places.float(), wanted, atol=0.01):  # the release keeps 8 bits
        raise SetupError(f"{home}: attn_pool.pos_embed holds other places than sines and cosines.")
