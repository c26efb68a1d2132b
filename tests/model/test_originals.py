"""Checkpoints as the LLaVA family's own code wrote them."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from llava_plus.errors import SetupError
from llava_plus.model import LMM
from llava_plus.model.originals import config_of_original, load_original
from llava_plus.model.weight_files import read_file

TEXT = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
VISION = {
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 4,
    "projection_dim": 4,
}
KINDS = {
    # the first LLaVA: [PAD], <im_patch>, <im_start> and <im_end> after Llama's words
    "v0": {"model_type": "llava", "vocab_size": 32004, "mm_use_im_start_end": True},
    "padded": {"model_type": "llava_llama", "vocab_size": 32001},
    "1.5": {"mm_projector_type": "mlp2x_gelu", "image_aspect_ratio": "pad"},
    "next": {
        "model_type": "llava_mistral",
        "mm_projector_type": "mlp2x_gelu",
        "image_aspect_ratio": "anyres",
        "mm_patch_merge_type": "spatial_unpad",
        "image_grid_pinpoints": [[8, 16], [16, 8]],
    },
    "onevision": {
        "model_type": "llava",
        "architectures": ["LlavaQwenForCausalLM"],
        "mm_vision_tower": "google/siglip-so400m-patch14-384",
        "mm_projector_type": "mlp2x_gelu",
        "image_aspect_ratio": "anyres_max_9",
        "mm_patch_merge_type": "spatial_unpad",
        "image_grid_pinpoints": [[8, 16], [16, 8]],
        "tie_word_embeddings": True,
    },
}


def facts(kind):
    tower = "openai/clip-vit-large-patch14" + ("-336" if kind in ("1.5", "next") else "")
    shared = {"model_type": "llava_llama", "vocab_size": 32000, "mm_vision_tower": tower}
    shared |= {"mm_vision_select_layer": -2, "vision_config": VISION, "mm_hidden_size": 8}
    shared |= {"torch_dtype": "float16", "tokenizer_padding_side": "right"}
    return {**TEXT, **shared, **KINDS[kind]}


def original_names(model):
    """A model's weights under the names that LLaVA's code gives them."""
    named = {}
    for name, weight in model.named_parameters():
        name = name.replace("decoder.model.", "model.").replace("decoder.", "")
        name = name.replace("towers.0.encoder.", "model.vision_tower.vision_tower.vision_model.")
        alone = "connector.layers.2.weight" not in dict(model.named_parameters())
        name = name.replace(
            "connector.layers.0." if alone else "connector.layers.", "model.mm_projector."
        )
        named[name.replace("newline", "model.image_newline")] = weight.detach().clone()
    return named


def made(folder, kind):
    """A folder with a config, a model built from it, and its weights under the first names."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(facts(kind)))
    torch.manual_seed(1)
    model = LMM(config_of_original(folder))
    return model, original_names(model)


def fresh(folder):
    torch.manual_seed(2)
    return LMM(config_of_original(folder))


