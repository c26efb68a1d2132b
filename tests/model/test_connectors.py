"""Connectors against plain computations of their equations, feature by feature."""

import math

import pytest
import torch
from torch.nn import functional

from llava_plus.model.connectors import CONNECTORS
from llava_plus.model.perceiver import GatedCrossAttention
from llava_plus.model.resampler import resized_places, square_places

OPTIONS = {
    "concat": {"group": 4},
    "glu": {"hidden": 20},
    "mlp": {"depth": 2},
    "perceiver": {"latents": 3, "depth": 2, "heads": 2, "head_dim": 5},
    "qformer": {
        "queries": 5,
        "qformer": {
            "vocab_size": 8,
            "hidden_size": 8,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 8,
        },
    },
    "qwen_resampler": {"queries": 4, "heads": 2},
    "sva": {"sides": [4], "query_num_list": [16], "depth": 1, "hidden": 8, "heads": 2},
}


def shaken(module):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return module.eval()


def close(left, right):
    torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)


def linear(layer, row):
    return layer.weight @ row + (0 if layer.bias is None else layer.bias)


def attention(queries, keys, values, heads):
    """Of single rows, head by head."""
    width = queries.shape[-1] // heads
    out = torch.zeros(len(queries), values.shape[-1])
    for index, query in enumerate(queries):
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            scores = torch.stack([query[part] @ key[part] for key in keys]) / math.sqrt(width)
            shares = scores.exp() / scores.exp().sum()
            out[index, part] = sum(
                share * value[part] for share, value in zip(shares, values, strict=True)
            )
    return out


@pytest.mark.parametrize("kind", CONNECTORS)
def test_every_connector_gives_as_many_tokens_as_it_counts(kind):
    connector = CONNECTORS[kind](vision_dims=[6], text_dim=8, **OPTIONS[kind]).eval()
    tokens = connector([torch.randn(2, 16, 6)])
    width = 6 if kind == "perceiver" else 8  # which hands gates its own width
    assert tokens.shape == (2, CONNECTORS[kind].count(16, **OPTIONS[kind]), width)


def test_concat_joins_four_neighbors_of_a_row():
    connector = shaken(CONNECTORS["concat"](vision_dims=[3], text_dim=5, group=4))
    features = torch.randn(2, 64, 3)  # 8 rows of 8
    tokens = connector([features])
    for row in range(8):
        for half in range(2):
            four = torch.cat([features[1, 8 * row + 4 * half + step] for step in range(4)])
            close(tokens[1, 2 * row + half], linear(connector.projection, four))


def test_concat_names_features_that_do_not_divide():
    with pytest.raises(ValueError, match="10 features are no multiple of 4"):
        CONNECTORS["concat"].count(10)


def test_glu_is_its_equation_between_two_learned_tokens():
    connector = shaken(CONNECTORS["glu"](vision_dims=[3], text_dim=4, hidden=6))
    features = torch.randn(2, 5, 3)
    tokens = connector([features])
    close(tokens[:, 0], connector.begin[0].expand(2, -1))
    close(tokens[:, -1], connector.end[0].expand(2, -1))
    for index in range(5):
        row = linear(connector.projection, features[1, index])
        row = (row - row.mean()) / torch.sqrt(row.var(correction=0) + 1e-5)
        row = row * connector.norm.weight + connector.norm.bias
        row = row * (1 + torch.erf(row / math.sqrt(2))) / 2
        gate = linear(connector.gate, row)
        row = linear(connector.down, gate / (1 + torch.exp(-gate)) * linear(connector.up, row))
        close(tokens[1, 1 + index], row)


def test_the_perceiver_is_its_equation():
    connector = shaken(
        CONNECTORS["perceiver"](
            vision_dims=[6], text_dim=9, latents=3, depth=2, heads=2, head_dim=5
        )
    )
    features = torch.randn(2, 7, 6)
    latents = connector.latents
    for layer in connector.layers:
        own = layer.norm_latents(latents)
        read = torch.cat([layer.norm_features(features[1]), own])
        keys, values = read @ layer.to_kv.weight[:10].T, read @ layer.to_kv.weight[10:].T
        heard = attention(own @ layer.to_q.weight.T, keys, values, heads=2)
        latents = latents + heard @ layer.to_out.weight.T
        norm, wide, _, narrow = layer.feed
        hidden = norm(latents) @ wide.weight.T
        latents = latents + functional.gelu(hidden) @ narrow.weight.T
    close(connector([features])[1], connector.norm(latents))


def test_a_perceiver_can_project_for_decoders_without_gates():
    connector = CONNECTORS["perceiver"](vision_dims=[6], text_dim=9, depth=1, project=True)
    assert connector([torch.randn(1, 7, 6)]).shape == (1, 64, 9)
    assert connector.dim == 9


def test_gates_are_closed_at_first_and_words_read_their_latest_picture_alone():
    gate = GatedCrossAttention(dim=8, media_dim=6, heads=2, head_dim=5)
    words, media = torch.randn(1, 5, 8), torch.randn(1, 2, 3, 6)
    latest = torch.tensor([[-1, -1, 0, 0, 1]])
    assert torch.equal(gate(words, media, latest), words)
    gate = shaken(gate)
    out = gate(words, media, latest)
    for index, picture in enumerate(latest[0].tolist()):
        word = words[0, index]
        if picture >= 0:
            asked = (gate.to_q.weight @ gate.norm(word))[None]
            read = media[0, picture] @ gate.to_kv.weight.T
            heard = attention(asked, read[:, :10], read[:, 10:], heads=2)[0]
            word = word + torch.tanh(gate.attention_gate) * (gate.to_out.weight @ heard)
        word = word + torch.tanh(gate.feed_gate) * gate.feed(word)
        close(out[0, index], word)


