"""Whole runs on the smallest models: order, checkpoints, kills, adapters, several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from llava_plus.errors import SetupError
from llava_plus.model import LMM, LMMProcessor, train_tokenizer
from llava_plus.model.train import Begin, Lora, Source
from llava_plus.model.train.begin import begin
from llava_plus.model.train.prepare import Order
from llava_plus.model.train.run import train_recipe

ROOT = Path(__file__).parents[3]
START = (
    "import sys, pickle; from llava_plus.model.train.run import train_recipe\n"
    "if __name__ == '__main__': train_recipe(pickle.loads(sys.stdin.buffer.read()))"
)


def run(recipe, home, out, **more):
    """Train, and return the weights of the last stage."""
    model = train_recipe(Order(recipe=recipe, out=out, model=home / "processor", **more))
    return load_file(model / "model.safetensors")


def start(recipe, home, out, kill_after=None):
    """Train in a process of its own; kill it once a checkpoint is there."""
    import pickle

    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}"}
    child = subprocess.Popen(
        [sys.executable, "-c", START], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )
    assert child.stdin is not None
    child.stdin.write(pickle.dumps(Order(recipe=recipe, out=out, model=home / "processor")))
    child.stdin.close()
    while kill_after and not list(kill_after.glob("checkpoint-*/complete")):
        assert child.poll() is None, child.stderr.read().decode()[-2000:]
        time.sleep(0.005)
    if kill_after:
        child.send_signal(signal.SIGKILL)
    said = child.stderr.read().decode()
    child.stderr.close()
    return child.wait(), said


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def stages(recipe, **changes):
    """Two stages, the second with dropout, so that random numbers matter."""
    first = recipe(train=("connector",), max_steps=2, **changes).stages[0]
    lora = Lora(rank=2, alpha=4, dropout=0.2)
    second = replace(first, name="second", lora=lora, max_steps=24, group="modality")
    return (first, second)


def test_a_run_killed_in_its_second_stage_ends_with_the_same_weights(recipe, home, tmp_path):
    made = recipe(stages=stages(recipe), save_every=2, log_every=5)
    undisturbed = run(made, home, tmp_path / "straight")
    code, _ = start(made, home, tmp_path / "killed", tmp_path / "killed/second")
    assert code == -signal.SIGKILL
    assert (tmp_path / "killed/all/model/complete").exists()
    assert not (tmp_path / "killed/second/model").exists()
    half = tmp_path / "killed/second/checkpoint-99"  # as a kill while writing leaves one
    half.mkdir()
    assert same(run(made, home, tmp_path / "killed"), undisturbed)
    assert not list((tmp_path / "killed").glob("*/checkpoint-*"))
    before = (tmp_path / "killed/second/model/model.safetensors").stat().st_mtime_ns
    assert same(run(made, home, tmp_path / "killed"), undisturbed)  # started once more: nothing
    assert (tmp_path / "killed/second/model/model.safetensors").stat().st_mtime_ns == before

    adapter = load_file(tmp_path / "straight/second/adapter/adapter_model.safetensors")
    assert all("lora_" in name for name in adapter)
    names = {
        name
        for name, one in load_file(tmp_path / "straight/all/model/model.safetensors").items()
        if not torch.equal(one, undisturbed[name])
    }
    assert {name.split(".")[0] for name in names} == {"connector", "decoder"}
    assert not any("embed" in name or "norm" in name for name in names)


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # peft's
def test_updates_are_merged_to_what_the_adapter_says(recipe, home, tmp_path):
    from peft import PeftModel

    lora = Lora(rank=2, alpha=6, targets=("q_proj", "up_proj"), layers=(1, 3))
    made = recipe(train=("connector",), lora=lora, rate=0.02, warmup=0, max_steps=3)
    run(made, home, tmp_path / "out")
    merged = LMM.from_pretrained(tmp_path / "out/all/model").eval()
    model, processor = begin(made, home / "processor")
    with torch.no_grad():  # what learned besides
        for name, one in model.connector.named_parameters():
            one.copy_(merged.connector.get_parameter(name))
    adapted = PeftModel.from_pretrained(model, tmp_path / "out/all/adapter").eval()
    changed = [name for name, _ in adapted.named_parameters() if "lora_A" in name]
    assert len(changed) == 4
    ids = torch.randint(0, len(processor.tokenizer), (2, 9)).clamp(min=200)
    with torch.no_grad():
        want, have = adapted(ids).logits, merged(ids).logits
        torch.testing.assert_close(have, want, atol=1e-5, rtol=1e-4)
        with adapted.disable_adapter():
            assert not torch.allclose(adapted(ids).logits, want, atol=1e-4)


@pytest.mark.extra("qlora")
@pytest.mark.parametrize("bits", [4, 8])
def test_updates_of_a_quantized_decoder_are_merged_into_the_whole_one(recipe, home, tmp_path, bits):
    lora = Lora(rank=2, alpha=6, bits=bits)
    made = recipe(train=("connector",), lora=lora, rate=0.02, warmup=0, max_steps=3, log_every=1)
    model, processor = begin(made, home / "processor")
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    start = dict(model.state_dict())
    order = Order(recipe=made, out=tmp_path / "out", model=tmp_path / "model")
    merged = load_file(train_recipe(order) / "model.safetensors")
    moved = {name for name, one in merged.items() if not torch.equal(one, start[name])}
    assert {name.split(".")[0] for name in moved} == {"connector", "decoder"}
    for name in moved:
        if name.startswith("decoder."):
            assert name.endswith("_proj.weight")
            assert torch.linalg.matrix_rank(merged[name] - start[name], rtol=1e-3) <= 2, name


KINDS = ("pairs", "video", "robots")


@pytest.mark.parametrize("group", ["modality", "packing"])
def test_videos_and_pictures_learn_in_one_stage(recipe, home, pairs, tmp_path, group):
    data = tuple(Source(name=n, path=str(pairs.with_stem(n)), ratio=1) for n in KINDS[:2])
    how = {"packing": True} if group == "packing" else {"group": group}
    made = recipe(
        preset="llava-onevision-0.5b-tiny", template="qwen_1_5", data=data, max_steps=2,
        train=("towers", "connector", "newline"), longest=600, **how,
    )  # fmt: skip
    ended = run(made, home, tmp_path / "out")
    start = begin(made, home / "processor")[0].state_dict()
    moved = {name.split(".")[0] for name in ended if not torch.equal(ended[name], start[name])}
    assert moved == {"towers", "connector", "newline"}


def test_states_learn_beside_pictures(recipe, home, pairs, tmp_path):
    data = tuple(Source(name=n, path=str(pairs.with_stem(n)), ratio=1) for n in KINDS[::2])
    made = recipe(
        preset="palm-e-tiny", template="palm_e", train=("connector", "states"), data=data,
        group="modality", max_steps=4,
    )  # fmt: skip
    ended = run(made, home, tmp_path / "out")
    start = begin(made, home / "processor")[0].state_dict()
    moved = {name.split(".")[0] for name in ended if not torch.equal(ended[name], start[name])}
    assert moved == {"connector", "states"}
    again = LMMProcessor.from_pretrained(tmp_path / "out/all/model")
    assert (again.state_dim, again.tokens_per_state) == (16, 1)


def test_two_processes_that_shard_and_are_killed_end_with_what_one_learns(recipe, home, tmp_path):
    data = (Source(name="mix", path=str(home / "mix.json")),)
    options = {"packing": True, "longest": 400, "per_device": 2, "data": data, "max_steps": 3}
    one = run(recipe(**options), home, tmp_path / "one")
    made = recipe(**options, processes=2, shard="fsdp2", save_every=1)
    code, _ = start(made, home, tmp_path / "two", tmp_path / "two/all")
    assert code == -signal.SIGKILL
    assert not (tmp_path / "two/all/model").exists()
    two = run(made, home, tmp_path / "two")
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-5
    begun = begin(made, home / "processor")[0].state_dict()
    assert max(float((one[name] - begun[name]).abs().max()) for name in one) > 1e-3


def test_gradient_checkpointing_and_turns_change_nothing(recipe, home, tmp_path):
    options = {"train": ("towers", "connector", "decoder"), "max_steps": 2}
    plain = run(recipe(**options, checkpointing=False, per_device=4), home, tmp_path / "plain")
    saving = run(recipe(**options, per_device=1), home, tmp_path / "saving")
    assert max(float((plain[name] - saving[name]).abs().max()) for name in plain) < 2e-5


def test_what_is_logged_is_on_tensorboard(recipe, home, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(recipe(max_steps=4), home, tmp_path / "out")
    (file,) = (tmp_path / "out/all/runs").rglob("events.*")
    events = EventAccumulator(str(file)).Reload()
    logged = set(events.Tags()["scalars"])
    assert logged >= {f"train/{name}" for name in ("loss", "tokens_per_second", "mfu", "memory_gb")}
    assert all(0 < one.value < 1 for one in events.Scalars("train/mfu"))
    assert all(one.value > 0 for one in events.Scalars("train/tokens_per_second"))


def test_another_recipe_in_the_same_folder_is_named(recipe, home, tmp_path):
    out = tmp_path / "out"
    order = Order(recipe=recipe(), out=out, model=home / "processor", check=True)
    train_recipe(order)
    assert not (out / "all/model").exists()
    train_recipe(replace(order, recipe=replace(order.recipe, log_every=7)))  # may change
    with pytest.raises(SetupError, match=r"another recipe: 1 keys differ, such as stages\.0\.rate"):
        train_recipe(replace(order, recipe=recipe(rate=0.5)))
    with pytest.raises(SetupError, match=r"such as model, .*processor.* there and None now"):
        train_recipe(replace(order, model=None))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(SetupError, match="other holds something else"):
        train_recipe(replace(order, out=tmp_path / "other"))


def test_a_checkpoint_of_another_model_is_named(recipe, home, tmp_path):
    made = recipe()
    run(made, home, tmp_path / "out")
    checkpoint = tmp_path / "out/all/checkpoint-2"
    checkpoint.mkdir()
    save_file({"connector.layers.0.weight": torch.zeros(3)}, checkpoint / "trained.safetensors")
    (checkpoint / "complete").touch()
    (tmp_path / "out/all/model/complete").unlink()
    words = r"checkpoint-2/trained\.safetensors is of another recipe or model: \d+ weights differ"
    with pytest.raises(SetupError, match=words):
        run(made, home, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": (Source(name="mix"),)}, "where is the data set 'mix'.*--data mix=PATH"),
        ({"data": (Source(name="mix", path="/gone"),)}, "mix: nothing lies at /gone"),
        ({"batch": 3}, "a batch of 3 does not split into 1 processes"),
        ({"preset": "llava-next-vicuna-7b-tiny", "shard": "fsdp2"}, "needs several processes"),
        ({"shard": "deepspeed"}, "deepspeed needs several processes"),
        # With bitsandbytes, the next thing that it needs is said.
        (
            {"lora": Lora(rank=2, alpha=2, bits=4)},
            r"lora\.bits: 4 needs bitsandbytes: pip install 'llava-plus\[qlora\]'|a saved model",
        ),
        ({"lora": Lora(rank=2, alpha=2, targets=("wq",))}, "has no wq. Its maps are .*q_proj"),
        ({"template": "minigpt_v2", "objective": "qformer"}, "need a tokenizer of their own"),
    ],
)
def test_what_does_not_fit_is_said_before_training(recipe, home, tmp_path, change, words):
    with pytest.raises(SetupError, match=words):
        run(recipe(**change), home, tmp_path / "out")


def test_the_last_stages_data_is_looked_at_before_the_first_is_trained(recipe, home, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps([{"conversations": [{"from": "human", "value": "?"}]}]))
    first = recipe().stages[0]
    second = replace(first, name="second", data=(Source(name="late", path=str(broken)),))
    with pytest.raises(SetupError, match=r"broken\.json, conversation 1: nothing is learned"):
        run(recipe(stages=(first, second)), home, tmp_path / "out")
    assert not (tmp_path / "out/all/model").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train": ("injections",)}, "stage second: train names 'injections'"),
        ({"lora": Lora(rank=2, alpha=2, targets=("wq",))}, "the decoder has no wq"),
    ],
)
def test_the_last_stages_names_are_looked_up_before_the_first_is_trained(
    recipe, home, tmp_path, change, words
):
    first = recipe().stages[0]
    made = recipe(stages=(first, replace(first, name="second", **change)))
    with pytest.raises(SetupError, match=words):
        run(made, home, tmp_path / "out")
    assert not (tmp_path / "out/all/model").exists()


def test_what_one_of_two_processes_finds_wrong_is_a_sentence(recipe, home, tmp_path, monkeypatch):
    from torch.multiprocessing.spawn import ProcessExitedException

    def spawn(join, args, nprocs):  # as a process leaves it that `_join` has ended
        args[1].put("mix.json is broken")
        raise ProcessExitedException("ended", error_index=0, error_pid=1, exit_code=1)

    monkeypatch.setattr("llava_plus.model.train.run.spawn", spawn)
    with pytest.raises(SetupError, match=r"^mix\.json is broken$"):
        run(recipe(processes=2), home, tmp_path / "out")


def test_a_loss_that_is_no_number_ends_the_run(recipe, home, tmp_path):
    made = recipe(rate=1e30, warmup=0, max_steps=6, clip=1e30, log_every=1)
    with pytest.raises(SetupError, match=r"stage all: the loss is (nan|inf) at step"):
        run(made, home, tmp_path / "out")


def test_what_does_not_fit_into_memory_names_the_conversations(recipe, home, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(LMM, "forward", full)
    words = (
        r"step 1 does not fit into memory, with 2 rows .*mix\.json, conversation \d+.*per_device"
    )
    with pytest.raises(SetupError, match=words):
        run(recipe(), home, tmp_path / "out")


def test_a_model_is_put_together_from_a_decoder_and_a_tower(recipe, tmp_path):
    from transformers import CLIPConfig, CLIPModel, LlamaConfig, LlamaForCausalLM

    from llava_plus.model.tiny import _TINY_TEXT, _TINY_VISION

    torch.manual_seed(0)
    small = {**_TINY_TEXT, "vocab_size": 260, "rms_norm_eps": 1e-5}
    LlamaForCausalLM(LlamaConfig(**small, tie_word_embeddings=False)).save_pretrained(
        tmp_path / "decoder"
    )
    bare = train_tokenizer(
        ["no pictures"], vocab_size=300, specials=("<unk>", "<s>", "</s>"), end_token="</s>"
    )
    bare.save_pretrained(tmp_path / "decoder")
    vision = {**_TINY_VISION, "hidden_act": "quick_gelu"}
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "vocab_size": 10,
            "num_attention_heads": 2, "bos_token_id": 1, "eos_token_id": 2}  # fmt: skip
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=vision))
    clip.save_pretrained(tmp_path / "clip")
    parts = Begin(decoder=str(tmp_path / "decoder"), towers=(str(tmp_path / "clip"),))
    made = recipe(begin=parts)
    model, processor = begin(made, None)
    words = LlamaForCausalLM.from_pretrained(tmp_path / "decoder").state_dict()
    have = model.decoder.state_dict()
    for name, weight in words.items():
        assert torch.equal(have[name][: len(weight)], weight), name
    rows = have["model.embed_tokens.weight"]
    assert len(rows) % 64 == 0
    torch.testing.assert_close(rows[-1], words["model.embed_tokens.weight"].mean(0))
    assert processor.image_token_id == processor.tokenizer.convert_tokens_to_ids("<image>")
    assert model.image_token_id == processor.image_token_id
    for name, weight in model.towers[0].encoder.state_dict().items():
        assert torch.equal(clip.vision_model.state_dict()[name], weight)
    assert processor.image_mean[0] == pytest.approx(0.481, abs=1e-3)
    wrong = replace(made, preset="llava-onevision-0.5b-tiny")
    with pytest.raises(SetupError, match=r"does not fit the preset|cannot be loaded|lacks"):
        begin(wrong, None)


def test_a_saved_model_must_be_of_the_recipes_kind_and_whole(recipe, home, tmp_path):
    made = recipe()
    model, processor = begin(made, home / "processor")
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    again, _ = begin(made, tmp_path / "model")
    assert same(dict(again.state_dict()), dict(model.state_dict()))
    with pytest.raises(SetupError, match=r"is no qwen-vl-7b-tiny: its towers is .*clip"):
        begin(replace(made, preset="qwen-vl-7b-tiny"), tmp_path / "model")
    weights = load_file(tmp_path / "model/model.safetensors")
    weights.pop("connector.layers.0.bias")
    save_file(weights, tmp_path / "model/model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SetupError, match=r"1 weights are missing.*connector\.layers\.0\.bias"):
        begin(made, tmp_path / "model")
    with pytest.raises(SetupError, match="There is no model to begin with"):
        begin(made, None)
    assert isinstance(processor, LMMProcessor)


def cut(file):
    file.write_bytes(file.read_bytes()[:-3000])


def spoil(file):
    weights = load_file(file)
    weights["connector.layers.0.weight"][0, 0] = float("nan")
    save_file(weights, file, metadata={"format": "pt"})


def misshape(file):
    save_file(
        load_file(file) | {"connector.layers.0.bias": torch.zeros(3)},
        file,
        metadata={"format": "pt"},
    )


@pytest.mark.parametrize(
    ("name", "harm", "words"),
    [
        ("model.safetensors", cut, r"model\.safetensors cannot be read as weights: it is damaged"),
        ("model.safetensors", Path.unlink, r"No model\.safetensors .* in .*model"),
        ("model.safetensors", spoil, r"connector\.layers\.0\.weight hold what is no finite number"),
        (
            "model.safetensors",
            misshape,
            r"1 weights .*of other shapes, .*connector\.layers\.0\.bias",
        ),
        ("config.json", lambda file: file.write_text("{"), r"model holds no model of this package"),
        ("tokenizer.json", Path.unlink, r"tokenizer\.json is missing"),
        ("tokenizer.json", lambda file: file.write_text("{"), r"tokenizer\.json is no JSON"),
        (
            "processor.json",
            lambda file: file.write_text(file.read_text().replace("image_size", "image_sice")),
            r"processor\.json does not describe a processor: .*'image_sice'",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_model_is_named_with_its_file(recipe, home, tmp_path, name, harm, words):
    made = recipe()
    model, processor = begin(made, home / "processor")
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    harm(tmp_path / "model" / name)
    with pytest.raises(SetupError, match=words):
        begin(made, tmp_path / "model")


@pytest.mark.parametrize("name", ["trained.safetensors", "optimizer.pt"])
def test_a_damaged_checkpoint_is_named_before_it_is_gone_on_from(recipe, home, tmp_path, name):
    made = recipe(max_steps=2)
    train_recipe(Order(recipe=made, out=tmp_path / "out", model=home / "processor", check=True))
    checkpoint = tmp_path / "out/all/checkpoint-1"
    checkpoint.mkdir()
    (checkpoint / name).write_bytes(b"half")
    (checkpoint / "complete").touch()
    with pytest.raises(SetupError, match=rf"checkpoint-1/{name} (cannot be read|is damaged)"):
        run(made, home, tmp_path / "out")


def test_weights_that_are_no_numbers_are_never_saved(recipe, home, tmp_path):
    made = recipe(rate=1e30, warmup=0, clip=1e30, max_steps=3, log_every=100, save_every=2)
    with pytest.raises(
        SetupError, match=r"stage all: \d+ weights .* are no finite numbers at step"
    ):
        run(made, home, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.safetensors"))
