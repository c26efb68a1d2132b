"""Data sets on disk, and what is said of broken ones before anything is trained."""

import json

import numpy as np
import pytest
from PIL import Image

from llava_plus.agent import Decision
from llava_plus.agent.dialects import plus
from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.model import PRESETS
from llava_plus.model.dataset import ConversationWriter
from llava_plus.model.train.begin import processor_for
from llava_plus.model.train.encoding import ConversationEncoder
from llava_plus.model.train.index import index_of
from llava_plus.model.train.media import SampleError
from llava_plus.model.train.sources import open_source

TALK = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A dog."}]


def written(folder, items, name="mix.json"):
    text = "\n".join(map(json.dumps, items)) if name.endswith("l") else json.dumps(items)
    (folder / name).write_text(text, encoding="utf-8")
    return open_source(folder / name)


def shown(folder, name="a.png", size=(30, 20)):
    Image.new("RGB", size, (1, 2, 3)).save(folder / name)
    return name


def lines(messages):
    return [
        [
            m.role,
            *("[picture]" if isinstance(p, ImagePart) else p.text for p in m.parts),
            m.supervised,
        ]
        for m in messages
    ]


@pytest.fixture
def encoder(tokenizer):
    config = PRESETS["llava-1.5-7b-tiny"](len(tokenizer), image_token_id=0)
    return ConversationEncoder(processor_for(config, tokenizer, "vicuna_v1"), 400)


@pytest.mark.parametrize("name", ["mix.json", "mix.jsonl"])
def test_items_of_both_kinds_of_file_are_read_by_number(tmp_path, name):
    shown(tmp_path)
    items = [{"id": "é", "image": "a.png", "conversations": TALK}, {"conversations": TALK[1:]}]
    data = written(tmp_path, [*items, items[0]], name)
    assert len(data) == 3
    talk = [["user", "[picture]", "What?", False], ["assistant", "A dog.", True]]
    assert lines(data.read(0)) == lines(data.read(2)) == talk
    assert lines(data.read(1)) == talk[1:]
    assert data.read(0)[0].images[0].pixels.shape == (20, 30, 3)
    assert data.read(0)[0].images[0].pixels[0, 0].tolist() == [1, 2, 3]
    assert data.read(0, with_pixels=False)[0].images[0].pixels.shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("value", "images", "wanted"),
    [
        ("What is <image>?", ["a.png"], ["[picture]", "What is ?"]),  # LLaVA puts it first
        ("Look.\n<image>", ["a.png"], ["[picture]", "Look."]),
        ("<image>", ["a.png"], ["[picture]"]),
        (
            "<image>\nor <image>\nbest?",
            ["a.png", "a.png"],
            ["[picture]", "or ", "[picture]", "best?"],
        ),
        ("Is <image>\nit?<image>", ["a.png"] * 2, ["Is ", "[picture]", "it?", "[picture]"]),
    ],
)
def test_a_lone_picture_comes_first_and_several_stay_in_place(tmp_path, value, images, wanted):
    shown(tmp_path)
    item = {"image": images, "conversations": [{"from": "human", "value": value}, TALK[1]]}
    assert lines(written(tmp_path, [item]).read(0))[0] == ["user", *wanted, False]


def test_an_answer_in_three_parts_is_written_as_the_agents_dialect_has_it(tmp_path):
    said = {"from": "gpt", "thoughts": "Look.", "actions": [], "value": "A dog."}
    data = written(tmp_path, [{"conversations": [{"from": "human", "value": "?"}, said]}])
    wanted = plus.write(Decision(thought="Look.", answer="A dog."))
    assert data.read(0)[1].text == wanted.rstrip("\n")


def test_our_own_folders_are_read_as_they_were_written(tmp_path):
    writer = ConversationWriter(tmp_path / "own", image_size=8)
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    for number in range(3):
        image = ImagePart(pixels=pixels + number, digest=str(number))
        user = Message(role="user", parts=(image, TextPart(text=f"img_{number}")))
        writer.add([user, Message(role="assistant", parts=(TextPart(text="ok"),), supervised=True)])
    writer.close()
    data = open_source(tmp_path / "own")
    assert len(data) == 3
    back = data.read(2)
    assert lines(back) == [["user", "[picture]", "img_2", False], ["assistant", "ok", True]]
    assert np.array_equal(back[0].images[0].pixels, pixels + 2)
    assert data.read(1, with_pixels=False)[0].images[0].pixels.shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (
            {"image": "gone.png", "conversations": TALK},
            r"conversation 2 \(id x\): no picture .*gone",
        ),
        ({"image": "text.png", "conversations": TALK}, "text.png cannot be read"),
        ({"conversations": TALK}, "1 marks <image> but 0 pictures"),
        ({"image": "a.png", "conversations": TALK[1:]}, "0 marks <image> but 1 pictures"),
        ({"conversations": [{"from": "bot", "value": "?"}]}, "from 'bot'; wanted human"),
        ({"conversations": [{"from": "human", "value": 3}]}, "a turn has no words"),
        ({"text": "?"}, "conversation 2: wanted an object with 'conversations'"),
        ({"conversations": TALK[:1], "image": "a.png"}, "nothing is learned within 400 tokens"),
        ({"image": "thin.png", "conversations": TALK}, None),
    ],
)
def test_a_broken_conversation_is_named_before_training(tmp_path, encoder, item, words):
    shown(tmp_path)
    shown(tmp_path, "thin.png", (400, 1))
    (tmp_path / "text.png").write_text("no picture")
    good = {"image": "a.png", "conversations": TALK}
    data = written(tmp_path, [good, {"id": "x", **item}, good])
    if words is None:  # a picture's one row is enough here; see below for one of no row
        assert index_of(data, encoder).lengths.all()
        return
    with pytest.raises(SetupError, match=rf"(?s)1 of 3 .*mix\.json cannot.*{words}.*--skip-broken"):
        index_of(data, encoder)
    found = index_of(data, encoder, skip_broken=True)
    assert (found.lengths > 0).tolist() == [True, False, True]
    assert len(found.problems) == 1


