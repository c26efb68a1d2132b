"""What is kept becomes a folder that our own training reads without a warning."""

import warnings

import torch

from llava_plus.data_gen.export import Lessons, export_folder
from llava_plus.data_gen.folders import TraceFolder
from llava_plus.model import LMM, LMMProcessor, train_tokenizer
from llava_plus.model.dataset import EncodedSet, read_conversations
from llava_plus.model.training import Recipe, Stage, train
from llava_plus.skills import load_skills

OWN = ("brightness", "fragile", "mirror", "moody", "sleepy")


def exported(undisturbed, out):
    skills = load_skills([undisturbed / "my_skills.py"]).skills
    folder = TraceFolder(undisturbed / "out")
    return export_folder(folder, out, lambda output: Lessons(output, skills=skills, side=64))


def test_kept_traces_train_a_planner_without_a_warning(undisturbed, tmp_path):
    assert exported(undisturbed, tmp_path / "data").written == 30
    talks = list(read_conversations(tmp_path / "data"))
    texts = [message.text for talk in talks for message in talk]
    tokenizer = train_tokenizer(texts, vocab_size=400)
    LMMProcessor(tokenizer).save_pretrained(tmp_path / "processor")
    stages = (Stage(name="all", steps=12, tokens=1500, warmup=2, rate=0.01),)
    plan = Recipe(preset="tiny", stages=stages, checkpoint_every=50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(plan, [tmp_path / "data"], tmp_path / "processor", tmp_path / "run")
    processor = LMMProcessor.from_pretrained(tmp_path / "processor")
    examples = EncodedSet([tmp_path / "data"], processor, longest=2000)
    assert (len(examples.examples), examples.dropped) == (30, 0)
    batch = examples.collate(range(6))
    with torch.no_grad():
        trained = float(LMM.from_pretrained(tmp_path / "run" / "model")(**batch).loss)
    assert trained < 0.9 * torch.log(torch.tensor(400.0))


def test_own_skills_are_listed_and_what_the_planner_says_is_learned(undisturbed, tmp_path):
    exported(undisturbed, tmp_path / "data")
    for talk in read_conversations(tmp_path / "data"):
        assert all(f"+ {name}(image: Image)" in talk[0].text for name in OWN)
        for message in talk:
            assert message.supervised is (message.role == "assistant")


def test_traces_whose_skills_are_gone_are_left_out(undisturbed, tmp_path):
    skills = load_skills([]).skills
    folder = TraceFolder(undisturbed / "out")
    done = export_folder(folder, tmp_path / "x", lambda output: Lessons(output, skills=skills))
    assert 0 < done.written < 30
    assert "brightness" in done.unfit[0].why
