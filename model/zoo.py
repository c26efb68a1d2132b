"""The systems of the lineage as data: what `LMMConfig` is given for each, at its real size.

Sizes are those of the released models. A decoder's vocabulary is that of the checkpoint named
beside it; another one can be given to `presets.PRESETS`.
"""

from typing import Any

Data = dict[str, Any]

# Decoders.
LLAMA_7B: Data = {
    "model_type": "llama",
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}
LLAMA_13B: Data = LLAMA_7B | {
    "hidden_size": 5120,
    "intermediate_size": 13824,
    "num_hidden_layers": 40,
    "num_attention_heads": 40,
    "num_key_value_heads": 40,
}
LLAMA3_8B: Data = LLAMA_7B | {
    "vocab_size": 128256,
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "max_position_embeddings": 8192,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
}
MISTRAL_7B: Data = LLAMA_7B | {
    "model_type": "mistral",
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "max_position_embeddings": 32768,
    "sliding_window": None,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
}
YI_34B: Data = LLAMA_7B | {
    "vocab_size": 64064,
    "hidden_size": 7168,
    "intermediate_size": 20480,
    "num_hidden_layers": 60,
    "num_attention_heads": 56,
    "num_key_value_heads": 8,
    "rope_parameters": {"rope_type": "default", "rope_theta": 5000000.0},
}
QWEN2_05B: Data = {
    "model_type": "qwen2",
    "vocab_size": 152000,
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
    "tie_word_embeddings": True,
}
QWEN2_7B: Data = QWEN2_05B | {
    "vocab_size": 152128,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "tie_word_embeddings": False,
}
QWEN_7B: Data = QWEN2_05B | {  # the first Qwen is this shape: biases on q, k, v alone
    "vocab_size": 151936,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 8192,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "tie_word_embeddings": False,
}
OPT_27B: Data = {
    "model_type": "opt",
    "vocab_size": 50304,
    "hidden_size": 2560,
    "ffn_dim": 10240,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "word_embed_proj_dim": 2560,
    "max_position_embeddings": 2048,
}

# Towers.
CLIP_L_336: Data = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "hidden_act": "quick_gelu",
    "projection_dim": 768,
}
CLIP_L_224: Data = CLIP_L_336 | {"image_size": 224}
SIGLIP_SO: Data = {
    "model_type": "siglip_vision_model",
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 384,
    "patch_size": 14,
    "vision_use_head": False,
}
DINOV2_G: Data = {
    "model_type": "dinov2",
    "hidden_size": 1536,
    "num_hidden_layers": 40,
    "num_attention_heads": 24,
    "image_size": 518,
    "patch_size": 14,
    "use_swiglu_ffn": True,
}
CONVNEXT_XXL: Data = {
    "model_type": "convnext",
    "hidden_sizes": [384, 768, 1536, 3072],
    "depths": [3, 4, 30, 3],
    "image_size": 1024,
    "patch_size": 4,
}
EVA_G_224: Data = {
    "model_type": "blip_2_vision_model",
    "hidden_size": 1408,
    "intermediate_size": 6144,
    "num_hidden_layers": 39,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 14,
}
EVA2_E_490: Data = {
    "model_type": "lmm_vit",
    "hidden_size": 1792,
    "intermediate_size": 15360,
    "num_hidden_layers": 63,
    "num_attention_heads": 16,
    "image_size": 490,
    "patch_size": 14,
}
BIGG_448: Data = {
    "model_type": "lmm_vit",
    "hidden_size": 1664,
    "intermediate_size": 8192,
    "num_hidden_layers": 48,
    "num_attention_heads": 16,
    "image_size": 448,
    "patch_size": 14,
    "class_token": False,
    "entry_norm": True,
    "post_norm": False,
    "patch_bias": False,
    "position_side": 16,
}

MLP: Data = {"type": "mlp", "depth": 2, "activation": "gelu"}
NEXT_CANVASES = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
ONEVISION_CANVASES = [[384 * i, 384 * j] for i in range(1, 7) for j in range(1, 7)]


def _tower(vision: Data, layer: int | str, feature: str = "patch", **more: Any) -> Data:
    return {"vision": vision, "select_layer": layer, "select_feature": feature, **more}


def _llava(text: Data, vision: Data, *, depth: int, mode: str) -> Data:
    return {
        "text_config": text,
        "towers": [_tower(vision, -2)],
        "connector": MLP | {"depth": depth},
        "layout": {"mode": mode},
    }


