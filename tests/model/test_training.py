"""Training from recipes, with the smallest model there is."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.model import LMM, LMMProcessor, train_tokenizer
from llava_plus.model.dataset import ConversationWriter, EncodedSet
from llava_plus.model.training import Recipe, Stage, train

ANSWERS = ["blur the faces", "turn it left", "read the sign", "find the dog", "make it brighter"]
ROOT = Path(__file__).parents[2]


def write(folder, texts):
    writer = ConversationWriter(folder, image_size=64)
    for text in texts:
        shade = np.full((64, 64, 3), 20 * len(text) % 255, np.uint8)
        shown = ImagePart(pixels=shade, digest=text)
        user = Message(role="user", parts=(shown, TextPart(text=f"img_1 {text}")))
        said = (TextPart(text=f"I will {text} now"),)
        writer.add([user, Message(role="assistant", parts=said, supervised=True)])
    writer.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a processor and two folders of conversations."""
    home = tmp_path_factory.mktemp("made")
    write(home / "data", ANSWERS * 4)
    write(home / "pair", ["1234", "9876"])  # as many tokens each
    tokenizer = train_tokenizer([f"I will {text} now img_1" for text in ANSWERS], vocab_size=320)
    LMMProcessor(tokenizer).save_pretrained(home / "processor")
    return home


def recipe(*stages, **changes):
    stages = stages or (Stage(name="all", steps=24, tokens=150, warmup=4, rate=0.01),)
    return Recipe(**{"preset": "tiny", "stages": stages, "checkpoint_every": 8, **changes})


