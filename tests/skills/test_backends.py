"""Which backend does a call, and what each needs."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Runtime,
    SkillRegistry,
    default_registry,
    load_skills,
    with_original_names,
)
from llava_plus.skills.backends import (
    Backend,
    Shelf,
    skill_backends,
    status_of,
    with_backends,
)

OURS = default_registry()
WIDE = Backend(
    name="wide",
    skill="detect",
    note="Here it finds everything.",
    weights="tiny/wide",
    model_types=("wide",),
    licence="MIT",
    download=7,
    working=1,
    load=lambda folder, device: Finder(folder, device),
)
OTHER = replace(WIDE, name="other", weights="tiny/other", model_types=("other",))
TABLE = (WIDE, OTHER)

pytestmark = pytest.mark.usefixtures("own_choice")


class Finder:
    """Finds whatever is asked for in the whole picture."""

    made: list = []  # noqa: RUF012
    now, most = 0, 0
    lock = threading.Lock()

    def __init__(self, folder, device):
        Finder.made.append((folder.name, device))

    def __call__(self, image, label, **options):
        with Finder.lock:
            Finder.now += 1
            Finder.most = max(Finder.most, Finder.now)
        threading.Event().wait(0.01)
        with Finder.lock:
            Finder.now -= 1
        if label == "too much":
            raise MemoryError
        if label == "a bug":
            raise RuntimeError("shapes differ")
        return Boxes(((0.0, 0.0, 1.0, 1.0),), labels=(label,), query=f"{label} {options or ''}")


class Crowd(Finder):
    """Does four calls at once; a call that it does alone ends when it is told."""

    at_once = 4

    def __init__(self, folder, device):
        super().__init__(folder, device)
        self.alone, self.go, self.runs = threading.Event(), threading.Event(), []

    def __call__(self, image, label):
        self.alone.set()
        assert self.go.wait(60)
        return super().__call__(image, label)

    def group(self, arguments):
        return arguments["image"].width

    def together(self, calls):
        self.runs.append(len(calls))
        return [Finder.__call__(self, call["image"], call["label"]) for call in calls]


class Counted(Shelf):
    """Tells how many calls have asked for a model; by then, each of them waits."""

    asked = 0

    def borrow(self, key, need, load):
        self.asked += 1
        return super().borrow(key, need, load)


@pytest.fixture(autouse=True)
def _nothing_made():
    Finder.made, Finder.now, Finder.most = [], 0, 0


@pytest.fixture
def folder(tiny, tmp_path):
    return tiny.weights(tmp_path / "wide", "wide")


def pulled(tiny, hub, name, kind):
    """Put weights where the hub's tools keep them."""
    home = hub / f"models--{name.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("c0ffee")
    return tiny.weights(home / "snapshots" / "c0ffee", kind)


def asked(registry, *labels, skill="detect", **args):
    artifacts = Artifacts()
    artifacts.add(Image(np.full((20, 30, 3), 99, np.uint8)))
    runtime = Runtime(registry, artifacts)
    calls = [
        Call(id=f"c{n}", skill=skill, args={"image": "img_1", "label": label, **args})
        for n, label in enumerate(labels)
    ]
    return [asyncio.run(runtime.run(call)) for call in calls]


def backed(*wanted, table=TABLE, shelf=None):
    return with_backends(OURS, wanted, table=table, shelf=shelf or Shelf(budget=100))


# -- what a backend needs ---------------------------------------------------------------------


def test_weights_that_are_not_there_come_with_the_command_that_gets_them():
    status = status_of(WIDE)
    assert (status.state, status.folder) == ("needs weights", None)
    assert status.sentence == (
        "needs weights: 7 MB, tiny/wide is not on this machine. Run: llava-plus skills pull wide"
    )
    assert status_of(WIDE, "my/wider").command == "llava-plus skills pull wide:my/wider"


