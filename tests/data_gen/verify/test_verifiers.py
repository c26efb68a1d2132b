"""Each verifier lets a right trace through, and says what is wrong with another."""

import numpy as np
import pytest

from llava_plus.agent import Agent, ScriptedPlanner, Trace, Turn
from llava_plus.data_gen.truth import Truth, truths_of, with_truths
from llava_plus.data_gen.verify import (
    Grounded,
    Licences,
    MatchesTruth,
    NoLeak,
    Refusals,
    Replay,
    Schema,
    Unique,
    standard_verifiers,
)
from llava_plus.errors import SetupError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Image,
    ResultCache,
    SkillRegistry,
    Text,
    default_registry,
    skill,
)
from llava_plus.skills.arguments import resolve
from llava_plus.skills.result_cache import call_key


def why(verifier, trace):
    verdict = verifier.check(trace)
    assert verdict.ok == (not verdict.reason)
    return verdict.reason


def test_a_right_trace_passes_all(faces, few_skills):
    trace = with_truths(faces(), [Truth(counts={"face": 2})])
    assert [why(one, trace) for one in standard_verifiers(few_skills)] == [""] * 8


def step(fields, turn=0, index=0):
    return fields["turns"][turn]["steps"][index]


def action(fields, turn=0, **changes):
    step(fields, turn)["actions"][0] |= changes


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.update(turns=[]), "there is no turn"),
        (lambda f: f["turns"][1].update(reason="steps"), "turn 2 was not answered (steps)"),
        (lambda f: step(f).update(raw="x"), "turn 1: an output of the planner could not be read"),
        (lambda f: action(f, skill="detct"), "turn 1, step 1: No skill 'detct'. Did you mean"),
        (lambda f: action(f, args={"image": "img_1"}), "label is missing"),
        (lambda f: action(f, args={"image": "img_2", "label": "x"}), "No handle 'img_2'"),
        (lambda f: action(f, 1, args={"image": "boxes_1"}), "wants Image, boxes_1 is boxes"),
        (lambda f: step(f).update(observations=[]), "do not belong together"),
        (lambda f: step(f)["observations"][0].update(handle="boxes_7"), "not among the artifacts"),
        (lambda f: step(f)["observations"][0].update(handle="img_1"), "is not what detect gave"),
    ],
)
def test_the_schema_tells_what_does_not_fit(faces, few_skills, edited, change, said):
    assert said in why(Schema(few_skills), edited(faces(), change))


ASKED = "is it room 204?"


@pytest.mark.parametrize(
    ("request_", "answer", "said"),
    [
        ("what does it say?", "It says {lines_1}.", ""),
        ("what does it say?", 'It says "open" and, below, “Room  204”.', ""),
        ("what does it say?", "I read 2 lines, two of them sure to 99.9%, or 50 %.", ""),
        ("what does it say?", "The picture is 16x12.", ""),
        ("is the 7 there?", "No 7 is there.", ""),
        ("what does it say?", "The left one.", ""),
        ("what does it say?", 'It says "CLOSED".', "quotes 'CLOSED'"),
        ("what does it say?", "I found 7 lines.", "says 7"),
        ("what does it say?", "I found three lines.", "says three"),
        ("what does it say?", "Sure to 98.7%.", "says 98.7%"),
        ("what does it say?", "Look at img_9.", "names img_9"),
        ("what does it say?", "Look at {boxes_1}.", "names boxes_1"),
    ],
)
def test_an_answer_rests_on_what_was_seen_or_asked(talk, request_, answer, said):
    reason = why(Grounded(), talk((request_, "ocr(img_1)", answer)))
    assert said in reason
    assert bool(said) == bool(reason)


