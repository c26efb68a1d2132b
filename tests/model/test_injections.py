"""Decoders whose layers see pictures: Flamingo, CogVLM and Cambrian in their tiny forms."""

import pytest
import torch

from llava_plus.model import LMM, PRESETS
from llava_plus.model.inject import copy_words_to_experts

IMAGE = 5
SIZES = [(8, 8), (3, 8)]
KINDS = ["flamingo-9b-tiny", "cogvlm-17b-tiny", "cambrian-8b-tiny"]


def build(name, *, injections=True, seed=0):
    config = PRESETS[name](image_token_id=IMAGE)
    if not injections:
        config.injections = []
    torch.manual_seed(seed)
    return LMM(config).eval()


def shaken(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return shaken(build(request.param))


def pictures(model):
    torch.manual_seed(1)
    sizes = [tower.size for tower in model.towers]
    pixels = [torch.randn(2, 3, size, size) for size in sizes]
    given = {"pixel_values": pixels if len(pixels) > 1 else pixels[0]}
    return given | {"image_sizes": torch.tensor(SIZES)}


def ask(model):
    """Two sequences with a picture each, left-padded to one length."""
    counts = [model.layout.count_tokens(size) for size in SIZES]
    rows = [[8, 9, *[IMAGE] * count, 10, 11, 12] for count in counts]
    longest = max(map(len, rows))
    ids = torch.tensor([[7] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return {"input_ids": ids, "attention_mask": mask, **pictures(model)}


def close(left, right):
    torch.testing.assert_close(left, right, atol=2e-5, rtol=1e-5)


def test_generating_with_a_cache_is_generating_without(model):
    inputs = ask(model)
    options = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    options["suppress_tokens"] = [IMAGE]
    cached = model.generate(**inputs, **options)
    assert torch.equal(cached, model.generate(**inputs, **options, use_cache=False))
    start = inputs["input_ids"].shape[1]
    assert len(set(cached[:, start:].flatten().tolist())) > 1


def test_words_after_pictures_read_in_pieces_as_at_once(model):
    inputs = ask(model)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    longer = torch.cat([ids, torch.tensor([[20, 21, 22, 23]] * 2)], dim=1)
    whole = torch.cat([mask, torch.ones(2, 4, dtype=torch.long)], dim=1)
    with torch.no_grad():
        at_once = model(**inputs | {"input_ids": longer, "attention_mask": whole}).logits
        cache = model(**inputs).past_key_values
        for end in (2, 4):
            seen = ids.shape[1] + end
            piece = model(
                longer[:, seen - 2 : seen],
                attention_mask=whole[:, :seen],
                past_key_values=cache,
            )
            close(piece.logits, at_once[:, seen - 2 : seen])


def test_words_before_a_picture_do_not_see_it_and_those_after_do(model):
    inputs = ask(model)
    with torch.no_grad():
        logits = model(**inputs).logits
        pixels = inputs["pixel_values"]
        other = [-one for one in pixels] if isinstance(pixels, list) else -pixels
        changed = model(**inputs | {"pixel_values": other}).logits
    start = int((inputs["input_ids"][0] == IMAGE).nonzero()[0])
    assert torch.equal(logits[0, :start], changed[0, :start])
    assert not torch.allclose(logits[0, -3:], changed[0, -3:], atol=1e-3)


def test_saving_and_loading_is_exact(model, tmp_path):
    model.save_pretrained(tmp_path)
    loaded, report = LMM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    with torch.no_grad():
        inputs = ask(model)
        assert torch.equal(loaded.eval()(**inputs).logits, model(**inputs).logits)


def gradients(model, inputs):
    model.zero_grad()
    model(**inputs, labels=inputs["input_ids"]).loss.backward()
    return {name: weight.grad.clone() for name, weight in model.decoder.named_parameters()}


@pytest.mark.filterwarnings("ignore:.gradient_checkpointing:FutureWarning")
def test_gradients_are_the_same_with_checkpointing_and_reach_every_layer(model):
    inputs = ask(model)
    model.train()
    try:
        plain = gradients(model, inputs)
        model.gradient_checkpointing_enable()
        again = gradients(model, inputs)
    finally:
        model.gradient_checkpointing_disable()
        model.eval()
    for name, gradient in plain.items():
        close(again[name], gradient)
    new = [n for n in plain if any(w in n for w in ("cross_gate", "sampler", ".vision."))]
    assert new
    assert all(plain[name].abs().sum() for name in new)


def test_layers_keep_their_names_and_the_plain_weights_theirs():
    for name in KINDS:
        plain, seeing = build(name, injections=False), build(name)
        assert set(plain.state_dict()) < set(seeing.state_dict())
        kinds = {type(layer).__name__ for layer in seeing.decoder.get_decoder().layers}
        assert kinds == {"LlamaDecoderLayer"}


def same_weights(plain, seeing):
    seeing.load_state_dict(plain.state_dict(), strict=False)
    return plain, seeing


def test_gates_change_nothing_at_first():
    plain, seeing = same_weights(build(KINDS[0], injections=False), build(KINDS[0], seed=1))
    inputs = ask(seeing)
    words = {key: inputs[key] for key in ("input_ids", "attention_mask")}
    with torch.no_grad():
        assert torch.equal(seeing(**inputs).logits, plain(**words).logits)


def test_experts_change_nothing_at_first_and_only_pictures_later():
    plain, seeing = same_weights(build(KINDS[1], injections=False), build(KINDS[1], seed=1))
    copy_words_to_experts(seeing.decoder)
    inputs = ask(seeing)
    with torch.no_grad():
        before = seeing(**inputs).logits
        close(before, plain(**inputs).logits)
        words = torch.tensor([[8, 9, 10]])
        alone = seeing(words).logits
        layer = seeing.decoder.model.layers[0]
        layer.mlp.up_proj.vision.weight.mul_(2)
        assert torch.equal(seeing(words).logits, alone)
        after = seeing(**inputs).logits
    place = (inputs["input_ids"][0] == IMAGE).nonzero().flatten()
    moved = (after[0] - before[0]).abs().amax(-1) > 1e-6
    assert not moved[: int(place[0])].any()
    assert moved[place[:-1]].all()


def test_cogvlm_places_every_feature_of_a_picture_at_one_position(monkeypatch):
    model = build(KINDS[1])
    given = {}
    decoder = model.decoder.model.forward
    monkeypatch.setattr(
        model.decoder.model, "forward", lambda **kw: given.update(kw) or decoder(**kw)
    )
    count = model.layout.count_tokens((8, 8))
    ids = torch.tensor([[8, *[IMAGE] * count, 9, 10]])
    with torch.no_grad():
        cache = model(ids, pixel_values=torch.randn(1, 3, 8, 8)).past_key_values
        # begin of sequence, begin of picture, features, end of picture, words
        assert given["position_ids"].tolist() == [[0, 1, *[2] * (count - 2), 3, 4, 5]]
        assert given["sight"].expert.int().tolist() == [[0, *[1] * (count - 1), 0, 0, 0]]
        model(torch.tensor([[11, 12]]), past_key_values=cache)
        assert given["position_ids"].tolist() == [[6, 7]]
        model.rewind(cache, ids)
        model(torch.tensor([[13]]), past_key_values=cache)
        assert given["position_ids"].tolist() == [[6]]


def test_flamingo_words_read_only_the_picture_before_them():
    model = shaken(build(KINDS[0]))
    ids = torch.tensor([[8, IMAGE, 9, 10, IMAGE, 11, 12]])
    pixels = torch.randn(2, 3, 8, 8)
    other = pixels.clone()
    other[1] = 0
    model.decoder.model.layers[1].self_attn.o_proj.weight.data.zero_()
    with torch.no_grad():
        first = model(ids, pixel_values=pixels).logits
        second = model(ids, pixel_values=other).logits
    assert torch.equal(first[0, :4], second[0, :4])
    assert not torch.allclose(first[0, 4:], second[0, 4:], atol=1e-3)


def test_flamingo_names_pictures_that_are_missing_or_late():
    model = build(KINDS[0])
    ids = torch.tensor([[8, IMAGE, 9]])
    with pytest.raises(ValueError, match="1 image placeholder tokens but 0 image features"):
        model(ids)
    cache = model(ids, pixel_values=torch.zeros(1, 3, 8, 8)).past_key_values
    with pytest.raises(ValueError, match="New pictures came after the first call"):
        model(ids, pixel_values=torch.zeros(1, 3, 8, 8), past_key_values=cache)
    assert model(torch.tensor([[8, 9]])).logits.shape == (1, 2, 128)


def test_cambrian_samplers_touch_a_pictures_tokens_but_not_its_newlines():
    model = shaken(build(KINDS[2]))
    inputs = ask(model)
    layer = model.decoder.model.layers[0]
    states = {}
    layer.register_forward_hook(
        lambda _, args, kw, out: states.update(out=out, **kw), with_kwargs=True
    )
    with torch.no_grad():
        model(**inputs)
    sight = states["sight"]
    # 4 x 4 features and 2 rows of 4, each row with its newline
    assert sight.places.sum(-1).tolist() == [16, 8]
    holes = inputs["input_ids"] == IMAGE
    assert holes.sum(-1).tolist() == [20, 10]
    assert len(sight.windows.context) == 24
    rows = holes[1].nonzero().flatten().view(2, 5)
    assert not sight.places[1, rows[:, 4]].any()


@pytest.mark.parametrize(
    ("injection", "message"),
    [
        ({"type": "gate"}, "No injection 'gate'. Known: cross_gate, deep_sva, visual_expert"),
        (
            {"type": "deep_sva", "windows": [1], "start": 2, "stride": 3, "count": 2},
            "need 6 layers, the decoder has 4",
        ),
    ],
)
def test_injections_that_cannot_be_are_named(injection, message):
    config = PRESETS["llava-7b-tiny"]()
    config.injections = [injection]
    with pytest.raises(ValueError, match=message):
        LMM(config)


def test_experts_need_the_linear_maps_that_they_double():
    config = PRESETS["blip2-opt-2.7b-tiny"]()
    config.injections = [{"type": "visual_expert"}]
    with pytest.raises(ValueError, match="OPTDecoderLayer has 3 of them"):
        LMM(config)
