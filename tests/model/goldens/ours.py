"""What our parts give for weights and inputs that are drawn from their names in the references.

Every number follows from the name of the tensor that it lies in, as the reference's own code names
it, so that nothing but outputs has to be kept. `compare.py` runs the references.
"""

import re
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from llava_plus.model import LMM, PRESETS
from llava_plus.model.build import layout_of
from llava_plus.model.chatglm import ChatGLMConfig, ChatGLMForCausalLM
from llava_plus.model.connectors import CONNECTORS
from llava_plus.model.perceiver import GatedCrossAttention
from llava_plus.model.reading import Reader
from llava_plus.model.sva import SVALayer
from llava_plus.model.towers import Tower

Rules = Sequence[tuple[str, str]]
SCALE = 0.2
SIZES = [(8, 8), (5, 8), (9, 3)]  # of the pictures that Cambrian's code pads and unpads


def draw(name: str, shape: Sequence[int], scale: float = SCALE) -> Tensor:
    """The tensor of a name."""
    drawn = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(tuple(shape))
    return torch.from_numpy((drawn * scale).astype(np.float32))


def fill(module: nn.Module, rules: Rules, prefix: str = "") -> nn.Module:
    """Draw every weight by its name in the reference, which is ours after some substitutions."""
    for name, weight in module.named_parameters():
        for pattern, new in rules:
            name = re.sub(pattern, new, name)
        weight.data = draw(prefix + name, weight.shape)
    return module.eval()


def pictures(count: int, size: int) -> Tensor:
    return draw("pictures", (count, 3, size, size), 1.0)


# Cambrian-1: spatial vision aggregator, its samplers inside the decoder, and the plain way.

CAMBRIAN = {"dims": [5, 6, 7], "sides": [4, 4, 16], "queries": [4, 16], "hidden": 32, "text": 24}
SVA_LAYER: Rules = (
    (r"to_q\.", "cross_attn.q_proj."),
    (r"to_([kv])\.(\d)\.", r"cross_attn.\1_proj_\2."),
    (r"to_out\.", "cross_attn.o_proj."),
    (r"places\.", "pos_embed_"),
    (r"proj_out\.0", "proj_out.linear_1"),
    (r"proj_out\.2", "proj_out.linear_2"),
)
SVA: Rules = (
    *SVA_LAYER,
    (r"^samplers\.(\d)\.", r"vision_sampler_\1.layers."),
    (r"^aux\.(\d)", r"mm_projector_aux_\1"),
    (r"^queries", "vision_query"),
    (r"^projection", "mm_projector"),
)


def cambrian_reader(connector: nn.Module, side: int) -> tuple[Reader, list[Tensor]]:
    sides = CAMBRIAN["sides"] if side == 4 else [4, 4, 4]
    features = [
        draw(f"features.{at}", (len(SIZES), one**2, dim), 1.0)
        for at, (one, dim) in enumerate(zip(sides, CAMBRIAN["dims"], strict=True))
    ]
    towers = [nn.Identity() for _ in features]
    layout = layout_of(PRESETS["cambrian-8b-tiny"]())
    newline = draw("image_newline", (CAMBRIAN["text"],))
    return Reader(towers=towers, connector=connector, layout=layout, newline=newline), features


def cambrian() -> dict[str, Tensor]:
    """Tokens of three pictures; what a sampler inside the decoder makes of states in their place"""
    hidden, text = CAMBRIAN["hidden"], CAMBRIAN["text"]
    connector = CONNECTORS["sva"](
        vision_dims=CAMBRIAN["dims"],
        text_dim=text,
        sides=CAMBRIAN["sides"],
        hidden=hidden,
        depth=2,
        query_num_list=CAMBRIAN["queries"],
    )
    reader, features = cambrian_reader(fill(connector, SVA), 4)
    seen = reader.see(features, SIZES, None)
    sampler = SVALayer(query_dim=text, hidden=hidden, windows=[1, 1, 4])
    fill(sampler, SVA_LAYER, "vision_sampler_layers.0.layers.0.")
    states = draw("states", (len(seen.windows.context), text), 1.0)
    return {"tokens": seen.rows, "sampled": sampler(states, seen.windows)}