def test_an_earlier_turn_cannot_rest_on_a_later_one(talk):
    trace = talk(("hello", "You are in 204."), ("what does it say?", "ocr(img_1)", "{lines_1}"))
    assert why(Grounded(), trace) == (
        "turn 1: the answer says 204, which nobody said and nothing showed"
    )
    late = talk(("what does it say?", "ocr(img_1)", "{lines_1}"), ("hello", "You are in 204."))
    assert not why(Grounded(), late)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("are there two faces?", "detect(img_1, 'face')", "I found {boxes_1}."), "says 2"),
        (("how many faces?", "detect(img_1, 'face')", "I found {boxes_1}."), ""),
        (("blur both, 2 faces", "blur(img_1)", "2 faces, in {img_2}."), ""),
        (('does it say "OPEN"?', "ocr(img_1)", 'Yes, "OPEN".'), "says OPEN"),
        (('does it say "OPEN"?', "ocr(img_1)", 'No, "Room 204".'), ""),
        (("any faces?", "detect(img_1, 'face')", "Yes."), ""),
        (("thanks, 5 stars", "You gave 5."), ""),
    ],
)
def test_an_answer_that_the_request_gives_away_is_dropped(talk, lines, said):
    reason = why(NoLeak(), talk(lines))
    assert said in reason
    assert bool(said) == bool(reason)


BOXES = ((0.1, 0.1, 0.3, 0.4), (0.62, 0.25, 0.8, 0.456))


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ({"counts": {"face": 2}}, ""),
        ({"counts": {"face": 3}}, "does not say that there are 3 of 'face'"),
        ({"counts": {"face": 0}}, "there are 0 of 'face'"),
        ({"answers": ["none", "2 faces"]}, ""),
        ({"answers": ["2 face"]}, "has none of '2 face'"),
        ({"texts": ["i  FOUND 2"]}, ""),
        ({"texts": ["OPEN"]}, "does not quote 'OPEN'"),
        ({"boxes": {"face": BOXES}}, ""),
        ({"boxes": {"face": BOXES[::-1]}}, ""),
        ({"boxes": {"face": BOXES[:1]}}, "2 of 'face' were found; there are 1"),
        ({"boxes": {"face": (BOXES[0], BOXES[0])}}, "or elsewhere"),
        ({"boxes": {"dog": BOXES}}, ""),
        ({"turn": 3}, "of turn 3, which is not there"),
    ],
)
def test_answers_and_boxes_agree_with_the_ground_truth(faces, truth, said):
    trace = with_truths(faces(), [Truth.model_validate(truth)])
    assert truths_of(trace) == (Truth.model_validate(truth),)
    reason = why(MatchesTruth(), trace)
    assert said in reason
    assert bool(said) == bool(reason)


def test_nothing_found_is_worded_in_many_ways(talk):
    for answer in ("There is no face.", "None.", "I found 0.", "I did not see any."):
        truth = [Truth(counts={"face": 0})]
        assert not why(MatchesTruth(), with_truths(talk(("faces?", answer)), truth))


def test_a_truth_that_cannot_be_read_is_an_error(faces):
    trace = faces().model_copy(update={"truth": ({"turn": 0},)})
    with pytest.raises(SetupError, match=r"ground truth of trace one .* docs/data.md"):
        MatchesTruth().check(trace)


def test_a_marked_request_must_be_refused_without_a_skill(faces, talk):
    marked = [Truth(turn=1, refuse=True)]
    assert "detect was called" in why(Refusals(), with_truths(faces(), marked))
    assert not why(Refusals(), with_truths(talk(("track her", "I will not.")), marked))
    assert not why(Refusals(), faces())


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        ("CC0-1.0", ""),
        ("cc0-1.0 and public domain or CC0", ""),
        ("", "does not say"),
        ("CC-BY-NC-4.0", "under CC-BY-NC-4.0, which is not allowed"),
        ("CC0-1.0, mine", "under mine"),
    ],
)
def test_pictures_need_an_allowed_licence(faces, licence, said):
    reason = why(Licences(), faces(licence=licence))
    assert said in reason
    assert bool(said) == bool(reason)


def test_without_pictures_no_licence_is_needed(few_skills):
    session = Agent(ScriptedPlanner(["hi"]), few_skills).session()
    assert not why(Licences(), session.run_sync("hello"))


