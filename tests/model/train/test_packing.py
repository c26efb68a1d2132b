"""Packed rows teach what padded ones teach: conversations of a row do not see each other."""

import pytest
import torch

from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.model import LMM, PRESETS
from llava_plus.model.train.batches import Collator, Piece
from llava_plus.model.train.begin import processor_for
from llava_plus.model.train.encoding import ConversationEncoder
from llava_plus.model.train.prepare import check_packing

PACKABLE = [
    "llava-1.5-7b", "llava-next-vicuna-7b", "llava-onevision-0.5b", "minigpt-v2-7b", "qwen-vl-7b",
    "cambrian-8b",
]  # fmt: skip


def conversations():
    """Words alone, one picture, two pictures, one wide picture."""

    def shown(height, width, seed):
        generator = torch.Generator().manual_seed(seed)
        pixels = torch.randint(0, 255, (height, width, 3), generator=generator)
        return ImagePart(pixels=pixels.to(torch.uint8).numpy(), digest="")

    pictures = [[], [shown(20, 30, 1)], [shown(16, 16, 2), shown(40, 12, 3)], [shown(10, 40, 4)]]
    for number, images in enumerate(pictures):
        question = Message(role="user", parts=(*images, TextPart(text=f"What, {number}?")))
        answer = (TextPart(text="It is. " * (number + 1)),)
        yield [question, Message(role="assistant", parts=answer, supervised=True)]


def both(name, tokenizer):
    """The same conversations padded, and packed into two rows of which one has a rest."""
    torch.manual_seed(0)
    template = "qwen_vl" if name.startswith("qwen") else "vicuna_v1"
    image = tokenizer.convert_tokens_to_ids("<imgpad>" if template == "qwen_vl" else "<image>")
    config = PRESETS[f"{name}-tiny"](len(tokenizer), image_token_id=image)
    model = LMM(config).train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    encoder = ConversationEncoder(processor_for(config, tokenizer, template), 500)
    pieces = [Piece(encoded=encoder(talk, "here", with_pixels=True)) for talk in conversations()]
    padded = Collator(encoder, 0, packing=False, reads=True)([[one] for one in pieces])
    packed = Collator(encoder, 0, packing=True, reads=True)([pieces[:3], pieces[3:]])
    return model, padded, packed


def learned(model, batch):
    """The loss, and every gradient."""
    batch = {key: value for key, value in batch.items() if key not in ("tokens", "conversations")}
    model.zero_grad()
    loss = model(**batch, labelled_only=True).loss
    loss.backward()
    loss = loss.detach()
    grads = {
        name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None
    }
    return float(loss), grads


@pytest.mark.parametrize("name", PACKABLE)
def test_packed_and_padded_rows_give_the_same_loss_and_gradients(name, tokenizer):
    model, padded, packed = both(name, tokenizer)
    assert padded["tokens"] == packed["tokens"]
    assert packed["input_ids"].shape[0] == 2
    assert "attention_mask" not in packed
    loss, grads = learned(model, padded)
    again, others = learned(model, packed)
    assert again == pytest.approx(loss, abs=1e-5)
    assert grads.keys() == others.keys()
    for key in grads:
        torch.testing.assert_close(others[key], grads[key], atol=1e-5, rtol=1e-4, msg=key)


def test_without_positions_that_begin_again_the_loss_is_another(tokenizer):
    model, padded, packed = both("llava-1.5-7b", tokenizer)
    loss, _ = learned(model, padded)
    packed["position_ids"] = torch.arange(packed["input_ids"].shape[1]).expand(2, -1)
    assert abs(learned(model, packed)[0] - loss) > 1e-4


def test_positions_begin_again_and_first_tokens_are_not_learned(tokenizer):
    _, padded, packed = both("llava-1.5-7b", tokenizer)
    lengths = padded["attention_mask"].sum(1).tolist()
    wanted = [at for length in lengths[:3] for at in range(length)]
    assert packed["position_ids"][0, : sum(lengths[:3])].tolist() == wanted
    starts = packed["position_ids"] == 0
    assert set(packed["labels"][starts].tolist()) == {-100}
    assert (packed["labels"] != -100).sum() == (padded["labels"] != -100).sum()
    assert packed["batch_num_images"].tolist() == [1, 2, 1]


@pytest.mark.parametrize("packing", [True, False])
def test_a_batch_without_pictures_still_runs_every_part(tokenizer, packing):
    model, _, _ = both("llava-1.5-7b", tokenizer)
    config = model.config
    encoder = ConversationEncoder(processor_for(config, tokenizer, "vicuna_v1"), 500)
    talk = next(iter(conversations()))
    piece = Piece(encoded=encoder(talk, "here", with_pixels=True))
    batch = Collator(encoder, 0, packing=packing, reads=True)([[piece]])
    loss, grads = learned(model, batch)
    alone = Collator(encoder, 0, packing=packing, reads=False)([[piece]])
    plain, without = learned(model, alone)
    assert loss == pytest.approx(plain, abs=1e-6)
    assert any(name.startswith("connector.") for name in grads)
    assert not any(name.startswith("connector.") for name in without)
    assert all(not one.any() for name, one in grads.items() if name.startswith("connector."))
    for name, grad in without.items():
        torch.testing.assert_close(grads[name], grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "why"),
    [("flamingo-9b", "gates"), ("cogvlm-17b", "shared positions"), ("blip2-opt-2.7b", "type opt")],
)
def test_models_that_cannot_keep_conversations_apart_are_not_packed(name, why, recipe):
    stage = recipe(packing=True).stages[0]
    with pytest.raises(SetupError, match=f"stage all: packing: .*{why}"):
        check_packing(stage, PRESETS[f"{name}-tiny"]())


def test_losses_weigh_what_their_data_set_says(tokenizer):
    model, _, _ = both("llava-1.5-7b", tokenizer)
    encoder = ConversationEncoder(processor_for(model.config, tokenizer, "vicuna_v1"), 500)
    pieces = [encoder(talk, "here", with_pixels=True) for talk in conversations()]

    def loss(weights, chosen=pieces):
        rows = [
            [Piece(encoded=one, weight=weight)] for one, weight in zip(chosen, weights, strict=True)
        ]
        return learned(model, Collator(encoder, 0, packing=False, reads=True)(rows))[0]

    counts = [int((one.labels[1:] != -100).sum()) for one in pieces]
    alone = [loss([1], [one]) for one in pieces]
    weights = [0.2, 1, 3, 0.5]
    terms = zip(alone, counts, weights, strict=True)
    wanted = sum(one * count * weight for one, count, weight in terms) / sum(counts)
    assert loss(weights) == pytest.approx(wanted, abs=1e-5)
