"""Visual Genome: regions, things, attributes and relations from five files."""

import pytest

from llava_plus.data_gen.sources import VisualGenome

CUP = {"object_id": 5, "x": 4, "y": 3, "w": 20, "h": 15, "names": ["cup"], "synsets": ["cup.n.01"]}
TABLE = {"object_id": 6, "x": 0, "y": 15, "w": 40, "h": 15, "names": ["table"], "synsets": []}
PICTURES = [{"image_id": 1, "width": 40, "height": 30, "url": "https://example.org/1.jpg"}]
REGIONS = [{"id": 1, "regions": [
    {"region_id": 9, "image_id": 1, "x": 4, "y": 3, "width": 20, "height": 15, "phrase": "a cup"},
]}]  # fmt: skip
OBJECTS = [{"image_id": 1, "objects": [CUP, TABLE]}]
ATTRIBUTES = [{"image_id": 1, "attributes": [{**CUP, "attributes": ["red ", "small"]}]}]
RELATIONS = [{"image_id": 1, "relationships": [
    {"relationship_id": 3, "predicate": "ON", "synsets": [],
     "subject": {**CUP, "name": "cup"}, "object": {**TABLE, "name": "table"}},
]}]  # fmt: skip


@pytest.fixture
def genome(tmp_path, photo, note):
    photo(tmp_path / "VG_100K_2" / "1.jpg")

    def made(**files):
        for name, content in {"image_data": PICTURES, **files}.items():
            note(f"{name}.json", content)
        folders = [tmp_path / "VG_100K", tmp_path / "VG_100K_2"]
        return VisualGenome(folder=tmp_path, images=folders)

    return made


def test_all_files_are_put_together_by_the_ids_of_things(genome, problems):
    source = genome(
        region_descriptions=REGIONS, objects=OBJECTS, attributes=ATTRIBUTES, relationships=RELATIONS
    )
    (item,) = source.items(problems.append)
    cup, table = item.truth.things
    assert (cup.label, cup.box, cup.attributes) == ("cup", (0.1, 0.1, 0.6, 0.6), ("red", "small"))
    (relation,) = item.truth.relations
    assert (relation.subject, relation.predicate, relation.object) == (0, "on", 1)
    assert item.truth.captions[0].text == "a cup"
    assert item.truth.captions[0].box == (0.1, 0.1, 0.6, 0.6)
    assert (table.label, item.origin, item.truth.complete) == ("table", PICTURES[0]["url"], set())
    assert problems == []


def test_files_that_are_not_there_are_not_missed(genome, problems):
    (item,) = genome(relationships=RELATIONS).items(problems.append)
    assert item.truth.counts() == {"cup": 1, "table": 1}
    assert problems == []


@pytest.mark.parametrize(
    ("files", "where", "why"),
    [
        ({"objects": [{"image_id": 1, "objects": [CUP, {**TABLE, "w": -4}]}]},
         "image 1, objects 1", "wider and higher"),
        ({"objects": [{"image_id": 1, "objects": [CUP, {**TABLE, "names": []}]}]},
         "image 1, objects 1", "name must be a text"),
        ({"objects": [{"image_id": 1, "objects": [CUP, "table"]}]},
         "image 1, objects 1", "wanted an object"),
        ({"objects": [{"image_id": 1, "objects": [CUP]}], "relationships": [
            {"image_id": 1, "relationships": [{"predicate": "on", "subject": CUP, "object": 6}]}]},
         "image 1, relationships 0", "subject and object must be objects"),
        ({"objects": [{"image_id": 1, "objects": [CUP]}], "region_descriptions": [
            {"id": 1, "regions": {}}]}, "image 1", "regions must be a list"),
    ],
)  # fmt: skip
def test_a_broken_entry_costs_only_itself(genome, problems, files, where, why):
    (item,) = genome(**files).items(problems.append)
    assert item.truth.counts() == {"cup": 1}
    (problem,) = problems
    assert problem.id == where
    assert why in problem.why


def test_a_picture_that_is_not_there_is_reported(genome, problems):
    pictures = [*PICTURES, {"image_id": 2, "width": 4, "height": 4}]
    items = genome(image_data=pictures).items(problems.append)
    assert [item.id for item in items] == ["1"]
    assert [(p.id, "there is no picture '2.jpg'" in p.why) for p in problems] == [("image 2", True)]