def test_places_hold_columns_first_and_rows_second():
    places = square_places(3, 8)
    for row in range(3):
        for column in range(3):
            waves = []
            for place in (column, row):
                rates = [10000 ** (-i / 2) for i in range(2)]
                waves += [math.sin(place * rate) for rate in rates]
                waves += [math.cos(place * rate) for rate in rates]
            close(places[3 * row + column], torch.tensor(waves))


def test_the_qwen_resampler_is_its_equation():
    connector = shaken(
        CONNECTORS["qwen_resampler"](vision_dims=[6], text_dim=8, queries=4, heads=2)
    )
    features = torch.randn(2, 16, 6)
    seen = connector.ln_kv(features[1] @ connector.kv_proj.weight.T)
    places = square_places(2, 8)
    queries = connector.ln_q(connector.query) + places
    keys = seen + resized_places(places, 4)
    weights, biases = connector.attn.in_proj_weight.chunk(3), connector.attn.in_proj_bias.chunk(3)
    asked, key, value = (
        one @ weight.T + bias
        for one, weight, bias in zip((queries, keys, seen), weights, biases, strict=True)
    )
    heard = attention(asked, key, value, heads=2)
    heard = heard @ connector.attn.out_proj.weight.T + connector.attn.out_proj.bias
    close(connector([features])[1], connector.ln_post(heard) @ connector.proj)


def test_resized_places_are_bicubic():
    places = square_places(2, 8)
    grid = places.view(2, 2, 8).permute(2, 0, 1)[None]
    grid = functional.interpolate(grid, (4, 4), mode="bicubic", align_corners=False)
    close(resized_places(places, 4), grid[0].permute(1, 2, 0).reshape(16, 8))


def test_a_resampler_of_an_odd_number_of_queries_is_refused():
    with pytest.raises(ValueError, match="got 5 queries and width 8"):
        CONNECTORS["qwen_resampler"](vision_dims=[6], text_dim=8, queries=5)


def sva(**options):
    given = {"sides": [2, 4], "query_num_list": [4], "depth": 2, "hidden": 6, "heads": 2}
    return shaken(CONNECTORS["sva"](vision_dims=[3, 5], text_dim=7, **given | options))


def by_hand(connector, features, shown):
    """SVA for one picture and one group: query by query, window by window."""
    own = [layer(one) for layer, one in zip(connector.aux, features, strict=True)]
    whole = own[0].mean(0)
    outputs = []
    for row in range(2):
        for column in range(2):
            query = connector.queries[0]
            cells = []
            for tower, side in enumerate([2, 4]):
                window = side // 2
                cells += [
                    (tower, y * side + x, (y % window) * window + x % window)
                    for y in range(row * window, (row + 1) * window)
                    for x in range(column * window, (column + 1) * window)
                ]
            valid = []
            for tower in range(2):  # of which each shows something to every query
                window = [cell for cell in cells if cell[0] == tower]
                valid += [cell for cell in window if shown[tower][cell[1]]] or window
            for layer in connector.samplers[0]:
                asked = torch.cat([query, layer.proj_context.weight @ whole])
                asked = layer.proj_in.weight @ asked
                keys, values = [], []
                for tower, place, within in valid:
                    row_ = own[tower][place]
                    if tower == 1:
                        row_ = row_ + layer.places["1"][within]
                    keys.append(layer.to_k[tower](row_))
                    values.append(layer.to_v[tower](row_))
                heard = attention(layer.to_q(asked)[None], keys, torch.stack(values), heads=2)[0]
                asked = asked + layer.to_out.weight @ heard
                query = query + layer.proj_out(layer.norm(asked))
            outputs.append(query)
    return connector.projection(torch.stack(outputs))


@pytest.mark.parametrize("size", [(8, 8), (2, 8), (8, 3)])
def test_sva_is_its_equation_and_leaves_borders_out(size):
    connector = sva()
    features = [torch.randn(2, 4, 3), torch.randn(2, 16, 5)]
    tokens = connector(features, [(8, 8), size])
    shown = []
    for side in (2, 4):
        high, wide = min(1, size[0] / size[1]) * side, min(1, size[1] / size[0]) * side
        top, left = (side - int(high)) // 2, (side - int(wide)) // 2
        shown.append(
            [
                top <= y < side - top and left <= x < side - left
                for y in range(side)
                for x in range(side)
            ]
        )
    close(tokens[1], by_hand(connector, [one[1] for one in features], shown))
    everything = [[True] * 4, [True] * 16]
    close(tokens[0], by_hand(connector, [one[0] for one in features], everything))


def test_several_groups_of_queries_are_brought_to_one_square():
    connector = sva(query_num_list=[1, 4])
    tokens = connector([torch.randn(3, 4, 3), torch.randn(3, 16, 5)])
    assert tokens.shape == (3, 4, 7)
    assert connector.projection[0].in_features == 12


def test_sva_of_the_released_size_has_its_known_number_of_weights():
    with torch.device("meta"):
        connector = CONNECTORS["sva"](
            vision_dims=[1152, 1024, 1536, 5760], text_dim=4096, sides=[24, 24, 24, 96]
        )
        resampler = CONNECTORS["qwen_resampler"](vision_dims=[1664], text_dim=4096)
    layer = sum(weight.numel() for weight in connector.samplers[0][0].parameters())
    assert round(layer / 1e6, 1) == 15.8
    places = 256 * 4096  # fixed here, kept among the weights there
    inside = sum(weight.numel() for weight in resampler.parameters()) - 4096**2 + places
    assert round(inside / 1e6) == 76


def test_squares_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"sides \[3\] are no multiples"):
        sva(sides=[2, 3])
    with pytest.raises(ValueError, match="2 towers came with 1 sides"):
        sva(sides=[2])
