"""Checkpoints of the other systems, in the names and shapes that their own code gives them.

Where `goldens/layouts.py` took numbers from that code, what ours makes of the checkpoint equals
them; elsewhere each weight must be the one that the rules of `goldens/ours.py` name, which its own
goldens prove.
"""

import json
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from llava_plus.errors import SetupError
from llava_plus.model import LMM
from llava_plus.model.inspecting import inspect_model
from llava_plus.model.originals import config_of_original, load_original
from llava_plus.model.originals.qwen_vl import by_part

GOLDENS = Path(__file__).parent / "goldens"
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(GOLDENS))
    MADE = SimpleNamespace(**runpy.run_path(str(GOLDENS / "checkpoints.py")))
OURS, CONFIGS = sys.modules.pop("ours"), sys.modules.pop("configs")
draw, pictures = OURS.draw, OURS.pictures
SYSTEMS = ("cambrian", "cogvlm", "qwen_vl", "visualglm", "minigpt_4", "minigpt_v2", "flamingo")


def gives(made, case, key, folder="layouts"):
    wanted = load_file(GOLDENS / folder / f"{case}.safetensors")[key]
    assert wanted.std() > 0.05
    torch.testing.assert_close(made, wanted, atol=1e-5, rtol=1e-5)


def arrived(module, rules, prefix=""):
    """Every weight of a module is the one that the reference's name for it draws."""
    for name, weight in module.named_parameters():
        for rule in rules:
            name = re.sub(*rule, name)
        assert torch.equal(weight, draw(prefix + name, weight.shape)), prefix + name


@torch.no_grad()
def test_cambrian_reads_its_aggregator_and_towers_of_four_homes(tmp_path):
    model = MADE.cambrian(tmp_path).load()
    arrived(model.connector, OURS.SVA, "model.")
    layers = model.decoder.model.layers
    assert ["sampler" in dict(layer.named_children()) for layer in layers] == [1, 0, 1, 0]
    for number, at in enumerate((0, 2)):
        prefix = f"model.vision_sampler_layers.{number}.layers.0."
        arrived(layers[at].sampler, OURS.SVA_LAYER, prefix)
        del layers[at].sampler
    arrived(model.decoder, ())
    assert torch.equal(model.newline, draw("model.image_newline", (32,)))
    for tower in model.towers[1:3]:
        arrived(tower.encoder, ())
    gives(model.towers[0](pictures(2, 8)), "timm-siglip", "features")
    model.towers[3].grid = 8
    gives(model.towers[3](pictures(2, 32)), "timm-convnext", "features")


@torch.no_grad()
def test_cogvlm_of_transformers_gives_the_logits_of_its_first_code(tmp_path):
    model = MADE.cogvlm(tmp_path).load()
    asked, answer = OURS.COGVLM_WORDS
    holes = [OURS.IMAGE] * model.layout.count_tokens((8, 8))
    logits = model(torch.tensor([[1, *holes, *asked, *answer, 2]]), pixel_values=pictures(1, 8))
    gives(logits.logits, "cogvlm", "logits", "")


@torch.no_grad()
def test_qwen_vl_gives_the_logits_of_its_own_code_with_a_picture_and_without(tmp_path):
    model = MADE.qwen_vl(tmp_path).load()
    words = [5, 6, 7, 11, 12, 13, 14, 15, 16, 8, 9]
    alone = model(torch.tensor([words])).logits
    gives(alone, "qwen-vl", "words")
    assert model.image_token_id == 102
    words[4:8] = [102] * 4
    logits = model(torch.tensor([words]), pixel_values=pictures(1, 8)).logits
    gives(logits, "qwen-vl", "logits")
    assert (logits - alone)[:, 4:].abs().max() > 0.1