def test_weights_are_found_in_a_folder_and_in_the_hubs_cache(tiny, own_choice, folder):
    assert status_of(WIDE, str(folder)).folder == folder
    there = pulled(tiny, own_choice, "tiny/wide", "wide")
    assert (status_of(WIDE).state, status_of(WIDE).folder) == ("available", there)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_half_a_download_says_which_file_is_missing(tiny, own_choice, name):
    (pulled(tiny, own_choice, "tiny/wide", "wide") / name).unlink()
    status = status_of(WIDE)
    assert status.state == "needs weights"
    assert f"{name} in " in status.why
    assert "half a download" in status.why
    assert status.command == "llava-plus skills pull wide"


def test_a_file_that_ends_early_and_a_shard_that_is_missing_are_noticed(tiny, folder):
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    for damaged in (whole[:-1], b"version https://git-lfs.github.com/spec/v1\noid sha256:0", b""):
        file.write_bytes(damaged)
        assert "model.safetensors in" in status_of(WIDE, str(folder)).why
    file.rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model-00001-of-00002.safetensors").write_bytes(whole)
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = folder / "model.safetensors.index.json"
    index.write_text(str({"weight_map": names}).replace("'", '"'))
    status = status_of(WIDE, str(folder))
    assert "model-00002-of-00002.safetensors in" in status.why
    assert status.command == ""
    assert "Copy the folder again" in status.sentence


def test_a_tokenizer_is_asked_for_where_there_are_words(folder):
    (folder / "vocab.txt").unlink()
    assert status_of(WIDE, str(folder)).state == "available"
    assert "tokenizer.json in" in status_of(replace(WIDE, words=True), str(folder)).why


@pytest.mark.parametrize("lost", ["", "preprocessor_config.json", "vocab.txt"])
def test_weights_of_another_model_are_told_apart_even_where_files_are_missing(folder, lost):
    if lost:  # such as a SAM, which has no tokenizer, for GroundingDINO, which wants one
        (folder / lost).unlink()
    status = status_of(replace(OTHER, words=True), str(folder))
    assert status.state == "needs weights"
    assert "holds a model of type 'wide', wanted 'other'" in status.sentence


def test_a_package_that_is_missing_comes_with_the_command_that_installs_it(folder):
    status = status_of(replace(WIDE, packages=("no_such_package",), extra="wide"), str(folder))
    assert status.state == "needs extra"
    assert status.sentence.endswith(" -m pip install no_such_package")


def test_what_does_not_fit_is_too_large_before_and_after_the_download(folder):
    large = replace(WIDE, working=10**9)
    for place in ("", str(folder)):
        status = status_of(large, place)
        assert status.state == "too large"
        assert "MiB of memory, and there are" in status.sentence
        assert "--backend detect=wide:FOLDER_OR_ID" in status.sentence
    graphics = status_of(replace(WIDE, device="cuda"), str(folder))
    assert graphics.sentence == "too large: it needs cuda, and here is cpu"


