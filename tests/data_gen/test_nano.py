"""From requests to conversations that a planner learns from."""

import itertools
import random
from dataclasses import replace

import pytest

from llava_plus.agent.dialects.json import parse
from llava_plus.data_gen.nano import (
    BOILERPLATE,
    Sizes,
    Wordings,
    make_conversations,
    make_parts,
    make_tokenizer,
    write_data,
)
from llava_plus.data_gen.requests import copied_labels, hand_requests
from llava_plus.model import LMMProcessor
from llava_plus.model.dataset import ConversationWriter, EncodedSet, read_conversations
from llava_plus.skills.builtin.planned import PLANNED


@pytest.fixture(scope="module")
def wishes():
    return [
        ("1", "blur the old kayak", 'detect(img_1, "old kayak") ; blur(img_1, boxes_1)'),
        ("1", "hide every face", 'detect(img_1, "face") ; blur(img_1, boxes_1)'),
        ("1", "hi there", "say(chat)"),
        ("0", "make it brighter", "say(ask)"),
        ("2", "turn both right", "rotate(img_1, degrees=90) & rotate(img_2, degrees=90)"),
        ("1+box", "crop to this", "crop(img_1, boxes_1)"),
        ('1 > detect(img_1, "dogs")', "blur them", "blur(img_1, boxes_1)"),
    ]


@pytest.fixture
def requests(wishes, ask):
    return [copied_labels(ask(text, plan, context)) for context, text, plan in wishes]


def test_each_request_becomes_a_conversation_about_a_picture(requests, scenes):
    talks = list(make_conversations(requests, scenes, Wordings(requests), seed=0))
    assert len(talks) == len(requests)
    for request, talk in zip(requests, talks, strict=True):
        users = [message for message in talk if message.role == "user"]
        assert users[-1].text.endswith(request.text)
        assert len(users) == request.context.count(">") + 1
        assert len(users[0].images) == int(request.context[0])
        assert talk[0].text == ""  # the twelve need no list
        assert talk[-1].role == "assistant"


def test_all_that_the_planner_says_is_learned_and_can_be_read(requests, scenes):
    for talk in make_conversations(requests, scenes, Wordings(requests), seed=0):
        ids = (f"c{n}" for n in itertools.count())
        for message in talk:
            assert message.supervised is (message.role == "assistant")
            if message.supervised:
                parse(message.text, ids)


def test_the_same_seed_makes_the_same_conversations(requests, scenes):
    def made(seed):
        talks = make_conversations(requests, scenes, Wordings(requests), seed=seed)
        return [
            [(m.role, m.text, [image.digest for image in m.images]) for m in talk] for talk in talks
        ]

    assert made(0) == made(0)
    assert made(0) != made(1)


def test_most_pictures_hold_what_the_plan_looks_for(scenes, ask):
    face = ask("any face?", 'detect(img_1, "face")')
    faces = [replace(face, origin=f"test:{n}") for n in range(40)]
    talks = make_conversations(faces, scenes, Wordings([]), seed=0)
    found = sum("0 boxes" not in talk[3].text for talk in talks)
    assert 24 <= found < 40


def test_what_cannot_be_followed_is_left_out_and_said(scenes, ask, caplog):
    requests = [ask("teleport it", "teleport(img_1)"), ask("hi", "say(chat)")]
    talks = list(make_conversations(requests, scenes, Wordings([]), seed=0))
    assert len(talks) == 1
    assert "left out 'teleport it': No skill 'teleport'" in caplog.text


def test_a_follow_up_on_what_was_never_found_is_left_out(scenes, ask):
    empty = [one for one in scenes if not one.holds][:1]
    follow = ask("blur the left", "select(boxes_1) ; blur(img_1, boxes_2)", "1 > say(chat)")
    assert list(make_conversations([follow], empty, Wordings([]), seed=0)) == []


def test_earlier_turns_are_worded_as_people_word_such_plans(ask):
    wordings = Wordings(
        [
            ask("where has my kayak gone", 'detect(img_1, "kayak")'),
            ask("blur the kayak", 'detect(img_1, "kayak") ; blur(img_1, boxes_1)'),
            ask("and the second?", 'detect(img_1, "kayak")', "1 > say(chat)"),
        ]
    )
    rng = random.Random(0)
    assert wordings.draw('detect(img_1, "red bus")', rng) == "where has my red bus gone"
    assert wordings.draw("rotate(img_1, degrees=90)", rng) == "rotate it"
    assert wordings.draw('detect(img_1, "x") ; crop(img_1, boxes_1)', rng) == "detect x"


def test_the_boilerplate_of_calls_is_one_token_each_and_numbers_are_spelled(
    requests, scenes, tmp_path
):
    writer = ConversationWriter(tmp_path / "data", image_size=64)
    for talk in make_conversations(requests, scenes, Wordings(requests), seed=0):
        writer.add(talk)
    writer.close()
    make_tokenizer([tmp_path / "data"], tmp_path / "processor", vocab_size=600)
    processor = LMMProcessor.from_pretrained(tmp_path / "processor")
    assert processor.skills == PLANNED
    for text in BOILERPLATE:
        assert len(processor.tokenizer.encode(text)) == 1, text
    encoded = EncodedSet([tmp_path / "data"], processor, longest=1000)
    assert len(encoded.examples) == len(requests)
    for example, talk in zip(encoded.examples, read_conversations(tmp_path / "data"), strict=True):
        learned = processor.decode([label for label in example.labels.tolist() if label != -100])
        assert learned == "".join(message.text for message in talk if message.supervised)


@pytest.fixture
def few(monkeypatch, ask):
    """Two small parts instead of all requests."""
    one = ask("blur the old kayak", 'detect(img_1, "old kayak") ; blur(img_1, boxes_1)')
    parts = {"hand_01": [one], "grammar_0": [ask("hi there", "say(chat)")]}
    monkeypatch.setattr("llava_plus.data_gen.nano.make_parts", lambda sizes: parts)
    return Sizes(refills=3, repeats=1, grammar_copies=1, added=0, drawn=2, processes=1)


def test_a_folder_is_written_for_each_part_with_its_copies(few, tmp_path):
    write_data(tmp_path, few, image_size=64)
    assert len(list(read_conversations(tmp_path / "hand_01"))) == 4
    assert len(list(read_conversations(tmp_path / "grammar_0"))) == 2


def test_a_folder_that_is_complete_is_not_made_again(few, tmp_path):
    ConversationWriter(tmp_path / "hand_01", image_size=64).close()
    write_data(tmp_path, few, image_size=64)
    assert list(read_conversations(tmp_path / "hand_01")) == []
    assert len(list(read_conversations(tmp_path / "grammar_0"))) == 2


def test_a_hand_that_is_added_changes_no_other_part(monkeypatch):
    sizes = Sizes(grammar=200)
    every = make_parts(sizes)
    hands = [request for request in hand_requests() if not request.origin.startswith("hand_01")]
    monkeypatch.setattr("llava_plus.data_gen.nano.hand_requests", lambda: hands)
    fewer = make_parts(sizes)
    assert every.keys() - fewer.keys() == {"hand_01"}
    assert all(every[name] == fewer[name] for name in fewer)
