"""What is asked covers every skill and every kind, and can be done."""

import re
import subprocess
import sys
from collections import Counter
from contextlib import suppress

import pytest

from llava_plus.data_gen.planned import PlannedWriter
from llava_plus.data_gen.planned.banks import BANKS, banks
from llava_plus.data_gen.planned.heldout import EVALUATION, apart
from llava_plus.data_gen.planned.tongue import tongue
from llava_plus.data_gen.planned.wishes import WISHES
from llava_plus.data_gen.planned.writer import MAKERS
from llava_plus.data_gen.requests import Heldout
from llava_plus.data_gen.writing import UnwrittenError
from llava_plus.errors import SetupError
from llava_plus.skills import builtin

BUILTIN = builtin.__all__
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def written(material):
    """Three thousand conversations."""
    writer = PlannedWriter()
    return [one for index in range(60) for one in writer.written(material(index))]


def _scripts(conversations):
    return [script for one in conversations for script in one.planner.scripts]


def test_every_skill_is_called_alone_and_with_others(written):
    alone, composed = Counter(), Counter()
    for script in _scripts(written):
        names = [deed.skill for move in script.moves for deed in move.deeds]
        (alone if len(names) == 1 else composed).update(names)
    assert set(BUILTIN) - set(alone) == set()
    # Nothing needs to come before or after arithmetic, but prices that were read.
    assert set(BUILTIN) - set(composed) == set()


def test_every_kind_is_asked_for(material):
    for kind in set(MAKERS) - {"own"}:
        writer, drawn = PlannedWriter(shares={kind: 1.0}, languages={"en": 1.0}), []
        for index in range(2):
            with suppress(UnwrittenError):
                drawn += writer.written(material(index, count=5))
        assert drawn, kind


def test_plans_have_one_to_seven_steps_and_calls_side_by_side(written):
    steps = Counter(len(script.moves) for script in _scripts(written))
    assert set(range(7)) <= set(steps)
    assert max(steps) <= 8
    wide = [script for script in _scripts(written) if any(len(m.deeds) > 1 for m in script.moves)]
    assert len(wide) > 50


def test_calls_fit_the_signatures_of_their_skills(written, obstacle, skills):
    assert [said for one in written if (said := obstacle(one, skills))] == []


def test_most_requests_are_different(written):
    texts = Counter(tuple(turn.text for turn in one.turns) for one in written)
    assert len(texts) > 0.9 * len(written)


def test_the_same_seed_and_item_give_the_same_requests(material):
    def shown(conversations):
        return [(one.turns, one.tags, repr(one.planner.scripts[0].moves)) for one in conversations]

    once, again = (PlannedWriter().written(material(7, count=20)) for _ in range(2))
    fewer = PlannedWriter().written(material(7, count=8))
    found = [re.sub(r"<function.*?>|0x[0-9a-f]+", "", repr(shown(each))) for each in (once, again)]
    assert found[0] == found[1]
    assert [one.turns for one in fewer] == [one.turns for one in once[:8]]


def test_a_subset_of_skills_is_all_that_is_called(material, skills):
    few = skills.subset("crop", "detect", "flip", "ocr")
    writer = PlannedWriter()
    drawn = [one for index in range(6) for one in writer.written(material(index, skills=few))]
    called = {
        deed.skill
        for script in _scripts(drawn)
        for move in script.moves
        if not move.slip
        for deed in move.deeds
    }
    assert called == {"crop", "detect", "flip", "ocr"}


def test_one_skill_is_enough(material, skills):
    few = skills.subset("calculate")
    drawn = PlannedWriter().written(material(0, count=20, skills=few))
    assert {d.skill for s in _scripts(drawn) for m in s.moves if not m.slip for d in m.deeds} <= {
        "calculate"
    }


