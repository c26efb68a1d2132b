"""Ten small skills of one's own.

llava-plus ui --skills examples/my_skills.py
llava-plus run checker_out --image ui/examples/coffee.jpg --skills examples/my_skills.py -o out.png
"""

import numpy as np

from llava_plus.skills import Image, Number, Region, Text, region_mask, skill


@skill
def half_size(image: Image) -> Image:
    """Halve the width and the height of the picture."""
    return Image.from_array(image.rgb()[::2, ::2])


@skill
def gold_tint(image: Image) -> Image:
    """Wash the whole picture in warm gold."""
    gold = np.array([255, 205, 80]) / 255
    return Image.from_array((image.rgb().mean(axis=2, keepdims=True) * gold).astype(np.uint8))


@skill
def red_only(image: Image) -> Image:
    """Keep only the red channel of the picture."""
    return Image.from_array(image.rgb() * np.array([1, 0, 0], np.uint8))


@skill
def checker_out(image: Image, *, squares: int = 8) -> Image:
    """Black out every second square like on a chessboard."""
    rows = np.arange(image.height) * squares // image.height
    columns = np.arange(image.width) * squares // image.width
    kept = (rows[:, None] + columns) % 2 == 0
    return Image.from_array(image.rgb() * kept[..., None].astype(np.uint8))


@skill
def color_swap(image: Image) -> Image:
    """Exchange red and blue everywhere."""
    return Image.from_array(np.ascontiguousarray(image.rgb()[..., ::-1]))


@skill
def slice_shuffle(image: Image, *, strips: int = 8) -> Image:
    """Cut the picture into upright strips and shuffle them."""
    pieces = np.array_split(image.rgb(), strips, axis=1)
    order = np.random.default_rng(0).permutation(len(pieces))
    return Image.from_array(np.concatenate([pieces[i] for i in order], axis=1))


@skill
def cover_green(image: Image, region: Region) -> Image:
    """Fill a region with plain green, as for a green screen."""
    pixels = image.rgb().copy()
    pixels[region_mask(region, image.width, image.height)] = (0, 177, 64)
    return Image.from_array(pixels)


@skill
def share_of_blue(image: Image) -> Number:
    """Measure what share of the pixels is mostly blue."""
    red, green, blue = (image.rgb()[..., channel].astype(int) for channel in range(3))
    return Number(round(100 * float(((blue > red) & (blue > green)).mean()), 1), "%")


@skill
def is_square(image: Image) -> Text:
    """Tell whether the picture is exactly as wide as it is high."""
    return Text("square" if image.width == image.height else "not square")


@skill
def stack_twice(image: Image) -> Image:
    """Put the picture above a second copy of itself."""
    return Image.from_array(np.concatenate([image.rgb(), image.rgb()]))
