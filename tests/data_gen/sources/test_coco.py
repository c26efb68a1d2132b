"""COCO's layout: what makes sense is read, what does not costs only itself."""

import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest

from llava_plus.data_gen.sources import Coco
from llava_plus.errors import SetupError
from llava_plus.skills import rle

WIDTH, HEIGHT = 40, 30
INSTANCES = {
    "licenses": [{"id": 3, "name": "CC BY 2.0"}],
    "images": [
        {"id": 7, "file_name": "a.png", "width": WIDTH, "height": HEIGHT, "license": 3,
         "flickr_url": "https://example.org/a.png"},
        {"id": 8, "file_name": "b.png", "width": WIDTH, "height": HEIGHT},
    ],
    "categories": [
        {"id": 1, "name": "person", "keypoints": ["nose", "left_hand"]},
        {"id": 2, "name": "cup"},
    ],
    "annotations": [
        {"id": 10, "image_id": 7, "category_id": 1, "bbox": [4, 3, 20, 15],
         "segmentation": [[4, 3, 24, 3, 24, 18, 4, 18]], "iscrowd": 0,
         "keypoints": [8, 6, 2, 0, 0, 0]},
        {"id": 11, "image_id": 7, "category_id": 2, "bbox": [0, 0, 40, 30], "iscrowd": 1,
         "segmentation": {"size": [HEIGHT, WIDTH], "counts": [30, 60, WIDTH * HEIGHT - 90]}},
    ],
}  # fmt: skip
CAPTIONS = {
    "images": INSTANCES["images"],
    "annotations": [{"id": 90, "image_id": 7, "caption": " A cup on\na table. "}],
}


@pytest.fixture
def coco(tmp_path, photo, note):
    """A source made of files with these contents; pictures a.png and b.png are there."""
    for name in ("a.png", "b.png"):
        photo(tmp_path / "images" / name, WIDTH, HEIGHT)

    def made(*contents):
        files = [note(f"notes_{n}.json", content) for n, content in enumerate(contents)]
        return Coco(files=files, images=tmp_path / "images")

    return made


def test_things_masks_joints_captions_and_licences_are_read(coco, problems):
    one, other = coco(INSTANCES, CAPTIONS).items(problems.append)
    assert problems == []
    assert (one.id, one.licence, one.origin) == ("7", "CC BY 2.0", "https://example.org/a.png")
    person, cup = one.truth.things
    assert person.box == (0.1, 0.1, 0.6, 0.6)
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[3:18, 4:24] = True
    np.testing.assert_array_equal(rle.decode(person.mask), expected)
    assert [(j.name, j.xy, j.visible) for j in person.joints] == [("nose", (0.2, 0.2), True)]
    crowd = rle.decode(cup.mask)
    assert crowd[:, 1:3].all()
    assert crowd.sum() == 60
    assert (cup.crowd, one.truth.counts()) == (True, {"person": 1})
    assert one.truth.captions[0].text == "A cup on a table."
    assert one.truth.complete == {"person", "cup"}
    assert (other.id, other.licence, other.truth.things) == ("8", "unknown", ())


@pytest.mark.parametrize(("shape", "alike"), [("triangle", 0.95), ("thin", 0.85), ("two", 0.95)])
def test_polygons_are_filled_as_the_reference_fills_them(coco, problems, shape, alike):
    masks = pytest.importorskip("pycocotools.mask")
    rings = {
        "triangle": [[2.5, 3, 36.2, 8, 11, 28.4]],
        "thin": [[1, 14.2, 39, 15, 39, 18.1, 1, 17]],
        "two": [[1, 1, 15, 2, 12, 20], [20, 5, 38, 5, 30, 29, 22, 20]],
    }[shape]
    content = deepcopy(INSTANCES)
    content["annotations"] = [{**INSTANCES["annotations"][0], "segmentation": rings}]
    ours = rle.decode(next(coco(content).items(problems.append)).truth.things[0].mask)
    codes = masks.merge(masks.frPyObjects(rings, HEIGHT, WIDTH))
    theirs = rle.decode({"size": codes["size"], "counts": codes["counts"].decode()})
    assert (ours & theirs).sum() / (ours | theirs).sum() > alike