@pytest.mark.parametrize("place", ["./nowhere", "~/nowhere", "no-slash", "a/b/c", "/", "a/"])
def test_a_place_that_is_neither_a_folder_nor_an_id_is_refused(place, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    if place == "/":
        assert "config.json in / is missing" in status_of(WIDE, place).why
        return
    with pytest.raises(SetupError, match="There is no folder"):
        status_of(WIDE, place)


# -- who does a call --------------------------------------------------------------------------


def test_of_itself_the_builtin_does_what_it_can_and_an_installed_model_the_rest(tiny, own_choice):
    pulled(tiny, own_choice, "tiny/other", "other")
    registry = backed()
    face, dog, again = asked(registry, "the face", "dog", "dog")
    assert (face.backend, face.version) == ("builtin", OURS["detect"].version)
    assert (dog.ok, dog.backend, dog.text) == (True, "other", "1 box: dog")
    assert dog.version.startswith(OURS["detect"].version + ".")
    assert (again.backend, again.cached) == ("other", True)
    assert Finder.made == [("c0ffee", "cpu")]
    assert skill_backends(registry["detect"], TABLE) == (
        "builtin: used for what it can do",
        "wide: needs weights: 7 MB, tiny/wide is not on this machine. "
        "Run: llava-plus skills pull wide",
        "other: used for all else",
    )


def test_with_no_model_there_all_stays_as_it_was_and_the_error_names_the_command():
    registry = load_skills(installed=False).skills
    assert list(registry) == list(OURS)
    (seen,) = asked(registry, "dog")
    assert (seen.error, seen.backend) == ("skill", "builtin")
    assert "it finds faces, text and codes" in seen.text
    assert "'llava-plus skills pull grounding-dino'" in seen.text


def test_a_chosen_model_does_every_call(folder):
    registry = backed(f"detect=wide:{folder}")
    assert [each.backend for each in asked(registry, "face", "dog")] == ["wide", "wide"]
    assert skill_backends(registry["detect"], TABLE)[:2] == ("builtin: available", "wide: used")


def test_a_chosen_model_can_share_with_the_builtin(folder):
    registry = backed(f"detect=builtin+wide:{folder}")
    assert [each.backend for each in asked(registry, "face", "dog")] == ["builtin", "wide"]


def test_a_flag_comes_before_the_environment(folder, monkeypatch):
    monkeypatch.setenv("LLAVA_PLUS_BACKENDS", f" detect=wide:{folder} ,")
    assert asked(backed(), "face")[0].backend == "wide"
    assert backed("detect=builtin")["detect"] is OURS["detect"]
    monkeypatch.setenv("LLAVA_PLUS_BACKENDS", "detect=narrow")
    with pytest.raises(SetupError, match=r"^LLAVA_PLUS_BACKENDS detect=narrow: detect has no"):
        backed()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("detect=wide", "--backend detect=wide: wide needs weights: 7 MB, tiny/wide is not on "),
        ("detect=narrow", "its backends are builtin, wide, other."),
        ("detect", "Write detect=wide, detect=wide:FOLDER_OR_ID, detect=builtin or detect=auto"),
        ("detect=builtin:x", "detect has no backend 'builtin:x'"),
        ("blur=wide", "no skill 'blur' has models to choose from; detect have."),
        ("detect=wide:./nowhere", "There is no folder './nowhere' with weights."),
        ("", "no skill '' has models"),
    ],
)
def test_a_choice_that_cannot_be_met_is_refused_at_the_start(wanted, words):
    with pytest.raises(SetupError) as caught:
        backed(wanted)
    assert words in str(caught.value)


def test_sharing_is_refused_where_the_builtin_does_all_calls():
    with pytest.raises(SetupError, match="the built-in segment does all calls"):
        backed("segment=builtin+cuts", table=(replace(WIDE, skill="segment", name="cuts"),))


def test_results_of_two_backends_and_of_two_weights_are_not_confused(tiny, tmp_path, folder):
    versions = {}
    for name in ("wide", "wider"):
        place = tiny.weights(tmp_path / name, "wide", megabytes=len(name) - 4)
        versions[name] = asked(backed(f"detect=wide:{place}"), "dog")[0].version
    assert versions["wide"] != versions["wider"]


def test_planners_read_what_the_model_adds_and_detect_is_nothing_new_to_the_bundled_one(folder):
    registry = backed(f"detect=builtin+wide:{folder}")
    line = next(line for line in registry.prompt().splitlines() if line.startswith("detect("))
    assert line.endswith("left to right. Here it finds everything.")
    tools = {tool["function"]["name"]: tool["function"] for tool in registry.openai_tools()}
    assert tools["detect"]["description"].endswith("Here it finds everything.")
    added, gone = registry.differences(OURS)
    assert ([spec.name for spec in added], gone) == (["segment_named"], ())


def test_skills_of_a_person_are_left_alone(folder):
    mine = replace(OURS["detect"], backend="mine")
    registry = with_backends(SkillRegistry([mine]), [f"detect=wide:{folder}"], table=TABLE)
    assert registry["detect"] is mine
    assert skill_backends(mine, TABLE) == ()


