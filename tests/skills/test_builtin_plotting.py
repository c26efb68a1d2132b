import math

import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Image, SkillRegistry, Table
from llava_plus.skills.builtin import plotting
from llava_plus.skills.builtin.coloring import colors
from llava_plus.skills.builtin.plotting import plot
from llava_plus.skills.builtin.scales import scaled, shown

BLUE = (0, 114, 178)
SALES = Table(("month", "sales"), (("May", 10), ("June", 30), ("July", 20)))


def painted(image, color, tolerance=12):
    """Return (height, width): where the chart has a colour."""
    return (np.abs(image.pixels.astype(int) - color) <= tolerance).all(axis=2)


def columns(mask):
    """Return the runs of columns that hold something, as (first, last) pairs."""
    there = np.flatnonzero(np.diff(np.pad(mask.any(axis=0), 1).astype(int)))
    return list(zip(there[::2], there[1::2] - 1, strict=True))


def test_it_is_a_skill_that_a_registry_takes():
    spec = SkillRegistry.from_module(plotting)["plot"]
    assert spec.signature() == (
        "plot(table: Table, *, kind: 'bar' | 'line' | 'pie' | 'scatter' = 'bar', "
        "x: str = None, y: str = None, title: str = '') -> Image"
    )
    assert spec.examples
    assert all(parameter.description for parameter in spec.parameters)


def test_bars_are_as_high_as_their_numbers():
    chart = plot(SALES)
    assert chart.describe() == "960x600"
    bars = painted(chart, BLUE)
    heights = [bars[:, first : last + 1].sum(axis=0).max() for first, last in columns(bars)]
    assert len(heights) == 3
    assert heights[1] / heights[0] == pytest.approx(3, rel=0.03)
    assert heights[2] / heights[0] == pytest.approx(2, rel=0.03)


def test_bars_below_zero_hang_down():
    bars = painted(plot(Table(("n", "v"), (("a", 5), ("b", -5)))), BLUE)
    (up, _), (down, _) = [
        np.flatnonzero(bars[:, a:b].any(axis=1))[[0, -1]] for a, b in columns(bars)
    ]
    bottom = np.flatnonzero(bars[:, columns(bars)[0][0]])[-1]
    assert up < bottom <= down + 2


def test_slices_cover_their_share_of_the_disc():
    table = Table(("c", "hex", "n"), (("a", "#ff0000", 75), ("b", "#0000ff", 25)))
    chart = plot(table, kind="pie")
    red, blue = (painted(chart, c)[:, :540].sum() for c in ((255, 0, 0), (0, 0, 255)))
    assert red / (red + blue) == pytest.approx(0.75, abs=0.01)


def test_many_slices_end_in_other():
    table = Table(("c", "n"), tuple((f"c{i}", 1) for i in range(14)))
    chart = plot(table, kind="pie")
    other = painted(chart, (150, 150, 150), 3)[:, :520].sum()
    orange = painted(chart, (230, 159, 0), 3)[:, :520].sum()
    assert other / orange == pytest.approx(7, rel=0.1)  # with the rim of the disc


def test_dots_lie_where_their_numbers_say():
    table = Table(("w", "h"), ((0, 0), (100, 50), (50, 100)))
    spots = []
    dots = painted(plot(table, kind="scatter"), BLUE)
    for first, last in columns(dots):
        rows = np.flatnonzero(dots[:, first : last + 1].any(axis=1))
        spots.append(((first + last) / 2, rows.mean()))
    (x0, y0), (x1, y1), (x2, y2) = spots
    assert x1 - x0 == pytest.approx(x2 - x1, abs=4)
    assert y0 - y1 == pytest.approx(2 * (y0 - y2), abs=4)


def test_a_line_goes_through_the_years_in_their_order():
    rising = Table(("year", "n"), ((2021, 2), (2019, 0), (2020, 1)))
    line = painted(plot(rising, kind="line"), BLUE)
    heights = [np.flatnonzero(line[:, x]).mean() for x in range(200, 900, 50)]
    assert heights == sorted(heights, reverse=True)


def test_bars_of_colors_have_these_colors(coffee):
    table = colors(coffee)
    chart = plot(table)
    for _, code, _ in table.rows:
        assert painted(chart, tuple(bytes.fromhex(code[1:])), 3).sum() > 500