def cambrian_plain() -> dict[str, Tensor]:
    """The same pictures where features of one grid are joined and go through an MLP"""
    connector = CONNECTORS["mlp"](vision_dims=CAMBRIAN["dims"], text_dim=CAMBRIAN["text"], depth=2)
    fill(connector, [(r"^layers", "mm_projector")])
    reader, features = cambrian_reader(connector, 1)
    return {"tokens": reader.see(features, SIZES, None).rows}


# OpenFlamingo: perceiver and gates.

PERCEIVER: Rules = (
    (r"^layers\.(\d)\.feed", r"layers.\1.1"),
    (r"^layers\.(\d)\.(norm|to)", r"layers.\1.0.\2"),
    (r"norm_features", "norm_media"),
)
GATE: Rules = (
    (r"^(norm|to_)", r"attn.\1"),
    (r"^feed\.", "ff."),
    (r"attention_gate", "attn_gate"),
    (r"feed_gate", "ff_gate"),
)
MEDIA_AT = [[0, 0, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 1, 0]]  # where words stand for pictures


def open_flamingo() -> dict[str, Tensor]:
    """Latents of four pictures; words that read them, at first and once all pictures are known"""
    perceiver = CONNECTORS["perceiver"](
        vision_dims=[16], text_dim=12, latents=3, depth=2, heads=2, head_dim=8
    )
    fill(perceiver, PERCEIVER, "perceiver.")
    features = draw("features", (4, 9, 16), 1.0)
    latents = perceiver([features])
    gate = GatedCrossAttention(dim=12, media_dim=16, heads=2, head_dim=8)
    fill(gate, GATE, "gate.")
    latest = torch.tensor(MEDIA_AT).cumsum(-1) - 1
    media, words = latents.view(2, 2, 3, 16), draw("words", (2, 7, 12), 1.0)
    later = latest[:, -1:].expand(-1, 2)
    return {
        "latents": latents,
        "words": gate(words, media, latest),
        "later": gate(words[:, :2], media, later),
    }


# Qwen-VL: tower and resampler.

QWEN_VIT: Rules = (
    (r"^patches", "conv1"),
    (r"^positions", "positional_embedding"),
    (r"^norm\.", "ln_pre."),
    (r"^blocks", "transformer.resblocks"),
    (r"norm([12])", r"ln_\1"),
    (r"qkv", "attn.in_proj"),
    (r"(\d)\.out", r"\1.attn.out_proj"),
    (r"mlp\.0", "mlp.c_fc"),
    (r"mlp\.2", "mlp.c_proj"),
)
RESAMPLER: Rules = ((r"^(query|kv_proj|ln_q|ln_kv|attn)", r"attn_pool.\1"),)
QWEN = {"width": 32, "layers": 2, "heads": 4, "text": 256, "patch": 2, "size": 40}


def by_part(weight: Tensor, heads: int) -> Tensor:
    """Queries, keys and values one after the other, not head by head."""
    split = weight.view(heads, 3, -1, *weight.shape[1:])
    return split.transpose(0, 1).reshape(weight.shape)


