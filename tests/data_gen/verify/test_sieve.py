"""Folders of traces: sifted, counted, interrupted, damaged."""

import gc
import json
import resource
import weakref
from contextlib import contextmanager

import pytest
from PIL import Image as Pillow

from llava_plus.data_gen.folders import Problem, TraceFolder, read_manifest
from llava_plus.data_gen.truth import Truth, truths_of, with_truths
from llava_plus.data_gen.verify import Grounded, Verdict, sift_folder, standard_verifiers
from llava_plus.errors import SetupError


class Watcher:
    """Counts how many of the traces and pictures that it has seen are still in memory."""

    name = "watcher"

    def __init__(self):
        self.seen, self.most = [], 0

    def check(self, trace):
        self.seen += [weakref.ref(trace), weakref.ref(trace.artifacts["img_1"].value)]
        if len(self.seen) % 100 == 0:
            gc.collect()
        there = {id(one()) for one in self.seen if one() is not None}
        self.most = max(self.most, len(there))
        return Verdict(ok=True)


class Fragile:
    name = "fragile"

    def check(self, trace):
        if trace.id == "two":
            raise KeyError("inside")
        return Verdict(ok=True)


@contextmanager
def files_up_to(size):
    """Let no file grow beyond so many bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def ids(folder):
    return [trace.id for trace in TraceFolder(folder).read()]


@pytest.fixture
def lie(talk):
    return talk(("how many?", "detect(img_1, 'face')", "I found 7."), id="lie")


def test_what_is_dropped_is_kept_aside_with_the_reason(faces, lie, folder_of, tmp_path):
    report = sift_folder(TraceFolder(folder_of(faces(), lie)), tmp_path / "out", [Grounded()])
    assert (report.read, report.kept) == (2, 1)
    assert ids(tmp_path / "out") == ["one"]
    (dropped,) = TraceFolder(tmp_path / "out" / "dropped").read()
    assert dropped.id == "lie"
    assert "says 7" in dropped.verdicts["grounded"]["reason"]
    manifest = read_manifest(tmp_path / "out")
    expected = {"name": "grounded", "seen": 2, "kept": 1, "dropped": 1, "raised": 0, "share": 0.5}
    assert manifest["yields"] == [expected]
    assert [one["name"] for one in manifest["files"]] == [
        "dropped/traces-00000.jsonl",
        "traces-00000.jsonl",
    ]


def test_a_verifier_that_raises_costs_one_trace(faces, folder_of, tmp_path, caplog):
    traces = [faces(id=name) for name in ("one", "two", "three")]
    report = sift_folder(TraceFolder(folder_of(*traces)), tmp_path / "out", [Fragile()])
    assert [vars(one) for one in report.yields] == [
        {"name": "fragile", "seen": 3, "kept": 2, "dropped": 0, "raised": 1}
    ]
    assert ids(tmp_path / "out") == ["one", "three"]
    assert "verifier fragile, trace two" in caplog.text
    (dropped,) = TraceFolder(tmp_path / "out" / "dropped").read()
    assert dropped.verdicts["fragile"]["reason"] == "the verifier failed: KeyError: 'inside'"


def test_only_one_trace_is_in_memory_at_a_time(faces, folder_of, tmp_path):
    one = faces()
    traces = [one.model_copy(update={"id": str(number)}) for number in range(200)]
    folder, watcher = folder_of(*traces), Watcher()
    del traces, one
    report = sift_folder(TraceFolder(folder), tmp_path / "out", [watcher])
    assert report.kept == 200
    assert watcher.most <= 6  # the trace, its copy with a licence, the one before, their picture


LINES = [
    "",
    "{",
    "[]",
    '{"artifacts":5}',
    '"x"',
    '{"format":1}',
    '{"format":2,"artifacts":[]}',
    "[" * 100_000,
    "\x00",
]


def test_lines_that_are_no_traces_are_told_and_kept_aside(faces, folder_of, tmp_path):
    folder = folder_of(faces(), *LINES)
    report = sift_folder(TraceFolder(folder), tmp_path / "out", [])
    assert (report.kept, report.unreadable) == (1, len(LINES) - 1)  # an empty line is none
    assert report.problems[0].where == "all.jsonl:3"
    aside = (tmp_path / "out" / "dropped" / "unreadable-00000.txt").read_text().splitlines()
    assert [json.loads(line)["line"] for line in aside][:2] == ["{", "[]"]
    assert ids(tmp_path / "out") == ["one"]


def test_a_line_that_is_cut_short_or_not_utf8_is_one_problem(faces, folder_of):
    folder = folder_of(faces())
    path = folder / "all.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b"\xff\xfe\n" + whole[:200])
    found = list(TraceFolder(folder).read())
    assert [type(one).__name__ for one in found] == ["Trace", "Problem", "Problem"]


def test_missing_pictures_are_named_and_found_elsewhere(faces, folder_of, tmp_path):
    folder = folder_of(faces())
    (folder / "artifacts").rename(tmp_path / "elsewhere")
    (problem,) = TraceFolder(folder).read()
    assert isinstance(problem, Problem)
    assert "2 of its 2 pictures are missing" in problem.why
    (trace,) = TraceFolder(folder, pictures=[tmp_path / "elsewhere"]).read()
    assert trace.id == "one"


def test_pictures_that_traces_share_are_read_from_disk_once(faces, folder_of, monkeypatch):
    folder, opened = folder_of(faces(id="a"), faces(id="b"), faces(id="c")), []
    there = list((folder / "artifacts").rglob("*.png"))
    real = Pillow.open
    monkeypatch.setattr(
        Pillow, "open", lambda file, **more: opened.append(file) or real(file, **more)
    )
    first, _, last = TraceFolder(folder).read()
    assert sorted(opened) == sorted(there)
    assert first.artifacts["img_1"].value == last.artifacts["img_1"].value
    monkeypatch.setattr("llava_plus.data_gen.folders.RECENT", 0)
    opened.clear()
    assert len(list(TraceFolder(folder).read())) == 3
    assert len(opened) == 3 * len(there)


def test_a_damaged_picture_costs_its_trace(faces, folder_of):
    folder = folder_of(faces())
    path = sorted((folder / "artifacts").rglob("*.png"))[0]
    path.write_bytes(path.read_bytes()[:40])
    (problem,) = TraceFolder(folder).read()
    assert "is damaged" in problem.why


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "There is no folder"),
        (lambda path: path.write_text("x"), "is a file. Name the folder"),
        (lambda path: path.mkdir(), "There are no traces in"),
    ],
)
def test_a_folder_without_traces_is_told(make, said, tmp_path):
    make(tmp_path / "x")
    with pytest.raises(SetupError, match=said):
        TraceFolder(tmp_path / "x")


def test_an_interrupted_run_is_recognised_and_begun_again(faces, lie, folder_of, tmp_path):
    folder = folder_of(*(faces(id=str(number)) for number in range(4)), lie, "{")
    ticks = []

    def interrupt():
        ticks.append(1)
        if len(ticks) == 3:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        sift_folder(TraceFolder(folder), out, [Grounded()], tick=interrupt)
    with pytest.raises(SetupError, match="only half written"):
        TraceFolder(out)
    sift_folder(TraceFolder(folder), out, [Grounded()])
    sift_folder(TraceFolder(folder), tmp_path / "fresh", [Grounded()])
    assert content(out) == content(tmp_path / "fresh")


def test_a_full_disk_is_one_sentence_and_nothing_counts_as_whole(faces, folder_of, tmp_path):
    folder = folder_of(*(faces(id=str(number)) for number in range(30)))
    with files_up_to(8192), pytest.raises(SetupError) as error:
        sift_folder(TraceFolder(folder), tmp_path / "out", [])
    assert "Cannot write to" in str(error.value)
    assert "run the same command again" in str(error.value)
    with pytest.raises(SetupError, match="only half written"):
        TraceFolder(tmp_path / "out")


def test_what_is_there_is_never_overwritten(faces, folder_of, tmp_path):
    folder = folder_of(faces())
    sift_folder(TraceFolder(folder), tmp_path / "out", [])
    (tmp_path / "file").write_text("mine")
    for place, said in ((tmp_path / "out", "there already"), (folder, "not empty")):
        with pytest.raises(SetupError, match=said):
            sift_folder(TraceFolder(folder), place, [])
    with pytest.raises(SetupError, match="is a file"):
        sift_folder(TraceFolder(folder), tmp_path / "file", [])


def test_a_shard_that_was_changed_or_is_gone_is_refused(faces, folder_of, tmp_path):
    sift_folder(TraceFolder(folder_of(faces())), tmp_path / "out", [])
    shard = tmp_path / "out" / "traces-00000.jsonl"
    shard.write_bytes(shard.read_bytes().replace(b"faces", b"cases"))
    with pytest.raises(SetupError, match="was changed or cut short"):
        list(TraceFolder(tmp_path / "out").read())
    shard.rename(tmp_path / "gone.jsonl")
    with pytest.raises(SetupError, match=r"lacks traces-00000.jsonl"):
        TraceFolder(tmp_path / "out")


def test_what_the_source_knows_stays_with_a_verified_trace(faces, folder_of, tmp_path, few_skills):
    known = [Truth(counts={"face": 2})]
    folder = folder_of(with_truths(faces(), known))
    for out in ("once", "twice"):
        verifiers = standard_verifiers(few_skills)
        assert sift_folder(TraceFolder(folder), tmp_path / out, verifiers).kept == 1
        folder = tmp_path / out
        (trace,) = TraceFolder(folder).read()
        assert truths_of(trace) == tuple(known)
        assert trace.verdicts["ground truth"] == {"ok": True, "reason": ""}


def test_older_traces_have_the_truth_among_their_verdicts(faces, folder_of, edited):
    known = [Truth(counts={"face": 2})]

    def older(fields):
        fields["verdicts"]["truth"] = fields.pop("truth")
        del fields["tags"]

    (trace,) = TraceFolder(folder_of(edited(with_truths(faces(), known), older))).read()
    assert truths_of(trace) == tuple(known)
    assert trace.verdicts == {}


def test_a_licence_is_given_to_traces_that_name_none(faces, folder_of, tmp_path):
    folder = folder_of(faces(licence=""), faces(licence="MIT"))
    sift_folder(TraceFolder(folder), tmp_path / "out", [], licence="CC0-1.0")
    assert [one.licence for one in TraceFolder(tmp_path / "out").read()] == ["CC0-1.0", "MIT"]
