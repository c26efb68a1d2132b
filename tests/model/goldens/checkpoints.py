"""Checkpoints of the other systems on disk, in the names and shapes of their own code.

Each function writes a tiny one into a folder; their configs stand in `configs.py`.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import ours
import torch
from configs import (
    BERT,
    CAMBRIAN,
    COGVLM,
    COGVLM_VISION,
    EVA,
    QWEN,
    TEXT,
    TINY_CAMBRIAN,
    VISUALGLM,
)
from safetensors import safe_open
from transformers import AutoModelForCausalLM, CLIPVisionModel, Dinov2Model

from llava_plus.model import LMM, PRESETS
from llava_plus.model.originals import config_of_original, load_original
from llava_plus.model.resampler import square_places
from llava_plus.model.towers import Tower

LAYOUTS = Path(__file__).with_name("layouts")


def layout(case):
    with safe_open(LAYOUTS / f"{case}.safetensors", "pt") as file:
        return json.loads(file.metadata()["layout"])


def drawn(shapes):
    return {name: ours.draw(name, shape) for name, shape in shapes.items()}


@dataclass
class Checkpoint:
    """A checkpoint on disk: the weights that its own file holds, and where the rest lies."""

    home: Path
    state: dict
    config: object
    places: dict = field(default_factory=dict)
    wrap: str | None = None

    def load(self, state=None):
        """A model that was filled from the disk, with other weights if given."""
        file = self.home / "pytorch_model.bin" if self.home.is_dir() else self.home
        state = self.state if state is None else state
        torch.save({self.wrap: state, "epoch": 3} if self.wrap else state, file)
        model = LMM(self.config).eval()
        load_original(model, self.home, **self.places)
        return model


def folder_with(path, facts):
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(facts))
    return path


def language_model(path, config):
    """A decoder of transformers on disk, drawn."""
    made = AutoModelForCausalLM.from_config(config.text_config)
    for name, weight in made.named_parameters():
        weight.data = ours.draw(name, weight.shape)
    path.mkdir()
    derived = {
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(4)
    }  # older files have it
    torch.save(made.state_dict() | derived, path / "pytorch_model.bin")
    return path


def cambrian(path):
    home = folder_with(path / "cambrian", TEXT | CAMBRIAN | TINY_CAMBRIAN)
    config = config_of_original(home)
    assert config.towers[2]["size"] == 378
    tiny = PRESETS["cambrian-8b-tiny"]()
    config.towers = tiny.towers  # a config.json names towers, it does not give their sizes
    towers = [path / "siglip.bin", path / "clip", path / "dinov2", path / "convnext.bin"]
    words = {"text.token_embedding.weight": torch.zeros(2)}
    torch.save(drawn(layout("timm-siglip")) | words, towers[0])
    for at, kind in ((1, CLIPVisionModel), (2, Dinov2Model)):
        encoder = kind(Tower(**tiny.towers[at]).encoder.config)
        for name, weight in encoder.named_parameters():
            weight.data = ours.draw(name, weight.shape)
        encoder.save_pretrained(towers[at])
    torch.save(drawn(layout("timm-convnext")) | words, towers[3])
    return Checkpoint(home, drawn(layout("cambrian")), config, {"tower": towers})


SAT = (
    (r"lm_head", "mixins.lm.lm_head"),
    (r"model\.embed_tokens", "transformer.word_embeddings"),
    (r"model\.norm", "transformer.final_layernorm"),
    (
        r"model\.layers\.(\d+)\.self_attn\.vision_expert_query_key_value",
        r"mixins.rotary.vision_query_key_value_list.\1",
    ),
    (
        r"model\.layers\.(\d+)\.self_attn\.vision_expert_dense",
        r"mixins.rotary.vision_dense_list.\1",
    ),
    (r"model\.layers\.(\d+)\.self_attn\.language_expert_", r"transformer.layers.\1.attention."),
    (r"model\.layers\.(\d+)\.mlp\.language_mlp\.gate_proj", r"mixins.mlp.gate_proj.\1"),
    (
        r"model\.layers\.(\d+)\.mlp\.language_mlp\.up_proj",
        r"transformer.layers.\1.mlp.dense_h_to_4h",
    ),
    (
        r"model\.layers\.(\d+)\.mlp\.language_mlp\.down_proj",
        r"transformer.layers.\1.mlp.dense_4h_to_h",
    ),
    (r"model\.layers\.(\d+)\.mlp\.vision_mlp\.gate_proj", r"mixins.mlp.vision_gate_proj.\1"),
    (
        r"model\.layers\.(\d+)\.mlp\.vision_mlp\.up_proj",
        r"mixins.mlp.vision_dense_h_to_4h_list.\1",
    ),
    (
        r"model\.layers\.(\d+)\.mlp\.vision_mlp\.down_proj",
        r"mixins.mlp.vision_dense_4h_to_h_list.\1",
    ),
    (r"model\.layers\.", "transformer.layers."),
    (
        r"model\.vision\.patch_embedding\.proj",
        "mixins.eva.vit_model.mixins.patch_embedding.proj",
    ),
    (
        r"model\.vision\.patch_embedding\.cls_embedding",
        "mixins.eva.vit_model.transformer.word_embeddings.weight",
    ),
    (
        r"model\.vision\.patch_embedding\.position_embedding",
        "mixins.eva.vit_model.transformer.position_embeddings",
    ),
    (r"(model\.vision\.transformer\..*mlp)\.fc1", r"\1.dense_h_to_4h"),
    (r"(model\.vision\.transformer\..*mlp)\.fc2", r"\1.dense_4h_to_h"),
    (r"model\.vision\.transformer", "mixins.eva.vit_model.transformer"),
    (r"model\.vision", "mixins.eva"),
)


def cogvlm_layout():
    dim, inner, vision = 32, 48, 16
    shapes = {"lm_head.weight": (128, dim), "model.embed_tokens.weight": (128, dim)}
    shapes["model.norm.weight"] = (dim,)
    for at in range(4):
        layer = f"model.layers.{at}."
        for kind in ("vision", "language"):
            shapes[f"{layer}self_attn.{kind}_expert_query_key_value.weight"] = (3 * dim, dim)
            shapes[f"{layer}self_attn.{kind}_expert_dense.weight"] = (dim, dim)
            shapes[f"{layer}mlp.{kind}_mlp.gate_proj.weight"] = (inner, dim)
            shapes[f"{layer}mlp.{kind}_mlp.up_proj.weight"] = (inner, dim)
            shapes[f"{layer}mlp.{kind}_mlp.down_proj.weight"] = (dim, inner)
        shapes[f"{layer}input_layernorm.weight"] = (dim,)
        shapes[f"{layer}post_attention_layernorm.weight"] = (dim,)
        shapes[f"{layer}self_attn.rotary_emb.inv_freq"] = (4,)
    shapes |= {"model.vision.boi": (1, 1, dim), "model.vision.eoi": (1, 1, dim)}
    patches = "model.vision.patch_embedding."
    shapes[patches + "proj.weight"], shapes[patches + "proj.bias"] = (vision, 3, 2, 2), (vision,)
    shapes[patches + "cls_embedding"] = (1, vision)
    shapes[patches + "position_embedding.weight"] = (17, vision)
    for at in range(3):
        block = f"model.vision.transformer.layers.{at}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{block}{norm}.weight"] = shapes[f"{block}{norm}.bias"] = (vision,)
        sizes = {"attention.query_key_value": (3, 1), "attention.dense": (1, 1)}
        for name, (rows, columns) in {**sizes, "mlp.fc1": (2, 1), "mlp.fc2": (1, 2)}.items():
            shapes[f"{block}{name}.weight"] = (rows * vision, columns * vision)
            shapes[f"{block}{name}.bias"] = (rows * vision,)
    glue = "model.vision.linear_proj."
    shapes[glue + "linear_proj.weight"] = (dim, vision)
    shapes[glue + "norm1.weight"] = shapes[glue + "norm1.bias"] = (dim,)
    shapes[glue + "gate_proj.weight"] = shapes[glue + "dense_h_to_4h.weight"] = (inner, dim)
    shapes[glue + "dense_4h_to_h.weight"] = (dim, inner)
    return shapes


def cogvlm(path):
    vision = {"hidden_size": 16, "image_size": 8, "intermediate_size": 32, "patch_size": 2}
    vision |= {"num_heads": 2, "num_hidden_layers": 3, "num_positions": 17}
    text = {name: one for name, one in TEXT.items() if name != "num_key_value_heads"}
    home = folder_with(path / "cogvlm", text | COGVLM | {"vision_config": COGVLM_VISION | vision})
    state = {}
    for name, shape in cogvlm_layout().items():
        first = name
        for pattern, new in SAT:
            first = re.sub(f"^{pattern}", new, first)
        state[name] = ours.draw(first, shape)
    config = config_of_original(home, image_token_id=ours.IMAGE)
    return Checkpoint(home, state, config)


def qwen_vl(path):
    visual = {"heads": 2, "image_size": 8, "image_start_id": 100, "layers": 2, "mlp_ratio": 2.0}
    visual |= {"output_dim": 256, "patch_size": 2, "width": 16, "n_queries": 4}
    sizes = {"vocab_size": 128, "hidden_size": 256, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 2, "intermediate_size": 96, "max_position_embeddings": 64}
    home = folder_with(path / "qwen", QWEN | sizes | {"visual": visual})
    state = drawn(layout("qwen-vl"))
    state["transformer.visual.attn_pool.pos_embed"] = square_places(2, 256)
    return Checkpoint(home, state, config_of_original(home))


def visualglm(path):
    chatglm = ours.CHATGLM
    eva = {"num_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "patch_size": 2}
    eva |= {"inner_hidden_size": 32, "image_size": [8, 8]}
    queries = {"num_layers": 4, "hidden_size": 16, "num_attention_heads": 2}
    facts = VISUALGLM | {
        "vocab_size": chatglm["words"],
        "hidden_size": chatglm["dim"],
        "inner_hidden_size": chatglm["inner"],
        "num_layers": chatglm["layers"],
        "num_attention_heads": chatglm["heads"],
        "max_sequence_length": 64,
        "bos_token_id": ours.BOS,
        "eva_config": EVA | eva,
        "qformer_config": BERT | queries,
    }
    home = folder_with(path / "visualglm", facts)
    config = config_of_original(home)
    decoder = LMM(config).decoder.state_dict()
    words = {re.sub(r"^model\.", "transformer.", name): one.shape for name, one in decoder.items()}
    words["transformer.layers.0.attention.rotary_emb.inv_freq"] = (4,)
    return Checkpoint(home, drawn(layout("visualglm") | words), config)


def parts_of_minigpt(path, config):
    """The places of what MiniGPT's files leave out, and the weights of its own file."""
    found = {"eva.": {}, "qformer.": {}, "model.": {}}
    for name, shape in layout("minigpt-4").items():
        prefix = next(one for one in found if name.startswith(one))
        short = name.removeprefix(prefix)
        drawn_by = name if prefix == "model." else short
        found[prefix][short] = ours.draw(drawn_by, shape)
    last = {f"blocks.3.{name}": torch.zeros(1) for name in ("norm1.weight", "attn.q_bias")}
    eva = found["eva."] | last | {"norm.weight": torch.zeros(16), "head.weight": torch.zeros(9, 16)}
    torch.save(eva, path / "eva_vit_g.pth")
    other = {"t5_proj.weight": torch.zeros(8, 16), "temp": torch.ones(())}
    torch.save({"model": found["qformer."] | other}, path / "blip2_pretrained_flant5xxl.pth")
    places = {
        "base": language_model(path / "vicuna", config),
        "tower": path / "eva_vit_g.pth",
        "qformer": path / "blip2_pretrained_flant5xxl.pth",
    }
    return places, found["model."]