def test_what_a_skill_would_do_that_is_not_there_is_said_to_be_impossible(material, skills, played):
    few = skills.subset("crop", "calculate")
    writer = PlannedWriter(shares={"cannot": 1.0}, languages={"en": 1.0})
    answers = [
        played(one, few).turns[0].answer for one in writer.written(material(1, 8, skills=few))
    ]
    assert all("cannot" in said or "None of my skills" in said for said in answers)
    assert not any("blur" in said for said in answers)


def test_nobody_asks_what_the_evaluation_asks(written):
    heldout = Heldout.read(EVALUATION)
    asked = [turn.text for one in written[::10] for turn in one.turns]
    assert [text for text in asked if heldout.near(text)] == []
    quick = apart()
    questions = [" ".join(words) for words in heldout.texts]
    assert all(quick.near(text) for text in questions if text)
    near = [f"{text} now" for text in questions]
    assert [quick.near(text) for text in near] == [heldout.near(text) for text in near]


def test_labels_can_be_copied_from_english_requests(written):
    for one in written:
        if one.tags.language != "en" or len(one.turns) > 1 or one.tags.kind == "point":
            continue
        text = one.turns[0].text.lower()
        for move in one.planner.scripts[0].moves:
            for deed in move.deeds:
                label = str(deed.args.get("label", ""))
                if deed.skill == "detect" and label not in ("face", "text", "code", ""):
                    assert label.split()[-1][:3] in text, one.turns


def test_every_bank_words_every_wish():
    for language in ("en", "zh"):
        for bank in banks(language):
            assert {wish.key for wish in WISHES} - set(bank.wordings) == set()


def test_every_wording_has_slots_that_are_known():
    names = "pic t u x p q a m n c w e is does has where side chart verb skill name value"
    slots = set(names.split())
    slots |= {"clause", "number", "rel", "do"}
    for language in BANKS:
        for bank in banks(language):
            used = {slot for words in bank.wordings.values() for one in words for slot in one.slots}
            assert used <= slots


def test_languages_answer_what_they_can_ask():
    tells = {"found": "found", "count": "count", "read": "read", "code": "code", "size": "size"}
    for code in BANKS:
        words = tongue(code)
        assert set(tells.values()) <= set(words.says)
        assert {f"verb.{name}" for name in BUILTIN} <= set(words.says)


QUICK = ("adjust", "blur", "calculate", "colors", "count", "crop", "detect", "flip", "resize",
         "image_info", "measure", "draw", "select")  # fmt: skip


def test_who_asks_in_chinese_is_answered_in_chinese(material, skills, played):
    few = skills.subset(*QUICK)
    writer = PlannedWriter(languages={"zh": 1.0})
    for index in range(3):
        for one in writer.written(material(index, 8, skills=few)):
            for turn in played(one, few).turns:
                assert CHINESE.search(turn.answer), turn
                assert all(CHINESE.search(step.thought) for step in turn.steps), turn


def test_spanish_and_german_are_answered_in_kind(material, skills, played):
    few = skills.subset("flip", "blur", "resize")
    for code, words in (("es", ("Listo", "Aquí")), ("de", ("Fertig", "Hier"))):
        writer = PlannedWriter(languages={code: 1.0}, shares={"single": 1.0})
        for one in writer.written(material(1, 4, skills=few)):
            assert played(one, few).turns[0].answer.startswith(words)


def test_shares_of_unknown_kinds_are_refused():
    with pytest.raises(SetupError, match="no kind 'singel'"):
        PlannedWriter(shares={"singel": 1.0})
    with pytest.raises(SetupError, match="no language 'fr'"):
        PlannedWriter(languages={"fr": 1.0})
    with pytest.raises(SetupError, match="one is above 0"):
        PlannedWriter(shares={"single": 0.0})


def test_own_skills_are_asked_for_only_where_there_are_some(written):
    assert not any(one.tags.kind.startswith("own") for one in written)


def test_the_writer_needs_neither_torch_nor_opencv():
    names = "torch cv2 transformers langgraph gradio openai onnxruntime scipy matplotlib"
    heavy = names.split()
    code = (
        "import sys, llava_plus.data_gen.planned\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
