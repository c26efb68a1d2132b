"""What the bundled planner does on real photographs, with the real skills, offline."""

from pathlib import Path

import numpy as np
import pytest

from llava_plus.agent import Agent, Limits, load_planner
from llava_plus.agent.planners.local import BUNDLED
from llava_plus.model import LMMProcessor
from llava_plus.skills import Boxes, Points, SkillRegistry, default_registry, load_image
from llava_plus.skills.builtin.planned import PLANNED

EXAMPLES = Path(__file__).parents[1] / "ui" / "examples"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def planner():
    return load_planner("nano", device="cpu")


@pytest.fixture
def ask(planner):
    """Ask one request about example pictures; give back the trace."""

    def ask(text, *names, pointers=(), session=None):
        agent = Agent(planner=planner, skills=default_registry(), limits=Limits(seconds=120))
        session = session or agent.session()
        images = [EXAMPLES / f"{name}.jpg" for name in names]
        return session.run_sync(text, images=images, pointers=list(pointers))

    return ask


def skills_of(trace):
    return [action.skill for step in trace.turns[-1].steps for action in step.actions]


def image_of(trace, handle):
    return trace.artifacts[handle].value


def test_the_weights_are_small_enough_to_ship():
    files = list((BUNDLED / "nano").iterdir())
    assert max(file.stat().st_size for file in files) <= 16e6
    assert sum(file.stat().st_size for file in files) <= 32e6


def test_it_names_the_skills_that_it_was_trained_on():
    assert LMMProcessor.from_pretrained(BUNDLED / "nano").skills == PLANNED


def test_it_blurs_the_faces(ask):
    trace = ask("blur the faces", "astronaut")
    assert skills_of(trace) == ["detect", "blur"]
    before, after = image_of(trace, "img_1").rgb(), image_of(trace, "img_2").rgb()
    changed = np.abs(before.astype(int) - after).max(axis=2) > 12
    rows, columns = np.nonzero(changed)
    height, width = changed.shape
    assert 0.02 < changed.mean() < 0.2
    assert rows.mean() / height < 0.4  # the face is in the upper part
    assert 0.3 < columns.mean() / width < 0.6


def test_it_reads_what_is_written(ask):
    trace = ask("what does it say?", "notice")
    assert skills_of(trace) == ["ocr"]
    lines = trace.artifacts["lines_1"].value.texts
    assert lines
    assert all(line in trace.turns[-1].answer for line in lines)


def test_it_crops_to_the_left_face_and_takes_the_color_out(ask):
    trace = ask("crop to the face on the left and make it black and white", "astronaut")
    assert skills_of(trace) == ["detect", "select", "crop", "adjust"]
    result = image_of(trace, "img_3").rgb()
    assert (result[..., 0] == result[..., 1]).all()
    assert result.shape[1] < image_of(trace, "img_1").width / 2


def test_it_counts_faces(ask):
    trace = ask("how many faces are there?", "astronaut")
    assert skills_of(trace) == ["detect"]
    assert "1 face" in trace.turns[-1].answer


def test_it_chains_edits(ask):
    trace = ask("make it brighter and rotate it left", "coffee")
    assert skills_of(trace) == ["adjust", "rotate"]
    first, last = image_of(trace, "img_1"), image_of(trace, "img_3")
    assert (last.width, last.height) == (first.height, first.width)
    assert last.rgb().mean() > first.rgb().mean()


def test_a_click_gives_this_a_meaning(ask):
    trace = ask("blur this", "coffee", pointers=[Points(((0.45, 0.35),))])
    assert skills_of(trace) == ["segment", "blur"]


def test_a_dragged_box_gives_this_a_meaning(ask):
    trace = ask("erase this", "rocket", pointers=[Boxes(((0.42, 0.25, 0.6, 0.8),))])
    assert skills_of(trace) == ["erase"]


def test_going_back_shows_the_first_picture_again(ask, planner):
    session = Agent(planner=planner, skills=default_registry()).session()
    ask("make it brighter and rotate it left", "coffee", session=session)
    trace = ask("now undo the rotation, use the first picture", session=session)
    assert "img_1" in trace.turns[-1].cited or "img_1" in str(trace.turns[-1].steps)


def test_small_talk_calls_nothing(ask):
    trace = ask("hi, what can you do?", "chelsea")
    assert skills_of(trace) == []
    assert all(word in trace.turns[-1].answer for word in ("faces", "crop", "rotate"))


@pytest.mark.parametrize("before", ["blur the faces", "make it brighter", "find the kangaroo"])
@pytest.mark.parametrize("words", ["thanks!", "hello", "hi, what can you do?"])
def test_small_talk_late_in_a_chat_calls_nothing(ask, planner, before, words):
    session = Agent(planner=planner, skills=default_registry()).session()
    ask(before, "astronaut", session=session)
    trace = ask(words, session=session)
    assert skills_of(trace) == []
    assert trace.turns[-1].reason == "answered"


def test_what_cannot_be_found_is_refused_with_what_would_find_it(ask):
    trace = ask("find the kangaroo", "chelsea")
    assert skills_of(trace) == ["detect"]
    assert "kangaroo" in trace.turns[-1].answer
    assert "faces, text and codes" in trace.turns[-1].answer
    assert "GroundingDINO" in trace.turns[-1].answer


def test_every_call_is_valid_whatever_is_asked(ask):
    requests = [
        "asdf qwer",
        "发生了什么",
        "crop crop crop",
        "blur the " + "very " * 80 + "face",
        "?",
    ]
    for request in requests:
        turn = ask(request, "chelsea").turns[-1]
        assert turn.reason == "answered"
        seen = [o for step in turn.steps for o in step.observations]
        assert all(observation.error in (None, "skill") for observation in seen)


def test_the_readme_example_runs(planner, tmp_path):
    agent = Agent(planner=planner, skills=default_registry())
    trace = agent.session().run_sync("blur every face", images=[EXAMPLES / "grace_hopper.jpg"])
    assert trace.turns[-1].answer
    assert [a.skill for step in trace.turns[-1].steps for a in step.actions] == ["detect", "blur"]
    trace.artifacts["img_2"].save(tmp_path / "out.png")
    assert load_image(tmp_path / "out.png").width == trace.artifacts["img_1"].value.width


def test_a_skill_of_ones_own_is_seen_beside_the_built_in_ones(planner, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from llava_plus.skills import Image, skill\n\n\n@skill\n"
        "def negative_(image: Image) -> Image:\n"
        '    """Turn every color into its opposite."""\n'
        "    return Image.from_array(255 - image.rgb())\n"
    )
    skills = default_registry().merge(SkillRegistry.from_file(file))
    session = Agent(planner=planner, skills=skills).session()
    trace = session.run_sync("blur the faces", images=[EXAMPLES / "astronaut.jpg"])
    assert skills_of(trace) == ["detect", "blur"]  # the prompt has changed, the plan has not
