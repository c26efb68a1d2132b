"""The systems of the lineage as data: what `LMMConfig` is given for each, at its real size."""

from typing import Any

from .zoo_parts import (
    BIGG_448,
    CHATGLM_6B,
    CLIP_L_224,
    CLIP_L_336,
    CONVNEXT_XXL,
    DINOV2_G,
    EVA2_E_490,
    EVA_G_224,
    LLAMA3_8B,
    LLAMA_7B,
    LLAMA_13B,
    MISTRAL_7B,
    OPT_27B,
    PALM_8B,
    QWEN2_05B,
    QWEN2_7B,
    QWEN2_72B,
    QWEN15_72B,
    QWEN15_110B,
    QWEN_7B,
    SIGLIP_SO,
    VIT_4B,
    YI_34B,
    Data,
)

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


def _cambrian(text: Data, stride: int, count: int = 10) -> Data:
    sides = [24, 24, 24, 96]
    return {
        "text_config": text,
        "towers": _four_towers(96),
        "connector": {"type": "sva", "sides": sides, "query_num_list": [576], "depth": 3},
        "layout": CAMBRIAN_LAYOUT,
        "injections": [
            {
                "type": "deep_sva",
                "windows": [1, 1, 1, 4],
                "start": 0,
                "stride": stride,
                "count": count,
            }
        ],
    }


def _four_towers(grid: int) -> list[Data]:
    """Cambrian-1's, the ConvNeXt's features on a grid of this side."""
    return [
        _tower(SIGLIP_SO, "last", grid=24),
        _tower(CLIP_L_336, -2),
        _tower(DINOV2_G, "last", size=378, grid=24),
        _tower(CONVNEXT_XXL, "stages", grid=grid, norm_eps=1e-5),
    ]


CAMBRIAN_LAYOUT: Data = {"mode": "pad", "newline": True, "unpad": True, "legacy_unpad": True}


def _with_qformer(text: Data, tower: Data) -> Data:
    return {
        "text_config": text,
        "towers": [tower],
        "connector": {"type": "qformer", "queries": 32},
        "layout": {"mode": "squeeze"},
    }


# LAVIS ends the tower with a norm of its own, of torch's epsilon.
_LAVIS_TOWER = _tower(EVA_G_224, "last", "full", last_norm_eps=1e-5)

SYSTEMS: dict[str, Data] = {
    "llava-7b": _llava(LLAMA_7B, CLIP_L_224, depth=1, mode="crop"),
    "llava-13b": _llava(LLAMA_13B, CLIP_L_224, depth=1, mode="crop"),
    "llava-plus-7b": _llava(LLAMA_7B, CLIP_L_224, depth=1, mode="crop"),
    "llava-1.5-7b": _llava(LLAMA_7B | {"vocab_size": 32064}, CLIP_L_336, depth=2, mode="pad"),
    "llava-1.5-13b": _llava(LLAMA_13B | {"vocab_size": 32064}, CLIP_L_336, depth=2, mode="pad"),
    "llava-next-vicuna-7b": _next(LLAMA_7B | {"vocab_size": 32064}),
    "llava-next-vicuna-13b": _next(LLAMA_13B | {"vocab_size": 32064}),
    "llava-next-mistral-7b": _next(MISTRAL_7B | {"vocab_size": 32064}),
    "llava-next-llama3-8b": _next(LLAMA3_8B | {"vocab_size": 128320}),
    "llava-next-34b": _next(YI_34B),
    "llava-next-72b": _next(QWEN15_72B),
    "llava-next-110b": _next(QWEN15_110B),
    "llava-onevision-0.5b": _onevision(QWEN2_05B),
    "llava-onevision-7b": _onevision(QWEN2_7B),
    "llava-onevision-72b": _onevision(QWEN2_72B),
    "blip2-opt-2.7b": _with_qformer(OPT_27B, _tower(EVA_G_224, "last", "full")),
    "minigpt-4-7b": _with_qformer(LLAMA_7B, _LAVIS_TOWER),
    "minigpt-v2-7b": {
        "text_config": LLAMA_7B,
        "towers": [_tower(EVA_G_224 | {"image_size": 448}, "last", last_norm_eps=1e-5)],
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
    "cambrian-13b": _cambrian(LLAMA_13B, 4),
    "cambrian-34b": _cambrian(YI_34B | {"vocab_size": 64000}, 7, 9),
    "cambrian-8b-plain": {
        "text_config": LLAMA3_8B,
        "towers": _four_towers(24),
        "connector": MLP,
        "layout": CAMBRIAN_LAYOUT,
    },
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
    "visualglm-6b": _with_qformer(CHATGLM_6B, _LAVIS_TOWER)
    | {"layout": {"mode": "squeeze", "prefix_end_id": 130004}},
    "palm-e": {
        "text_config": PALM_8B,
        "towers": [_tower(VIT_4B, "last")],
        "connector": MLP | {"depth": 1},
        "layout": {"mode": "squeeze"},
        "states": {"dim": 16, "hidden": 1024},
    },
}

# What a system is called where only one size of it was published.
ALIASES = {
    "blip2": "blip2-opt-2.7b",
    "flamingo": "flamingo-9b",
    "minigpt-v2": "minigpt-v2-7b",
    "minigpt4": "minigpt-4-7b",
}
