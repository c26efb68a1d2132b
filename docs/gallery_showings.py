"""What the gallery shows of each skill: on which pictures, by which calls, and what to see."""

from dataclasses import dataclass

_ASTRONAUT = "ui/examples/astronaut.jpg"
_CAT = "ui/examples/chelsea.jpg"
_COFFEE = "ui/examples/coffee.jpg"
_HOPPER = "ui/examples/grace_hopper.jpg"
_ROCKET = "ui/examples/rocket.jpg"
_NOTICE = "ui/examples/notice.jpg"
_CAMERAMAN = "docs/gallery/cameraman.jpg"
_COINS = "docs/gallery/coins.jpg"


@dataclass(frozen=True, kw_only=True)
class Showing:
    """A skill at work.

    Args:
        skill: The one that is shown.
        pictures: Files from the repository's root; they become img_1, img_2, …
        calls: As `parse_plan` reads them; the skill that is shown may need others before it.
        results: Handles to show, in the order in which they came.
        note: What to look at.
    """

    skill: str
    pictures: tuple[str, ...] = ()
    calls: str
    results: tuple[str, ...]
    note: str


SHOWINGS = (
    Showing(
        skill="add_text",
        pictures=(_ROCKET,),
        calls='add_text(img_1, "DSCOVR, February 2015", place="top", color="gold")',
        results=("img_2",),
        note="A thin rim in the opposite color keeps letters readable on anything.",
    ),
    Showing(
        skill="adjust",
        pictures=(_COFFEE,),
        calls="segment(img_1, [0.12, 0.03, 0.81, 0.96]) ; "
        "adjust(img_1, grayscale=True, region=masks_1, outside=True)",
        results=("masks_1", "img_2"),
        note="The cup is outlined first; then all but the cup loses its color.",
    ),
    Showing(
        skill="blur",
        pictures=(_HOPPER,),
        calls='detect(img_1, "face") ; blur(img_1, region=boxes_1)',
        results=("boxes_1", "img_2"),
        note="The blur grows with the region, so the face is unrecognisable at any size.",
    ),
    Showing(
        skill="calculate",
        calls='calculate("(24 - 3) * 12.50 + 0.19 * 80")',
        results=("number_1",),
        note="Nothing is evaluated as code: operators and functions are looked up in a table.",
    ),
    Showing(
        skill="colors",
        pictures=(_ROCKET,),
        calls="colors(img_1)",
        results=("table_1",),
        note="The five commonest of 34 plain names.",
    ),
    Showing(
        skill="combine",
        pictures=(_ASTRONAUT, _HOPPER, _CAT, _COFFEE),
        calls='combine(img_1, img_2, third=img_3, fourth=img_4, layout="grid", gap=0.02)',
        results=("img_5",),
        note="Four pictures of four shapes; none is squeezed.",
    ),
    Showing(
        skill="compare",
        pictures=(_COINS,),
        calls="erase(img_1, [0.8, 0.03, 0.98, 0.29]) ; compare(img_1, img_2)",
        results=("img_2", "table_1"),
        note="One coin is erased; comparing the two versions tells where.",
    ),
    Showing(
        skill="count",
        pictures=(_NOTICE,),
        calls='ocr(img_1) ; count(lines_1, label="library")',
        results=("lines_1", "number_1"),
        note="It counts what was found before: of the lines that were read, those with a word.",
    ),
    Showing(
        skill="crop",
        pictures=(_ASTRONAUT,),
        calls='detect(img_1, "face") ; crop(img_1, boxes_1, margin=0.6)',
        results=("boxes_1", "img_2"),
        note="A margin of 0.6 leaves room for the hair.",
    ),
    Showing(
        skill="denoise",
        pictures=("docs/gallery/noisy.jpg",),
        calls="denoise(img_1)",
        results=("img_2",),
        note="The noise is measured first; fine fur goes with it where it is strong.",
    ),
    Showing(
        skill="describe",
        pictures=(_HOPPER,),
        calls="describe(img_1)",
        results=("text_1",),
        note="Only what was measured. The name plate is a few pixels high and is misread.",
    ),
    Showing(
        skill="detect",
        pictures=(_ASTRONAUT, _HOPPER, _CAT, _COFFEE),
        calls='combine(img_1, img_2, third=img_3, fourth=img_4, layout="grid") ; '
        'detect(img_5, "face")',
        results=("boxes_1",),
        note="Two faces of people; the cat's is not one.",
    ),
    Showing(
        skill="draw",
        pictures=(_ASTRONAUT,),
        calls='detect(img_1, "face") ; draw(img_1, boxes_1, shape="circle", color="yellow") ; '
        'draw(img_2, [[0.78, 0.1], [0.31, 0.73]], shape="arrow", color="#00d0ff")',
        results=("img_3",),
        note="A circle around what was found, and arrows to two places that were pointed at.",
    ),
    Showing(
        skill="enhance",
        pictures=(_ROCKET,),
        calls="enhance(img_1, strength=0.8)",
        results=("img_2",),
        note="The dusk is lifted, and the gantries come out of the dark.",
    ),
    Showing(
        skill="erase",
        pictures=(_ROCKET,),
        calls="erase(img_1, [0.29, 0.2, 0.34, 0.93])",
        results=("img_2",),
        note="The tower to the left of the rocket is gone.",
    ),
    Showing(
        skill="flip",
        pictures=(_CAT,),
        calls="flip(img_1)",
        results=("img_2",),
        note="Left and right are swapped, and no pixel is lost.",
    ),
    Showing(
        skill="image_info",
        pictures=(_HOPPER,),
        calls="image_info(img_1)",
        results=("table_1",),
        note="What a file does not say is called not stored.",
    ),
    Showing(
        skill="measure",
        pictures=(_COINS,),
        calls="segment(img_1, [[0.05, 0.08, 0.19, 0.27], [0.33, 0.54, 0.46, 0.75]]) ; "
        "measure(img_1, masks_1, to=[0.78, 0.04, 0.98, 0.29])",
        results=("masks_1", "table_1"),
        note="Two coins are outlined and measured, and how far they are from the largest one.",
    ),
    Showing(
        skill="ocr",
        pictures=("docs/gallery/page.jpg",),
        calls="ocr(img_1)",
        results=("lines_1",),
        note="A small grey scan. The line that bends most is misread.",
    ),
    Showing(
        skill="pixelate",
        pictures=(_NOTICE,),
        calls='ocr(img_1) ; select(lines_1, label="desk") ; pixelate(img_1, region=lines_2)',
        results=("lines_2", "img_2"),
        note="The lines that say desk are read, chosen and covered.",
    ),
    Showing(
        skill="plot",
        pictures=(_COFFEE,),
        calls='colors(img_1) ; plot(table_1, title="Colors of a cup of coffee")',
        results=("img_2",),
        note="A table of colors gives its bars their own colors.",
    ),
    Showing(
        skill="read_codes",
        pictures=("docs/gallery/codes.jpg",),
        calls="read_codes(img_1)",
        results=("lines_1",),
        note="Four kinds of code on one label that lies askew.",
    ),
    Showing(
        skill="remove_background",
        pictures=(_CAMERAMAN,),
        calls="remove_background(img_1, region=[0, 0.1, 0.67, 1])",
        results=("img_2",),
        note="A box around the man and his camera is enough. The squares stand for nothing.",
    ),
    Showing(
        skill="replace_background",
        pictures=(_CAMERAMAN, "docs/gallery/sky.jpg"),
        calls="replace_background(img_1, picture=img_2, region=[0, 0.1, 0.67, 1])",
        results=("img_3",),
        note="The same man before the far end of the sky.",
    ),
    Showing(
        skill="resize",
        pictures=(_CAT,),
        calls="resize(img_1, longest=120)",
        results=("img_2",),
        note="Shown as large as it is.",
    ),
    Showing(
        skill="rotate",
        pictures=(_COFFEE,),
        calls="rotate(img_1, degrees=90)",
        results=("img_2",),
        note="Clockwise. Right angles lose nothing.",
    ),
    Showing(
        skill="segment",
        pictures=(_CAMERAMAN,),
        calls="segment(img_1, [[0.25, 0.6]])",
        results=("masks_1",),
        note="From one click on the coat; the tripod is too thin to come along.",
    ),
    Showing(
        skill="select",
        pictures=(_ASTRONAUT, _HOPPER),
        calls='combine(img_1, img_2) ; detect(img_3, "face") ; select(boxes_1, by="right")',
        results=("boxes_1", "boxes_2"),
        note="Of two faces the one on the right.",
    ),
    Showing(
        skill="straighten",
        pictures=("docs/gallery/leaning.jpg",),
        calls="straighten(img_1)",
        results=("img_2",),
        note="The lines of the text say by how much the page leans.",
    ),
    Showing(
        skill="stylize",
        pictures=(_CAT,),
        calls='stylize(img_1, "sketch") ; stylize(img_1, "cartoon") ; stylize(img_1, "oil") ; '
        'stylize(img_1, "sepia") ; '
        'combine(img_2, img_3, third=img_4, fourth=img_5, layout="grid", gap=0.02)',
        results=("img_6",),
        note="Four of eight styles, put together: pencil, cartoon, oil and an old photograph.",
    ),
)
