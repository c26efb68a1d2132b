"""CogVLM-17B in the layout of its release for transformers (THUDM/cogvlm-chat-hf and the like)."""

from pathlib import Path
from typing import Any

from torch import Tensor

from llava_plus.errors import SetupError
from llava_plus.model.config import LMMConfig
from llava_plus.model.lmm import LMM

from .llava import text_facts
from .naming import Rules, cut, renamed
from .sources import Sources, pair, read_weights

_ATTENTION = r"model\.layers\.(\d+)\.self_attn\."
_OURS = r"decoder.model.layers.\1.self_attn."
_MLP = r"model\.layers\.(\d+)\.mlp\."
_BLOCK = r"model\.vision\.transformer\.layers\.(\d+)\."
_VIT = "towers.0.encoder."
RULES: Rules = (
    (r"lm_head\.", "decoder.lm_head."),
    (_ATTENTION + r"language_expert_query_key_value\.", _OURS + "qkv."),
    (_ATTENTION + r"vision_expert_query_key_value\.", _OURS + "qkv.vision."),
    (_ATTENTION + r"language_expert_dense\.", _OURS + "o_proj."),
    (_ATTENTION + r"vision_expert_dense\.", _OURS + "o_proj.vision."),
    (_MLP + r"language_mlp\.(\w+)\.", r"decoder.model.layers.\1.mlp.\2."),
    (_MLP + r"vision_mlp\.(\w+)\.", r"decoder.model.layers.\1.mlp.\2.vision."),
    (r"model\.vision\.patch_embedding\.proj\.", _VIT + "patches."),
    (r"model\.vision\.patch_embedding\.cls_embedding$", _VIT + "class_token"),
    (r"model\.vision\.patch_embedding\.position_embedding\.weight$", _VIT + "positions"),
    (_BLOCK + r"input_layernorm\.", _VIT + r"blocks.\1.norm1."),
    (_BLOCK + r"attention\.query_key_value\.", _VIT + r"blocks.\1.qkv."),
    (_BLOCK + r"attention\.dense\.", _VIT + r"blocks.\1.out."),
    (_BLOCK + r"post_attention_layernorm\.", _VIT + r"blocks.\1.norm2."),
    (_BLOCK + r"mlp\.fc1\.", _VIT + r"blocks.\1.mlp.0."),
    (_BLOCK + r"mlp\.fc2\.", _VIT + r"blocks.\1.mlp.2."),
    (r"model\.vision\.linear_proj\.linear_proj\.", "connector.projection."),
    (r"model\.vision\.linear_proj\.norm1\.", "connector.norm."),
    (r"model\.vision\.linear_proj\.gate_proj\.", "connector.gate."),
    (r"model\.vision\.linear_proj\.dense_h_to_4h\.", "connector.up."),
    (r"model\.vision\.linear_proj\.dense_4h_to_h\.", "connector.down."),
    (r"model\.vision\.boi$", "connector.begin"),
    (r"model\.vision\.eoi$", "connector.end"),
    (r"model\.(embed_tokens|layers|norm)\.", r"decoder.model.\1."),
)


def fits(facts: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is of this system or of a later one with its class."""
    return "CogVLMForCausalLM" in (facts.get("architectures") or ())


def config(folder: Path, facts: dict[str, Any], image_token_id: int | None) -> LMMConfig:
    """Our config; the placeholder is ``<unk>``, which no text holds."""
    if "num_multi_query_heads" in facts:
        raise SetupError(f"{folder} is a CogVLM2, which has no composition here; CogVLM has one.")
    vision = facts["vision_config"]
    return LMMConfig(
        text_config=text_facts(facts, "llama"),
        towers=[
            {
                "vision": {
                    "model_type": "lmm_vit",
                    "hidden_size": vision["hidden_size"],
                    "intermediate_size": vision["intermediate_size"],
                    "num_hidden_layers": vision["num_hidden_layers"],
                    "num_attention_heads": vision["num_heads"],
                    "image_size": pair(vision, "image_size"),
                    "patch_size": vision["patch_size"],
                    "hidden_act": vision["hidden_act"],
                    "layer_norm_eps": vision["layer_norm_eps"],
                },
                "select_layer": "last",
                "select_feature": "patch",
            }
        ],
        connector={"type": "glu", "hidden": facts["intermediate_size"]},
        injections=[{"type": "visual_expert"}],
        layout={
            "image_token_id": image_token_id or 0,
            "mode": "squeeze",
            "shared_positions": True,
        },
    )


def weights(model: LMM, sources: Sources) -> dict[str, Tensor]:
    """Our weights; the folder holds all of them."""
    ours = renamed(read_weights(sources.home), RULES)
    decoder = {name: one for name, one in ours.items() if name.startswith("decoder.")}
    rest = {name: one for name, one in ours.items() if name not in decoder}
    token = f"{_VIT}class_token"
    if token in rest:
        rest[token] = rest[token].reshape(1, 1, -1)
    return cut(decoder, "qkv", ("q_proj", "k_proj", "v_proj")) | rest
