"""Systems small enough for any test, with every part of the real ones."""

from .zoo_parts import Data

# What each part of a system is in its tiny form, by its type.
_TINY_TEXT: Data = {
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
_TINY_OPT: Data = {"ffn_dim": 48, "word_embed_proj_dim": 32}
_TINY_VISION: Data = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 2,
}
_TINY_VISIONS: dict[str, Data] = {
    "convnext": {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "image_size": 64},
    "dinov2": {key: _TINY_VISION[key] for key in _TINY_VISION if key != "intermediate_size"},
    "lmm_vit": _TINY_VISION,
}
_TINY_CONNECTORS: dict[str, Data] = {
    "mlp": {},
    "concat": {"group": 4},
    "glu": {"hidden": 48},
    "perceiver": {"latents": 4, "depth": 2, "heads": 2, "head_dim": 8},
    "qformer": {
        "queries": 6,
        "qformer": {
            "vocab_size": 64,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        },
    },
    "qwen_resampler": {"queries": 4, "heads": 4},
    "sva": {"sides": [4, 4, 4, 16], "query_num_list": [16], "depth": 2, "hidden": 16, "heads": 2},
}
_TINY_INJECTIONS: dict[str, Data] = {
    "cross_gate": {"every": 2, "heads": 2, "head_dim": 8},
    "deep_sva": {"hidden": 16, "heads": 2, "stride": 2, "count": 2},
    "visual_expert": {},
}


def tiny(system: Data) -> Data:
    """A system with the same parts, each small enough for any test."""
    text = system["text_config"] | _TINY_TEXT
    if text["model_type"] == "opt":
        text |= _TINY_OPT
    connector, layout = system["connector"], dict(system["layout"])
    if canvases := layout.get("pinpoints"):
        tile = system["towers"][0]["vision"]["image_size"]
        layout["pinpoints"] = [
            [height // tile * 8, width // tile * 8] for height, width in canvases
        ]
    if "prefix_end_id" in layout:
        layout["prefix_end_id"] = 4
    small = {
        "text_config": text,
        "towers": [_tiny_tower(tower) for tower in system["towers"]],
        "connector": connector | _TINY_CONNECTORS[connector["type"]],
        "layout": layout,
        "injections": [one | _TINY_INJECTIONS[one["type"]] for one in system.get("injections", [])],
    }
    if states := system.get("states"):
        small["states"] = states | {"hidden": 16}
    return small


def _tiny_tower(tower: Data) -> Data:
    vision = tower["vision"]
    small = tower | {"vision": vision | _TINY_VISIONS.get(vision["model_type"], _TINY_VISION)}
    if "position_side" in vision:
        small["vision"] |= {"position_side": 2}
    if "size" in tower:
        small["size"] = 12
    if "grid" in tower:
        small["grid"] = tower["grid"] // 6
    return small