def qwen_vl() -> dict[str, Tensor]:
    """Tokens of two pictures, from pixels on, with places resized from 16 x 16 to 20 x 20"""
    vision = {
        "model_type": "lmm_vit",
        "hidden_size": QWEN["width"],
        "intermediate_size": 48,
        "num_hidden_layers": QWEN["layers"],
        "num_attention_heads": QWEN["heads"],
        "image_size": QWEN["size"],
        "patch_size": QWEN["patch"],
        "class_token": False,
        "entry_norm": True,
        "post_norm": False,
        "patch_bias": False,
        "position_side": 16,
    }
    tower = Tower(vision=vision)
    fill(tower.encoder, QWEN_VIT)
    for block in tower.encoder.blocks:
        for weight in (block.qkv.weight, block.qkv.bias):
            weight.data = by_part(weight.data, QWEN["heads"])
    connector = CONNECTORS["qwen_resampler"](
        vision_dims=[QWEN["width"]], text_dim=QWEN["text"], queries=16, heads=QWEN["text"] // 128
    )
    fill(connector, RESAMPLER)
    return {"tokens": connector([tower(pictures(2, QWEN["size"]))])}


# MiniGPT-v2: EVA-CLIP-g, its norm, four neighbors as one token.

EVA: Rules = (
    (r"^embeddings\.class_embedding", "cls_token"),
    (r"^embeddings\.position_embedding", "pos_embed"),
    (r"^embeddings\.patch_embedding", "patch_embed.proj"),
    (r"^encoder\.layers", "blocks"),
    (r"self_attn\.qkv", "attn.qkv"),
    (r"self_attn\.projection", "attn.proj"),
    (r"layer_norm", "norm"),
    (r"^post_layernorm", "ln_vision"),
)
MINIGPT = {"dim": 32, "layers": 2, "heads": 4, "inner": 48, "patch": 2, "size": 16, "text": 24}


def minigpt_v2() -> dict[str, Tensor]:
    """Tokens of two pictures, from pixels on"""
    vision = {
        "model_type": "blip_2_vision_model",
        "hidden_size": MINIGPT["dim"],
        "intermediate_size": MINIGPT["inner"],
        "num_hidden_layers": MINIGPT["layers"],
        "num_attention_heads": MINIGPT["heads"],
        "image_size": MINIGPT["size"],
        "patch_size": MINIGPT["patch"],
    }
    tower = Tower(vision=vision, last_norm_eps=1e-5)
    fill(tower.encoder, EVA)
    for at, layer in enumerate(tower.encoder.encoder.layers):
        ends = [draw(f"blocks.{at}.attn.{one}_bias", (MINIGPT["dim"],)) for one in "qv"]
        layer.self_attn.qkv.bias.data = torch.cat([ends[0], torch.zeros_like(ends[0]), ends[1]])
    connector = CONNECTORS["concat"](vision_dims=[MINIGPT["dim"]], text_dim=MINIGPT["text"])
    fill(connector, [(r"^projection", "llama_proj")])
    return {"tokens": connector([tower(pictures(2, MINIGPT["size"]))])}


# CogVLM: EVA2-CLIP-E, its adapter, visual experts, positions and masks.

COGVLM_VIT: Rules = (
    (r"^class_token", "transformer.word_embeddings.weight"),
    (r"^positions", "transformer.position_embeddings.weight"),
    (r"^patches", "mixins.patch_embedding.proj"),
    (r"^blocks", "transformer.layers"),
    (r"norm1", "input_layernorm"),
    (r"norm2", "post_attention_layernorm"),
    (r"qkv", "attention.query_key_value"),
    (r"(\d)\.out\.", r"\1.attention.dense."),
    (r"mlp\.0", "mlp.dense_h_to_4h"),
    (r"mlp\.2", "mlp.dense_4h_to_h"),
    (r"^", "mixins.eva.vit_model."),
)
COGVLM_GLU: Rules = (
    (r"^projection", "linear_proj.linear_proj"),
    (r"^norm", "linear_proj.norm1"),
    (r"^gate", "linear_proj.gate_proj"),
    (r"^up", "linear_proj.dense_h_to_4h"),
    (r"^down", "linear_proj.dense_4h_to_h"),
    (r"^begin", "boi"),
    (r"^end", "eoi"),
    (r"^", "mixins.eva."),
)
COGVLM_TEXT: Rules = (
    (r"^lm_head", "mixins.lm.lm_head"),
    (r"^model\.embed_tokens", "transformer.word_embeddings"),
    (r"^model\.norm", "transformer.final_layernorm"),
    (r"^model\.", "transformer."),
    (r"layers\.(\d)\.mlp\.gate_proj\.vision", r"mixins.mlp.vision_gate_proj.\1"),
    (r"layers\.(\d)\.mlp\.up_proj\.vision", r"mixins.mlp.vision_dense_h_to_4h_list.\1"),
    (r"layers\.(\d)\.mlp\.down_proj\.vision", r"mixins.mlp.vision_dense_4h_to_h_list.\1"),
    (r"layers\.(\d)\.self_attn\.o_proj\.vision", r"mixins.rotary.vision_dense_list.\1"),
    (r"layers\.(\d)\.mlp\.gate_proj", r"mixins.mlp.gate_proj.\1"),
    (r"^transformer\.mixins", "mixins"),
    (r"up_proj", "dense_h_to_4h"),
    (r"down_proj", "dense_4h_to_h"),
    (r"self_attn\.o_proj", "attention.dense"),
)
COGVLM_WORDS = ([11, 12, 13, 14], [15, 16])  # the request and its answer
IMAGE = 5


