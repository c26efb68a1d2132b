"""VisualGLM-6B in the layout of its release for transformers (THUDM/visualglm-6b).

Its encoder and Q-Former are SwissArmyTransformer's: there a layer's norm stands before it, so that
what BERT calls the last norm of a layer is the first one of the next.
"""

from pathlib import Path
from typing import Any, cast

from torch import Tensor

from llava_plus.model.config import LMMConfig
from llava_plus.model.lmm import LMM
from llava_plus.model.qformer import QFormerConnector

from .naming import Rules, cut, renamed
from .sources import Sources, pair, read_weights

_V = r"image_encoder\.vit\."
_B = _V + r"transformer\.layers\.(\d+)\."
_TOWER = "towers.0.encoder."
_BLOCK = _TOWER + r"encoder.layers.\1."
_Q = r"image_encoder\.qformer\.transformer\."
_L = _Q + r"layers\.(\d+)\."
_LAYER = r"connector.qformer.encoder.layer.\1."
RULES: Rules = (
    (r"lm_head\.", "decoder.lm_head."),
    (r"transformer\.", "decoder.model."),
    (_V + r"mixins\.patch_embedding\.proj\.", _TOWER + "embeddings.patch_embedding."),
    (_V + r"transformer\.word_embeddings\.weight$", _TOWER + "embeddings.class_embedding"),
    (_V + r"transformer\.position_embeddings\.weight$", _TOWER + "embeddings.position_embedding"),
    (_V + r"mixins\.cls\.ln_vision\.", _TOWER + "post_layernorm."),
    (_B + r"input_layernorm\.", _BLOCK + "layer_norm1."),
    (_B + r"attention\.query_key_value\.", _BLOCK + "self_attn.qkv."),
    (_B + r"attention\.dense\.", _BLOCK + "self_attn.projection."),
    (_B + r"post_attention_layernorm\.", _BLOCK + "layer_norm2."),
    (_B + r"mlp\.dense_h_to_4h\.", _BLOCK + "mlp.fc1."),
    (_B + r"mlp\.dense_4h_to_h\.", _BLOCK + "mlp.fc2."),
    (_Q + r"word_embeddings\.weight$", "connector.query_tokens"),
    (_L + r"input_layernorm\.", r"norm_before.\1."),
    (_Q + r"final_layernorm\.", "norm_before.last."),
    (_L + r"attention\.query_key_value\.", _LAYER + "attention.attention.qkv."),
    (_L + r"attention\.dense\.", _LAYER + "attention.output.dense."),
    (_L + r"post_attention_layernorm\.", _LAYER + "attention.output.LayerNorm."),
    (_L + r"cross_attention\.query\.", _LAYER + "crossattention.attention.query."),
    (_L + r"cross_attention\.key_value\.", _LAYER + "crossattention.attention.key_value."),
    (_L + r"cross_attention\.dense\.", _LAYER + "crossattention.output.dense."),
    (_L + r"post_cross_attention_layernorm\.", _LAYER + "crossattention.output.LayerNorm."),
    (_L + r"mlp\.dense_h_to_4h\.", _LAYER + "intermediate_query.dense."),
    (_L + r"mlp\.dense_4h_to_h\.", _LAYER + "output_query.dense."),
    (r"image_encoder\.glm_proj\.", "connector.projection."),
)
# Those that SwissArmyTransformer keeps without the leading axis of one.
_FLAT = {
    _TOWER + "embeddings.class_embedding": (1, -1),
    _TOWER + "embeddings.position_embedding": (1, -1),
    "connector.query_tokens": (1, -1),
}


def fits(facts: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is of this system."""
    return facts.get("model_type") == "chatglm" and "eva_config" in facts


def config(folder: Path, facts: dict[str, Any], image_token_id: int | None) -> LMMConfig:
    """Our config; the placeholder is ``<unk>``, with which the release fills the places as well."""
    eva, queries = facts["eva_config"], facts["qformer_config"]
    return LMMConfig(
        text_config={
            "model_type": "lmm_chatglm",
            "vocab_size": facts["vocab_size"],
            "hidden_size": facts["hidden_size"],
            "intermediate_size": facts["inner_hidden_size"],
            "num_hidden_layers": facts["num_layers"],
            "num_attention_heads": facts["num_attention_heads"],
            "layer_norm_eps": facts["layernorm_epsilon"],
            "max_position_embeddings": facts["max_sequence_length"],
        },
        towers=[
            {
                "vision": {
                    "model_type": "blip_2_vision_model",
                    "hidden_size": eva["hidden_size"],
                    "intermediate_size": eva["inner_hidden_size"],
                    "num_hidden_layers": eva["num_layers"],
                    "num_attention_heads": eva["num_attention_heads"],
                    "image_size": pair(eva, "image_size"),
                    "patch_size": eva["patch_size"],
                    "layer_norm_eps": eva["layernorm_epsilon"],
                },
                "select_layer": "last",
                "select_feature": "full",
                "last_norm_eps": 1e-5,
            }
        ],
        connector={
            "type": "qformer",
            "queries": queries["vocab_size"],
            "qformer": {
                "hidden_size": queries["hidden_size"],
                "intermediate_size": queries.get("inner_hidden_size") or 4 * queries["hidden_size"],
                "num_hidden_layers": queries["num_layers"],
                "num_attention_heads": queries["num_attention_heads"],
                "layer_norm_eps": queries["layernorm_epsilon"],
            },
        },
        layout={
            "image_token_id": image_token_id or 0,
            "mode": "squeeze",
            "prefix_end_id": facts["bos_token_id"],
        },
    )


def weights(model: LMM, sources: Sources) -> dict[str, Tensor]:
    """Our weights; the folder holds all of them."""
    ours = renamed(read_weights(sources.home), RULES)
    ours = {_normed(name, model): one for name, one in ours.items()}
    for name, shape in _FLAT.items():
        if name in ours:
            ours[name] = ours[name].reshape(*shape, ours[name].shape[-1])
    queries = {name: one for name, one in ours.items() if name.startswith("connector.")}
    queries = cut(queries, "qkv", ("query", "key", "value"))
    queries = cut(queries, "key_value", ("key", "value"))
    return {name: one for name, one in ours.items() if not name.startswith("connector.")} | queries


def _normed(name: str, model: LMM) -> str:
    """A norm before a layer of the Q-Former as the last norm of the layer before it."""
    if not name.startswith("norm_before."):
        return name
    _, number, which = name.split(".")
    if number == "0":
        return f"connector.qformer.layernorm.{which}"
    layers = cast("QFormerConnector", model.connector).qformer.encoder.layer
    layer = len(layers) if number == "last" else int(number)
    return f"connector.qformer.encoder.layer.{layer - 1}.output_query.LayerNorm.{which}"
