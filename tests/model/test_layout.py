import random

import pytest
import torch
from torch.nn import functional
from transformers.image_processing_utils import get_patch_output_size, select_best_resolution
from transformers.models.llava_next.modeling_llava_next import unpad_image

from llava_plus.model.layout import Layout, best_canvas, fitted, padding
from llava_plus.model.packing import pack, pack_video, split_views

NEXT = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))
ONEVISION = tuple((384 * i, 384 * j) for i in range(1, 7) for j in range(1, 7))
LAYOUTS = {
    "squeeze": Layout(tile=336, side=24),
    "rows": Layout(mode="pad", tile=336, side=24, newline=True, unpad=True),
    "next": Layout(mode="anyres", tile=336, side=24, pinpoints=NEXT, newline=True),
    "plain": Layout(mode="anyres", tile=336, side=24, pinpoints=NEXT),
    "onevision": Layout(
        mode="anyres", tile=384, side=27, pinpoints=ONEVISION, newline=True, max_tiles=9
    ),
}
EXTREME = [(1, 1), (1, 4000), (4000, 1), (7, 3000), (336, 336), (672, 336), (2000, 2001), (1, 336)]


def sizes(count, seed=0, most=2500):
    draw = random.Random(seed)
    return [(draw.randint(8, most), draw.randint(8, most)) for _ in range(count)]


@pytest.mark.parametrize("canvases", [NEXT, ONEVISION], ids=["next", "onevision"])
def test_canvas_and_resizing_are_those_of_transformers(canvases):
    for size in sizes(500):
        canvas = best_canvas(size, canvases)
        assert canvas == select_best_resolution(size, canvases)
        picture = torch.empty(3, *size, device="meta")
        assert fitted(size, canvas) == get_patch_output_size(picture, canvas, "channels_first")


def test_unpadding_is_that_of_transformers():
    for size in sizes(500, seed=1):
        for grid in ((24, 48), (48, 24), (48, 48), (27, 162), (162, 135)):
            top, left = padding(size, grid)
            rest = unpad_image(torch.empty(1, *grid, device="meta"), size)
            assert (grid[0] - 2 * top, grid[1] - 2 * left) == tuple(rest.shape[1:])


def test_legacy_unpadding_truncates_what_floats_leave_short_of_a_whole_number():
    differ = [
        (height, width)
        for height in range(1, 120)
        for width in range(1, 120)
        if padding((height, width), (24, 48)) != padding((height, width), (24, 48), legacy=True)
    ]
    for size in differ:
        assert sum(padding(size, (24, 48), legacy=True)) == sum(padding(size, (24, 48))) + 1
    assert differ


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("alone", [True, False])
def test_the_count_is_what_packing_gives(name, alone):
    layout = LAYOUTS[name]
    newline = torch.zeros(1) if layout.newline else None
    for size in [*sizes(60, seed=3), *EXTREME]:
        views = torch.zeros(layout.views(size, alone=alone), layout.side**2, 1)
        tokens = pack(views, size, layout, newline, alone=alone)
        assert len(tokens) == layout.count_tokens(size, alone=alone)