def test_a_picture_that_takes_no_tokens_is_named(tmp_path, tokenizer):
    config = PRESETS["cambrian-8b-tiny"](len(tokenizer), image_token_id=0)
    encoder = ConversationEncoder(processor_for(config, tokenizer, "vicuna_v1"), 400)
    layout = encoder.processor.layout
    wide = next(w for w in range(4, 4000, 4) if layout.count_tokens((1, w)) == 0)
    for size in ((wide, 1), (1, wide)):  # of one row, and of newlines alone
        shown(tmp_path, "thin.png", size)
        data = written(tmp_path, [{"image": "thin.png", "conversations": TALK}])
        words = f"Picture 1 of {size[0]} x {size[1]} pixels takes no tokens in layout 'pad'"
        with pytest.raises(SetupError, match=rf"conversation 1.*{words}"):
            index_of(data, encoder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"conversations": []},\n {"conver', r"line 2: conversation 2 is no JSON"),
        ('{"conversations": []}', "is no JSON list of conversations"),
        ('[{"conversations": []}', "ends after 1 conversations without"),
        ("[]", "holds no conversations"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, encoder, text, words):
    (tmp_path / "mix.json").write_text(text)
    with pytest.raises(SetupError, match=rf"mix\.json.*{words}"):
        index_of(open_source(tmp_path / "mix.json"), encoder)


def test_a_broken_line_is_named(tmp_path, encoder):
    (tmp_path / "mix.jsonl").write_text(json.dumps({"conversations": TALK[1:]}) + '\n{"conv\n')
    with pytest.raises(SetupError, match=r"(?s)1 of 2 .*mix\.jsonl, conversation 2: it is no JSON"):
        index_of(open_source(tmp_path / "mix.jsonl"), encoder)


def test_folders_without_data_are_named(tmp_path):
    with pytest.raises(SetupError, match="No data at"):
        open_source(tmp_path / "gone.json")
    with pytest.raises(SetupError, match="its JSON files are: none"):
        open_source(tmp_path)
    (tmp_path / "a.json").write_text("[]")
    (tmp_path / "b.json").write_text("[]")
    with pytest.raises(SetupError, match=r"a\.json, b\.json. Name one"):
        open_source(tmp_path)


def test_a_long_conversation_is_cut_but_no_picture_is(tmp_path, tokenizer):
    shown(tmp_path)
    long = [{"from": "human", "value": "<image>\n?"}, {"from": "gpt", "value": "yes " * 300}]
    data = written(tmp_path, [{"image": "a.png", "conversations": long}])
    config = PRESETS["llava-1.5-7b-tiny"](len(tokenizer), image_token_id=0)
    processor = processor_for(config, tokenizer, "vicuna_v1")
    whole = ConversationEncoder(processor, 4000)(data.read(0), "here", with_pixels=False)
    first = int((whole.labels != -100).argmax())
    cut = ConversationEncoder(processor, first + 9)(data.read(0), "here", with_pixels=False)
    assert cut.ids.tolist() == whole.ids[: first + 9].tolist()
    picture = int((whole.ids == processor.image_token_id).argmax()) + 3
    with pytest.raises(
        SampleError, match=f"here: its pictures, videos or states reach beyond {picture} tokens"
    ):
        ConversationEncoder(processor, picture)(data.read(0), "here", with_pixels=False)


def test_what_was_found_is_kept_until_the_data_changes(tmp_path, encoder):
    data = written(tmp_path, [{"conversations": TALK[1:]}] * 3)
    kept = tmp_path / "index.npz"
    first = index_of(data, encoder, kept=kept)

    class Never(ConversationEncoder):
        def __call__(self, *arguments, **options):
            raise AssertionError

    never = Never(encoder.processor, encoder.longest)
    assert index_of(data, never, kept=kept).lengths.tolist() == first.lengths.tolist()
    with pytest.raises(AssertionError):
        index_of(data, never, kept=kept, identity="another template")
    data = written(tmp_path, [{"conversations": TALK[1:]}] * 4)
    with pytest.raises(AssertionError):
        index_of(data, never, kept=kept)
