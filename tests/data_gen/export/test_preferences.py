"""Preference pairs: where the other side of a pair comes from."""

import json

import pytest

from llava_plus.data_gen.export import LeftOutError, PreferencePairs, export_folder
from llava_plus.data_gen.feedback import Opinion, opinions_of, with_opinions
from llava_plus.data_gen.folders import TraceFolder
from llava_plus.data_gen.output import Output
from llava_plus.errors import SetupError


@pytest.fixture
def pairs(folder_of, few_skills, tmp_path):
    def export(*traces):
        done = export_folder(
            TraceFolder(folder_of(*traces)),
            tmp_path / "out",
            lambda output: PreferencePairs(output, few_skills),
        )
        lines = [
            json.loads(line)
            for file in sorted((tmp_path / "out").glob("dpo-*.jsonl"))
            for line in file.read_text(encoding="utf-8").splitlines()
        ]
        return lines, done, json.loads((tmp_path / "out" / "manifest.json").read_text())

    return export


def said(trace, *opinions):
    return with_opinions(trace, [Opinion(**one) for one in opinions])


FIND = ("where are the faces?", "detect(img_1, 'face')")


def test_up_and_down_for_the_same_prompt_make_a_pair(pairs, talk, tmp_path):
    good = said(talk((*FIND, "I found {boxes_1}."), id="a"), {"turn": 1, "liked": True})
    bad = said(talk(("where are the faces?", "No idea."), id="b"), {"turn": 1, "liked": False})
    same = said(talk(("where are the faces?", "No idea."), id="c"), {"turn": 1, "liked": False})
    elsewhere = said(
        talk(("where are the faces?", "Nowhere."), id="d", shift=3), {"turn": 1, "liked": False}
    )
    (pair,), done, manifest = pairs(good, bad, same, elsewhere, talk(("hi", "Hello."), id="e"))
    assert (done.written, done.left_out) == (4, 1)
    assert pair["traces"] == ["a", "b"]
    assert [message["role"] for message in pair["prompt"]] == ["system", "user"]
    assert [message["role"] for message in pair["chosen"]] == ["assistant", "tool", "assistant"]
    assert pair["chosen"][0]["tool_calls"][0]["function"]["name"] == "detect"
    assert pair["rejected"][0]["content"] == [{"type": "text", "text": "No idea."}]
    (image,) = pair["images"]
    assert (tmp_path / "out" / image).is_file()
    assert manifest["pairs"] == {"two answers": 1, "correction": 0}
    assert (manifest["judged"], manifest["unpaired"]) == (4, 1)
    assert "detect" in pair["tools"]


def test_a_correction_is_chosen_over_the_answer_and_calls_belong_to_the_prompt(pairs, talk):
    trace = talk((*FIND, "I found nobody."))
    opinion = {"turn": 1, "liked": False, "better": "There are 2 faces."}
    (pair,), _, manifest = pairs(said(trace, opinion))
    assert [message["role"] for message in pair["prompt"]] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    texts = {side: pair[side][0]["content"][0]["text"] for side in ("chosen", "rejected")}
    assert texts == {"chosen": "There are 2 faces.", "rejected": "I found nobody."}
    assert manifest["pairs"]["correction"] == 1


def test_a_thumb_alone_makes_no_pair(pairs, talk):
    lines, _, manifest = pairs(said(talk((*FIND, "There.")), {"turn": 1, "liked": False}))
    assert (lines, manifest["unpaired"]) == ([], 1)


def test_what_nobody_judged_and_what_is_damaged_is_left_out(talk, few_skills, tmp_path):
    form = PreferencePairs(Output(tmp_path / "out"), few_skills)
    trace = talk(("hi", "Hello."))
    with pytest.raises(LeftOutError, match="Nobody has said anything"):
        form.add(trace)
    odd = trace.model_copy(update={"verdicts": {"person": [{"turn": 0}]}})
    with pytest.raises(SetupError, match="What a person said of trace one cannot be read"):
        opinions_of(odd)