@torch.no_grad()
def test_visualglm_gives_the_tokens_and_logits_of_its_own_code(tmp_path):
    model = MADE.visualglm(tmp_path).load()
    gives(model.encode_images(pictures(2, 8)), "visualglm", "tokens")
    ids = torch.tensor(OURS.CHATGLM_IDS)
    prefix = torch.eq(ids, OURS.BOS).cumsum(-1) == 0
    gives(model.decoder(ids, prefix=prefix).logits, "chatglm", "logits", "")


@torch.no_grad()
def test_minigpt_4_is_put_together_of_four_homes(tmp_path):
    model = MADE.minigpt_4(tmp_path).load()
    gives(model.encode_images(pictures(2, 8)), "minigpt-4", "tokens")
    arrived(model.decoder, ())


@torch.no_grad()
def test_minigpt_v2_has_its_lora_added_and_its_places_resized(tmp_path):
    model = MADE.minigpt_v2(tmp_path).load()
    layer = model.decoder.model.layers[2].self_attn
    arrived(layer.k_proj, (), "model.layers.2.self_attn.k_proj.")
    name = "model.layers.2.self_attn.q_proj"
    down = draw(f"llama_model.base_model.model.{name}.lora_A.default.weight", (64, 32))
    up = draw(f"llama_model.base_model.model.{name}.lora_B.default.weight", (32, 64))
    whole = draw(f"{name}.weight", (32, 32)) + 16 / 64 * up @ down
    torch.testing.assert_close(layer.q_proj.weight, whole)
    arrived(model.connector.projection, (), "llama_proj.")
    tower = model.towers[0].encoder
    assert tower.post_layernorm.weight.eq(1).all()
    assert tower.post_layernorm.bias.eq(0).all()
    places = draw("pos_embed", (1, 17, 16))
    square = places[:, 1:].reshape(1, 4, 4, 16).permute(0, 3, 1, 2)
    larger = torch.nn.functional.interpolate(square, (6, 6), mode="bicubic", align_corners=False)
    resized = tower.embeddings.position_embedding
    assert torch.equal(resized[:, :1], places[:, :1])
    torch.testing.assert_close(resized[:, 1:], larger.flatten(2).transpose(1, 2))


@torch.no_grad()
def test_open_flamingo_is_a_llama_with_gates_and_tokens_of_its_own(tmp_path):
    model = MADE.flamingo(tmp_path).load()
    arrived(model.connector, OURS.PERCEIVER, "perceiver.")
    layers = model.decoder.model.layers
    for at in (1, 3):
        prefix = f"lang_encoder.model.layers.{at}.gated_cross_attn_layer."
        arrived(layers[at].cross_gate, OURS.GATE, prefix)
        del layers[at].cross_gate
    arrived(layers, (), "model.layers.")
    arrived(model.get_input_embeddings(), (), "lang_encoder.model.embed_tokens.")
    head = model.get_output_embeddings().weight
    assert torch.equal(head[:128], draw("lm_head.weight", (128, 32)))
    assert not head[128:].any()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_missing_surplus_or_wrongly_shaped_weight_is_named(system, tmp_path):
    checkpoint = getattr(MADE, system)(tmp_path)
    matrix = r"(proj|query_key_value|\.dense|to_q)\.weight$"
    name = next(one for one in checkpoint.state if re.search(matrix, one))
    less = dict(checkpoint.state)
    del less["llama_proj.bias" if system.startswith("minigpt") else name]
    with pytest.raises(SetupError, match=r"\d missing \(\w+\.[\w.]+.*\), 0 surplus \(none\)"):
        checkpoint.load(less)
    with pytest.raises(SetupError, match=r"0 missing \(none\), 1 surplus \(strange\.weight\)"):
        checkpoint.load(checkpoint.state | {"strange.weight": torch.zeros(1)})
    narrow = torch.zeros(len(checkpoint.state[name]), 7)
    with pytest.raises(SetupError, match=r"other shapes: .*\(\d+, 7\), wanted"):
        checkpoint.load(checkpoint.state | {name: narrow})


