"""Recipes: what is wrong in one is named, and each that ships does what it says at a tiny size."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from llava_plus.errors import SetupError
from llava_plus.model import LMM, PRESETS
from llava_plus.model.train import Recipe, Source, read_recipe
from llava_plus.model.train.begin import begin
from llava_plus.model.train.parts import closeness, freeze, groups, parts_of
from llava_plus.model.train.plan import check_batch, make_plan
from llava_plus.model.train.prepare import encoder_of
from llava_plus.model.train.stage import collator_of, learner_of
from llava_plus.model.train.trainer import rate_share

ROOT = Path(__file__).parents[3]
SHIPPED = sorted(one for one in (ROOT / "recipes").glob("*.yaml") if one.name != "nano.yaml")
GOOD = """
preset: llava-1.5-7b-tiny
template: vicuna_v1
source: a test
stages:
  - name: align
    train: [connector]
    rate: 1e-3
    batch: 4
    data: [{name: pairs}]
"""


@pytest.fixture
def good(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(GOOD)
    return file


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "speed: 3\n", r"unknown key 'speed'; did you mean 'seed'\?"),
        (
            GOOD.replace("rate: 1e", "rato: 1e"),
            r"unknown key 'stages\.0\.rato'; did you mean 'rate",
        ),
        (GOOD.replace("{name: pairs}", "{nam: pairs}"), r"'stages\.0\.data\.0\.nam'; did you mean"),
        (GOOD + "    lora: {rank: 4, alpha: 8, bit: 4}\n", r"'stages\.0\.lora\.bit'.*'bits'"),
        (GOOD.replace("preset: llava", "preset: lava"), "no preset 'lava-1.5-7b-tiny'; known: "),
        (GOOD.replace("vicuna_v1", "vicuna"), "no template 'vicuna'; known: .*vicuna_v1"),
        (GOOD.replace("batch: 4", "batch: 0"), r"stages\.0\.batch: .*greater than or equal to 1"),
        (GOOD.replace("    batch: 4\n", ""), r"stages\.0\.batch: Field required"),
        (GOOD.replace("train: [connector]", "train: []"), "stage align: nothing learns"),
        (GOOD.replace("[{name: pairs}]", "[]"), "stage align: no data"),
        (GOOD.replace("[{name: pairs}]", "[{name: a, ratio: 1}, {name: b}]"), "a ratio, or none"),
        (GOOD.replace("[{name: pairs}]", "[{name: a}, {name: a}]"), "'a' comes twice"),
        (GOOD + "    packing: true\n    group: modality\n", "packing goes with group: none"),
        ("- 1\n", "wanted names with values"),
        ("stages: [", "is no YAML"),
        ("preset: nano\nstages: [{name: a, steps: 3}]\n", "own trainer: run `make nano`"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_named_with_its_file(good, text, words):
    good.write_text(text)
    with pytest.raises(SetupError, match=rf"(?s)recipe\.yaml.*{words}"):
        read_recipe(good)


def test_values_are_changed_by_number_or_name_of_a_stage(good):
    changes = ["stages.0.max_steps=10", "stages.align.rate=2e-4", "stages.0.lora.rank=4"]
    stage = read_recipe(good, [*changes, "stages.0.lora.alpha=8", "seed=7"]).stages[0]
    assert (stage.max_steps, stage.rate, stage.lora.rank) == (10, 2e-4, 4)
    assert read_recipe(good, ["stages.0.data.pairs.path=x.json"]).stages[0].data[0].path == "x.json"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("stages.0.max_step=3", r"unknown key 'stages\.0\.max_step'; did you mean 'max_steps'"),
        ("stages.1.rate=3", r"no 'stages\.1'; there are 0 to 0 \(align\)"),
        ("stages.0.rate", "wanted KEY=VALUE"),
        ("preset.x=3", "has nothing at|no keys below"),
        ("seed=[", "the value is no YAML"),
    ],
)
def test_what_is_wrong_in_a_change_is_named(good, change, words):
    with pytest.raises(SetupError, match=words):
        read_recipe(good, [change])


@pytest.fixture(scope="module")
def words(tokenizer, tmp_path_factory):
    """A Q-Former's tokenizer."""
    folder = tmp_path_factory.mktemp("words")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("file", SHIPPED, ids=lambda one: one.stem)
