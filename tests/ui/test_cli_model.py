"""``llava-plus model inspect``."""

import json

from llava_plus.model import LMM, PRESETS
from llava_plus.model.checkpoints import save_folder


def test_a_preset_is_shown_with_its_parts_tokens_and_memory(llava):
    code, out, err = llava("model", "inspect", "llava-1.5-7b")
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "parameters 7.063 B" in lines
    assert "480 x 640 pixels 576 tokens" in lines
    assert "connector mlp (depth 2, activation gelu)" in lines
    assert "bf16 13.16 GiB" in lines


def test_injections_and_memory_are_counted_apart(llava):
    found = json.loads(llava("model", "inspect", "cogvlm-17b", "--json")[1])
    assert round(found["parameters"]["injections"] / 1e9, 2) == 6.48
    memory = found["memory_bytes"]
    assert memory["bf16"] == 2 * sum(found["parameters"].values())
    assert memory["int4"] < memory["int8"] < memory["bf16"]


def test_folders_of_three_homes_are_shown(llava, tmp_path):
    model = LMM(PRESETS["llava-1.5-7b-tiny"](image_token_id=5))
    model.save_pretrained(tmp_path / "ours")
    found = json.loads(llava("model", "inspect", tmp_path / "ours", "--json")[1])
    assert sum(found["parameters"].values()) == model.num_parameters()
    hub = tmp_path / "hub"
    save_folder(model, hub, "llava-hf")
    vision = {**model.config.towers[0]["vision"]}
    text = model.config.text_config.to_dict()
    facts = {"model_type": "llava", "text_config": text, "vision_config": vision}
    (hub / "config.json").write_text(json.dumps(facts | {"image_token_index": 5}))
    same = json.loads(llava("model", "inspect", hub, "--json")[1])
    assert same["parameters"] == found["parameters"]


def test_names_and_folders_that_are_nothing_are_one_sentence(llava, tmp_path):
    code, _, err = llava("model", "inspect", "llava-1.5-7")
    assert code == 1
    assert "Did you mean 'llava-1.5-7b'?" in err
    code, _, err = llava("model", "inspect", tmp_path)
    assert code == 1
    assert "config.json is missing" in err
    (tmp_path / "config.json").write_text('{"model_type": "owl"}')
    code, _, err = llava("model", "inspect", tmp_path)
    assert code == 1
    assert "owl" in err