def _next(text: Data) -> Data:
    layout = {"mode": "anyres", "pinpoints": NEXT_CANVASES, "newline": True}
    return _llava(text, CLIP_L_336, depth=2, mode="anyres") | {"layout": layout}


def _onevision(text: Data) -> Data:
    return {
        "text_config": text,
        "towers": [_tower(SIGLIP_SO | {"num_hidden_layers": 26}, -1)],
        "connector": MLP,
        "layout": {
            "mode": "anyres",
            "pinpoints": ONEVISION_CANVASES,
            "newline": True,
            "max_tiles": 9,
            "tile_several": False,
        },
    }


def _cambrian(text: Data, stride: int) -> Data:
    sides = [24, 24, 24, 96]
    return {
        "text_config": text,
        "towers": [
            _tower(SIGLIP_SO, "last", grid=24),
            _tower(CLIP_L_336, -2),
            _tower(DINOV2_G, "last", size=378, grid=24),
            _tower(CONVNEXT_XXL, "stages", grid=96),
        ],
        "connector": {"type": "sva", "sides": sides, "query_num_list": [576], "depth": 3},
        "layout": {"mode": "pad", "newline": True, "unpad": True, "legacy_unpad": True},
        "injections": [
            {"type": "deep_sva", "windows": [1, 1, 1, 4], "start": 0, "stride": stride, "count": 10}
        ],
    }


SYSTEMS: dict[str, Data] = {
    "llava-7b": _llava(LLAMA_7B, CLIP_L_224, depth=1, mode="crop"),
    "llava-13b": _llava(LLAMA_13B, CLIP_L_224, depth=1, mode="crop"),
    "llava-plus-7b": _llava(LLAMA_7B, CLIP_L_224, depth=1, mode="crop"),
    "llava-1.5-7b": _llava(LLAMA_7B | {"vocab_size": 32064}, CLIP_L_336, depth=2, mode="pad"),
    "llava-1.5-13b": _llava(LLAMA_13B | {"vocab_size": 32064}, CLIP_L_336, depth=2, mode="pad"),
    "llava-next-vicuna-7b": _next(LLAMA_7B | {"vocab_size": 32064}),
    "llava-next-vicuna-13b": _next(LLAMA_13B | {"vocab_size": 32064}),
    "llava-next-mistral-7b": _next(MISTRAL_7B | {"vocab_size": 32064}),
    "llava-next-34b": _next(YI_34B),
    "llava-onevision-0.5b": _onevision(QWEN2_05B),
    "llava-onevision-7b": _onevision(QWEN2_7B),
    "blip2-opt-2.7b": {
        "text_config": OPT_27B,
        "towers": [_tower(EVA_G_224, "last", "full")],
        "connector": {"type": "qformer", "queries": 32},
        "layout": {"mode": "squeeze"},
    },
    "minigpt-4-7b": {
        "text_config": LLAMA_7B,
        "towers": [_tower(EVA_G_224, "last", "full")],
        "connector": {"type": "qformer", "queries": 32},
        "layout": {"mode": "squeeze"},
    },
    "minigpt-v2-7b": {
        "text_config": LLAMA_7B,
        "towers": [_tower(EVA_G_224 | {"image_size": 448}, "last")],
        "connector": {"type": "concat", "group": 4},
        "layout": {"mode": "squeeze"},
    },
    "flamingo-9b": {
        "text_config": LLAMA_7B,
        "towers": [_tower(CLIP_L_224, "last")],
        "connector": {"type": "perceiver", "latents": 64, "depth": 6, "heads": 8, "head_dim": 64},
        "layout": {"mode": "crop", "splice": False},
        "injections": [{"type": "cross_gate", "every": 4, "heads": 8, "head_dim": 64}],
    },
    "cambrian-8b": _cambrian(LLAMA3_8B, 3),
    "cogvlm-17b": {
        "text_config": LLAMA_7B,
        "towers": [_tower(EVA2_E_490, "last")],
        "connector": {"type": "glu", "hidden": 11008},
        "layout": {"mode": "squeeze", "shared_positions": True},
        "injections": [{"type": "visual_expert"}],
    },
    "qwen-vl-7b": {
        "text_config": QWEN_7B,
        "towers": [_tower(BIGG_448, "last")],
        "connector": {"type": "qwen_resampler", "queries": 256, "heads": 32},
        "layout": {"mode": "squeeze"},
    },
}