def test_columns_are_found_by_name_or_beginning():
    table = Table(("thing", "width", "percent"), (("a", 1, 30), ("b", 1, 10)))
    assert plot(table, y="perc") == plot(table, y="Percent")
    assert plot(table, y="percent") != plot(table)
    assert plot(table, x="thing", y="width") == plot(table)


def test_a_list_of_properties_draws_those_that_are_numbers():
    table = Table(("property", "value"), (("width", 640), ("format", "JPEG"), ("sharp", True)))
    assert len(columns(painted(plot(table), BLUE))) == 1


@pytest.mark.parametrize("kind", ["bar", "line", "pie", "scatter"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None, "many", True, 1e300, 10**400])
def test_rows_without_a_number_are_left_out_and_the_chart_says_so(kind, bad):
    rows = ((1, 3), (2, 5), (3, 4))
    whole = plot(Table(("a", "b"), rows), kind=kind, title="t")
    holed = plot(Table(("a", "b"), (*rows, (4, bad))), kind=kind, title="t")
    assert (whole.pixels[:560] == holed.pixels[:560]).all()
    assert (whole.pixels[560:] != holed.pixels[560:]).any()


@pytest.mark.parametrize("kind", ["bar", "line", "pie", "scatter"])
@pytest.mark.parametrize(
    "rows",
    [
        ((1, 1),),
        ((5, 5), (5, 5)),
        ((1e15, 1e15), (1, 1e15 - 1)),
        ((1e-15, 1e-15), (1e-300, 2e-15)),
        ((0, 0.1), (1e6, 1e6 + 1e-9)),
    ],
)
def test_numbers_that_break_careless_axes_are_drawn(kind, rows):
    chart = plot(Table(("a", "b"), rows), kind=kind)
    assert (chart.pixels < 255).mean() > 0.003


def test_long_strange_names_do_not_leave_the_picture():
    names = ("人脸", "a\nb", "", "x" * 5000, "\x00\x1b[31m")
    table = Table(("n" * 3000, "v" * 3000), tuple((name, i) for i, name in enumerate(names)))
    for kind in ("bar", "line", "pie"):
        chart = plot(table, kind=kind, title="t" * 10_000)
        frame = np.concatenate([chart.pixels[:, :8], chart.pixels[:, -8:]], axis=1)
        assert (frame == 255).all(), kind


def test_ten_thousand_rows_are_a_line():
    table = Table(("n",), tuple((math.sin(i / 500),) for i in range(10_000)))
    assert painted(plot(table, kind="line"), BLUE).sum() > 3000


@pytest.mark.parametrize(
    ("table", "how", "says"),
    [
        (Table(("a",), ()), {}, "table is empty"),
        (Table(("a", "b"), (("x", "y"),)), {}, "no numbers, only a, b"),
        (SALES, {"y": "profit"}, "y names no column 'profit'. There are: month, sales"),
        (SALES, {"x": ""}, "x names no column ''"),
        (SALES, {"y": "month"}, "no row has numbers in 'month'"),
        (SALES, {"kind": "scatter"}, "needs two columns of numbers"),
        (SALES, {"kind": "scatter", "x": "month"}, "two columns of numbers"),
        (Table(("a", "b"), (("x", 3), ("y", -1))), {"kind": "pie"}, "pie needs numbers from 0 up"),
        (Table(("a", "b"), (("x", 0), ("y", 0))), {"kind": "pie"}, "not all 0"),
        (Table(("a",), ((1,),) * 41), {}, "at most 40 rows, got 41"),
        (Table(("a",), ((math.nan,),)), {}, "no numbers"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_way_out(table, how, says):
    with pytest.raises(SkillError, match=says):
        plot(table, **how)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([2019, 2022], ["2019", "2020", "2021", "2022"]),
        ([0, 0.5], ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        ([-3.2, 19.9], ["-5", "0", "5", "10", "15", "20"]),
        ([0, 3e9], ["0", "5e+08", "1e+09", "1.5e+09", "2e+09", "2.5e+09", "3e+09"]),
        ([7, 7], ["2", "4", "6", "8", "10", "12"]),
    ],
)
def test_marks_are_round_numbers_that_can_be_told_apart(values, words):
    assert [word for _, word in scaled(values).marks] == words


def test_numbers_on_bars_are_short():
    assert [shown(v) for v in (0, 36.04, 12345, -0.5, 1e-7, 2.5e9)] == [
        *("0", "36.04", "12345", "-0.5", "1e-07", "2.5e+09")
    ]


def test_a_chart_is_a_picture_like_any_other():
    assert isinstance(plot(SALES), Image)