def test_a_shipped_recipe_trains_what_it_says_and_nothing_else(file, pairs, home, words):
    recipe = read_recipe(file)
    real = PRESETS[recipe.preset]
    assert recipe.source, real
    recipe = tiny(recipe, pairs, words)
    for stage in recipe.stages:
        assert check_batch(stage, 1) == 1
        model, processor = begin(recipe, home / "processor")
        encoder = encoder_of(recipe, stage, model.config, processor)
        learner = learner_of(recipe, stage, model, encoder)
        before = {name: one.detach().clone() for name, one in learner.named_parameters()}
        step(learner, stage, batch(stage, encoder, model, processor))
        moved = {
            name for name, one in learner.named_parameters() if not torch.equal(one, before[name])
        }
        allowed = {
            name
            for name in before
            if ".lora_" in name or any(closeness(entry, name) for entry in stage.train)
        }
        assert moved <= allowed
        for entry in stage.train:
            assert any(closeness(entry, name) for name in moved), f"{stage.name}: {entry} is still"


def tiny(recipe, pairs, words):
    """The recipe with its tiny preset, one small batch, and pairs in place of all data."""

    def small(stage):
        kinds = {"video", "robots"}  # what all other data sets are is pictures
        sources = tuple(
            replace(one, path=str(pairs.with_stem(one.name if one.name in kinds else "pairs")))
            for one in stage.data
        )
        lora = stage.lora and replace(stage.lora, bits=None)
        sizes = {"batch": 2, "per_device": 2, "max_steps": 1, "longest": min(stage.longest, 400)}
        return replace(stage, data=sources, lora=lora, warmup=0, rate=0.01, **sizes)

    return replace(
        recipe,
        preset=f"{recipe.preset}-tiny",
        stages=tuple(map(small, recipe.stages)),
        text_encoder=str(words),
    )


def batch(stage, encoder, model, processor):
    """A batch with the first conversation of each kind of data, two at least."""
    from llava_plus.model.train.batches import Rows
    from llava_plus.model.train.index import index_of
    from llava_plus.model.train.sources import open_source

    kinds = {source.path: source for source in stage.data}
    sets = [open_source(Path(path)) for path in kinds]
    stage = replace(stage, data=tuple(replace(one, ratio=None) for one in kinds.values()))
    plan = make_plan(stage, [index_of(one, encoder) for one in sets], 0)
    rows = Rows(plan, sets, stage.data, encoder)
    firsts = list(range(sum(map(len, sets))))
    made = collator_of(stage, encoder, model, processor)([[rows.piece(one)] for one in firsts])
    assert made.pop("tokens") > 4
    assert made.pop("conversations") == len(firsts)
    if "video" in {source.name for source in stage.data}:
        assert [video.shape[0] for video in made["pixel_values_videos"]] == [2]
    assert ("state_values" in made) == (model.states is not None)
    return made


def step(learner, stage, inputs):
    torch.manual_seed(0)
    learner.train()
    optimizer = torch.optim.AdamW(groups(learner, stage))
    learned = isinstance(learner, LMM)
    for _ in range(2):  # some weights are behind others that begin at zero
        output = learner(**inputs, **({"labelled_only": True} if learned else {}))
        output.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert output.loss.isfinite()


def test_every_figure_that_was_not_looked_up_is_a_key_of_its_stage():
    for file in SHIPPED:
        for stage in read_recipe(file).stages:
            known = set(type(stage).__dataclass_fields__)
            assert set(stage.unchecked) <= known, f"{file.name}: {stage.name}"


