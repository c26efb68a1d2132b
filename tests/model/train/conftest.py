"""Small data, a tokenizer with every template's special tokens, and a recipe to change."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llava_plus.messages import Message, TextPart
from llava_plus.model import TEMPLATES, LMMProcessor, train_tokenizer
from llava_plus.model.train import Recipe, Source, Stage

ROOT = Path(__file__).parents[3]
WORDS = ["a red square", "a blue circle on the left", "two green dots", "nothing", "one dog"]


def llava_items(count, *, every_picture=3):
    """LLaVA's conversations: each third one has no picture, each fourth one has two rounds."""
    items = []
    for number in range(count):
        said = WORDS[number % len(WORDS)]
        shown = number % every_picture != 0
        turns = [
            {"from": "human", "value": ("<image>\n" if shown else "") + f"What is it, {number}?"},
            {"from": "gpt", "value": f"It is {said}. " + "And so on. " * (number % 7)},
        ]
        if number % 4 == 0:
            turns += [{"from": "human", "value": "Sure?"}, {"from": "gpt", "value": "Yes."}]
        item = {"id": f"n{number}", "conversations": turns}
        if shown:
            item["image"] = f"{number % 5}.png"
        items.append(item)
    return items


def write_llava(folder, items):
    """A JSON file with its folder of pictures, each of another size."""
    (folder / "images").mkdir(parents=True)
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 255, (20 + 7 * number, 30, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
    (folder / "mix.json").write_text(json.dumps(items, indent=1))
    return folder / "mix.json"


@pytest.fixture(scope="session")
def tokenizer():
    specials = dict.fromkeys(name for one in TEMPLATES.values() for name in one.specials)
    specials |= {"<video>": None, "<state>": None}
    talk = [Message(role="user", parts=(TextPart(text="What is it, 1? Sure? And so on."),))]
    texts = [*WORDS, *(s.text for one in TEMPLATES.values() for s in one.render(talk))]
    return train_tokenizer(texts * 3, vocab_size=500, specials=tuple(specials), end_token="</s>")


@pytest.fixture(scope="session")
def home(tmp_path_factory, tokenizer):
    """A folder with data and a processor."""
    home = tmp_path_factory.mktemp("home")
    write_llava(home, llava_items(24))
    LMMProcessor(tokenizer, template="vicuna_v1").save_pretrained(home / "processor")
    return home


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """What data sets of the recipes hold: two captioned pictures, a video, a scene's states."""
    folder = tmp_path_factory.mktemp("pairs")
    names = [f"{number}.png" for number in range(2)]
    for number, name in enumerate(names):
        Image.new("RGB", (12, 8), (90 * number, 20, 200)).save(folder / name)

    def talk(question, answer):
        return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]

    sets = {
        "pairs": [{"image": n, "conversations": talk("<image>\nWhat?", f"a {n}")} for n in names],
        "video": [{"video": names, "conversations": talk("<video>\nAnd then?", "a dog runs")}],
        "robots": [
            {"states": [[0.5] * 16, [-1] * 16],
             "conversations": talk("At <state> a cup, at <state> a hand. What now?", "grasp it")},
        ],
    }  # fmt: skip
    for name, items in sets.items():
        (folder / f"{name}.json").write_text(json.dumps(items))
    return folder / "pairs.json"


@pytest.fixture
def recipe(home):
    """Makes a recipe of one stage, changed as wanted."""

    def make(*, preset="llava-1.5-7b-tiny", stages=None, **changes):
        stage = {
            "name": "all", "train": ("connector", "decoder"), "rate": 1e-3, "batch": 4,
            "data": (Source(name="mix", path=str(home / "mix.json")),), "max_steps": 6,
            "per_device": 2, "longest": 160,
        }  # fmt: skip
        outer = {key: changes.pop(key) for key in list(changes) if key not in STAGE}
        stages = stages or (Stage(**{**stage, **changes}),)
        given = {"preset": preset, "template": "vicuna_v1", "source": "test", **outer}
        return Recipe(stages=stages, **{"log_every": 2, "save_every": 2, **given})

    return make


STAGE = set(Stage.__dataclass_fields__)