def test_replay_finds_a_result_that_was_changed(faces, few_skills, edited):
    def move(fields):
        fields["artifacts"][1]["value"]["xyxy"][0][0] += 0.01

    def mend(fields):
        fields["artifacts"][1]["value"]["xyxy"][0][0] += 1e-9

    replay = Replay(few_skills)
    assert why(replay, edited(faces(), move)).startswith(
        "turn 1, step 1: detect gave another boxes"
    )
    assert not why(replay, edited(faces(), mend))
    assert (replay.steps, replay.fresh) == (3, 3)


def test_replay_sees_another_picture(faces, few_skills, edited):
    def darker(fields):
        fields["artifacts"][2]["value"]["digest"] = fields["artifacts"][0]["value"]["digest"]

    said = "turn 2, step 1: blur gave another image"
    assert said in why(Replay(few_skills), edited(faces(), darker))


def test_an_error_comes_again_with_its_own_words(talk, few_skills, edited):
    trace = talk(("the cat?", "detect(img_1, 'cat')", "detect(img_1, 'cat')", "{error}"))
    assert trace.turns[0].steps[1].observations[0].cached  # the loop's own words
    assert not why(Replay(few_skills), trace)

    def reword(fields):
        step(fields)["observations"][0]["text"] = "detect: no."

    assert "detect failed with 'detect: no.'" in why(Replay(few_skills), edited(trace, reword))


def test_what_exists_later_is_not_there_in_a_replay(talk, few_skills):
    trace = talk(
        ("blur", "blur(img_1, boxes_1)", "{error}"), ("faces", "detect(img_1, 'face')", "ok")
    )
    assert not trace.turns[0].steps[0].observations[0].ok
    assert not why(Replay(few_skills), trace)


def test_what_a_person_must_allow_is_never_run_again(talk):
    runs = []

    @skill(isolation="inline", approval=True)
    def post(image: Image) -> Text:
        """Send the picture to everybody."""
        runs.append(image)
        return Text("sent")

    session = Agent(ScriptedPlanner([]), SkillRegistry([post])).session()
    session.attach([np.zeros((4, 4, 3), np.uint8)])
    trace = session.call_sync("post", {"image": "img_1"})
    assert len(runs) == 1
    said = why(Replay(SkillRegistry([post])), trace)
    assert "post waits for a person's approval" in said
    assert len(runs) == 1


def test_a_call_that_ran_out_of_time_cannot_be_repeated(talk, few_skills, edited):
    trace = talk(("the cat?", "detect(img_1, 'cat')", "{error}"))
    late = edited(trace, lambda f: step(f)["observations"][0].update(error="time"))
    assert "ended by time" in why(Replay(few_skills), late)


def test_ground_truth_boxes_are_found_again(talk, few_skills, edited):
    def named(fields):
        action(fields, args={"image": "img_1", "label": "dog"})
        boxes = fields["artifacts"][1]["value"]
        boxes |= {"labels": ["dog", "dog"], "query": "dog", "scores": []}

    trace = edited(talk(("dogs?", "detect(img_1, 'face')", "Yes.")), named)
    assert "detect gave boxes_1, now the error" in why(Replay(few_skills), trace)
    boxes = trace.artifacts["boxes_1"].value
    assert isinstance(boxes, Boxes)
    assert not why(Replay(few_skills), with_truths(trace, [Truth(boxes={"dog": boxes.xyxy})]))


def test_a_share_of_the_steps_bypasses_what_is_kept(tmp_path, picture):
    """A wrong result in the cache agrees with a wrong trace; only running it finds out."""
    skills = default_registry().subset("rotate")
    session = Agent(ScriptedPlanner(["rotate(img_1, degrees=90)", "Done."]), skills).session()
    trace = session.run_sync("turn it", [picture])
    wrong = Image.from_array(np.zeros((5, 5, 3), np.uint8))
    made = trace.artifacts
    lie = Artifacts(made.store)
    lie.add(made["img_1"].value)
    lie.add(wrong, source=made["img_2"].source)
    trace = trace.model_copy(update={"artifacts": lie})
    cache = ResultCache(tmp_path / "cache", worth=0)
    (call,) = trace.turns[0].steps[0].actions
    cache.keep(
        skills["rotate"],
        call_key(skills["rotate"], resolve(skills["rotate"], call.args, made)),
        wrong,
        1,
    )
    assert not why(Replay(skills, results=cache, share=0), trace)
    everything = Replay(skills, results=cache, share=1)
    for _ in range(2):  # what was found wrong once is run again
        assert "rotate gave another image" in why(everything, trace)