def run(made, out, plan=None, data="data"):
    """Train, and return the weights."""
    train(plan or recipe(), [made / data], made / "processor", out)
    return load_file(out / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def undisturbed(made, tmp_path_factory):
    return run(made, tmp_path_factory.mktemp("undisturbed"))


def loss_of(folder, made):
    processor = LMMProcessor.from_pretrained(made / "processor")
    examples = EncodedSet([made / "data"], processor, longest=500)
    with torch.no_grad():
        return float(LMM.from_pretrained(folder)(**examples.collate(range(20))).loss)


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


class Interrupt(logging.Handler):
    """A person's Ctrl-C, at the first log line that has the words."""

    def __init__(self, words):
        super().__init__()
        self.words = words

    def emit(self, record):
        if self.words in record.getMessage():
            raise KeyboardInterrupt


@pytest.fixture
def interrupted(monkeypatch):
    """Train until the log has certain words."""
    log = logging.getLogger("llava_plus.model.training")

    def until(words, *arguments):
        handler = Interrupt(words)
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            with pytest.raises(KeyboardInterrupt):
                run(*arguments)
        finally:
            log.removeHandler(handler)
            log.setLevel(logging.NOTSET)

    return until


def test_a_short_run_lowers_the_loss(made, tmp_path):
    before = Stage(name="all", steps=1, tokens=150, rate=0.0, matrix_rate=0.0)
    after = Stage(name="all", steps=40, tokens=150, warmup=4, rate=0.01)
    for name, stage in (("before", before), ("after", after)):
        run(made, tmp_path / name, recipe(stage))
    first, last = (loss_of(tmp_path / name / "model", made) for name in ("before", "after"))
    assert first > 4
    assert last < first / 3


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(made, undisturbed, tmp_path):
    assert same(run(made, tmp_path / "again"), undisturbed)
    assert not same(run(made, tmp_path / "other", recipe(seed=1)), undisturbed)


def test_a_run_that_was_broken_off_ends_with_the_same_weights(
    made, undisturbed, interrupted, tmp_path
):
    interrupted("step 20/24", made, tmp_path)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 16
    assert not (tmp_path / "model").exists()
    assert same(run(made, tmp_path), undisturbed)


def test_a_run_broken_off_between_stages_ends_with_the_same_weights(made, interrupted, tmp_path):
    first = Stage(name="bridge", steps=20, tokens=150, train=("connector",))
    plan = recipe(first, Stage(name="whole", steps=10, tokens=150), checkpoint_every=7)
    straight = run(made, tmp_path / "straight", plan)
    interrupted("whole step 10/10", made, tmp_path / "broken", plan)
    assert torch.load(tmp_path / "broken" / "checkpoint.pt", weights_only=True)["stage"] == 1
    assert same(run(made, tmp_path / "broken", plan), straight)


def test_the_model_may_be_the_mean_of_what_stages_end_with(made, interrupted, tmp_path):
    first, second = (Stage(name=name, steps=8, tokens=150, rate=0.01) for name in ("one", "two"))
    plan = recipe(first, second, average=True)
    one = run(made, tmp_path / "one", recipe(first))
    both = run(made, tmp_path / "both", recipe(first, second))
    mean = {name: (one[name] + both[name]) / 2 for name in one}
    assert not same(one, both)
    interrupted("two step 8/8", made, tmp_path / "mean", plan)
    for _ in range(2):  # started again when it is over, it changes nothing
        found = run(made, tmp_path / "mean", plan)
        assert all(torch.allclose(found[name], mean[name], atol=1e-6) for name in mean)


def test_starting_a_finished_run_again_changes_nothing(made, undisturbed, tmp_path):
    for _ in range(2):
        assert same(run(made, tmp_path), undisturbed)


@pytest.mark.slow
def test_a_run_that_was_killed_ends_with_the_same_weights(made, tmp_path):
    plan = recipe(Stage(name="all", steps=60, tokens=150), checkpoint_every=5)
    code = (
        "import sys; from pathlib import Path\n"
        "from llava_plus.model.training import Recipe, Stage, train\n"
        "home, out = map(Path, sys.argv[1:])\n"
        "stage = Stage(name='all', steps=60, tokens=150)\n"
        "plan = Recipe(preset='tiny', stages=(stage,), checkpoint_every=5)\n"
        "train(plan, [home / 'data'], home / 'processor', out)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    child = subprocess.Popen([sys.executable, "-c", code, made, tmp_path / "killed"], env=env)
    while not (tmp_path / "killed" / "checkpoint.json").exists():
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "killed" / "model").exists()
    straight = run(made, tmp_path / "straight", plan)
    assert same(run(made, tmp_path / "killed", plan), straight)


@pytest.mark.parametrize(
    ("parts", "still"),
    [(("connector",), ("towers", "decoder")), (("decoder",), ("towers", "connector"))],
)
def test_only_the_parts_of_a_stage_learn(made, tmp_path, parts, still):
    frozen = Stage(name="none", steps=1, tokens=150, rate=0.0, matrix_rate=0.0)
    before = run(made, tmp_path / "before", recipe(frozen))
    stage = Stage(name="part", steps=3, tokens=150, train=parts)
    after = run(made, tmp_path / "after", recipe(stage))
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert set(parts) <= moved
    assert not moved & set(still)


def test_rates_warm_up_hold_and_fall():
    stage = Stage(name="all", steps=100, warmup=10, decay_from=0.5, floor=0.1)
    assert [stage.share(step) for step in (0, 4, 9, 10, 49)] == [0.1, 0.5, 1, 1, 1]
    assert stage.share(75) == pytest.approx(0.55)
    assert stage.share(99) == pytest.approx(0.118)
    shares = [stage.share(step) for step in range(50, 100)]
    assert shares == sorted(shares, reverse=True)


def test_a_loss_that_is_no_number_ends_the_run(made, tmp_path):
    wild = Stage(name="wild", steps=30, tokens=150, rate=1e30, matrix_rate=1e30, warmup=1)
    with pytest.raises(SetupError, match=r"The loss is no number at step \d+: lower the rates"):
        run(made, tmp_path, recipe(wild))


def test_a_checkpoint_of_another_model_is_named(made, tmp_path):
    run(made, tmp_path)
    with pytest.raises(SetupError, match=r"checkpoint\.pt.*another"):
        run(made, tmp_path, recipe(preset="nano"))


GOOD = "preset: tiny\nstages: [{name: all, steps: 3, train: [decoder]}]\nseed: 5\n"


def test_a_recipe_is_read_and_may_be_changed(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(GOOD)
    read = Recipe.read(file, seed=6)
    assert (read.preset, read.seed, read.processes) == ("tiny", 6, 1)
    assert (read.stages[0].steps, read.stages[0].train) == (3, ("decoder",))


def test_the_recipe_that_ships_is_read():
    read = Recipe.read(ROOT / "recipes" / "nano.yaml")
    assert read.preset == "nano"
    assert read.stages[0].steps > 1000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("preset: tiny\n", ""), "preset: Field required"),
        ("preset: tiny\n", "stages: Field required"),
        (GOOD + "spede: 3\n", "spede: Unexpected"),
        (GOOD.replace("steps: 3", "stpes: 3"), r"stages\.0\.stpes: Unexpected"),
        (GOOD.replace("steps: 3, ", ""), r"stages\.0\.steps: Field required"),
        (GOOD.replace("[decoder]", "[decoder, brain]"), r"no part \['brain'\]"),
        (GOOD.replace("tiny", "mano"), "no preset 'mano'.*nano.*tiny"),
        (GOOD.replace("steps: 3", "steps: many"), r"stages\.0\.steps: .*integer"),
        (GOOD + "processes: 0\n", "processes: .*greater than or equal to 1"),
        ("", "wanted names with values"),
        ("- preset: tiny\n", "wanted names with values"),
        ("preset: [tiny\n", "line 2"),
        ("preset: tiny\nstages: 3\n", "stages: Input should be a valid tuple"),
        ("preset: tiny\nstages: []\n", "no stages"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_named(tmp_path, text, words):
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    with pytest.raises(SetupError, match=rf"(?s)recipe\.yaml.*{words}"):
        Recipe.read(file)


def test_a_recipe_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SetupError, match=r"missing\.yaml"):
        Recipe.read(tmp_path / "missing.yaml")


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_from_the_same_conversations(
    made, tmp_path, monkeypatch
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MASTER_PORT", str(free.getsockname()[1]))
    weights = []
    for processes, tokens in ((1, 1000), (2, 1)):  # both conversations in a batch, or one each
        stage = Stage(name="all", steps=6, tokens=tokens, warmup=2, rate=0.01)
        plan = recipe(stage, processes=processes)
        weights.append(run(made, tmp_path / str(processes), plan, data="pair"))
    one, two = weights
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-3


def test_too_few_batches_for_the_processes_is_an_error(made, tmp_path):
    from llava_plus.model.training import _endless

    processor = LMMProcessor.from_pretrained(made / "processor")
    examples = EncodedSet([made / "pair"], processor, longest=500)
    with pytest.raises(SetupError, match="1 batches are too few for 2 processes"):
        next(_endless(examples, 10_000, 0, 0, 2, 0))
