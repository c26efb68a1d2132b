import pytest

from llava_plus.evals.tasks.vqa import (
    CONTRACTIONS,
    normalize_evalai,
    normalize_official,
    vqa_evalai,
    vqa_official,
)


@pytest.mark.parametrize(("same", "score"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (10, 1)])
@pytest.mark.parametrize("accuracy", [vqa_official, vqa_evalai])
def test_everybody_is_left_out_in_turn(accuracy, same, score):
    people = ["red"] * same + [f"blue {n}" for n in range(10 - same)]
    assert accuracy("red", people) == pytest.approx(score)


@pytest.mark.parametrize(
    ("answer", "people", "official", "evalai"),
    [
        ("yes", ["Yes"] * 10, 0, 1),  # all agree: the official code compares letter by letter
        ("yes.", ["yes"] * 10, 0, 1),
        (" yes\n", ["yes\t"] * 10, 1, 1),
        ("Yes.", ["yes"] * 9 + ["no"], 1, 1),
        ("2", ["two"] * 10, 0, 1),
        ("2", ["two"] * 9 + ["three"], 1, 1),
        ("anna's dog", ["anna 's dog"] * 9 + ["cat"], 0, 1),
    ],
)
def test_the_two_modes_differ_where_all_agree_and_in_what_they_normalize(
    answer, people, official, evalai
):
    assert vqa_official(answer, people) == official
    assert vqa_evalai(answer, people) == evalai


@pytest.mark.parametrize(
    ("text", "official"),
    [
        ("5.", "5"),  # the look-ahead meant as a look-behind does not save the period
        ("3.5", "3.5"),
        (".5 cm.", ".5 cm"),
        ("U.S.A.", "usa"),
        ("x" + "." * 40, "x" + "." * 8),  # re.UNICODE as a count: 32 periods
        ("black/white", "black white"),
        ("black /white", "black white"),
        ("on/off, or/and", "on off or and"),  # the comma goes, the slashes become blanks
        ("1,000 people-ish", "1000 peopleish"),  # a comma between digits drops every mark
        ("People-ish", "people ish"),
        ("(Left)", "left"),
        ("it's 10:30", "it's 10:30"),
        ("None", "0"),
        ("the Two of an ox", "2 of ox"),
        ("Dont", "don't"),
        ("couldn'tve couldnt've", "couldn't've couldn't've"),
        ("couldntve", "couldntve"),
        ("Im", "im"),  # its key has a capital, which no word has by then
        ("shes", "shes"),
        ("somebody'd", "somebodyd"),
        ("", ""),
    ],
)
def test_normalized_as_the_official_code_does(text, official):
    assert normalize_official(text) == official


@pytest.mark.parametrize(
    ("text", "evalai"),
    [
        ("a,b", "ab"),  # commas go first, so that the article is none
        ("1,000 people-ish", "1000 people ish"),  # and no comma is left between digits
        ("It's 5 o'clock?", "it 's 5 o'clock"),
        ("What?Now", "whatnow"),
        ("5.", "5"),
        ("Ten\tdogs\n", "10 dogs"),
    ],
)
def test_normalized_as_evalai_does(text, evalai):
    assert normalize_evalai(text) == evalai


def test_the_table_of_contractions_is_complete():
    assert len(CONTRACTIONS) == 118  # without the two that change nothing
    assert CONTRACTIONS["'ows'at"] == CONTRACTIONS["ow's'at"] == "'ow's'at"
    assert CONTRACTIONS["y'allll"] == "y'all'll"
