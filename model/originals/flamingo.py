"""OpenFlamingo, released as what was trained: perceiver, gates and embeddings (``checkpoint.pt``).

The decoder is Llama's (as of OpenFlamingo-9B's first release), the tower OpenAI's CLIP. Not
covered: the later releases' MPT and RedPajama decoders.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from llava_plus.errors import SetupError
from llava_plus.model.lmm import LMM

from .naming import Rules, joined, renamed, under
from .sources import Sources, read_weights
from .towers import tower_at, tower_weights

_GATE = r"lang_encoder\.model\.layers\.(\d+)\.gated_cross_attn_layer\."
_OURS = r"decoder.model.layers.\1.cross_gate."
RULES: Rules = (
    (r"perceiver\.latents$", "connector.latents"),
    (r"perceiver\.norm\.", "connector.norm."),
    (r"perceiver\.layers\.(\d+)\.0\.norm_media\.", r"connector.layers.\1.norm_features."),
    (r"perceiver\.layers\.(\d+)\.0\.", r"connector.layers.\1."),
    (r"perceiver\.layers\.(\d+)\.1\.", r"connector.layers.\1.feed."),
    (_GATE + r"attn\.", _OURS),
    (_GATE + r"ff\.", _OURS + "feed."),
    (_GATE + r"attn_gate$", _OURS + "attention_gate"),
    (_GATE + r"ff_gate$", _OURS + "feed_gate"),
    (r"lang_encoder\.model\.embed_tokens\.", "decoder.model.embed_tokens."),
)
_ALIAS = "lang_encoder.gated_cross_attn_layers."
_HEAD = "lm_head.weight"
_EMBED = "model.embed_tokens.weight"


def fits(state: Mapping[str, Tensor]) -> bool:
    """Whether a file's weights are of this system."""
    return any(name.removeprefix("module.") == "perceiver.latents" for name in state)


def weights(model: LMM, sources: Sources) -> dict[str, Tensor]:
    """Our weights.

    The tokens that OpenFlamingo added have embeddings in its file but no output embeddings, which
    it neither trained nor kept: here they are zero.
    """
    found = {name.removeprefix("module."): one for name, one in read_weights(sources.home).items()}
    if strange := [name for name in found if name.startswith("lang_encoder.transformer.")]:
        raise SetupError(f"{sources.home}: no Llama, but a decoder with {strange[0]}.")
    base = sources.language()
    ours = renamed(_once(found), RULES)
    if "decoder." + _EMBED in ours:
        base.pop(_EMBED, None)
        added = len(ours["decoder." + _EMBED]) - len(base.get(_HEAD, ()))
        if _HEAD in base and added > 0:
            base[_HEAD] = torch.cat(
                [base[_HEAD], base[_HEAD].new_zeros(added, base[_HEAD].shape[1])]
            )
    tower = tower_weights(tower_at(model), sources.tower())
    return joined([ours, under("decoder.", base), under("towers.0.encoder.", tower)])


def _once(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each gate once, under its layer; a list beside the layers may hold it again, or alone."""
    kept = {name: one for name, one in found.items() if not name.startswith(_ALIAS)}
    for name, one in found.items():
        if not name.startswith(_ALIAS):
            continue
        layer, rest = name.removeprefix(_ALIAS).split(".", 1)
        own = f"lang_encoder.model.layers.{layer}.gated_cross_attn_layer.{rest}"
        if own in kept and not torch.equal(kept[own], one):
            raise SetupError(f"{name} and {own} should be one weight, but differ.")
        kept[own] = one
    return kept
