"""What answers to drawn-up questions come to, task by task."""

import pytest

from llava_plus.errors import SetupError
from llava_plus.evals.tasks import TASKS, Question, find_task, prompts
from llava_plus.evals.tasks.figures import mean, share
from llava_plus.evals.tasks.runs import gained, mark_answers, mark_judgements

ABCD = ("cat", "dog", "bird", "fish")


def asked(id=1, **fields):
    return Question(id=id, question="What is it?", **{"image": "one.png", **fields})


def figures(name, questions, answers):
    """The figures of a task by name, to three digits."""
    task = TASKS[name]
    found = task.sum_up(mark_answers(task, questions, answers))
    return {figure.name: round(figure.value, 3) for figure in found}


def judgements(name, questions, said):
    task = TASKS[name]
    return task.sum_up(mark_judgements(task.judge, questions, said))


def test_vizwiz_tells_what_cannot_be_answered():
    people = ("unanswerable",) * 4 + ("a cat",) * 6
    questions = [
        asked(1, answers=people, category="unanswerable"),
        asked(2, answers=("red",) * 10, category="other"),
    ]
    assert figures("vizwiz", questions, ["Unanswerable.", "blue"]) == {
        "accuracy": 50,
        "unanswerable": 100,
        "other": 0,
    }


def test_gqa_forgives_periods_and_capitals_and_nothing_else():
    questions = [asked(n, answer="dog") for n in range(4)]
    assert figures("gqa", questions, ["Dog..", "dog", " dog", "a dog"]) == {"accuracy": 50}


def test_scienceqa_tells_the_questions_with_pictures_apart():
    seen = asked(1, answer="B", options=ABCD)
    blind = asked(2, answer="C", options=ABCD, image="")
    assert figures("scienceqa", [seen, blind], ["B", "The answer is C"]) == {
        "accuracy": 50,
        "IMG-Acc": 100,
    }


def test_popes_f1_is_the_mean_of_its_sets():
    questions = [
        asked(number, answer=answer, category=category)
        for number, (category, answer) in enumerate(
            [(name, answer) for name in ("random", "popular") for answer in ("yes", "yes", "no")]
        )
    ]
    found = figures("pope", questions, ["Yes", "No", "Yes", "Yes", "Yes", "No"])
    assert found["random, F1"] == 50  # one hit, one false yes, one false no
    assert found["popular, F1"] == 100
    assert found["mean F1"] == 75
    assert found["random, accuracy"] == pytest.approx(33.333)
    assert found["random, answered yes"] == pytest.approx(66.667)


def test_pope_without_any_hit_is_zero():
    questions = [asked(1, answer="yes", category="random")]
    assert figures("pope", questions, ["no"])["mean F1"] == 0


def test_mme_adds_accuracy_and_accuracy_by_picture():
    rows = [("existence", "1"), ("existence", "2"), ("color", "1"), ("code_reasoning", "1")]
    questions = [
        asked(f"{category} {image} {answer}", category=category, image=image, answer=answer)
        for category, image in rows
        for answer in ("yes", "no")
    ]
    answers = ["Yes", "No", "Yes", "Yes", "yes", "no", "other", "perhaps"]
    assert figures("mme", questions, answers) == {
        "perception": 325,
        "cognition": 0,
        "existence": 125,  # 100 (3/4 + 1/2)
        "color": 200,
        "code_reasoning": 0,
    }


def test_mmbench_is_right_in_all_rotations_or_wrong():
    rows = [(5, "A"), (1_000_005, "B"), (2_000_005, "C"), (6, "A"), (1_000_006, "B")]
    questions = [asked(id, answer=letter, options=ABCD) for id, letter in rows]
    found = figures("mmbench", questions, ["A", "B", "D", "(A)", "dog"])
    assert found == {"circular accuracy": 50, "accuracy without rotations": 100}


@pytest.mark.parametrize(("name", "right"), [("seed", 50), ("seed-first", 100)])
def test_seed_is_strict_or_takes_the_first_letter(name, right):
    questions = [asked(n, answer="B", options=ABCD, category="image") for n in range(2)]
    assert figures(name, questions, ["B", " B. a dog"]) == {"accuracy": right}


@pytest.mark.parametrize(("name", "pairs", "single"), [("mmvp", 50, 75), ("mmvp-strict", 0, 50)])
def test_mmvp_wants_both_of_a_pair(name, pairs, single):
    questions = [asked(n, answer="AB"[n % 2], options=("open", "closed")) for n in (1, 2, 3, 4)]
    answers = ["Both", "(A)", "B", "b"]
    assert figures(name, questions, answers) == {"pairs right": pairs, "questions right": single}