def by_hand(views, size, layout):
    """Tokens of an anyres picture, put together cell by cell."""
    side, (rows, columns) = layout.side, layout.tiles(size)
    top, left = layout.borders(size)
    tokens = list(views[0])
    for y in range(top, rows * side - top):
        for x in range(left, columns * side - left):
            tile = 1 + (y // side) * columns + x // side
            tokens.append(views[tile][(y % side) * side + x % side])
        tokens.append(torch.tensor([-1.0, -1.0]))
    return torch.stack(tokens)


def test_tiles_lie_as_in_the_picture():
    canvases = ((8, 16), (16, 8), (16, 16), (24, 8))
    layout = Layout(mode="anyres", tile=8, side=4, pinpoints=canvases, newline=True)
    for size in [(8, 16), (5, 16), (30, 11), (9, 9), (100, 20), (16, 9)]:
        views = torch.arange(2 * 16.0 * layout.views(size)).view(-1, 16, 2)
        tokens = pack(views, size, layout, torch.tensor([-1.0, -1.0]))
        assert torch.equal(tokens, by_hand(views, size, layout))


def test_rows_of_a_padded_picture_end_in_newlines():
    layout = Layout(mode="pad", tile=8, side=4, newline=True, unpad=True)
    view = torch.arange(16.0).view(1, 16, 1)
    tokens = pack(view, (4, 8), layout, torch.tensor([-1.0]))
    assert tokens.flatten().tolist() == [4, 5, 6, 7, -1, 8, 9, 10, 11, -1]


def test_the_most_tokens_are_those_of_the_released_models():
    assert max(LAYOUTS["next"].count_tokens(size) for size in NEXT) == 2928
    counts = [LAYOUTS["onevision"].count_tokens(size) for size in sizes(1000, seed=4)]
    assert 8000 < max(counts) <= 8765
    assert LAYOUTS["onevision"].count_tokens((500, 700), alone=False) == 730
    assert LAYOUTS["onevision"].count_video_tokens(32) == 32 * 196 + 1


def test_a_large_grid_is_shrunk_bilinearly():
    layout = Layout(mode="anyres", tile=8, side=4, pinpoints=((32, 32),), max_tiles=4, newline=True)
    views = torch.randn(17, 16, 3)
    tokens = pack(views, (32, 32), layout, torch.zeros(3))
    grid = views[1:].view(4, 4, 4, 4, 3).permute(4, 0, 2, 1, 3).reshape(3, 16, 16)
    small = functional.interpolate(grid[None], (8, 8), mode="bilinear")[0]
    assert torch.allclose(tokens[16:].view(8, 9, 3)[:, :8], small.permute(1, 2, 0))


def test_a_video_is_pooled_frame_by_frame():
    frames = torch.randn(3, 9, 2)
    tokens = pack_video(frames, Layout(tile=12, side=3, newline=True), torch.ones(2))
    assert tokens.shape == (3 * 4 + 1, 2)
    second = functional.interpolate(frames[1].T.view(1, 2, 3, 3), (2, 2), mode="bilinear")
    assert torch.allclose(tokens[4:8], second[0].flatten(1).T)


def test_a_video_whose_frames_form_no_grid_keeps_all_of_their_tokens():
    layout = Layout(tile=12, side=3, tokens=5)
    frames = torch.randn(3, 5, 2)
    assert layout.count_video_tokens(3) == 15
    assert torch.equal(pack_video(frames, layout, None), frames.view(15, 2))


def test_views_that_do_not_fit_the_sizes_are_named():
    with pytest.raises(ValueError, match="hold 4 views, but pictures of these sizes have 5"):
        split_views(torch.zeros(4, 3, 8, 8), [3, 2])
    with pytest.raises(ValueError, match="hold 1 pictures, image_sizes 2"):
        split_views(torch.zeros(1, 5, 3, 8, 8), [3, 2])
    kept = split_views(torch.arange(6.0).view(2, 3, 1, 1, 1).expand(2, 3, 3, 8, 8), [2, 3])
    assert kept[:, 0, 0, 0].tolist() == [0, 1, 3, 4, 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "fill"}, "No layout mode 'fill'"),
        ({"mode": "anyres"}, "with 0 pinpoints"),
        ({"pinpoints": ((8, 8),)}, "no other mode takes any"),
        ({"mode": "anyres", "pinpoints": ((8, 12),)}, "no multiples of the tile's side 8"),
        ({"tokens": 32, "newline": True}, "32 tokens of a view form no grid"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Layout(tile=8, side=4, **options)


def test_a_layout_survives_json():
    import json

    for layout in LAYOUTS.values():
        assert Layout.from_dict(json.loads(json.dumps(layout.to_dict()))) == layout
