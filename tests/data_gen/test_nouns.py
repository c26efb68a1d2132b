"""Names of things."""

import random

import pytest

from llava_plus.data_gen.nouns import COMMON, Noun, Nouns, invented_word, several
from llava_plus.skills.nouns import plural, singular


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("dog", "dogs"),
        ("red car", "red cars"),
        ("cherry", "cherries"),
        ("toy", "toys"),
        ("box", "boxes"),
        ("beach", "beaches"),
        ("glass", "glasses"),
        ("bus", "buses"),
        ("person", "people"),
        ("young woman", "young women"),
        ("wolf", "wolves"),
        ("sheep", "sheep"),
        ("people", "people"),
    ],
)
def test_plurals(one, many):
    assert plural(one) == many


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("dogs", "dog"),
        ("red cars", "red car"),
        ("cherries", "cherry"),
        ("boxes", "box"),
        ("people", "person"),
        ("bus", "bus"),
        ("dress", "dress"),
        ("dresses", "dress"),
        ("gas", "gas"),
        ("dog", "dog"),
    ],
)
def test_singulars(many, one):
    assert singular(many) == one


@pytest.mark.parametrize(
    "name", ["cookie", "taxi", "ski", "emu", "mustache", "prize", "quiz", "berry", "pie", "box"]
)
def test_singular_undoes_plural(name):
    assert singular(plural(name)) == name


def test_nearly_every_noun_comes_back_from_its_plural():
    names = Nouns.bundled().names
    lost = [name for name in names if singular(plural(name)) != name]
    assert len(lost) < 0.01 * len(names), lost


def test_the_list_is_long_and_without_what_detectors_find():
    names = Nouns.bundled().names
    assert len(names) > 1200
    assert not set(names) & set(COMMON)
    assert list(names) == sorted(set(names))


def test_nouns_for_the_evaluation_are_kept_out_and_others_taken_in():
    nouns = Nouns.bundled(more=["quokka", "Dog "], without=["cats", "cow"])
    assert {"quokka", "dog"} <= set(nouns.names)
    assert not {"cat", "cats", "cow"} & set(nouns.names)


def test_draws_are_listed_invented_or_common_in_the_shares_asked_for():
    nouns = Nouns(("dog", "cat"), invented=0.25)
    rng = random.Random(0)
    drawn = [nouns.draw(rng, common=0.5) for _ in range(2000)]
    common = [noun for noun in drawn if noun.label]
    invented = [noun for noun in drawn if not noun.label and noun.one not in nouns.names]
    assert len(common) / 2000 == pytest.approx(0.5, abs=0.04)
    assert len(invented) / 1000 == pytest.approx(0.25, abs=0.05)
    assert {noun.name for noun in common} == set(COMMON)


def test_what_ends_in_s_is_told_as_a_pair_of_glasses_is():
    assert several("glass") == "glass"
    assert several("red car") == "red cars"


def test_a_noun_takes_its_article():
    assert [Noun(word, "").a for word in ("dog", "Apple", "old car")] == [
        "a dog",
        "an Apple",
        "an old car",
    ]


def test_invented_words_are_many_and_no_words():
    rng = random.Random(0)
    words = {invented_word(rng) for _ in range(500)}
    assert len(words) > 350
    assert not words & set(Nouns.bundled().names)