BROKEN = {
    "no such image": ({"image_id": 99}, "there is no image 99"),
    "no such category": ({"category_id": 5}, "there is no category 5"),
    "box outside": ({"bbox": [30, 3, 20, 15]}, "outside the picture of 40x30"),
    "empty box": ({"bbox": [3, 3, 0, 5]}, "wider and higher than 0"),
    "box of words": ({"bbox": "3,3,5,5"}, "must be a list of numbers"),
    "box of booleans": ({"bbox": [True, 1, 2, 3]}, "bearable numbers, got True"),
    "box without end": ({"bbox": [0, 0, float("inf"), 3]}, "bearable numbers, got inf"),
    "huge number": ({"bbox": [0, 0, 10**400, 3]}, "bearable numbers"),
    "no box": ({"bbox": None}, "must be a list of numbers, got nothing"),
    "polygon of two corners": ({"segmentation": [[1, 2, 3, 4]]}, "at least 3 corners, got 4"),
    "polygon off the picture": ({"segmentation": [[90, 90, 95, 90, 95, 95]]}, "covers no pixel"),
    "runs too short": ({"segmentation": {"size": [30, 40], "counts": [5, 5]}}, "add up to 40x30"),
    "code of another size": ({"segmentation": {"size": [3, 4], "counts": "0"}}, "is for 4x3"),
    "code of rubbish": ({"segmentation": {"size": [30, 40], "counts": "!!"}}, "run-length code"),
    "joints too few": ({"keypoints": [1, 2, 2]}, "keypoints must be 6 numbers, got 3"),
    "joint outside": ({"keypoints": [99, 2, 2, 0, 0, 0]}, "keypoint nose 99, 2 lies outside"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_annotation_costs_only_itself(coco, problems, name):
    change, why = BROKEN[name]
    content = deepcopy(INSTANCES)
    content["annotations"][0] |= change
    one, other = coco(content).items(problems.append)
    assert [thing.label for thing in one.truth.things] == ["cup"]
    (problem,) = problems
    assert (problem.file, problem.id) == ("notes_0.json", "annotation 10")
    assert why in problem.why
    assert other.id == "8"
    assert not one.truth.complete or name == "no such image"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"file_name": "gone.png"}, "there is no picture 'gone.png'"),
        ({"file_name": "../secret.png"}, "there is no picture '../secret.png'"),
        ({"file_name": None}, "file_name must be a text"),
        ({"width": 41}, "is 40x30, the notes are for 41x30"),
        ({"height": "30"}, "bearable numbers, got '30'"),
    ],
)
def test_a_broken_image_costs_only_itself(coco, photo, problems, tmp_path, change, why):
    photo(tmp_path / "secret.png", WIDTH, HEIGHT)
    content = deepcopy(INSTANCES)
    content["images"][0] |= change
    assert [item.id for item in coco(content).items(problems.append)] == ["8"]
    assert [(p.id, why in p.why) for p in problems] == [("image 7", True)]


def test_entries_that_are_no_objects_are_reported_by_their_place(coco, problems):
    content = deepcopy(INSTANCES)
    content["annotations"] += [17, {"id": 12}]
    content["images"].append({"id": [1]})
    assert len(list(coco(content).items(problems.append))) == 2
    assert [p.id for p in problems] == ["entry 2", "entry 2", "entry 3"]


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "it is not JSON"), ("[]", "it must have 'images'"), ("[" * 100_000, "it is not JSON")],
)
def test_a_file_of_another_kind_is_said_to_the_person(tmp_path, problems, text, why):
    file = tmp_path / "notes.json"
    file.write_text(text)
    with pytest.raises(SetupError, match=why):
        list(Coco(files=[file], images=tmp_path).items(problems.append))


LOADED = """
import resource, sys
from pathlib import Path
from llava_plus.data_gen.sources import Coco
import llava_plus.data_gen.sources.coco as coco
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
notes = coco._Notes(Path(sys.argv[1]), print)
assert sum(map(len, notes.notes.values())) == 100_000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.slow
def test_a_hundred_thousand_annotations_load_in_less_than_400_mib(note):
    ring = [round(n * 1.37, 2) for n in range(60)]
    entry = {"category_id": 1, "bbox": [4.5, 3.5, 20.5, 15.5], "iscrowd": 0, "area": 300.5}
    content = {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(1000)],
        "categories": [{"id": 1, "name": "cup"}],
        "annotations": [
            {"id": n, "image_id": n % 1000, "segmentation": [ring], **entry} for n in range(100_000)
        ],
    }
    file = note("large.json", content)
    run = [sys.executable, "-c", LOADED, str(file)]
    grown = float(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert grown < 400
