"""Videos and states among training data, and what is said of broken ones before training."""

import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, StatePart, VideoPart
from llava_plus.model.train import Recipe, Source, Stage
from llava_plus.model.train.batches import Collator, Piece
from llava_plus.model.train.begin import begin
from llava_plus.model.train.encoding import ConversationEncoder
from llava_plus.model.train.index import index_of
from llava_plus.model.train.sources import open_source

ASK = "<video>\nWhat happens?"


def talk(question=ASK, answer="A dog runs."):
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


@pytest.fixture
def written(tmp_path):
    """Writes items, beside 12 frames, a movie of 3 seconds and some that are broken."""
    (tmp_path / "frames").mkdir()
    for number in range(12):
        color = (20 * number, 0, 0)
        Image.new("RGB", (30, 20), color).save(tmp_path / "frames" / f"frame{number}.png")
    (tmp_path / "frames" / "notes.txt").write_text("no frame")
    (tmp_path / "none").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "small.png")
    (tmp_path / "text.mp4").write_text("no movie")
    movie = cv2.VideoWriter(str(tmp_path / "a.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 5.0, (64, 48))
    for number in range(15):  # black, and redder from second to second
        movie.write(np.full((48, 64, 3), (0, 0, 80 * (number // 5)), np.uint8))
    movie.release()
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])

    def write(*items, frames=32):
        (tmp_path / "mix.json").write_text(json.dumps(items))
        return open_source(tmp_path / "mix.json", frames=frames)

    return write


def begun(home, preset, template):
    stage = Stage(name="a", train=("decoder",), rate=1, data=(Source(name="a"),), batch=1)
    recipe = Recipe(preset=f"{preset}-tiny", template=template, source="", stages=(stage,))
    return begin(recipe, home / "processor")


@pytest.fixture(scope="module")
def onevision(home):
    return begun(home, "llava-onevision-0.5b", "qwen_1_5")


def reds(part):
    return part.frames[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    ("said", "frames", "wanted"),
    [
        ("frames", 32, [20 * n for n in range(12)]),  # 2 before 10
        ("frames", 4, [0, 60, 140, 220]),
        ("frames", 1, [0]),
        (["frames/frame3.png", "frames/frame1.png"], 32, [60, 20]),
    ],
)
def test_frames_come_in_the_order_of_their_numbers_and_at_even_distances(
    written, said, frames, wanted
):
    data = written({"video": said, "conversations": talk()}, frames=frames)
    (part,) = data.read(0)[0].videos
    assert part.frames.shape == (len(wanted), 20, 30, 3)
    assert reds(part) == wanted
    (blank,) = data.read(0, with_pixels=False)[0].videos
    assert blank.frames.shape == part.frames.shape
    assert not any(blank.frames.strides)  # of no memory


def test_a_movie_gives_a_frame_of_each_second(written):
    data = written({"video": "a.mp4", "conversations": talk()})
    (part,) = data.read(0)[0].videos
    assert part.frames.shape == (3, 48, 64, 3)
    assert reds(part) == pytest.approx([0, 80, 160], abs=12)  # it is compressed
    assert data.read(0, with_pixels=False)[0].videos[0].frames.shape == part.frames.shape
    first, last = reds(written({"video": "a.mp4", "conversations": talk()}, frames=2).read(0)[0]
                       .videos[0])  # fmt: skip
    assert (first, last) == pytest.approx((0, 160), abs=12)


def test_marks_say_where_pictures_videos_and_states_stand(written):
    words = "First <image>\nthen <video>\nfrom <state> to <state>.\nWhat?"
    states = [[1, 2.5], [3, 4]]
    item = {"image": "small.png", "video": "frames", "states": states, "conversations": talk(words)}
    parts = written(item).read(0)[0].parts
    kinds = [type(part) for part in parts if not hasattr(part, "text")]
    assert kinds == [ImagePart, VideoPart, StatePart, StatePart]
    assert [p.text for p in parts if hasattr(p, "text")] == [
        "First ", "then ", "from ", " to ", ".\nWhat?",
    ]  # fmt: skip
    assert [p.values.tolist() for p in parts if isinstance(p, StatePart)] == states
    # Where no picture is, LLaVA's own mark means a video, and a lone one comes first.
    item = {"videos": ["frames"], "conversations": talk("What is in <image>?")}
    first, second = written(item).read(0)[0].parts
    assert isinstance(first, VideoPart)
    assert second.text == "What is in ?"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"video": "gone"}, r"\(id x\): no video .*gone, neither a file nor"),
        ({"video": "none"}, "video 'none' has no frames, so it takes no tokens"),
        ({"video": []}, "1 marks <video> but 0 videos"),
        ({"video": ["frames/frame1.png", "lost.png"]}, "no frame .*lost.png"),
        ({"video": ["frames/frame1.png", "text.mp4"]}, "frame .*text.mp4 cannot be read"),
        ({"video": ["frames/frame1.png", "small.png"]}, "small.png is of another size than frame1"),
        ({"video": "text.mp4"}, "text.mp4 cannot be read"),
        ({"video": "cut.mp4"}, "cut.mp4 cannot be read"),
        ({"video": 3}, "a video is a path or a list of frames, not 3"),
        ({"videos": "frames"}, "'videos' is no list, but 'frames'"),
        ({"videos": ["frames", "frames"]}, "1 marks <video> but 2 videos"),
        ({}, "1 marks <video> but 0 videos"),
        ({"video": "frames", "states": [[1]]}, "0 marks <state> but 1 states"),
        ({"states": [1], "conversations": talk("At <state>?")}, "state 1 is no list of numbers"),
        ({"states": [["1"]], "conversations": talk("At <state>?")}, "state 1 is no list of num"),
        ({"states": [[1]], "conversations": talk("At <state>?")}, "this model reads no states"),
        ({"image": {"a": 1}, "conversations": talk("<image>?")}, "'image' is no file or list"),
    ],
)
def test_what_is_broken_is_named_before_training(written, onevision, item, words):
    good = {"video": "frames", "conversations": talk()}
    data = written(good, {"id": "x", "conversations": talk(), **item})
    encoder = ConversationEncoder(onevision[1], 400)
    with pytest.raises(
        SetupError, match=rf"(?s)1 of 2 .*mix\.json cannot.*conversation 2.*{words}"
    ):
        index_of(data, encoder)
    assert index_of(data, encoder, skip_broken=True).pictures.tolist() == [12, 0]