def test_rates_are_those_of_the_closest_name(recipe):
    model = LMM(PRESETS["cambrian-8b-tiny"]())
    stage = recipe(
        train=("connector", "injections", "towers"),
        rates={"connector.samplers": 1e-4, "injections": 2e-4, "towers": 3e-4},
        weight_decay=0.1,
    ).stages[0]
    freeze(model, stage)
    rates = {
        id(one): (group["lr"], group["weight_decay"])
        for group in groups(model, stage)
        for one in group["params"]
    }
    told = {name: rates[id(one)] for name, one in model.named_parameters() if one.requires_grad}
    for name, (rate, _) in told.items():
        wanted = 1e-3
        if name.startswith("connector.samplers."):
            wanted = 1e-4
        elif parts_of(name) == ("injections",):
            wanted = 2e-4
        elif name.startswith("towers."):
            wanted = 3e-4
        assert rate == wanted, name
    assert not any(name.startswith("decoder.model.embed") for name in told)
    assert told["connector.projection.0.weight"] == (1e-3, 0.1)
    assert told["connector.projection.0.bias"] == (1e-3, 0)
    assert told["connector.samplers.0.0.norm.weight"] == (1e-4, 0)


def test_layers_of_a_tower_learn_the_slower_the_earlier_they_are(recipe):
    model = LMM(PRESETS["llava-7b-tiny"]())
    stage = recipe(train=("towers",), layer_decay=0.5).stages[0]
    freeze(model, stage)
    names = {id(one): name for name, one in model.named_parameters()}
    rates = {names[id(one)]: g["lr"] for g in groups(model, stage) for one in g["params"]}
    layer = "towers.0.encoder.encoder.layers.{}.mlp.fc1.weight"
    assert [rates[layer.format(number)] for number in range(3)] == [2.5e-4, 5e-4, 1e-3]
    assert rates["towers.0.encoder.embeddings.patch_embedding.weight"] == 1.25e-4


@pytest.mark.parametrize(
    ("key", "entry", "words"),
    [
        ("train", "conector", "train names 'conector'.*did you mean 'connector'"),
        ("train", "injections", "train names 'injections', which this model does not have"),
        ("rates", "tower", "rates names 'tower'.*did you mean 'towers'"),
    ],
)
def test_a_part_that_the_model_lacks_is_named(recipe, key, entry, words):
    change = {"train": (entry,)} if key == "train" else {"rates": {entry: 1e-3}}
    with pytest.raises(SetupError, match=f"stage all: {words}"):
        freeze(LMM(PRESETS["llava-7b-tiny"]()), recipe(**change).stages[0])


def test_rates_warm_up_and_fall_as_the_stage_says(recipe):
    def shares(**changes):
        stage = recipe(warmup=2, **changes).stages[0]
        return [round(rate_share(stage, step, 10), 4) for step in (0, 1, 2, 6, 10)]

    assert shares(schedule="cosine") == [0, 0.5, 1, 0.5, 0]
    assert shares(schedule="linear", floor=0.2) == [0, 0.5, 1, 0.6, 0.2]
    assert shares(schedule="constant", warmup_from=0.5) == [0.5, 0.75, 1, 1, 1]
    share = recipe(warmup=0.3).stages[0]
    assert [rate_share(share, step, 10) for step in (0, 3)] == [0, 1]


def test_a_batch_that_does_not_split_says_what_would(recipe):
    stage = recipe(batch=10, per_device=4).stages[0]
    with pytest.raises(SetupError, match=r"batch of 10 does not split into 2 processes.*to 8"):
        check_batch(stage, 2)
    assert check_batch(recipe(batch=16, per_device=4).stages[0], 2) == 2


def test_a_recipe_is_frozen_data(recipe):
    made = recipe()
    assert isinstance(made, Recipe)
    assert made.stages[0].data == (Source(name="mix", path=made.stages[0].data[0].path),)
