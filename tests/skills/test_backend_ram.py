"""Tagging by RAM, from its authors' file: against what their own code made of the same weights.

``goldens/ram.safetensors`` holds a RAM of 4 channels and 6 words with random weights, two pictures,
and the logits that ``ram/models`` of xinyu1205/recognize-anything (7cb804a) gave for them.
"""

import asyncio
import importlib.machinery
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import (
    Artifacts,
    Call,
    Image,
    Runtime,
    default_registry,
    with_original_names,
)
from llava_plus.skills.backends import named, status_of, with_backends
from llava_plus.skills.backends.ram import load_ram, sizes_of
from llava_plus.skills.backends.ram_network import Ram, Sizes

GOLDEN = load_file(Path(__file__).parent / "goldens" / "ram.safetensors")
WEIGHTS = {
    name.removeprefix("weights."): part.float()
    for name, part in GOLDEN.items()
    if "weights." in name
}
WORDS = ("Cat", "dog", "night sky", "street", "tree", "zebra crossing")


def save(folder, *, weights=WEIGHTS, words=WORDS, sure=(0.5,) * 6):
    """Save a RAM as it is published: under "model", with parts for captions that tagging leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    rest = {
        "tag_encoder.embeddings.word_embeddings.weight": torch.zeros(3, 2),
        "visual_encoder.layers.0.blocks.1.attn_mask": torch.zeros(64, 4, 4),
    }
    torch.save({"model": {**weights, **rest}}, folder / "ram_tiny.pth")
    if words:
        (folder / "ram_tag_list.txt").write_text("\n".join(words))  # ends without a new line
        (folder / "ram_tag_list_threshold.txt").write_text("\n".join(map(str, sure)) + "\n")
    return folder / "ram_tiny.pth"


@pytest.fixture
def picture():
    return Image(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8))


def test_the_network_gives_what_its_authors_code_gives():
    model = Ram(sizes_of(Path("tiny.pth"), WEIGHTS)).eval()
    model.load_state_dict(WEIGHTS)
    with torch.inference_mode():
        logits = model(GOLDEN["pixels"].float())
    assert GOLDEN["logits"].std() > 0.1
    torch.testing.assert_close(logits, GOLDEN["logits"], atol=1e-5, rtol=1e-5)


def test_the_published_sizes_are_read_off_their_weights():
    sizes = Sizes(
        channels=192, depths=(2, 2, 18, 2), heads=(6, 12, 24, 48), window=12, width=512,
        hidden=768, inner=3072, layers=2, words=4585,
    )  # fmt: skip
    with torch.device("meta"):  # shapes only
        model = Ram(sizes)
        assert model(torch.zeros(1, 3, 384, 384)).shape == (1, 4585)
    assert sizes_of(Path("big.pth"), model.state_dict()) == sizes
    assert sizes.side == 384


def test_words_over_their_own_threshold_come_the_surest_first(tmp_path, picture):
    even = load_ram(save(tmp_path / "even"), "cpu").scores([picture])[0]
    sure = (even + 0.01).clip(0, 1)
    sure[[1, 4]] = even[[1, 4]] - 0.01
    tagger = load_ram(save(tmp_path, sure=sure.tolist()), "cpu")
    tags = tagger(picture)
    expected = sorted((1, 4), key=lambda number: -even[number])
    assert tags.names == tuple(WORDS[number] for number in expected)
    assert tags.scores == tuple(round(float(even[number]), 4) for number in expected)
    assert tagger(picture, most=1).names == tags.names[:1]


def test_words_of_a_callers_list_come_back_whether_they_fit_or_not(tmp_path, picture):
    tagger = load_ram(save(tmp_path, sure=(1.0,) * 6), "cpu")
    assert not len(tagger(picture))
    assert set(tagger(picture, words=["tree", "CAT", "cat "]).names) == {"tree", "Cat"}
    calls = [{"image": picture, "words": ["tree"]}, {"image": Image(picture.pixels[:40])}]
    assert tagger.together(calls) == [tagger(**call) for call in calls]
    told = r"ram knows 6 words, and 'trees' is none.* are tree, street\."
    with pytest.raises(SkillError, match=told):
        tagger(picture, words=["trees"])


def test_a_file_does_the_skill_and_the_originals_name_goes_to_it(tmp_path, picture, own_choice):
    choice = f"tag=ram:{save(tmp_path, sure=(0.0,) * 6)}"
    skills = with_original_names(with_backends(default_registry(), [choice]))
    artifacts = Artifacts()
    artifacts.add(picture)
    seen = asyncio.run(
        Runtime(skills, artifacts).run(Call(id="c", skill="ram", args={"image": "img_1"}))
    )
    assert (seen.ok, seen.backend) == (True, "ram")
    assert set(artifacts[seen.handle].value.names) == set(WORDS)


def test_the_lists_are_taken_from_the_authors_package_which_is_not_imported(
    tmp_path, picture, monkeypatch
):
    file = save(tmp_path / "weights", words=())
    assert "ram_tag_list.txt is missing" in status_of(named("ram"), str(file)).why
    assert named("ram").single.wants().startswith("Besides, it needs ram_tag_list.txt and ")
    data = tmp_path / "site" / "ram" / "data"
    save(data)
    (data.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert importlib.machinery.PathFinder.find_spec("ram") is not None
    assert not named("ram").single.wants()
    assert status_of(named("ram"), str(file)).state == "available"
    assert load_ram(file, "cpu").scores([picture]).shape == (1, 6)
    assert "ram" not in sys.modules


@pytest.mark.parametrize(
    ("change", "words", "told"),
    [
        (lambda w: w | {"reweight_scale": torch.zeros(1)}, WORDS, r"weights of RAM\+\+; wanted is"),
        (lambda w: {"label_embed.weight": torch.zeros(2, 2)}, WORDS, "of Tag2Text; wanted is RAM"),
        (lambda w: {"conv.weight": torch.zeros(2, 2)}, WORDS, "of another model; wanted is RAM"),
        (lambda w: w, WORDS[1:], "has 6 words, but ram_tag_list.txt in .* has 5"),
        (lambda w: w, (), "Put ram_tag_list.txt and ram_tag_list_threshold.txt into "),
        (
            lambda w: {k: v for k, v in w.items() if k != "fc.bias"},
            WORDS,
            r"lack 1 parts: fc\.bias",
        ),
    ],
)
def test_what_does_not_fit_is_a_sentence(change, words, told, tmp_path):
    file = save(tmp_path, weights=change(WEIGHTS), words=words)
    with pytest.raises(SetupError, match=told):
        load_ram(file, "cpu")


def test_a_picture_in_which_nothing_can_be_seen_is_refused(tmp_path):
    tagger = load_ram(save(tmp_path), "cpu")
    with pytest.raises(SkillError, match="wanted at least 8 each way"):
        tagger(Image(np.zeros((1, 1, 3), np.uint8)))
    assert isinstance(tagger(Image(np.zeros((9, 90, 4), np.uint8))).names, tuple)