def test_a_video_beyond_the_longest_is_not_cut(written, onevision):
    data = written({"video": "frames", "conversations": talk()})
    with pytest.raises(SetupError, match=r"reach beyond 40 tokens.*fewer 'frames'"):
        index_of(data, ConversationEncoder(onevision[1], 40))


PIECES = {  # a preset and its template; what is shown together, apart and not at all
    "videos": (
        ("llava-onevision-0.5b", "qwen_1_5"),
        {"video": "frames", "conversations": talk()},
        {"image": "small.png", "video": ["frames/frame7.png"],
         "conversations": talk("<image>\n<video>\nThe same?", "No, it is not.")},
    ),
    "states": (
        ("palm-e", "palm_e"),
        {"states": [[0.5] * 16, [-1] * 16], "conversations": talk("From <state> to <state>.")},
        {"image": "small.png", "states": [[2] * 16],
         "conversations": talk("See <image>\nat <state>.", "No, it is not.")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PIECES)
def test_packed_and_padded_rows_teach_the_same(written, home, name):
    (preset, template), *shown = PIECES[name]
    model, processor = begun(home, preset, template)
    model.train()
    with torch.no_grad():
        torch.manual_seed(0)
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    data = written(*shown, {"conversations": talk("And so on?", "Yes.")})
    encoder = ConversationEncoder(processor, 400)
    pieces = [Piece(encoded=encoder(data.read(n), "", with_pixels=True)) for n in range(3)]
    reads = {"reads": True, "states": name == "states"}
    padded = Collator(encoder, 0, packing=False, **reads)([[piece] for piece in pieces])
    packed = Collator(encoder, 0, packing=True, **reads)([pieces[1:], pieces[:1]])
    if name == "videos":
        assert [len(one) for one in padded["pixel_values_videos"]] == [12, 1]
        assert [len(one) for one in packed["pixel_values_videos"]] == [1, 12]
    else:
        assert padded["state_values"][:, 0].tolist() == [0.5, -1, 2]
        assert packed["state_values"][:, 0].tolist() == [2, 0.5, -1]

    def learned(batch):
        model.zero_grad()
        batch = {k: v for k, v in batch.items() if k not in ("tokens", "conversations")}
        loss = model(**batch).loss
        loss.backward()
        return loss.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}

    (loss, grads), (again, others) = learned(padded), learned(packed)
    torch.testing.assert_close(again, loss, atol=1e-5, rtol=0)
    assert grads.keys() == others.keys()
    for key, grad in grads.items():
        torch.testing.assert_close(others[key], grad, atol=1e-5, rtol=1e-4, msg=key)
    places = (padded["labels"] != -100).nonzero().tolist()
    holes = (processor.image_token_id, processor.video_token_id, processor.state_token_id)
    assert not any(int(padded["input_ids"][row, at]) in holes for row, at in places)


def test_only_pictures_and_videos_need_no_black_picture(written, onevision):
    encoder = ConversationEncoder(onevision[1], 400)
    data = written(
        {"video": "frames", "conversations": talk()}, {"conversations": talk("So?", "Yes.")}
    )
    pieces = [[Piece(encoded=encoder(data.read(n), "", with_pixels=True))] for n in range(2)]
    collate = Collator(encoder, 0, packing=False, reads=True)
    assert "pixel_values" not in collate(pieces)
    assert "pixel_values_videos" not in collate(pieces[1:])
    assert len(collate(pieces[1:])["pixel_values"]) == 2  # whole, and its one tile


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_a_picture_that_was_cut_off_is_named_before_training(written, onevision, tmp_path, kind):
    pixels = np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)
    file = tmp_path / f"noise.{kind}"
    Image.fromarray(pixels).save(file)
    data = written({"image": file.name, "conversations": talk("<image>?")})
    encoder = ConversationEncoder(onevision[1], 4000)
    assert index_of(data, encoder).pictures.tolist() == [1]
    file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises(
        SetupError, match=rf"conversation 1: picture .*noise\.{kind} cannot be read"
    ):
        index_of(data, encoder)


def test_a_deep_look_finds_what_is_damaged_inside(written, onevision, tmp_path):
    file = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)).save(file)
    harmed = bytearray(file.read_bytes())
    harmed[5000:5200] = bytes(200)
    file.write_bytes(harmed)
    data = written({"image": file.name, "conversations": talk("<image>?")})
    encoder = ConversationEncoder(onevision[1], 4000)
    kept = tmp_path / "index.npz"
    assert index_of(data, encoder, kept=kept).pictures.tolist() == [1]
    with pytest.raises(SetupError, match=r"picture .*noise\.png cannot be read"):
        index_of(data, encoder, kept=kept, deep=True)
