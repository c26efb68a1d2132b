import json
import random

import numpy as np
import pytest

from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.model import LMMProcessor, train_tokenizer

BOILERPLATE = ['{"thought":"', '","actions":[{"skill":"', '","args":{"image":"img_', '"}}]}']
CALL = '{"thought":" look","actions":[{"skill":"detect","args":{"image":"img_1","label":" face"}}]}'
TEXTS = [CALL, "Blur the faces please", "把脸模糊", "24 hours"] * 20


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, vocab_size=400, boilerplate=BOILERPLATE)


@pytest.fixture
def processor(tokenizer):
    return LMMProcessor(tokenizer)


def picture(value=0, digest=""):
    return ImagePart(pixels=np.full((30, 40, 3), value, np.uint8), digest=digest)


def user(*parts):
    parts = tuple(TextPart(text=part) if isinstance(part, str) else part for part in parts)
    return Message(role="user", parts=parts)


ANSWER = Message(role="assistant", parts=(TextPart(text=CALL),), supervised=True)


def test_specials_come_first_and_boilerplate_is_one_token(tokenizer):
    assert tokenizer.convert_tokens_to_ids("<|system|>") == 0
    for text in BOILERPLATE:
        assert len(tokenizer.encode(text)) == 1
    assert len(tokenizer) <= 400


def test_any_text_comes_back_exactly(processor):
    draw = random.Random(0)
    alphabet = [*BOILERPLATE, "<|end|>", " ", "  ", "é", "\n", "\x00", "Ġ", "12", "don't"]
    for _ in range(500):
        pieces = [chr(draw.randrange(1, 0x3000)) for _ in range(4)]
        pieces += [chr(draw.randrange(0x1F300, 0x1F600)), *draw.sample(alphabet, 4)]
        draw.shuffle(pieces)
        text = "".join(pieces)
        ids = processor.encode([user(text)])["input_ids"][1:-1]
        assert processor.decode(ids) == text
        assert min(ids) >= 6  # no special token among them


@pytest.mark.parametrize("text", ["é", "<|end|>"])
def test_boilerplate_that_would_not_come_back_is_refused(text):
    with pytest.raises(ValueError, match="does not decode to itself"):
        train_tokenizer(["a"], vocab_size=300, boilerplate=[text])


def test_a_vocabulary_that_cannot_hold_the_bytes_is_refused():
    with pytest.raises(ValueError, match="too small"):
        train_tokenizer(["a"], vocab_size=200)


def test_numbers_are_spelled_digit_by_digit(tokenizer):
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode("240")) == ["2", "4", "0"]


def test_labels_are_the_ids_of_what_is_learned(processor):
    encoded = processor.encode([user(picture(), "img_1 ", "Blur the faces"), ANSWER])
    ids, labels = encoded["input_ids"], encoded["labels"]
    learned = [label for label in labels if label != -100]
    assert all(label in (-100, token) for label, token in zip(labels, ids, strict=True))
    assert learned[-1] == processor.end_token_id
    assert processor.decode(learned[:-1]) == CALL


def test_a_picture_takes_its_placeholders_and_one_row_of_pixels(processor):
    encoded = processor.encode([user(picture(), "and", picture(255))])
    assert encoded["input_ids"].count(processor.image_token_id) == 8
    pixels = encoded["pixels"]
    assert (pixels.shape, pixels.dtype) == ((2, 3, 64, 64), np.float32)
    assert pixels[0].max() == -1
    assert pixels[1].min() == 1
    assert processor.encode([user("none")])["pixels"].shape == (0, 3, 64, 64)


def test_a_picture_is_prepared_once_per_content(processor):
    first = processor.pixels(picture(3))
    assert processor.pixels(picture(3)) is first
    assert processor.pixels(picture(4)) is not first
    named = processor.pixels(picture(3, "same"))
    assert processor.pixels(picture(9, "same")) is named


def test_a_prompt_begins_the_conversation_that_follows(processor):
    ask = [user(picture(), "img_1 Blur the faces")]
    prompt = processor.encode(ask, add_generation_prompt=True)["input_ids"]
    whole = processor.encode([*ask, ANSWER, user("Thanks")])["input_ids"]
    assert whole[: len(prompt)] == prompt


def test_saving_and_loading_gives_the_same_ids(processor, tmp_path):
    processor.save_pretrained(tmp_path)
    loaded = LMMProcessor.from_pretrained(tmp_path)
    assert loaded.skills == ()
    talk = [user(picture(), "img_1 24 <|end|> hours"), ANSWER]
    for key, value in processor.encode(talk).items():
        assert np.array_equal(loaded.encode(talk)[key], value)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json"}
    assert json.loads((tmp_path / "processor.json").read_text())["template"] == "nano"


def test_the_skills_that_a_model_knows_are_kept_and_need_not_be_there(tokenizer, tmp_path):
    LMMProcessor(tokenizer, skills=("blur", "crop")).save_pretrained(tmp_path)
    assert LMMProcessor.from_pretrained(tmp_path).skills == ("blur", "crop")
    file = tmp_path / "processor.json"
    facts = json.loads(file.read_text())
    del facts["skills"]
    file.write_text(json.dumps(facts))
    assert LMMProcessor.from_pretrained(tmp_path).skills == ()


def test_a_directory_without_a_processor_is_named(tmp_path):
    with pytest.raises(SetupError, match=r"No processor\.json"):
        LMMProcessor.from_pretrained(tmp_path)


def test_a_template_that_the_tokenizer_cannot_write_is_refused(tokenizer):
    with pytest.raises(ValueError, match="which the tokenizer lacks"):
        LMMProcessor(tokenizer, template="vicuna_v1")
    with pytest.raises(ValueError, match="No template 'mano'"):
        LMMProcessor(tokenizer, template="mano")


def test_constrained_decoding_sees_the_same_tokens(tokenizer):
    hf = pytest.importorskip("llguidance.hf")
    bridge = hf.from_tokenizer(tokenizer)
    for text in (*TEXTS, *BOILERPLATE):
        ids = tokenizer.encode(text)
        assert bridge.tokenize_str(text) == ids
        assert bridge.decode_bytes(ids) == text.encode()
    assert [bridge.is_special_token(token) for token in range(7)] == [True] * 6 + [False]