def cogvlm() -> dict[str, Tensor]:
    """Logits of a picture, a request and an answer, from pixels and token ids on"""
    config = PRESETS["cogvlm-17b-tiny"](image_token_id=IMAGE)
    config.text_config.num_key_value_heads = config.text_config.num_attention_heads
    model = LMM(config)
    fill(model.towers[0].encoder, COGVLM_VIT)
    fill(model.connector, COGVLM_GLU)
    fill(model.decoder, COGVLM_TEXT)
    for at, layer in enumerate(model.decoder.model.layers):
        dim, attention = model.connector.projection.out_features, layer.self_attn
        names = (
            f"transformer.layers.{at}.attention.query_key_value.weight",
            f"mixins.rotary.vision_query_key_value_list.{at}.weight",
        )
        words, seen = (draw(name, (3 * dim, dim)).chunk(3) for name in names)
        for part, word, vision in zip("qkv", words, seen, strict=True):
            linear = getattr(attention, f"{part}_proj")
            linear.weight.data, linear.vision.weight.data = word, vision
    model.eval()
    asked, answer = COGVLM_WORDS
    ids = [1, *[IMAGE] * model.layout.count_tokens((8, 8)), *asked, *answer, 2]
    return {"logits": model(torch.tensor([ids]), pixel_values=pictures(1, 8)).logits}


# VisualGLM-6B: ChatGLM-6B's decoder.

CHATGLM = {"dim": 32, "inner": 48, "layers": 3, "heads": 2, "words": 64}
GMASK, BOS = 61, 62
CHATGLM_IDS = [[10, 11, 12, 13, GMASK, BOS, 20, 21], [14, GMASK, BOS, 22, 23, 24, 25, 26]]


def chatglm() -> dict[str, Tensor]:
    """Logits of two prompts of different lengths and what was written after them"""
    config = ChatGLMConfig(
        vocab_size=CHATGLM["words"],
        hidden_size=CHATGLM["dim"],
        intermediate_size=CHATGLM["inner"],
        num_hidden_layers=CHATGLM["layers"],
        num_attention_heads=CHATGLM["heads"],
    )
    model = fill(ChatGLMForCausalLM(config), [(r"^model\.", "transformer.")])
    ids = torch.tensor(CHATGLM_IDS)
    return {"logits": model(ids, prefix=torch.eq(ids, BOS).cumsum(-1) == 0).logits}


Case = Callable[[], dict[str, Tensor]]
CASES: dict[str, Case] = {
    "cambrian": cambrian,
    "cambrian-plain": cambrian_plain,
    "chatglm": chatglm,
    "cogvlm": cogvlm,
    "minigpt-v2": minigpt_v2,
    "open-flamingo": open_flamingo,
    "qwen-vl": qwen_vl,
}