def minigpt_4(path):
    config = PRESETS["minigpt4-tiny"]()
    places, state = parts_of_minigpt(path, config)
    return Checkpoint(path / "pretrained_minigpt4.pth", state, config, places, wrap="model")


def minigpt_v2(path):
    config = PRESETS["minigpt-v2-tiny"]()
    places, _ = parts_of_minigpt(path, config)
    state = {"llama_proj.weight": (32, 64), "llama_proj.bias": (32,)}
    for at in range(4):
        for one, rows in (("q", 32), ("v", 16)):
            name = f"llama_model.base_model.model.model.layers.{at}.self_attn.{one}_proj"
            state[f"{name}.lora_A.default.weight"] = (64, 32)
            state[f"{name}.lora_B.default.weight"] = (rows, 64)
    del places["qformer"]
    config.towers[0]["vision"]["image_size"] = 12
    return Checkpoint(path / "checkpoint_stage3.pth", drawn(state), config, places, wrap="model")


def flamingo(path):
    config = PRESETS["flamingo-tiny"](131)
    base = PRESETS["flamingo-tiny"]()
    clip = CLIPVisionModel(Tower(**config.towers[0]).encoder.config)
    halves = {f"vision_model.{name}": one for name, one in clip.state_dict().items()}
    derived = {"vision_model.embeddings.position_ids": torch.arange(17)[None]}
    (path / "clip").mkdir()
    torch.save(halves | derived | {"logit_scale": torch.ones(())}, path / "clip/pytorch_model.bin")
    places = {"base": language_model(path / "llama", base), "tower": path / "clip"}
    state = drawn(layout("open-flamingo"))
    alias = ".model.layers.1.gated_cross_attn_layer.", ".gated_cross_attn_layers.1."
    twice = {name.replace(*alias): one for name, one in state.items() if alias[0] in name}
    wrap = "model_state_dict"
    return Checkpoint(path / "checkpoint.pt", state | twice, config, places, wrap=wrap)
