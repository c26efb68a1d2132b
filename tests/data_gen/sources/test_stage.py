"""What is known of a drawn scene must be what its pixels show."""

import numpy as np
import pytest

from llava_plus.data_gen.sources.panels import Sheet
from llava_plus.data_gen.sources.stage import FINE, Layer, Stage
from llava_plus.skills.rle import decode

SIDE = 100  # pixels of the picture
EDGE = 12 * FINE  # its margin in fine pixels
STRAIGHT = np.array([[1, 0, -EDGE], [0, 1, -EDGE], [0, 0, 1]], float)
ASIDE = np.array([[0.9, 0.1, -20], [-0.05, 1.02, -18], [0.0003, 0.0002, 1]])


def stage(ground=0):
    canvas = np.full((248, 248, 3), ground, np.float32)
    return Stage(width=SIDE, height=SIDE, canvas=canvas)


def at(x, y):
    """Lay the left upper corner at a pixel of the picture seen straight."""
    return np.array([[1, 0, EDGE + x * FINE], [0, 1, EDGE + y * FINE], [0, 0, 1]], float)


def square(channel, side, label="square"):
    """A square of so many pixels that only one channel shows."""
    pixels = np.zeros((side * FINE, side * FINE, 4), np.float32)
    pixels[..., [channel, 3]] = 1
    return Layer(pixels=pixels, label=label, shadow=0)


def shown(pixels, channel):
    return pixels[..., channel] > 0.5


def _inner(mask):
    """Pixels whose four neighbours are set too."""
    around = [np.roll(mask, step, axis) for step in (1, -1) for axis in (0, 1)]
    return np.logical_and.reduce([mask, *around])


@pytest.mark.parametrize(
    ("camera", "allowed"), [(STRAIGHT, 0), (ASIDE, 0.05)], ids=["straight", "aside"]
)
def test_masks_boxes_and_hidden_shares_are_those_of_the_pixels(camera, allowed):
    scene, alone = stage(), stage()
    assert scene.place(square(0, 40), at(20, 30))
    assert scene.place(square(1, 24), at(48, 36))
    assert alone.place(square(0, 40), at(20, 30))
    pixels, truth = scene.taken(camera)
    whole, _ = alone.taken(camera)
    for channel, thing in enumerate(truth.things):
        mask = shown(pixels, channel)
        wrong = decode(thing.mask) != mask
        assert wrong.sum() <= allowed * mask.sum()
        assert not (wrong & _inner(mask)).any()
        assert not (wrong & _inner(~mask)).any()
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        around = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / SIDE
        assert np.abs(np.array(thing.box) - around).max() <= 1.01 / SIDE
    hidden = 1 - shown(pixels, 0).sum() / shown(whole, 0).sum()
    assert truth.things[0].hidden == pytest.approx(hidden, abs=0.02)
    assert truth.things[1].hidden == pytest.approx(0, abs=0.01)


def test_what_the_edge_cuts_off_counts_as_hidden():
    scene = stage()
    scene.place(square(0, 20), at(-10, 40), least_inside=0.4)
    _, truth = scene.taken(STRAIGHT)
    assert truth.things[0].hidden == pytest.approx(0.5, abs=0.01)
    assert truth.things[0].box == (0, 0.4, 0.1, 0.6)


def test_nothing_is_laid_where_it_would_hide_most_of_another_or_lie_outside():
    scene = stage()
    assert scene.place(square(0, 20), at(40, 40))
    assert not scene.place(square(1, 18), at(41, 41))
    assert not scene.place(square(1, 18), at(90, 90))
    assert not scene.place(square(1, 18), at(900, 900))
    assert scene.taken(STRAIGHT)[1].counts() == {"square": 1}


def test_relations_hold_between_neighbours_and_not_across_corners():
    scene = stage()
    scene.place(square(0, 50, "tray"), at(5, 5))
    scene.place(square(1, 10, "cup"), at(10, 10))
    scene.place(square(1, 10, "key"), at(80, 10))
    scene.place(square(1, 10, "ball"), at(80, 70))
    _, truth = scene.taken(STRAIGHT)
    names = [thing.label for thing in truth.things]
    said = {(names[r.subject], r.predicate, names[r.object]) for r in truth.relations}
    assert said == {
        ("cup", "inside", "tray"),
        ("tray", "left of", "key"), ("key", "right of", "tray"),
        ("cup", "left of", "key"), ("key", "right of", "cup"),
        ("key", "above", "ball"), ("ball", "below", "key"),
    }  # fmt: skip
    assert truth.largest().label == "tray"


def test_the_polygon_of_a_line_holds_its_ink_and_little_else():
    sheet = Sheet(width=180, height=80, ground=(255, 255, 255))
    sheet.write("Harbour 27", 20, 20, 28)
    scene = stage(ground=1)
    assert scene.place(sheet.layer("sign"), at(5, 20))
    pixels, truth = scene.taken(ASIDE)
    (line,) = truth.lines
    ink = np.argwhere(pixels.mean(axis=2) < 0.5)[:, ::-1] + 0.5  # (pixel, 2): x, y
    corners = np.array(line.polygon) * SIDE  # clockwise
    sides = np.roll(corners, -1, axis=0) - corners
    inward = np.column_stack([-sides[:, 1], sides[:, 0]]) / np.hypot(*sides.T)[:, None]
    depth = ((ink[:, None] - corners) * inward).sum(axis=2)  # (pixel, side): positive is inside
    assert depth.min() > -0.75
    assert depth.min(axis=0).max() < 1.5
    assert (line.text, line.hidden) == ("Harbour 27", pytest.approx(0, abs=0.03))


def test_a_covered_line_says_how_much_of_it_is_hidden():
    sheet = Sheet(width=160, height=80, ground=(255, 255, 255))
    left, _, right, _ = sheet.write("Platform", 10, 20, 30)
    scene = stage()
    scene.place(sheet.layer("sign"), at(10, 30))
    scene.place(square(0, 30), at(10 + (left + right) / 2 / FINE, 30))
    _, truth = scene.taken(STRAIGHT)
    assert truth.lines[0].hidden == pytest.approx(0.5, abs=0.03)
    assert len(truth.text()) == 0
    assert len(truth.text(hidden=0.6)) == 1
