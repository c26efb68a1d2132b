"""VisualGLM-6B's decoder reads its prompt both ways; `test_goldens` holds its numbers."""

import pytest
import torch

from llava_plus.model import LMM, PRESETS

IMAGE, END = 5, 4


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = LMM(PRESETS["visualglm-6b-tiny"](image_token_id=IMAGE)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return model


def prompts(model):
    """Two prompts of different lengths, left-padded, each with a picture and an end."""
    rows = [[9, 10, *[IMAGE] * model.layout.view_tokens, 11, 3, END]]
    rows.append([12, *[IMAGE] * model.layout.view_tokens, 3, END, 13])
    longest = max(map(len, rows))
    return {
        "input_ids": torch.tensor([[7] * (longest - len(row)) + row for row in rows]),
        "attention_mask": torch.tensor(
            [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
        ),
        "pixel_values": torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)),
    }


def test_words_of_the_prompt_see_what_follows_and_written_words_do_not(model):
    given = prompts(model)
    ids = given["input_ids"][:1]
    longer = torch.cat([ids, torch.tensor([[20, 21, 22]])], dim=1)
    pixels = given["pixel_values"][:1]
    other = longer.clone()
    with torch.no_grad():
        before = model(longer, pixel_values=pixels).logits[0]
        other[0, ids.shape[1] - 3] = 30  # a word of the prompt, the last but one before its end
        prompt = model(other, pixel_values=pixels).logits[0]
        last = longer.clone()
        last[0, -1] = 30
        written = model(last, pixel_values=pixels).logits[0]
    assert ((before - prompt).abs().amax(-1) > 1e-6).all()
    assert torch.equal(before[:-1], written[:-1])
    assert not torch.equal(before[-1], written[-1])


def test_generating_with_a_cache_is_generating_without_and_padding_changes_nothing(model):
    given = prompts(model)
    options = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    options["suppress_tokens"] = [IMAGE, END]
    cached = model.generate(**given, **options)
    assert torch.equal(cached, model.generate(**given, **options, use_cache=False))
    start = given["input_ids"].shape[1]
    real = given["attention_mask"][1].bool()
    alone = model.generate(
        given["input_ids"][1:, real], pixel_values=given["pixel_values"][1:], **options
    )
    assert alone[0, -6:].tolist() == cached[1, start:].tolist()
    assert len(set(cached[:, start:].flatten().tolist())) > 1


@pytest.mark.filterwarnings("ignore:.gradient_checkpointing:FutureWarning")
def test_gradients_are_the_same_with_checkpointing(model):
    given = prompts(model)

    def gradients():
        torch.manual_seed(2)  # the Q-Former drops some features
        model.zero_grad()
        model(**given, labels=given["input_ids"]).loss.backward()
        return {name: one.grad.clone() for name, one in model.decoder.named_parameters()}

    model.train()
    try:
        plain = gradients()
        model.gradient_checkpointing_enable()
        again = gradients()
    finally:
        model.gradient_checkpointing_disable()
        model.eval()
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient, atol=1e-5, rtol=1e-5)