def test_a_function_put_in_place_of_the_skills_own_is_what_runs(folder):
    registry = backed(f"detect=wide:{folder}")
    stand_in = replace(registry["detect"], function=lambda image, label: Boxes((), query="none"))
    assert "nothing found" in asked(SkillRegistry([stand_in]), "dog")[0].text
    assert not Finder.made


def test_the_originals_name_goes_to_the_model_that_it_names_with_both_thresholds(folder):
    dino = replace(WIDE, name="grounding-dino")
    registry = with_original_names(backed(f"detect=builtin+grounding-dino:{folder}", table=(dino,)))
    artifacts = Artifacts()
    artifacts.add(Image(np.full((20, 30, 3), 99, np.uint8)))
    args = {"image": "img_1", "caption": "face . dog", "box_threshold": 0.1, "text_threshold": 0.2}
    call = Call(id="c", skill="grounding_dino", args=args)
    seen = asyncio.run(Runtime(registry, artifacts).run(call))
    assert (seen.ok, seen.backend) == (True, "grounding-dino")
    query = artifacts[seen.handle].value.query
    assert query == "face . dog {'threshold': 0.1, 'text_threshold': 0.2}"
    other = with_original_names(backed(f"detect=builtin+wide:{folder}"))
    assert other["grounding_dino"].backend == "detect:builtin+wide"


# -- loaded models ----------------------------------------------------------------------------


def test_calls_at_once_share_one_model_and_use_it_one_after_the_other(folder):
    registry = backed(f"detect=wide:{folder}")
    picture = Image(np.zeros((20, 30, 3), np.uint8))
    labels = [f"dog {n}" for n in range(8)]
    found = []
    detect = registry["detect"].function
    threads = [
        threading.Thread(target=lambda label=label: found.append(detect(picture, label)))
        for label in labels
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(boxes.labels[0] for boxes in found) == labels
    assert (Finder.made, Finder.most) == ([("wide", "cpu")], 1)


def test_calls_that_wait_for_a_model_go_through_it_together(folder):
    crowd, shelf = Crowd(folder, "cpu"), Counted(budget=100)
    table = (replace(WIDE, load=lambda folder, device: crowd),)
    detect = backed(f"detect=wide:{folder}", table=table, shelf=shelf)["detect"].function
    picture, found = Image(np.zeros((20, 30, 3), np.uint8)), {}

    def call(label):
        found[label] = detect(picture, label).labels[0]

    threads = [threading.Thread(target=call, args=(f"dog {n}",)) for n in range(7)]
    threads[0].start()
    assert crowd.alone.wait(60)
    for thread in threads[1:]:
        thread.start()
    while shelf.asked < len(threads):
        threading.Event().wait(0.005)
    crowd.go.set()
    for thread in threads:
        thread.join()
    assert found == {f"dog {n}": f"dog {n}" for n in range(7)}
    assert crowd.runs == [4, 2]


def test_out_of_memory_is_a_sentence_frees_the_model_and_other_calls_go_on(folder):
    shelf = Shelf(budget=100)
    registry = backed(f"detect=builtin+wide:{folder}", shelf=shelf)
    small, large = asked(registry, "dog", "too much")
    assert small.ok
    assert large.error == "skill"
    assert large.text == (
        "wide ran out of memory on cpu; it takes about 1 MiB. Close other programs or name smaller "
        "weights (--backend detect=wide:FOLDER_OR_ID)."
    )
    assert shelf.loaded() == ()
    face, dog = asked(registry, "face", "dog")
    assert face.ok
    assert dog.ok
    assert len(Finder.made) == 2


def test_another_error_of_a_model_is_a_bug_and_stays_one(folder):
    (seen,) = asked(backed(f"detect=wide:{folder}"), "a bug")
    assert (seen.error, seen.backend) == ("bug", "wide")


def test_an_empty_label_is_refused_by_whoever_is_asked(folder):
    with pytest.raises(SkillError, match="must name something"):
        OURS["detect"].function(Image(np.zeros((9, 9, 3), np.uint8)), " ")
