import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from llava_plus.model import LMM, LMMConfig, nano_config, tiny_config

IMAGE = 7


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = LMM(tiny_config(64, image_token_id=IMAGE)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


@pytest.fixture
def prompt():
    torch.manual_seed(1)
    ids = torch.randint(8, 64, (2, 20))
    ids[0, 3:7] = IMAGE
    ids[1, 10:14] = IMAGE
    return ids, torch.randn(2, 3, 64, 64)


def close(left, right):
    return torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)


def test_nano_is_a_four_million_decoder_with_a_small_tower():
    with torch.device("meta"):
        model = LMM(nano_config(4096))
    assert 4.2e6 < sum(p.numel() for p in model.decoder.parameters()) < 4.3e6
    assert 5.1e6 < sum(p.numel() for p in model.parameters()) < 5.2e6


def test_each_picture_of_nano_takes_four_tokens():
    assert LMM(nano_config(300)).encode_images(torch.zeros(3, 3, 64, 64)).shape == (3, 4, 256)


def test_features_replace_placeholders_in_order(model, prompt):
    ids, pixels = prompt
    features = model.encode_images(pixels)
    embeds = model.embed(ids, features)
    close(embeds[0, 3:7], features[0])
    close(embeds[1, 10:14], features[1])
    close(embeds[0, :3], model.get_input_embeddings()(ids[0, :3]) * 8)


def test_pixels_and_their_features_give_the_same_logits(model, prompt):
    ids, pixels = prompt
    features = model.encode_images(pixels)
    close(model(ids, pixel_values=pixels).logits, model(ids, image_features=features).logits)


@pytest.mark.parametrize("pictures", [None, 1, 3])
def test_a_wrong_number_of_pictures_is_named(model, prompt, pictures):
    ids, pixels = prompt
    given = None if pictures is None else torch.zeros(pictures, *pixels.shape[1:])
    message = f"8 image placeholder tokens but {4 * (pictures or 0)} image features"
    with pytest.raises(ValueError, match=message):
        model(ids, pixel_values=given)


@pytest.mark.parametrize("cuts", [[20], [1] * 20, [8, 1, 1, 5, 3, 2], [14, 6]])
def test_reading_in_pieces_equals_reading_at_once(model, prompt, cuts):
    ids, pixels = prompt
    features = model.encode_images(pixels)
    whole = model(ids, pixel_values=pixels).logits
    cache, pieces, start = None, [], 0
    for size in cuts:
        piece = ids[:, start : start + size]
        rows = [features[row][: int((piece[row] == IMAGE).sum())] for row in (0, 1)]
        rows = [
            features[row][int((ids[row, :start] == IMAGE).sum()) :][: len(rows[row])]
            for row in (0, 1)
        ]
        output = model(piece, image_features=torch.cat(rows), past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        pieces.append(output.logits)
        start += size
    close(torch.cat(pieces, dim=1), whole)


def test_left_padding_changes_nothing(model, prompt):
    ids, pixels = prompt
    padded = torch.cat([torch.full((2, 5), 1), ids], dim=1)
    mask = torch.cat([torch.zeros(2, 5), torch.ones(2, 20)], dim=1).long()
    logits = model(padded, pixel_values=pixels, attention_mask=mask).logits
    close(logits[:, 5:], model(ids, pixel_values=pixels).logits)


def test_packed_sequences_do_not_see_each_other(model, prompt):
    ids, pixels = prompt
    packed = torch.cat([ids[0], ids[1]]).unsqueeze(0)
    positions = torch.cat([torch.arange(20), torch.arange(20)]).unsqueeze(0)
    logits = model(packed, pixel_values=pixels, position_ids=positions, use_cache=False).logits
    close(logits.view(2, 20, -1), model(ids, pixel_values=pixels).logits)


def generate(model, ids, **options):
    return model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=8,
        min_new_tokens=8,
        pad_token_id=0,
        **options,
    ).tolist()


def test_generate_takes_the_likeliest_token_each_time(model, prompt):
    ids, pixels = prompt
    steps = ids
    for _ in range(8):
        logits = model(steps, pixel_values=pixels, use_cache=False).logits
        steps = torch.cat([steps, logits[:, -1:].argmax(-1)], dim=1)
    assert generate(model, ids, pixel_values=pixels) == steps.tolist()
    assert generate(model, ids, image_features=model.encode_images(pixels)) == steps.tolist()


