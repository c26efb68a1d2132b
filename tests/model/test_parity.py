"""Our compositions against transformers' own classes, with the same random weights."""

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
)

from llava_plus.errors import SetupError
from llava_plus.model import LMM
from llava_plus.model.checkpoints import (
    config_from_hub,
    load_folder,
    load_state,
    renamed_to,
    save_folder,
)

IMAGE, VIDEO = 5, 6
TEXT = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "patch_size": 2,
}
NEXT = [[8, 16], [16, 8], [16, 16], [24, 8], [8, 24]]
SIZES = [(8, 16), (5, 31), (40, 13)]


def llava():
    return LlavaForConditionalGeneration(
        LlavaConfig(
            text_config={"model_type": "llama", **TEXT},
            vision_config={"model_type": "clip_vision_model", "image_size": 8, **VISION},
            image_token_index=IMAGE,
        )
    )


def llava_next():
    return LlavaNextForConditionalGeneration(
        LlavaNextConfig(
            text_config={"model_type": "mistral", **TEXT},
            vision_config={"model_type": "clip_vision_model", "image_size": 8, **VISION},
            image_token_index=IMAGE,
            image_grid_pinpoints=NEXT,
        )
    )


def onevision():
    vision = {"model_type": "siglip_vision_model", "image_size": 10, "vision_use_head": False}
    return LlavaOnevisionForConditionalGeneration(
        LlavaOnevisionConfig(
            text_config={"model_type": "qwen2", **TEXT, "tie_word_embeddings": True},
            vision_config={**vision, **VISION},
            image_token_index=IMAGE,
            video_token_index=VIDEO,
            image_grid_pinpoints=[[10 * i, 10 * j] for i in range(1, 7) for j in range(1, 7)],
        )
    )


def blip_2():
    qformer = {**VISION, "vocab_size": 64, "num_hidden_layers": 4, "encoder_hidden_size": 16}
    text = {
        "model_type": "opt",
        "vocab_size": 64,
        "hidden_size": 32,
        "ffn_dim": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "word_embed_proj_dim": 32,
        "max_position_embeddings": 128,
    }
    del qformer["patch_size"]
    return Blip2ForConditionalGeneration(
        Blip2Config(
            vision_config={"image_size": 8, **VISION},
            qformer_config=qformer,
            text_config=text,
            num_query_tokens=6,
            image_token_index=IMAGE,
        )
    )


FAMILIES = {"llava": llava, "next": llava_next, "onevision": onevision, "blip-2": blip_2}
NAMES = dict.fromkeys(FAMILIES, "llava-hf") | {"blip-2": "blip-2"}


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request, tmp_path_factory):
    """A family's name, transformers' model and ours, which read its weights from a file."""
    torch.manual_seed(0)
    theirs = FAMILIES[request.param]().eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.25)
    folder = tmp_path_factory.mktemp("hub")
    theirs.save_pretrained(folder)
    ours = LMM(config_from_hub(transformers.AutoConfig.from_pretrained(folder))).eval()
    load_folder(ours, folder, NAMES[request.param])
    return request.param, theirs, ours


