"""Skills that are classes: made and loaded once in a process, then called."""

import asyncio
import threading
from textwrap import dedent

import pytest

from llava_plus.errors import SetupError
from llava_plus.skills import Artifacts, Call, Image, Number, Runtime, SkillRegistry, skill

FILE = '''
import os
from llava_plus.errors import SetupError
from llava_plus.skills import Image, Number, Text, skill

@skill(cache=False, time_limit=1)
class CountCalls:
    """Count the calls since it was loaded."""

    def load(self, device: str):
        import time
        time.sleep(2)  # longer than a call may take
        self.calls = 0
        self.device = device

    def __call__(self, image: Image, *, step: int = 1) -> Text:
        """Count one more.

        Args:
            step: How far.
        """
        self.calls += step
        return Text(f"{self.calls} on {self.device} in {os.getpid()}")

@skill(cache=False)
class LackWeights:
    """Lack weights."""

    def load(self):
        raise SetupError("lack_weights needs weights: run make weights.")

    def __call__(self, image: Image) -> Number:
        return Number(1)
'''


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("LLAVA_PLUS_SKILL_DEVICE", "cpu")
    file = tmp_path / "mine.py"
    file.write_text(FILE)
    return SkillRegistry.from_file(file)


def test_a_class_is_a_skill_like_a_function(registry):
    spec = registry["count_calls"]
    assert spec.signature() == "count_calls(image: Image, *, step: int = 1) -> Text"
    assert spec.description == "Count the calls since it was loaded."
    assert spec.parameter("step").description == "How far."
    assert spec.isolation == "worker"


def test_it_is_loaded_once_in_its_process_and_not_in_the_time_of_a_call(
    registry, pool, runtime_of, run
):
    runtime = runtime_of(registry, pool)
    texts = [run(runtime, "count_calls", step=step).text for step in (1, 2)]
    first, second = (text.split(" on cpu in ") for text in texts)
    assert (first[0], second[0]) == ("1", "3"), texts
    assert first[1] == second[1]


def test_what_loading_lacks_is_said_to_the_person(registry, pool, runtime_of, run):
    observation = run(runtime_of(registry, pool), "lack_weights")
    assert observation.error == "skill"
    assert observation.text == "lack_weights needs weights: run make weights."


def test_inline_it_is_loaded_by_the_first_call_only_and_again_after_a_failure(coffee):
    loads = []

    @skill
    class Look:
        """Look."""

        def load(self):
            loads.append(threading.get_ident())
            if len(loads) == 1:
                raise SetupError("Look has no glasses yet.")

        def __call__(self, image: Image) -> Number:
            return Number(image.width)

    registry = SkillRegistry([Look])
    assert not loads
    artifacts = Artifacts()
    artifacts.add(coffee)
    runtime = Runtime(registry, artifacts, cache=False)
    calls = [Call(id=str(n), skill="look", args={"image": "img_1"}) for n in range(4)]
    assert asyncio.run(runtime.run(calls[0])).text == "Look has no glasses yet."
    observations = asyncio.run(runtime.run_many(calls[1:]))
    assert [each.text for each in observations] == ["600"] * 3
    assert len(loads) == 2


def test_the_class_stays_what_it_was(coffee):
    @skill
    class Look:
        def __call__(self, image: Image) -> Number:
            """Look."""
            return Number(image.width)

    assert isinstance(Look, type)
    assert Look()(coffee) == Number(600)
    assert Look.__skill__.description == "Look."


def test_the_version_changes_with_the_loading(tmp_path):
    versions = []
    for seconds in (2, 3):
        file = tmp_path / f"mine_{seconds}.py"
        file.write_text(FILE.replace("sleep(2)", f"sleep({seconds})"))
        versions.append(SkillRegistry.from_file(file)["count_calls"].version)
    assert versions[0] != versions[1]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "x = 1",
            "skill 'find_it': class FindIt lacks '__call__', which does the work. "
            "Write 'def __call__(self, …)'.",
        ),
        (
            "def __init__(self, path): pass\n    def __call__(self, image: Image) -> Number: ...",
            "class FindIt is made without arguments, but its __init__ wants path. "
            "Set these in load(self).",
        ),
        (
            "def load(self, path): pass\n    def __call__(self, image: Image) -> Number: ...",
            "class FindIt has a load() that wants path. "
            "Write 'def load(self)' or 'def load(self, device: str)'.",
        ),
        (
            "def __call__(self, image) -> Number: ...",
            "skill 'find_it': parameter 'image' lacks a type. Write 'image: Image'.",
        ),
        ("async def __call__(self, image: Image) -> Number: ...", "'def' instead of 'async def'"),
    ],
)
def test_a_class_that_is_declared_wrong_is_refused(tmp_path, body, words):
    file = tmp_path / "mine.py"
    head = "from llava_plus.skills import Image, Number, skill\n"
    file.write_text(head + f'@skill\nclass FindIt:\n    """Find it."""\n    {dedent(body)}\n')
    with pytest.raises(SetupError) as caught:
        SkillRegistry.from_file(file)
    assert words in str(caught.value)