def same(left, right):
    for name, weight in left.state_dict().items():
        assert torch.equal(weight, right.state_dict()[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_checkpoint_of_every_generation_loads(tmp_path, kind):
    model, state = made(tmp_path, kind)
    torch.save(state, tmp_path / "pytorch_model.bin")
    loaded = fresh(tmp_path)
    load_original(loaded, tmp_path)
    same(loaded, model)
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    placeholder = 32001 if kind == "v0" else 0
    assert loaded.image_token_id == placeholder
    layout = loaded.layout
    modes = {"1.5": "pad", "next": "anyres", "onevision": "anyres"}
    assert layout.mode == modes.get(kind, "crop")
    assert layout.max_tiles == (9 if kind == "onevision" else None)
    if kind in ("next", "onevision"):
        assert layout.pinpoints == ((16, 8), (8, 16))  # heights first
    ids = torch.tensor([[1, *[placeholder] * layout.count_tokens((8, 8)), 9]])
    pixels = torch.randn(layout.views((8, 8)), 3, 8, 8)
    with torch.no_grad():
        logits = loaded(ids, pixel_values=pixels, image_sizes=[(8, 8)]).logits
    assert logits.shape == (1, ids.shape[1], facts(kind)["vocab_size"])


def test_of_siglip_onevision_reads_all_blocks_but_the_last(tmp_path):
    model, state = made(tmp_path / "onevision", "onevision")
    assert model.towers[0].select_layer == -1
    assert model.config.text_config.model_type == "qwen2"
    sizes = VISION | {"num_hidden_layers": 3, "num_attention_heads": 2}
    siglip = SiglipVisionModel(SiglipVisionConfig(**sizes))
    siglip.save_pretrained(tmp_path / "siglip")
    words = {name: one for name, one in state.items() if "vision_tower" not in name}
    torch.save(words, tmp_path / "onevision" / "pytorch_model.bin")
    loaded = fresh(tmp_path / "onevision").eval()
    load_original(loaded, tmp_path / "onevision", tower=tmp_path / "siglip")
    pixels = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        wanted = siglip.eval()(pixels, output_hidden_states=True).hidden_states[-2]
        assert torch.equal(loaded.towers[0](pixels), wanted)


@pytest.mark.parametrize(
    ("vocabulary", "placeholder"),
    [
        (32000, 0),
        (32001, 0),
        (32002, 32001),
        (32004, 32001),
        (64000, 0),
        (128256, 128003),
        (152064, 152063),
    ],
)
def test_the_placeholder_is_a_token_that_no_text_holds(tmp_path, vocabulary, placeholder):
    known = {**facts("1.5"), "vocab_size": vocabulary}
    (tmp_path / "config.json").write_text(json.dumps(known))
    assert config_of_original(tmp_path).layout["image_token_id"] == placeholder


def test_a_tower_that_is_not_in_the_folder_comes_from_its_own(tmp_path):
    model, state = made(tmp_path / "llava", "1.5")
    clip = CLIPVisionModel(CLIPVisionConfig(**VISION))
    clip.save_pretrained(tmp_path / "clip")
    words = {name: one for name, one in state.items() if "vision_tower" not in name}
    save_file(words, tmp_path / "llava" / "model.safetensors", {"format": "pt"})
    loaded = fresh(tmp_path / "llava")
    with pytest.raises(SetupError, match=r"holds no tower weights: say where .* tower="):
        load_original(loaded, tmp_path / "llava")
    load_original(loaded, tmp_path / "llava", tower=tmp_path / "clip")
    same(loaded.decoder, model.decoder)
    same(loaded.towers[0].encoder, clip)
    both = {f"vision_model.{name}": one + 1 for name, one in clip.state_dict().items()}
    torch.save(both | {"text_model.a": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    load_original(loaded, tmp_path / "llava", tower=tmp_path)  # CLIP whole, words and all
    weight = loaded.towers[0].encoder.post_layernorm.weight
    assert torch.equal(weight, clip.state_dict()["post_layernorm.weight"] + 1)


@pytest.fixture
def adapted(tmp_path):
    """A base, a LoRA on it with its projector, and what both together are."""
    model, state = made(tmp_path / "lora", "1.5")
    base = {name: one for name, one in state.items() if "vision" not in name and "mm_" not in name}
    (tmp_path / "base").mkdir()
    torch.save(base, tmp_path / "base" / "pytorch_model.bin")
    CLIPVisionModel(CLIPVisionConfig(**VISION)).save_pretrained(tmp_path / "clip")
    name = "model.layers.1.self_attn.q_proj"
    down, up = torch.randn(3, 16), torch.randn(16, 3)
    pair = {f"base_model.model.{name}.lora_A.weight": down}
    pair[f"base_model.model.{name}.lora_B.weight"] = up
    torch.save(pair, tmp_path / "lora" / "adapter_model.bin")
    (tmp_path / "lora" / "adapter_config.json").write_text(json.dumps({"r": 3, "lora_alpha": 6}))
    rest = {f"base_model.model.{n}": one for n, one in state.items() if "mm_projector" in n}
    torch.save(rest, tmp_path / "lora" / "non_lora_trainables.bin")
    with torch.no_grad():
        model.decoder.model.layers[1].self_attn.q_proj.weight += 2 * up @ down
    return tmp_path, model


def test_a_lora_is_added_to_its_base(adapted):
    folder, model = adapted
    loaded = fresh(folder / "lora")
    load_original(loaded, folder / "lora", base=folder / "base", tower=folder / "clip")
    torch.testing.assert_close(loaded.decoder.state_dict(), model.decoder.state_dict())
    same(loaded.connector, model.connector)
    with pytest.raises(SetupError, match="holds no base weights: say where they are with base="):
        load_original(loaded, folder / "lora", tower=folder / "clip")


def test_a_lora_of_another_model_is_named(adapted):
    folder, _ = adapted
    pair = {"base_model.model.model.layers.9.mlp.up_proj.lora_A.weight": torch.zeros(3, 16)}
    torch.save(pair, folder / "lora" / "adapter_model.bin")
    with pytest.raises(SetupError, match=r"does not fit .*layers\.9\.mlp\.up_proj\.lora_B"):
        load_original(
            fresh(folder / "lora"), folder / "lora", base=folder / "base", tower=folder / "clip"
        )


def test_a_projector_alone_joins_its_base(adapted):
    folder, _ = adapted
    model, state = made(folder / "projector", "1.5")
    alone = {name.removeprefix("model."): one for name, one in state.items() if "mm_" in name}
    torch.save(alone, folder / "projector" / "mm_projector.bin")
    loaded = fresh(folder / "projector")
    load_original(loaded, folder / "projector", base=folder / "base", tower=folder / "clip")
    same(loaded.connector, model.connector)
    with pytest.raises(SetupError, match="holds no base weights: say where they are with base="):
        load_original(loaded, folder / "projector", tower=folder / "clip")


def test_missing_and_surplus_weights_are_listed(tmp_path):
    _, state = made(tmp_path, "v0")
    del state["model.mm_projector.bias"]
    torch.save(state | {"model.extra": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(SetupError, match=r"1 missing \(connector.layers.0.bias\), 1 surplus"):
        load_original(fresh(tmp_path), tmp_path)


def test_damaged_files_are_named_and_nothing_in_them_runs(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / "evil.bin").write_bytes(pickle.dumps({"a": Evil()}, protocol=2))
    save_file({"a": torch.zeros(9)}, tmp_path / "cut.safetensors")
    whole = (tmp_path / "cut.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-8])
    torch.save({"a": torch.zeros(9)}, tmp_path / "cut.bin")
    (tmp_path / "cut.bin").write_bytes((tmp_path / "cut.bin").read_bytes()[:200])
    (tmp_path / "empty.bin").write_bytes(b"")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    torch.save({"step": 3}, tmp_path / "facts.bin")
    for name in ("evil.bin", "cut.safetensors", "cut.bin", "empty.bin", "empty.safetensors"):
        with pytest.raises(SetupError, match=rf"{name} cannot be read as weights"):
            read_file(tmp_path / name)
    with pytest.raises(SetupError, match=r"facts\.bin holds other things than weights"):
        read_file(tmp_path / "facts.bin")
    with pytest.raises(SetupError, match=r"gone\.bin is missing"):
        read_file(tmp_path / "gone.bin")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "bert"}, "no LLaVA checkpoint of model_type 'bert'"),
        ({"mm_vision_tower": "eva"}, "no tower 'eva'"),
        ({"mm_projector_type": "resampler"}, "no projector 'resampler'"),
        ({"image_aspect_ratio": "highres"}, "no image_aspect_ratio 'highres'"),
    ],
)
def test_configs_that_cannot_be_expressed_are_named(tmp_path, change, message):
    (tmp_path / "config.json").write_text(json.dumps({**facts("1.5"), **change}))
    with pytest.raises(SetupError, match=message):
        config_of_original(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(SetupError, match=r"config\.json is no JSON"):
        config_of_original(tmp_path)
