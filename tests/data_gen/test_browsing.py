"""Finding traces in a folder: kept, dropped and unreadable ones, by what they say."""

import json

import pytest

from llava_plus.agent import Trace
from llava_plus.data_gen.browsing import TraceIndex, Wanted
from llava_plus.data_gen.folders import Problem, TraceFolder
from llava_plus.data_gen.verify import Schema, sift_folder, standard_verifiers
from llava_plus.errors import SetupError


@pytest.fixture
def sifted(folder_of, faces, talk, few_skills, tmp_path):
    """A folder with two kept traces, a dropped one and an unreadable line."""
    wrong = talk(("how many?", "ocr(img_1)", "There are 44, 100_% sure."), id="wrong")
    sets = (faces(id="a"), talk(("Was steht da?", "ocr(img_1)", "{lines_1}"), id="b", shift=2))
    folder = TraceFolder(folder_of(*sets, wrong, "{nonsense"))
    verifiers = standard_verifiers(few_skills, replay=False)
    sift_folder(folder, tmp_path / "out", [v for v in verifiers if v.name != "unique"])
    return tmp_path / "out"


@pytest.fixture
def index_of():
    made = []

    def make(path):
        made.append(TraceIndex(path))
        made[-1].fill()
        return made[-1]

    yield make
    for one in made:
        one.close()


def found(index, **wanted):
    rows, count = index.find(Wanted(**wanted), page=0, size=10)
    assert len(rows) == count
    return [row.id for row in rows]


def test_traces_are_found_by_words_skill_verdict_and_verifier(index_of, sifted):
    index = index_of(sifted)
    assert (len(index), index.whole) == (4, True)
    assert found(index, skill="ocr") == ["wrong", "b"] or found(index, skill="ocr") == [
        "b",
        "wrong",
    ]
    assert set(found(index, verdict="kept")) == {"a", "b"}
    assert found(index, verdict="dropped", verifier="grounded") == ["wrong"]
    assert found(index, text="WAS STEHT") == ["b"]
    assert found(index, text="100_%") == ["wrong"]  # letters, not patterns
    assert found(index, text="10__%") == []
    assert found(index, text="nobody said") == ["wrong"]
    assert found(index, verdict="unreadable") == ["all.jsonl:4"]
    assert found(index, skill="' OR 1 --") == []
    assert index.skills() == ["blur", "detect", "ocr"]
    assert index.verifiers() == ["grounded"]


def test_a_trace_is_opened_with_its_pictures_and_a_line_with_its_reason(index_of, sifted):
    index = index_of(sifted)
    rows, _ = index.find(Wanted(), page=0, size=10)
    opened = {row.id: index.open(row.number) for row in rows}
    assert isinstance(opened["a"], Trace)
    assert opened["a"].artifacts["img_2"].value.width == 16
    assert not opened["wrong"].verdicts["grounded"]["ok"]
    assert isinstance(opened["all.jsonl:4"], Problem)
    assert "It is not JSON" in opened["all.jsonl:4"].why
    with pytest.raises(SetupError, match="no trace 99"):
        index.open(99)


def test_pages_follow_one_another(index_of, folder_of, talk):
    trace = talk(("hi", "Hello."))
    index = index_of(
        folder_of(*(trace.model_copy(update={"id": f"t{number}"}) for number in range(7)))
    )
    pages = [index.find(Wanted(), page=page, size=3) for page in range(4)]
    assert [[row.id for row in rows] for rows, _ in pages] == [
        ["t0", "t1", "t2"],
        ["t3", "t4", "t5"],
        ["t6"],
        [],
    ]
    assert {count for _, count in pages} == {7}


def test_lines_that_are_no_traces_are_in_the_list(index_of, folder_of, talk):
    odd = [json.dumps({"turns": 3}), "[]", "x" * 10, json.dumps({"turns": [], "verdicts": {}})]
    index = index_of(folder_of(talk(("hi", "Hello.")), *odd))
    assert len(found(index, verdict="unreadable")) == 4
    assert isinstance(index.open(3), Problem)


def test_a_folder_without_traces_is_one_sentence(tmp_path):
    with pytest.raises(SetupError, match="There are no traces in"):
        TraceIndex(tmp_path)
    with pytest.raises(SetupError, match="There is no folder"):
        TraceIndex(tmp_path / "gone")


def test_a_folder_of_which_everything_was_dropped_can_be_looked_at(
    index_of, folder_of, faces, tmp_path, few_skills
):
    nothing = few_skills.subset("ocr")
    sift_folder(TraceFolder(folder_of(faces())), tmp_path / "out", [Schema(nothing)])
    index = index_of(tmp_path / "out")
    assert found(index, verdict="dropped", verifier="schema") == ["one"]
