"""Conversations on disk, and batches of them."""

import numpy as np
import pytest

from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.model import LMMProcessor, train_tokenizer
from llava_plus.model.dataset import ConversationWriter, EncodedSet, padded, read_conversations
from llava_plus.model.pictures import squared

WORDS = ["blur the faces", "turn it left", "what does it say", "把脸模糊", "24 hours"]


def say(role, *parts, learn=False):
    parts = tuple(TextPart(text=part) if isinstance(part, str) else part for part in parts)
    return Message(role=role, parts=parts, supervised=learn)


def picture(shade, digest):
    pixels = np.full((30, 40, 3), shade, np.uint8)
    pixels[:10] = 255 - shade
    return ImagePart(pixels=pixels, digest=digest)


def talk(index):
    """A conversation of one to three rounds, the first with a picture."""
    said = [say("system", "")]
    for turn in range(index % 3 + 1):
        words = WORDS[(index + turn) % len(WORDS)]
        shown = (picture(index * 9, f"p{index // 2}"),) if turn == 0 else ()
        said.append(say("user", *shown, f"img_1 {words}"))
        said.append(say("assistant", f"I {words} ", "now.", learn=turn != 1))
    return said


@pytest.fixture(scope="module")
def processor():
    return LMMProcessor(train_tokenizer(WORDS * 20, vocab_size=300))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "part_0"
    writer = ConversationWriter(folder, image_size=64)
    for index in range(12):
        writer.add(talk(index))
    writer.close()
    return folder


@pytest.fixture(scope="module")
def examples(folder, processor):
    return EncodedSet([folder], processor, longest=500)


def test_conversations_come_back_as_they_were_written(folder):
    for index, back in enumerate(read_conversations(folder)):
        facts = [(m.role, m.text, m.supervised, len(m.images)) for m in back]
        assert facts == [(m.role, m.text, m.supervised, len(m.images)) for m in talk(index)]
    assert index == 11


def test_a_picture_is_kept_once_at_the_models_size(folder):
    pictures = [m.images[0] for talk in read_conversations(folder) for m in talk if m.images]
    assert len(pictures) == 12
    assert len({one.digest for one in pictures}) == 6  # neighbours showed the same one
    assert np.array_equal(pictures[4].pixels, squared(picture(36, "").pixels, 64))


def test_a_folder_whose_writing_did_not_end_is_named(tmp_path):
    writer = ConversationWriter(tmp_path / "half", image_size=64)
    writer.add(talk(0))
    with pytest.raises(SetupError, match=r"half: its writing did not end"):
        next(read_conversations(tmp_path / "half"))
    writer.close()
    assert len(list(read_conversations(tmp_path / "half"))) == 1


def test_only_what_the_assistant_is_to_learn_has_labels(examples, processor):
    for index, example in enumerate(examples.examples):
        learned = [m.text for m in talk(index) if m.supervised]
        kept = example.labels != -100
        assert np.array_equal(example.labels[kept], example.ids[kept])
        ends = (example.labels == processor.end_token_id).sum()
        assert ends == len(learned)
        assert processor.decode(example.labels[kept].tolist()) == "".join(learned)


def test_what_is_too_long_is_left_out_and_counted(folder, processor, examples):
    lengths = sorted(len(example.ids) for example in examples.examples)
    short = EncodedSet([folder], processor, longest=lengths[-1] - 1)
    assert short.dropped == lengths.count(lengths[-1]) > 0
    assert len(short.examples) + short.dropped == 12
    assert (len(examples.examples), examples.dropped) == (12, 0)


def test_pictures_of_two_folders_are_told_apart(folder, processor, tmp_path):
    writer = ConversationWriter(tmp_path / "other", image_size=64)
    writer.add([say("user", picture(200, "other"), "img_1 "), say("assistant", "a", learn=True)])
    writer.close()
    both = EncodedSet([folder, tmp_path / "other"], processor, longest=500)
    assert len(both.pixels) == 7
    assert both.examples[-1].images[0] != both.examples[0].images[0]


def test_each_example_is_in_one_batch_of_about_the_right_size(examples):
    for tokens in (1, 120, 10_000):
        batches = examples.batches(tokens, seed=0, epoch=0)
        assert sorted(index for batch in batches for index in batch) == list(range(12))
        for batch in batches:
            width = padded(max(len(examples.examples[index].ids) for index in batch))
            assert len(batch) == 1 or width * len(batch) <= tokens


def test_batches_are_drawn_anew_each_epoch_but_the_same_by_seed(examples):
    first = examples.batches(120, seed=0, epoch=0)
    assert examples.batches(120, seed=0, epoch=0) == first
    assert examples.batches(120, seed=0, epoch=1) != first
    assert examples.batches(120, seed=1, epoch=0) != first


def test_a_batch_is_padded_with_what_is_neither_read_nor_learned(examples, processor):
    batch = examples.collate([0, 2])
    ids, labels, mask = batch["input_ids"], batch["labels"], batch["attention_mask"]
    for row, index in enumerate([0, 2]):
        length = len(examples.examples[index].ids)
        assert ids[row, :length].tolist() == examples.examples[index].ids.tolist()
        assert mask[row].tolist() == [1] * length + [0] * (ids.shape[1] - length)
        assert set(labels[row, length:].tolist()) <= {-100}
    assert ids.shape[1] % 16 == 0
    assert batch["pixel_values"].shape == (2, 3, 64, 64)


def test_pixels_stand_in_the_order_of_their_placeholders(examples, processor):
    pixels = examples.collate([4, 0])["pixel_values"]
    for row, index in enumerate([4, 0]):
        square = squared(talk(index)[1].images[0].pixels, 64)
        assert np.allclose(pixels[row], processor.normalized(square[None])[0])


def test_a_batch_without_pictures_has_no_pixels(processor, tmp_path):
    writer = ConversationWriter(tmp_path, image_size=64)
    writer.add([say("user", "hello"), say("assistant", "hi", learn=True)])
    writer.close()
    batch = EncodedSet([tmp_path], processor, longest=99).collate([0])
    assert "pixel_values" not in batch


def test_a_set_without_anything_to_learn_from_is_an_error(processor, folder, tmp_path):
    ConversationWriter(tmp_path, image_size=64).close()
    with pytest.raises(SetupError, match="No conversation"):
        EncodedSet([tmp_path], processor, longest=99)
    with pytest.raises(SetupError, match=r"No conversation.*12 are longer than 3 tokens"):
        EncodedSet([folder], processor, longest=3)
