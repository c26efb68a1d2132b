"""What each benchmark's rule reads out of an answer, the documented oddities among it."""

import pytest

from llava_plus.evals.tasks import boxes, judged, letters, yes_no

PETS = ("cat", "dog", "red bird", "none of them")


@pytest.mark.parametrize(
    ("answer", "fuzzy", "strict"),
    [
        ("B", "b", "B"),
        ("(B)", "b", "B"),
        ("B.", "b", "B"),
        ("b", "b", ""),
        ("(B) a dog", "b", "B"),
        ("B: a dog", "b", "B"),
        ("The answer is B.", "b", "B"),
        ("Answer: (C)", "c", "C"),
        ("The answer is: (B)", ":", "B"),  # the first keyword leaves the colon
        ("The answer is A. No, the answer is B.", "b", "B"),
        ("Both are right", "b", ""),
        ("A cat", "a", ""),
        ("It is a dog", "i", ""),
        ("The answer is", "", ""),
        ("", "", ""),
    ],
)
def test_cambrian_takes_the_first_letter_and_strict_a_clear_one(answer, fuzzy, strict):
    assert letters.cambrian(answer) == fuzzy
    assert letters.strict(answer) == strict


def test_cambrian_also_takes_an_option_of_one_letter():
    counts = ("2", "5", "3", "30")
    assert letters.cambrian_right("3", "C", counts)
    assert letters.cambrian_right("30", "C", counts)
    assert not letters.cambrian_right("30", "D", counts)


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("B. a dog", "B"),
        ("The answer is B.", "B"),
        ("I think. The answer is B)", "B"),  # the period of the pattern is any letter
        ("The answer is B", ""),  # and must be there
        ("The answer is A. The answer is B.", ""),
        ("B.", ""),
        ("b", ""),
        (" B", ""),
        ("E", ""),  # there are four options
        ("The answer is Q.", ""),
        ("", ""),
    ],
)
def test_scienceqa(answer, letter):
    assert letters.science(answer, 4) == letter


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("The answer is (C).", "C"),
        ("A cat", "A"),
        ("A dog", "A"),  # the article is taken for the letter
        ("it is a Dog", "B"),
        ("A or B", ""),
        ("cat and dog", ""),
        ("Z, though it is a dog", ""),
        ("it is a dog" + "!" * 60, ""),  # more than twice as long as the options
        ("", ""),
    ],
)
def test_mmbench_takes_the_letter_then_the_text(answer, letter):
    assert letters.mmbench(answer, PETS) == letter


@pytest.mark.parametrize(
    ("answer", "pope", "first"),
    [
        ("Yes", "yes", "yes"),
        ("No, there is none.", "no", "no"),
        ("Yes, there is no doubt", "no", "yes"),
        ("Yes. There is not", "yes", "yes"),
        ("NO", "yes", "no"),
        ("no!", "yes", "no!"),
        ("No\nreally", "yes", "no"),
        ("Nothing", "yes", "nothing"),
        ("I do not know", "no", "i"),
        ("", "yes", ""),
    ],
)
def test_pope_says_yes_unless_no_is_a_word(answer, pope, first):
    assert yes_no.pope(answer) == pope
    assert yes_no.first_word(answer) == first


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Yes, it is", "yes"),
        ("No.", "no"),
        ("Not sure", "no"),
        ("Know", "no"),
        ("It is: yes", "other"),
        ("", "other"),
    ],
)
def test_mme_looks_at_four_letters(answer, said):
    assert yes_no.mme(answer) == said


@pytest.mark.parametrize(
    ("judgement", "scores"),
    [
        ("8 9", (8, 9)),
        ("8,9.5\nBoth are good.", (8, 9.5)),
        ("8, 9", judged.FAILED),  # the comma becomes a second blank
        ("8 9 ", judged.FAILED),
        ("Assistant 1: 8", judged.FAILED),
        ("eight 9", judged.FAILED),
        ("inf 9", judged.FAILED),
        ("\n8 9", judged.FAILED),
        ("", judged.FAILED),
    ],
)
def test_a_pair_of_scores_stands_alone_in_the_first_line(judgement, scores):
    assert judged.pair(judgement) == scores


@pytest.mark.parametrize(
    ("judgement", "score"),
    [("0.7", 0.7), ("1.0 fine", 1), ("1.5", None), ("Score: 0.7", None), ("nan", None), ("", None)],
)
def test_mmvets_score_is_the_first_word(judgement, score):
    assert judged.mmvet(judgement) == score


@pytest.mark.parametrize(
    ("read", "answer", "box"),
    [
        (boxes.qwen, "<ref>a dog</ref><box>(0,333),(999,666)</box>", (0, 1 / 3, 1, 2 / 3)),
        (boxes.qwen, "(x,y),(1,2),(3,4)", boxes.NOWHERE),
        (boxes.qwen, "(1,2,3),(4,5)", boxes.NOWHERE),
        (boxes.qwen, "nothing", boxes.NOWHERE),
        (boxes.minigpt, "<p>dog</p> {<10><20><30><100>}", (0.1, 0.2, 0.3, 1)),
        (boxes.minigpt, "{<10><20><30>}", boxes.NOWHERE),
        (boxes.cogvlm, "a dog[[000,100,500,999;1,2,3,4]]", (0, 0.1, 0.5, 0.999)),
        (boxes.cogvlm, "[0,100,500,999]", boxes.NOWHERE),
        (boxes.plain, "at [0.1, .2, 0.3,1]", (0.1, 0.2, 0.3, 1)),
        (boxes.plain, "[1, 2]", boxes.NOWHERE),
    ],
)
def test_boxes_are_read_as_each_family_writes_them(read, answer, box):
    assert read(answer) == pytest.approx(box)


def test_overlap_of_boxes():
    whole = (0, 0, 1, 1)
    assert boxes.overlap(whole, (0, 0, 0.5, 1)) == boxes.ENOUGH
    assert boxes.overlap((0, 0, 0.5, 0.5), (0.25, 0, 0.75, 0.5)) == pytest.approx(1 / 3)
    assert boxes.overlap(whole, (1, 1, 0, 0)) == 0
    assert boxes.overlap(boxes.NOWHERE, whole) == 0