def ask(name, layout, sizes, several=False):
    """Tokens and pictures for both: one picture per row, or all of them in one row."""
    torch.manual_seed(1)
    rows = []
    for size in sizes:
        holes = [IMAGE] * layout.count_tokens(size, alone=not several)
        rows.append([*torch.randint(8, 60, (3,)).tolist(), *holes, 9, 10])
    if several:
        rows = [[token for row in rows for token in row]]
    longest = max(map(len, rows))
    inputs = {
        "input_ids": torch.tensor([[7] * (longest - len(row)) + row for row in rows]),
        "attention_mask": torch.tensor(
            [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
        ),
    }
    views = [layout.views(size, alone=not several) for size in sizes]
    pixels = [torch.randn(count, 3, layout.tile, layout.tile) for count in views]
    if name in ("llava", "blip-2"):
        return inputs | {"pixel_values": torch.cat(pixels)}
    padded = torch.nn.utils.rnn.pad_sequence(pixels, batch_first=True)
    inputs |= {"pixel_values": padded, "image_sizes": torch.tensor(sizes)}
    if several:
        inputs["batch_num_images"] = torch.tensor([len(sizes)])
    return inputs


def same(theirs, ours, inputs):
    with torch.no_grad():
        wanted, got = theirs(**inputs).logits, ours(**inputs).logits
        real = inputs["attention_mask"].bool()
        torch.testing.assert_close(got[real], wanted[real], atol=1e-5, rtol=1e-5)
        options = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
        options["suppress_tokens"] = [IMAGE, VIDEO]
        tokens = theirs.generate(**inputs, **options)[:, -6:].tolist()
        assert ours.generate(**inputs, **options)[:, -6:].tolist() == tokens
        assert len({token for row in tokens for token in row}) > 1  # not one word again and again


@pytest.mark.filterwarnings("ignore")
def test_logits_and_greedy_tokens_are_those_of_transformers(pair):
    name, theirs, ours = pair
    same(theirs, ours, ask(name, ours.layout, SIZES))


@pytest.mark.filterwarnings("ignore")
def test_several_pictures_in_one_conversation_read_as_in_transformers(pair):
    name, theirs, ours = pair
    several = name == "onevision"  # which then tiles none of them
    if several:
        same(theirs, ours, ask(name, ours.layout, SIZES, several=True))
        return
    inputs = ask(name, ours.layout, SIZES)
    row = inputs["input_ids"][inputs["attention_mask"].bool()][None]
    same(theirs, ours, inputs | {"input_ids": row, "attention_mask": torch.ones_like(row)})


@pytest.mark.parametrize("pair", ["onevision"], indirect=True)
@pytest.mark.filterwarnings("ignore")
def test_a_video_reads_as_in_transformers(pair):
    _, theirs, ours = pair
    torch.manual_seed(2)
    ids = torch.tensor([[8, *[VIDEO] * ours.layout.count_video_tokens(3), 9, 10, 11]])
    videos = torch.randn(1, 3, 3, 10, 10)
    mask = torch.ones_like(ids)
    same(theirs, ours, {"input_ids": ids, "attention_mask": mask, "pixel_values_videos": videos})


@pytest.mark.filterwarnings("ignore")
def test_our_weights_go_back_to_where_they_came_from(pair, tmp_path):
    name, theirs, ours = pair
    save_folder(ours, tmp_path, NAMES[name])
    theirs.config.save_pretrained(tmp_path)
    again, report = type(theirs).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    for key, weight in theirs.state_dict().items():
        assert torch.equal(again.state_dict()[key], weight), key


def test_a_missing_or_surplus_weight_is_named(pair, tmp_path):
    name, _, ours = pair
    whole = renamed_to(dict(ours.named_parameters()), NAMES[name])
    lost = next(key for key in whole if "layers.1" in key)
    part = {key: weight for key, weight in whole.items() if key != lost}
    with pytest.raises(SetupError, match=r"1 missing \(decoder.*layers\.1.*\), 0 surplus \(none\)"):
        load_state(ours, part, NAMES[name])
    with pytest.raises(SetupError, match=r"0 missing \(none\), 1 surplus \(extra\.weight\)"):
        load_state(ours, whole | {"extra.weight": torch.zeros(1)}, NAMES[name])
    with pytest.raises(SetupError, match="other shapes: decoder"):
        load_state(ours, whole | {lost: torch.zeros(1)}, NAMES[name])


@pytest.mark.parametrize("pair", ["llava", "next"], indirect=True)
def test_weights_of_the_first_llava_code_are_read(pair):
    _, _, ours = pair
    before = {key: weight.clone() for key, weight in ours.state_dict().items()}
    original = {}
    for key, weight in ours.state_dict().items():
        key = key.replace("decoder.model.", "model.").replace("decoder.", "")
        key = key.replace("connector.layers.", "model.mm_projector.")
        key = key.replace("towers.0.encoder.", "model.vision_tower.vision_tower.vision_model.")
        original[key.replace("newline", "model.image_newline")] = weight.clone() + 1
    original["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(4)
    try:
        load_state(ours, original, "llava")
        for key, weight in ours.state_dict().items():
            assert torch.equal(weight, before[key] + 1)
    finally:
        ours.load_state_dict(before)


def test_sharded_files_are_read_and_an_empty_folder_is_named(pair, tmp_path):
    name, _, ours = pair
    with pytest.raises(SetupError, match=r"No model\.safetensors or pytorch_model"):
        load_folder(ours, tmp_path, NAMES[name])
    if name != "llava":
        return
    save_folder(ours, tmp_path, "llava-hf")
    state = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    names = sorted(state)
    halves = {"a.safetensors": names[:9], "b.safetensors": names[9:]}
    for file, part in halves.items():
        save_file({key: state[key] for key in part}, tmp_path / file)
    weight_map = {key: file for file, part in halves.items() for key in part}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(str({"weight_map": weight_map}).replace("'", '"'))
    load_folder(ours, tmp_path, "llava-hf")


def test_other_names_and_models_are_refused(pair):
    name, _, ours = pair
    with pytest.raises(SetupError, match="No weight names 'hf'"):
        load_state(ours, {}, "hf")
    with pytest.raises(SetupError, match="No composition for models of type 'llama'"):
        config_from_hub(transformers.LlamaConfig())
    if name == "llava":
        with pytest.raises(SetupError, match="have no word for"):
            renamed_to({"connector.queries": torch.zeros(1)}, "llava-hf")
