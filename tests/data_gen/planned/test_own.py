"""Skills of one's own are asked for by their signatures alone."""

from collections import Counter
from pathlib import Path

import pytest

from llava_plus.data_gen.planned import PlannedWriter
from llava_plus.data_gen.verify import standard_verifiers
from llava_plus.skills import SkillRegistry

EXAMPLES = Path(__file__).parents[3] / "examples"
ODD = Path(__file__).with_name("odd_skills.py")


@pytest.fixture(scope="module")
def odd():
    return SkillRegistry.from_file(ODD)


@pytest.fixture(scope="module")
def examples():
    found = SkillRegistry()
    for path in sorted(EXAMPLES.glob("*.py")):
        if "@skill" not in path.read_text():
            continue  # a program
        found = found.merge(SkillRegistry.from_file(path))
    return found


def _written(material, skills, count=120, **options):
    writer = PlannedWriter(shares={"own": 1.0}, **options)
    return [
        one for index in range(2) for one in writer.written(material(index, count, skills=skills))
    ]


def _called(conversations):
    return Counter(
        deed.skill
        for one in conversations
        for script in one.planner.scripts
        for move in script.moves
        for deed in move.deeds
    )


def test_every_example_is_asked_for_and_called_rightly(material, skills, examples, obstacle):
    registry = skills.merge(examples)
    drawn = _written(material, registry)
    assert {spec.name for spec in examples} <= set(_called(drawn))
    assert [said for one in drawn if (said := obstacle(one, registry))] == []


def test_every_odd_signature_gets_arguments_that_it_takes(material, skills, odd, obstacle):
    registry = skills.merge(odd)
    drawn = _written(material, registry, 250)
    assert {spec.name for spec in odd} <= set(_called(drawn))
    assert [said for one in drawn if (said := obstacle(one, registry))] == []


def test_arguments_stand_in_the_request(material, skills, odd):
    registry = skills.merge(odd)
    for one in _written(material, registry, languages={"en": 1.0, "zh": 1.0}):
        for move in one.planner.scripts[0].moves:
            for deed in move.deeds:
                if deed.skill == "spiced":
                    assert deed.args["spice"].split()[0] in one.turns[0].text.lower()


def test_what_a_skill_returns_is_used_by_another(material, skills, examples):
    drawn = _written(material, skills.merge(examples))
    composed = [one for one in drawn if one.tags.kind == "own, composed"]
    names = Counter(d.skill for one in composed for d in one.planner.scripts[0].moves[-1].deeds)
    assert len(composed) > 20
    takes_regions = {"crop", "blur", "pixelate", "draw", "measure", "colors", "erase", "adjust"}
    assert len(takes_regions & set(names)) > 3
    assert "plot" in names


def test_without_any_built_in_skill_own_ones_are_called(material, odd):
    few = odd.subset("bounded", "talkative")
    assert set(_called(_written(material, few, 20))) == {"bounded", "talkative"}


def test_their_traces_pass_the_verifiers(material, skills, played):
    own = SkillRegistry.from_file(EXAMPLES / "check_exposure.py").merge(
        SkillRegistry.from_file(EXAMPLES / "find_color.py")
    )
    registry = SkillRegistry([*skills.subset("crop", "plot", "blur"), *_inline(own)])
    verifiers = standard_verifiers(registry, replay=False)[:-1]  # requests may be alike
    for one in _written(material, registry, 8):
        trace = played(one, registry)
        assert [v.reason for verifier in verifiers if not (v := verifier.check(trace)).ok] == []


def _inline(skills):
    """Run them in this process, which is quicker than in workers."""
    from dataclasses import replace

    return [replace(spec, isolation="inline") for spec in skills]
