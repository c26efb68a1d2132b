"""Configurations by name."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

from .config import LMMConfig
from .tiny import tiny
from .zoo import ALIASES, SYSTEMS


def nano_config(vocab_size: int = 4096, *, image_token_id: int = 0) -> LMMConfig:
    """The bundled planner: a 4.3M decoder and a 0.8M tower (four tokens per picture)."""
    return _small_config(
        vocab_size=vocab_size,
        image_token_id=image_token_id,
        text={"hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 704},
        heads=4,
        vision={"hidden_size": 128, "num_hidden_layers": 2, "intermediate_size": 512},
        image_size=64,
    )


def tiny_config(vocab_size: int = 512, *, image_token_id: int = 0) -> LMMConfig:
    """The same shape as nano, small enough for any test."""
    return _small_config(
        vocab_size=vocab_size,
        image_token_id=image_token_id,
        text={"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64},
        heads=2,
        vision={"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 32},
        image_size=64,
    )


def _small_config(
    *,
    vocab_size: int,
    image_token_id: int,
    text: dict[str, Any],
    heads: int,
    vision: dict[str, Any],
    image_size: int,
) -> LMMConfig:
    tower = {
        "model_type": "siglip_vision_model",
        "num_attention_heads": heads,
        "image_size": image_size,
        "patch_size": 32,
        "vision_use_head": False,
        **vision,
    }
    decoder = {
        "model_type": "qwen3",
        "vocab_size": vocab_size,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": text["hidden_size"] // heads,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": None,
        **text,
    }
    return LMMConfig(
        towers=[{"vision": tower, "select_layer": "last", "select_feature": "patch"}],
        connector={"type": "mlp", "depth": 2, "activation": "gelu"},
        text_config=decoder,
        layout={"image_token_id": image_token_id, "embed_scale": 8.0, "previous_token_mix": True},
    )


def system_config(
    name: str,
    vocab_size: int | None = None,
    *,
    image_token_id: int = 0,
    video_token_id: int | None = None,
    state_token_id: int | None = None,
) -> LMMConfig:
    """A system of the lineage by its name in `zoo.SYSTEMS`; "NAME-tiny" is its tiny form.

    Args:
        name: Such as "llava-1.5-7b" or "llava-1.5-7b-tiny".
        vocab_size: The tokenizer's; the released checkpoint's if absent.
        image_token_id: The placeholder of pictures in that vocabulary.
        video_token_id: The placeholder of videos, if the model reads any.
        state_token_id: The placeholder of state vectors, if the model reads any.
    """
    real = SYSTEMS[name.removesuffix("-tiny")]
    system = tiny(real) if name.endswith("-tiny") else deepcopy(real)
    if vocab_size is not None:
        system["text_config"]["vocab_size"] = vocab_size
    tokens = {
        "image_token_id": image_token_id,
        "video_token_id": video_token_id,
        "state_token_id": state_token_id,
    }
    return LMMConfig(**system | {"layout": system["layout"] | tokens})


PRESETS: dict[str, Callable[..., LMMConfig]] = {
    "nano": nano_config,
    "tiny": tiny_config,
    **{name: partial(system_config, name) for name in SYSTEMS},
    **{f"{name}-tiny": partial(system_config, f"{name}-tiny") for name in SYSTEMS},
    **{alias: partial(system_config, name) for alias, name in ALIASES.items()},
    **{f"{alias}-tiny": partial(system_config, f"{name}-tiny") for alias, name in ALIASES.items()},
}