class InMemory(ResultCache):
    """What is kept of skills whose code has no file, too."""

    def find(self, spec, key):
        return vars(self).get(key)

    def keep(self, spec, key, value, seconds):
        vars(self)[key] = value


def test_a_step_that_comes_again_is_run_anew_once(tmp_path, picture):
    runs = []

    def half(image: Image) -> Image:
        """Halve the light."""
        runs.append(1)
        return Image.from_array(image.pixels // 2)

    skills = SkillRegistry([skill(half)])
    session = Agent(ScriptedPlanner(["half(img_1)", "Done."] * 2), skills).session()
    session.run_sync("darker", [picture])
    trace = session.run_sync("the first once more")
    cache = InMemory(tmp_path)
    (call,) = trace.turns[0].steps[0].actions
    key = call_key(skills["half"], resolve(skills["half"], call.args, trace.artifacts))
    cache.keep(skills["half"], key, trace.artifacts["img_2"].value, 1)
    runs.clear()
    replay = Replay(skills, results=cache, share=1, agreed=tmp_path / "agreed")
    assert not why(replay, trace)
    assert (len(runs), replay.steps, replay.fresh) == (1, 2, 2)
    other = Replay(skills, results=cache, share=1, agreed=tmp_path / "agreed")  # another process
    assert not why(other, trace)
    assert (len(runs), other.fresh) == (1, 2)
    assert not why(Replay(skills, results=cache, share=1), trace)
    assert len(runs) == 2
    cache.keep(
        skills["half"], key, trace.artifacts["img_1"].value, 1
    )  # now it remembers something else
    assert "half gave another image" in why(replay, trace)


def test_the_same_steps_run_anew_whatever_the_trace(tmp_path, faces, few_skills):
    """Some of a hundred seeds draw the step, and each draws it in both traces or in none."""
    cache, counts = ResultCache(tmp_path, worth=0), set()
    for seed in range(100):
        replay = Replay(few_skills, results=cache, share=0.3, seed=seed)
        assert not why(replay, faces())
        once = replay.fresh
        assert not why(replay, faces(id="other"))
        assert replay.fresh == 2 * once
        counts.add(once)
    assert len(counts) > 1


def asking(message, id="x"):
    return Trace(id=id, planner="p", turns=(Turn(message=message),), artifacts=Artifacts())


LONG = "please blur the faces of all the people in front of the old town hall, softly"


def test_the_same_request_on_the_same_picture_is_kept_once(faces):
    unique = Unique(most=64)
    assert not why(unique, faces())
    assert "asks the same" in why(unique, faces(id="two"))
    assert not why(unique, faces(shift=5))  # another picture
    assert "asks the same" in why(unique, faces())  # the first is still known


def test_near_copies_are_told_from_other_requests():
    unique = Unique(most=64)
    assert not why(unique, asking(LONG))
    assert "asks the same" in why(unique, asking(LONG.upper()))
    assert "asks nearly the same" in why(unique, asking(LONG + "!"))
    assert not why(unique, asking("please blur the number plates of all cars by the town hall"))
    assert not why(unique, asking("ok"))
    assert not why(unique, asking("模糊人脸"))


def test_memory_of_duplicates_does_not_grow():
    def words(number):
        return " ".join(f"{number * 2654435761 * odd % 2**32:x}" for odd in (1, 3, 5, 7))

    unique = Unique(most=64)
    before = unique.held
    for number in range(1, 301):
        assert not why(unique, asking(words(number)))
    assert unique.held == before
    assert why(unique, asking(words(300)))
    assert not why(unique, asking(words(1)))  # long forgotten


def test_a_hundred_thousand_signatures_take_less_than_sixty_megabytes():
    assert Unique().held < 60_000_000