def test_beam_search_is_the_same_with_and_without_a_cache(model, prompt):
    ids, pixels = prompt
    cached = generate(model, ids, pixel_values=pixels, num_beams=3)
    assert cached == generate(model, ids, pixel_values=pixels, num_beams=3, use_cache=False)


def test_rewind_forgets_the_last_tokens(model, prompt):
    ids, pixels = prompt
    cache = model(ids, pixel_values=pixels).past_key_values
    model.rewind(cache, ids[:, :16])
    rest = model(ids[:, 16:], past_key_values=cache).logits
    close(rest, model(ids, pixel_values=pixels).logits[:, 16:])


def test_a_cache_cropped_behind_its_back_is_refused(model, prompt):
    ids, pixels = prompt
    cache = model(ids, pixel_values=pixels).past_key_values
    cache.crop(-2)
    with pytest.raises(ValueError, match=r"LMM\.rewind"):
        model(ids[:, 18:], past_key_values=cache)


def test_saving_and_loading_is_exact_and_strict(model, prompt, tmp_path):
    ids, pixels = prompt
    model.save_pretrained(tmp_path)
    loaded, report = LMM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    assert torch.equal(
        loaded.eval()(ids, pixel_values=pixels).logits, model(ids, pixel_values=pixels).logits
    )
    assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert "decoder.lm_head.weight" not in file.keys()  # noqa: SIM118
        assert "previous_share" in file.keys()  # noqa: SIM118


def test_the_config_survives_its_file(tmp_path):
    config = nano_config(1000, image_token_id=IMAGE)
    config.save_pretrained(tmp_path)
    loaded = LMMConfig.from_pretrained(tmp_path)
    for name in ("towers", "connector", "layout", "injections"):
        assert getattr(loaded, name) == getattr(config, name)
    assert loaded.text_config.to_dict() == config.text_config.to_dict()


def test_gradients_reach_every_part(model, prompt):
    ids, pixels = prompt
    model.train()
    model(ids, pixel_values=pixels, labels=ids).loss.backward()
    still = [name for name, weight in model.named_parameters() if not weight.grad.abs().sum()]
    assert not still


def test_the_loss_leaves_out_unlearned_tokens(model, prompt):
    ids, pixels = prompt
    labels = torch.full_like(ids, -100)
    labels[:, -3:] = ids[:, -3:]
    output = model(ids, pixel_values=pixels, labels=labels)
    scores = output.logits[:, -4:-1].log_softmax(-1)
    expected = -scores.gather(-1, ids[:, -3:].unsqueeze(-1)).mean()
    close(output.loss, expected)
    close(model(ids, pixel_values=pixels, labels=labels, num_items_in_batch=12).loss, expected / 2)


@pytest.mark.parametrize(
    ("select_layer", "select_feature", "tokens"), [(-2, "patch", 4), (-1, "full", 5)]
)
def test_a_clip_tower_drops_its_class_token_where_asked(select_layer, select_feature, tokens):
    config = tiny_config(64, image_token_id=IMAGE)
    vision = {
        "model_type": "clip_vision_model",
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 32,
    }
    config.towers = [
        {"vision": vision, "select_layer": select_layer, "select_feature": select_feature}
    ]
    assert LMM(config).encode_images(torch.zeros(1, 3, 64, 64)).shape == (1, tokens, 32)


def test_a_decoder_without_towers_reads_words():
    config = LMMConfig(text_config=tiny_config(64).text_config.to_dict())
    model = LMM(config)
    assert model(torch.tensor([[1, 2, 3]])).logits.shape == (1, 3, 64)
    with pytest.raises(ValueError, match="no tower"):
        model.encode_images(torch.zeros(1, 3, 64, 64))


def test_an_unknown_connector_is_named():
    config = tiny_config(64)
    config.connector = {"type": "perciever"}
    with pytest.raises(ValueError, match=r"No connector 'perciever'. Known: concat, glu, mlp"):
        LMM(config)


def test_importing_the_face_does_not_import_torch():
    code = "import sys, llava_plus.model; print('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(root / "src")},
    )
    assert run.stdout.strip() == "False"