def test_gates_that_a_file_holds_twice_must_agree(tmp_path):
    checkpoint = MADE.flamingo(tmp_path)
    alias = "lang_encoder.gated_cross_attn_layers.1.attn_gate"
    with pytest.raises(SetupError, match="should be one weight, but differ"):
        checkpoint.load(checkpoint.state | {alias: torch.ones(1)})
    name = "lang_encoder.model.layers.1.gated_cross_attn_layer.attn_gate"
    alone = {one: weight for one, weight in checkpoint.state.items() if one != name}
    gate = checkpoint.load(alone).decoder.model.layers[1].cross_gate.attention_gate
    assert torch.equal(gate, checkpoint.state[name])
    other = {"lang_encoder.transformer.wte.weight": torch.zeros(1)}
    with pytest.raises(SetupError, match=r"no Llama, but a decoder with .*transformer\.wte"):
        checkpoint.load(checkpoint.state | other)


def test_what_a_checkpoint_lacks_must_be_said(tmp_path):
    checkpoint = MADE.minigpt_4(tmp_path)
    for lost in ("base", "tower", "qformer"):
        places = {name: one for name, one in checkpoint.places.items() if name != lost}
        with pytest.raises(SetupError, match=rf"say where they are with {lost}=…"):
            replace(checkpoint, places=places).load()
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(SetupError, match="is a file of neither MiniGPT nor OpenFlamingo"):
        load_original(LMM(checkpoint.config), tmp_path / "other.safetensors")


def test_qwen_places_that_are_not_the_fixed_ones_are_refused(tmp_path):
    checkpoint = MADE.qwen_vl(tmp_path)
    places = {"transformer.visual.attn_pool.pos_embed": torch.zeros(4, 256)}
    with pytest.raises(SetupError, match="other places than sines and cosines"):
        checkpoint.load(checkpoint.state | places)
    weight = torch.arange(24.0).view(12, 2)  # two heads of width 2
    assert by_part(weight, 2)[:, 0].tolist() == [0, 2, 12, 14, 4, 6, 16, 18, 8, 10, 20, 22]


@pytest.mark.parametrize("preset", CONFIGS.RELEASED)
def test_a_released_config_is_known_and_inspected_as_its_preset(preset, tmp_path):
    home = MADE.folder_with(tmp_path / "release", CONFIGS.RELEASED[preset])
    seen, wanted = inspect_model(str(home)), inspect_model(preset)
    assert seen.parameters == wanted.parameters
    assert seen.tokens == wanted.tokens
    assert seen.memory == wanted.memory


@pytest.mark.parametrize(
    ("preset", "change", "message"),
    [
        ("cambrian-8b", {"model_type": "cambrian_phi3"}, "no Cambrian-1 of 'cambrian_phi3'"),
        ("cambrian-8b", {"mm_projector_type": "linear"}, "no projector 'linear'"),
        ("cambrian-8b", {"mm_vision_tower_aux_list": ["eva"] * 4}, "no tower 'eva'"),
        ("cogvlm-17b", {"num_multi_query_heads": 8}, "is a CogVLM2"),
        ("qwen-vl-7b", {"no_bias": False}, "no Qwen with biases"),
        ("visualglm-6b", {"eva_config": {"num_layers": 3}}, r"config\.json lacks 'hidden_size'"),
    ],
)
def test_releases_that_cannot_be_expressed_are_named(preset, change, message, tmp_path):
    home = MADE.folder_with(tmp_path / "release", CONFIGS.RELEASED[preset] | change)
    with pytest.raises(SetupError, match=message):
        config_of_original(home)


def test_every_layout_says_where_it_comes_from():
    for file in (GOLDENS / "layouts").glob("*.safetensors"):
        with safe_open(file, "pt") as golden:
            facts = golden.metadata()
        assert facts["licence"]
        for source in facts["source"].split("; "):
            assert len(source.split()) == 2  # a repository and its commit, or a package's version
        assert json.loads(facts["layout"])
