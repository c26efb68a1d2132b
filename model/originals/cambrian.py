"""Cambrian-1: LLaVA's names, with a spatial vision aggregator and four towers from elsewhere."""

from math import isqrt
from pathlib import Path
from typing import Any

from torch import Tensor

from llava_plus.errors import SetupError
from llava_plus.model.config import LMMConfig
from llava_plus.model.lmm import LMM
from llava_plus.model.sva import SVAConnector
from llava_plus.model.zoo import CAMBRIAN_LAYOUT
from llava_plus.model.zoo_parts import CLIP_L_336, CONVNEXT_XXL, DINOV2_G, SIGLIP_SO

from .llava import placeholder, text_facts
from .naming import Rules, joined, renamed, under
from .sources import Sources, read_weights
from .towers import tower_at, tower_weights

RULES: Rules = (
    (r"lm_head\.", "decoder.lm_head."),
    (r"model\.mm_projector_aux_(\d+)\.", r"connector.aux.\1."),
    (r"model\.vision_sampler_(\d+)\.layers\.(\d+)\.", r"connector.samplers.\1.\2."),
    (r"model\.vision_sampler_layers\.(\d+)\.layers\.0\.", r"deep.\1.sampler."),
    (r"model\.vision_query$", "connector.queries"),
    (r"model\.image_newline$", "newline"),
    (r"model\.(embed_tokens|layers|norm)\.", r"decoder.model.\1."),
)
_S = r"(connector\.samplers\.\d+\.\d+|deep\.\d+\.sampler)\."
SAMPLER: Rules = (
    (_S + r"cross_attn\.q_proj\.", r"\1.to_q."),
    (_S + r"cross_attn\.([kv])_proj_(\d+)\.", r"\1.to_\2.\3."),
    (_S + r"cross_attn\.o_proj\.", r"\1.to_out."),
    (_S + r"pos_embed_(\d+)$", r"\1.places.\2"),
    (_S + r"proj_out\.linear_1\.", r"\1.proj_out.0."),
    (_S + r"proj_out\.linear_2\.", r"\1.proj_out.2."),
)
_TOWERS: dict[str, dict[str, Any]] = {
    "siglip/CLIP-ViT-SO400M-14-384": {"vision": SIGLIP_SO, "select_layer": "last"},
    "openai/clip-vit-large-patch14-336": {"vision": CLIP_L_336},
    "facebook/dinov2-giant-res378": {"vision": DINOV2_G, "select_layer": "last", "size": 378},
    "clip-convnext-XXL-multi-stage": {
        "vision": CONVNEXT_XXL,
        "select_layer": "stages",
        "norm_eps": 1e-5,
    },
}
_PROJECTOR = {"sva": "connector.projection.", "mlp2x_gelu": "connector.layers."}


def fits(facts: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is of this system."""
    return "mm_vision_tower_aux_list" in facts


def config(folder: Path, facts: dict[str, Any], image_token_id: int | None) -> LMMConfig:
    """Our config; the placeholder is a token that no text holds."""
    if facts.get("model_type") != "cambrian_llama":
        raise SetupError(f"{folder}: no Cambrian-1 of {facts.get('model_type')!r}, only Llama's.")
    kind = facts.get("mm_projector_type")
    if kind not in _PROJECTOR:
        raise SetupError(f"{folder}: no projector {kind!r}. Known: {', '.join(_PROJECTOR)}.")
    if image_token_id is None:
        image_token_id = placeholder(facts["vocab_size"])
    sides = [isqrt(number) for number in facts["mm_vision_tower_aux_token_len_list"]]
    names = facts["mm_vision_tower_aux_list"]
    layer = facts.get("mm_vision_select_layer", -2)
    connector: dict[str, Any] = {"type": "mlp", "depth": 2, "activation": "gelu"}
    injections = []
    if kind == "sva":
        connector = {
            "type": "sva",
            "sides": sides,
            "query_num_list": facts["query_num_list"],
            "depth": facts["connector_depth"],
            "hidden": facts["vision_hidden_size"],
        }
        injections = _inside(facts, sides)
    return LMMConfig(
        text_config=text_facts(facts, "llama"),
        towers=[_tower(folder, *one, layer) for one in zip(names, sides, strict=True)],
        connector=connector,
        injections=injections,
        layout=CAMBRIAN_LAYOUT | {"image_token_id": image_token_id},
    )


def weights(model: LMM, sources: Sources) -> dict[str, Tensor]:
    """Our weights; the towers' come from their own checkpoints, in the config's order."""
    kind = "sva" if isinstance(model.connector, SVAConnector) else "mlp2x_gelu"
    rules = ((r"model\.mm_projector\.", _PROJECTOR[kind]), *RULES)
    ours = renamed(renamed(read_weights(sources.home), rules), SAMPLER)
    for deep in model.config.injections or []:
        ours = {_placed(name, deep): one for name, one in ours.items()}
    towers = (
        under(f"towers.{at}.encoder.", tower_weights(tower_at(model, at), sources.tower(at)))
        for at in range(len(model.towers))
    )
    return joined([ours, *towers])


def _tower(folder: Path, name: str, side: int, layer: int) -> dict[str, Any]:
    if name not in _TOWERS:
        raise SetupError(f"{folder}: no tower {name!r}. Known: {', '.join(_TOWERS)}.")
    return {"select_layer": layer, "select_feature": "patch", "grid": side, **_TOWERS[name]}


def _placed(name: str, deep: dict[str, Any]) -> str:
    """The name of a sampler inside the decoder by its layer, not by its own number."""
    if not name.startswith("deep."):
        return name
    _, number, rest = name.split(".", 2)
    layer = deep.get("start", 0) + int(number) * deep.get("stride", 3)
    return f"decoder.model.layers.{layer}.{rest}"


def _inside(facts: dict[str, Any], sides: list[int]) -> list[dict[str, Any]]:
    if facts.get("connector_only", False):
        return []
    query_side = isqrt(facts["image_token_len"])
    return [
        {
            "type": "deep_sva",
            "windows": [side // query_side for side in sides],
            "hidden": facts["vision_hidden_size"],
            "start": facts["start_of_vision_sampler_layers"],
            "stride": facts["stride_of_vision_sampler_layers"],
            "count": facts["num_of_vision_sampler_layers"],
        }
    ]
