"""Runs of the generator: the same data whoever makes it, and whatever goes wrong meanwhile."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import yaml

from llava_plus.data_gen import workshop
from llava_plus.data_gen.generate import generate
from llava_plus.data_gen.recipe import Recipe
from llava_plus.errors import SetupError


def test_every_trace_is_whole_and_says_where_it_comes_from(undisturbed, kept):
    traces = kept(undisturbed / "out")
    assert len(traces) == 30
    assert len({trace.id for trace in traces}) == 30
    for trace in traces:
        assert trace.tags["writer"] == "requests"
        assert trace.tags["item"].startswith("photos/p")
        assert trace.licence == "MIT"
        assert trace.verdicts["unique"] == {"ok": True, "reason": ""}
    manifest = json.loads((undisturbed / "out" / "manifest.json").read_text())
    assert manifest["kept"] == 30
    assert [row["name"] for row in manifest["yields"]][-2:] == ["replay", "unique"]
    assert not (undisturbed / "out" / "parts").exists()


def test_processes_and_what_they_remember_change_no_byte(undisturbed, tmp_path, recipe, same):
    for out, workers in (("cold", 2), ("warm", 1)):
        work = recipe(undisturbed).model_copy(update={"workers": workers})
        generate(work, tmp_path / out, cache=tmp_path / "cache")
        assert same(tmp_path / out)


def test_a_run_that_is_killed_twice_goes_on_without_loss_or_double(
    undisturbed, tmp_path, values, same
):
    given = values(undisturbed, workers=2)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(given))
    program = "from llava_plus.ui.cli import main; main()"
    command = [sys.executable, "-c", program, "data", "generate", "recipe.yaml"]
    command += ["-o", "out", "--cache", "cache", "--json"]
    rng, parts = random.Random(), tmp_path / "out" / "parts"
    for wanted in (1, 3):
        run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
        while len(list(parts.glob("*.part"))) < wanted and run.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))
        run.send_signal(signal.SIGKILL)
        run.wait()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (tmp_path / "out" / "manifest.json").exists(), done.stderr
    assert same(tmp_path / "out")


def test_ctrl_c_leaves_what_goes_on(undisturbed, tmp_path, recipe, kept, same):
    seen = []

    def interrupt(progress):
        seen.append(progress.parts)
        if progress.parts >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(recipe(undisturbed), tmp_path / "out", tick=interrupt)
    with pytest.raises(SetupError, match="only half written"):
        kept(tmp_path / "out")
    progress = generate(recipe(undisturbed), tmp_path / "out")
    assert progress.remade >= 2
    assert same(tmp_path / "out")


def test_a_full_disk_ends_the_run_with_a_sentence_and_it_goes_on(
    undisturbed, tmp_path, recipe, same
):
    write, left = workshop.write_whole, [2]

    def full(path, work):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, work)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workshop, "write_whole", full)
        with pytest.raises(SetupError, match=r"No space left on device\. Free some space"):
            generate(recipe(undisturbed), tmp_path / "out")
    generate(recipe(undisturbed), tmp_path / "out")
    assert same(tmp_path / "out")


def test_a_run_can_be_closed_with_what_it_has(undisturbed, tmp_path, recipe, kept):
    def interrupt(progress):
        if progress.parts >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(recipe(undisturbed), tmp_path / "out", tick=interrupt)
    progress = generate(recipe(undisturbed), tmp_path / "out", finish=True)
    assert 0 < progress.kept < 30
    assert [one.id for one in kept(tmp_path / "out")] == [
        one.id for one in kept(undisturbed / "out")[: progress.kept]
    ]


def test_a_run_that_has_made_nothing_cannot_be_closed(tmp_path, undisturbed, recipe):
    nothing = r"nothing to close in .*out: of 30 traces that were wanted, none was made\. Name"
    with pytest.raises(SetupError, match=nothing):
        generate(recipe(undisturbed), tmp_path / "out", finish=True)
    assert not (tmp_path / "out").exists()


def test_a_skill_that_ends_its_process_costs_that_picture_only(tmp_path, recipe, kept):
    requests = [{"ask": "how [high|tall] is it?", "plan": "fragile(img_1)"}]
    work = recipe(tmp_path, requests, workers=2, per_picture=1, traces=11)
    progress = generate(work, tmp_path / "out")
    assert progress.kept == 11
    (problem,) = progress.problems
    assert "the process that worked on it ended (exit code -9)" in problem["why"]
    names = {trace.tags["item"] for trace in kept(tmp_path / "out")}
    assert names == {f"photos/p{number:02d}.png" for number in range(12)} - {"photos/p03.png"}


def test_what_hangs_or_differs_each_time_is_dropped_with_the_reason(tmp_path, recipe, kept):
    plans = ("sleepy(img_1)", "moody(img_1)", "brightness(img_1)")
    requests = [{"ask": f"do [this|that] with {plan}", "plan": plan} for plan in plans]
    work = recipe(tmp_path, requests, traces=23)
    progress = generate(work, tmp_path / "out")
    lines = (tmp_path / "out" / "dropped" / "traces-00000.jsonl").read_text().splitlines()
    reasons = {json.loads(line)["verdicts"]["replay"]["reason"] for line in lines}
    assert any("sleepy ended by time" in reason for reason in reasons)
    assert any("moody gave another text" in reason for reason in reasons)
    assert progress.kept == 23
    assert len([one for one in kept(tmp_path / "out") if "sleepy" in one.tags["kind"]]) >= 10


def test_bad_pictures_and_notes_cost_themselves_only(tmp_path, values, kept):
    given, folder = values(tmp_path, traces=40), tmp_path / "p"
    (folder / "p00.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    (folder / "p01.png.json").write_text("{not json")
    notes = {
        "images": [
            {"id": 1, "file_name": "p02.png", "width": 18, "height": 16},
            {"id": 2, "file_name": "gone.png", "width": 18, "height": 16},
        ],
        "annotations": [{"id": 7, "image_id": 1, "category_id": 1, "bbox": "wide"}, 3],
        "categories": [{"id": 1, "name": "cup"}],
    }
    (tmp_path / "notes.json").write_text(json.dumps(notes))
    coco = {"name": "coco", "coco": [str(tmp_path / "notes.json")], "images": [str(folder)]}
    given["sources"] = [*given["sources"], {**coco, "licence": "MIT", "weight": 0.5}]
    progress = generate(Recipe.parse(given), tmp_path / "out")
    told = (tmp_path / "out" / "dropped" / "problems.jsonl").read_text()
    for words in ("p00.png", "its sidecar cannot be read", "gone.png", "annotation 7", "entry 1"):
        assert words in told
    assert progress.kept == len(kept(tmp_path / "out")) > 25


def test_when_nothing_new_can_be_said_the_run_ends(tmp_path, recipe):
    only = [{"ask": "how [bright|light] is [this|it]?", "plan": "brightness(img_1)"}]
    work = recipe(tmp_path, only, traces=5000, pictures_per_part=1)
    progress = generate(work, tmp_path / "out")
    assert progress.exhausted
    assert 12 <= progress.kept < 200
    reasons = (tmp_path / "out" / "dropped" / "traces-00000.jsonl").read_text()
    assert "another trace asks the same of the same pictures" in reasons


def test_another_recipe_or_another_run_does_not_touch_the_folder(undisturbed, tmp_path, recipe):
    def again(progress):
        with pytest.raises(SetupError, match="Another run works in"):
            generate(recipe(undisturbed), tmp_path / "out")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(recipe(undisturbed), tmp_path / "out", tick=again)
    other = recipe(undisturbed).model_copy(update={"seed": 1})
    with pytest.raises(SetupError, match="was begun with another recipe"):
        generate(other, tmp_path / "out")
    with pytest.raises(SetupError, match="is there already"):
        generate(recipe(undisturbed), undisturbed / "out")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"traces": 0}, "traces: Input should be greater than or equal to 1"),
        ({"tracers": 5}, "tracers: Extra inputs are not permitted"),
        ({"sources": [{"drawn": 1, "folder": "x"}]}, "exactly one of drawn, folder"),
        ({"sources": [{"coco": ["x"]}]}, "coco needs images"),
        ({"sources": [{"folder": "gone"}]}, "There is no folder 'gone'"),
        ({"sources": [{"drawn": 0}]}, "has no picture"),
        ({"writers": [{"writer": "request"}]}, "Did you mean 'requests'"),
        ({"writers": [{"writer": "requests"}]}, "needs a list of requests"),
        ({"writers": [{"writer": "phrases", "options": {"x": 1}}]}, "cannot be made of"),
        ({"skills": {"use": ["blurr"]}}, "No skill 'blurr'"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_one_sentence(tmp_path, change, said, values):
    with pytest.raises(SetupError, match=said):
        generate(Recipe.parse({**values(tmp_path), **change}), tmp_path / "out")


@pytest.mark.filterwarnings("ignore")  # Ray sets its own deprecated options
def test_ray_data_makes_the_same_bytes(undisturbed, tmp_path, recipe, same):
    pytest.importorskip("ray.data")
    work = recipe(undisturbed).model_copy(update={"workers": 2})
    generate(work, tmp_path / "out", engine="ray")
    assert same(tmp_path / "out")


def test_the_core_needs_numpy_pillow_and_pydantic_only(undisturbed, tmp_path, values, same):
    allowed = "numpy PIL pydantic pydantic_core annotated_types typing_extensions typing_inspection"
    code = f"""
import sys
class Only:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        there = top in sys.stdlib_module_names or top in {allowed.split()!r}
        if there or top == "llava_plus" or top.startswith("_sysconfigdata"):
            return self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Only(finder) for finder in sys.meta_path]
import json
from pathlib import Path
from llava_plus.data_gen.generate import generate
from llava_plus.data_gen.recipe import Recipe
generate(Recipe.parse(json.loads(sys.argv[1])), Path(sys.argv[2]))
"""
    given = json.dumps(values(undisturbed, skills={"files": [str(undisturbed / "my_skills.py")]}))
    command = [sys.executable, "-c", code, given, str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert same(tmp_path / "out")
