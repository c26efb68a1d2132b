"""PaLM-E's sentences of words, pictures and states, of which no code is public: by properties."""

import pytest
import torch

from llava_plus.model import LMM, PRESETS

IMAGE, STATE = 5, 6


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = LMM(PRESETS["palm-e-tiny"](image_token_id=IMAGE, state_token_id=STATE)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return model


def holes(model):
    return [IMAGE] * model.layout.view_tokens


def seen(seed=1, pictures=1, states=2):
    draw = torch.Generator().manual_seed(seed)
    return {
        "pixel_values": torch.randn(pictures, 3, 8, 8, generator=draw),
        "state_values": torch.randn(states, 16, generator=draw),
    }


def logits(model, ids, **given):
    with torch.no_grad():
        return model(torch.tensor([ids]), **given).logits[0]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_token_means_the_same_wherever_it_stands(model, order):
    # Words are left where they were; picture and states change places, their embeddings with them.
    pieces = [[STATE], holes(model), [STATE]]
    ids = [9]
    for at in order:
        ids += [*pieces[at], 10]
    given = seen()
    given["state_values"] = given["state_values"][[at // 2 for at in order if at != 1]]
    with torch.no_grad():
        picture = model.encode_images(given["pixel_values"])[0]
        states = model.states(given["state_values"])[:, 0]
        embeds = model.embed(torch.tensor([ids]), picture[None], None, states[:, None])[0]
        words = model.get_input_embeddings()
    rows = {IMAGE: iter(picture), STATE: iter(states)}
    for token, row in zip(ids, embeds, strict=True):
        wanted = next(rows[token]) if token in rows else words(torch.tensor(token))
        assert torch.equal(row, wanted)


def test_moving_the_whole_sentence_on_moves_what_is_read_with_it(model):
    # Rotary positions count differences alone: padding in front changes nothing.
    ids, given = [9, STATE, 10, *holes(model), 11, STATE, 12], seen()
    padded = torch.tensor([[0, 0, 0, *ids]])
    mask = torch.tensor([[0, 0, 0, *[1] * len(ids)]])
    places = torch.arange(len(padded[0]))[None] + 7
    with torch.no_grad():
        moved = model(padded, attention_mask=mask, position_ids=places, **given).logits[0, 3:]
    torch.testing.assert_close(moved, logits(model, ids, **given), atol=1e-5, rtol=1e-5)


def test_every_state_matters_to_what_follows_and_to_nothing_before(model):
    ids, given = [9, STATE, 10, STATE, *holes(model), 11], seen()
    before = logits(model, ids, **given)
    for at, place in enumerate((1, 3)):
        other = {**given, "state_values": given["state_values"].clone()}
        other["state_values"][at] += 1
        moved = (logits(model, ids, **other) - before).abs().amax(-1)
        assert not moved[:place].any()
        assert (moved[place:] > 1e-6).all()


def test_only_the_encoders_learn_where_the_decoder_is_frozen(model):
    ids = torch.tensor([[9, STATE, *holes(model), 10, STATE, 11, 12]])
    labels = torch.full_like(ids, -100)
    labels[:, -2:] = ids[:, -2:]
    model.zero_grad()
    model.decoder.requires_grad_(False)
    try:
        model(ids, labels=labels, **seen()).loss.backward()
        learned = {name for name, one in model.named_parameters() if one.grad is not None}
        assert {name.split(".")[0] for name in learned} == {"towers", "connector", "states"}
        assert all(one.grad.abs().sum() for one in model.states.parameters())
    finally:
        model.decoder.requires_grad_(True)
        model.zero_grad()


def test_what_comes_after_the_learned_words_has_no_gradient(model):
    ids = torch.tensor([[9, STATE, 10, 11, STATE]])
    labels = torch.tensor([[-100, -100, -100, 11, -100]])
    states = seen()["state_values"].requires_grad_()
    model(ids, labels=labels, state_values=states).loss.backward()
    assert states.grad[0].abs().sum() > 0
    assert not states.grad[1].any()
    model.zero_grad()


def test_a_slot_may_take_several_tokens():
    config = PRESETS["palm-e-tiny"](image_token_id=IMAGE, state_token_id=STATE)
    config.states = {"dim": 3, "hidden": 8, "tokens": 2}
    model = LMM(config)
    ids = torch.tensor([[9, STATE, STATE, 10, STATE, STATE]])
    assert model(ids, state_values=torch.randn(2, 3)).logits.shape[1] == 6
    with pytest.raises(ValueError, match="4 state placeholder tokens but 2 state features"):
        model(ids, state_values=torch.randn(1, 3))


def test_states_that_do_not_fit_are_named(model):
    ids = torch.tensor([[9, STATE]])
    with pytest.raises(ValueError, match=r"must be \(state, 16\), got \(1, 4\)"):
        model(ids, state_values=torch.zeros(1, 4))
    with pytest.raises(ValueError, match="1 state placeholder tokens but 0 state features"):
        model(ids)
    with pytest.raises(ValueError, match="no state encoder"):
        LMM(PRESETS["llava-7b-tiny"]())(ids, state_values=torch.zeros(1, 16))