def cvbench():
    sources = ("ADE20K", "ADE20K", "COCO", "Omni3D")
    return [asked(n, answer="A", options=ABCD, category=source) for n, source in enumerate(sources)]


def test_cvbench_weighs_its_sources():
    found = figures("cvbench", cvbench(), ["A", "B", "(A)", "The answer is: (A)"])
    assert found == {"CV-Bench": 37.5, "ADE20K": 50, "COCO": 100, "Omni3D": 0}
    assert figures("cvbench-strict", cvbench(), ["A", "B", "(A)", "The answer is: (A)"])[
        "CV-Bench"
    ] == pytest.approx(87.5)


def test_what_is_gained_by_seeing_is_weighed_likewise():
    figure = gained(TASKS["cvbench"], cvbench(), ["A", "B", "A", "A"], ["B", "B", "B", "A"])
    assert figure.value == pytest.approx(100 * (0.25 * 0.5 + 0.25 * 1 + 0.5 * 0))
    assert figure.unit == "points"
    plain = gained(TASKS["choices"], cvbench(), ["A", "B", "A", "A"], ["B", "B", "B", "A"])
    assert plain.value == 50


def test_what_is_not_marked_by_itself_has_no_such_difference():
    with pytest.raises(SetupError, match="mmvp does not mark each answer by itself"):
        gained(TASKS["mmvp"], [], [], [])


def test_llava_bench_is_a_ratio_of_means_that_keeps_failures():
    questions = [
        asked(n, answer="a dog", context="dog", category=category)
        for n, category in enumerate(("conv", "conv", "detail"))
    ]
    whole, conv, detail = judgements("llava-bench", questions, ["8 4", "4 4", "8, 9"])
    assert conv.value == pytest.approx(100 * 8 / 12)  # the mean of the ratios would be 75
    assert whole.value == pytest.approx(100 * 7 / 11)
    assert "1 judgements could not be read" in whole.note
    assert detail.value == 100


def test_mmvet_is_a_mean_in_all_and_by_capability():
    questions = [
        asked(1, answer="x", capabilities=("ocr", "math")),
        asked(2, answer="x", capabilities=("ocr",)),
    ]
    found = judgements("mmvet", questions, ["0.9", "rubbish"])
    assert {figure.name: round(figure.value, 3) for figure in found} == {
        "score": 45,
        "ocr": 45,
        "math": 90,
    }
    assert "1 judgements could not be read and count 0" in found[0].note


def test_grounding_counts_boxes_from_half_overlap_on():
    questions = [asked(n, box=(0, 0, 1, 1)) for n in range(3)]
    answers = ["(0,0),(999,499.5)", "(0,0),(999,499)", "there"]
    assert figures("grounding-qwen", questions, answers) == {"accuracy": pytest.approx(33.333)}


def test_intervals_are_wilsons_for_shares_and_seeded_for_means():
    part = share("a", 8, 10)
    assert (part.low, part.high) == (pytest.approx(49.02, abs=0.01), pytest.approx(94.33, abs=0.01))
    values = [0.0, 0.3, 0.9, 1.0] * 5
    one, again = mean("a", values), mean("a", values)
    assert one == again
    assert one.low < one.value < one.high
    assert one.high - one.low > mean("a", values * 20).high - mean("a", values * 20).low
    assert mean("a", [0.5]).line() == "a: 50.0 % (95 %: 50.0 to 50.0, bootstrap, n = 1)"


def test_prompts_are_those_of_llava():
    letters = "A. cat\nB. dog"
    tail = "Answer the question using a single word or phrase."
    assert prompts.short("What?") == f"What?\n{tail}"
    assert prompts.short_with_ocr("What?", ["STOP", "4"]) == (
        f"What?\nReference OCR token: STOP, 4\n{tail}"
    )
    assert prompts.short_with_ocr("What?", []) == prompts.short("What?")
    assert prompts.short_or_unanswerable("What?") == (
        "What?\nWhen the provided information is insufficient, respond with 'Unanswerable'.\n"
        + tail
    )
    assert prompts.letter("What?", ["cat", "dog"], hint="Look.") == (
        f"Look.\nWhat?\n{letters}\nAnswer with the option's letter from the given choices directly."
    )
    assert prompts.letter_cn("什么?", ["cat", "dog"]) == f"什么?\n{letters}\n请直接回答选项字母。"


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(SetupError, match="Did you mean 'vqav2'"):
        find_task("vqa2")


def test_every_task_asks_and_marks():
    for name, task in TASKS.items():
        question = asked(1, options=ABCD, answers=("x",) * 10, box=(0, 0, 1, 1), answer="A")
        assert task.name == name
        assert task.prompt(question).startswith("What is it?")
        assert (task.mark is None) == (task.judge is not None)
