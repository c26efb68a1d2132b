"""How well remove_background cuts things out, by intersection over union with true masks.

Run: python tests/skills/cutouts.py [folder for pictures of what came out]

The photographs come with scikit-image, matplotlib and gradio; their masks are polygons drawn by
hand, good to about a hundredth of the picture. The drawn scenes have exact masks.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, load_image
from llava_plus.skills.builtin.backgrounds import remove_background

HERE = Path(__file__).parent
PHOTOGRAPHS = {
    "astronaut": "skimage/data/astronaut.png",
    "cat": "skimage/data/chelsea.png",
    "coffee": "skimage/data/coffee.png",
    "cameraman": "skimage/data/camera.png",
    "rocket": "skimage/data/rocket.jpg",
    "hopper": "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    "cheetah": "gradio/media_assets/images/cheetah1.jpg",
    "runner": "gradio/media_assets/images/cheetah.jpg",
    "lion": "gradio/media_assets/images/lion.jpg",
    "tower": "gradio/media_assets/images/tower.jpg",
}
# x and y in hundredths of the picture, clockwise or not, around the thing that it shows.
OUTLINES = {
    "astronaut": """5 100 4 92 5 75 6 65 9 55 16 47 22.5 42 23.5 37 27 32 34 29.5 36 29 35.5 25.5
        32 22 30 16 31 10 37 5 45 3.5 53 5 58 10 58.5 17 56 23 53 26.5 52 26.5 50 32.5 55 36
        58.5 43 60 46 66 51 69 57 70.5 68 78 67 86 69 92 75 96 83 97 90 99 92 99 99 96 100""",
    "cat": """9 0 7 10 6 28 5 40 0 42 0 100 64 100 70 92 68 80 72 70 77 60 79 50 80 40 77 34 76 25
        82 15 88 2 88 0""",
    "coffee": """13 52 14.5 40 19 28 24 22 29 19 31 13 37 7 47 4.5 57 6.5 64 13 66.5 18 69 16.5
        71 19 69.5 26.5 74 33 78 42 80 53 78.5 66 74 78 67 88 58 94.5 48 97 38 95.5 28 89 20 79
        15 66""",
    "cameraman": """0 50 6 42 10 33 15 28 24 24.5 29 20.5 32 19.5 33 16 37 13 41 12 46 13.5 51 18
        53 22 52 25 49 26 50 27.5 63 27.2 63.5 30 62.5 33.5 64.5 34.5 64 37.5 62 40 60 42 57.5 42
        59 50 59.5 54 55 57 49 61 44 60 40 57.5 37 63 33 69 27.5 75 29 84 29.5 100 27 100 23.5 92
        19.5 86.5 18.5 93 17.5 100 0 100""",
    "rocket": "48.7 33 50 30.5 51.5 33 52 45 52.5 70 52 95 48 95 48.3 60",
    "hopper": """2 100 4 85 7 70 9 65 18 60 28 57.5 36 54 38 52 33 47 30 40 30.5 30 31 25 30.5 17
        34 13 36 9 42 5 50 4 58 5.5 65 10 69 14 72 17 72.5 28 73 33 72 42 69 50 66 51.5 65 53
        72 57 83 60.5 93 64 97 68 100 74.5 100 100""",
    "cheetah": """20 100 20 92 23 85 23.5 77 20.5 70 19.5 60 17.5 50 17 43 13 35 9.5 25 9.5 18
        12.5 14 18 12.5 24 14 29 17 36 14.5 45 13 55 14 62 15.5 68 20 71 21 75 17 80 15 85 16.5
        88 21 87 27 84 32 85 38 83.5 47 82 55 80.5 60 81 67 85 75 89.5 82 93 92 95.5 100""",
    "runner": """16.5 40.5 18.5 40 21 42 24 46 28 48.5 33 48 36 46.5 40 40 44 37.5 50 37 56 38.5
        62 37.5 67 37.5 69 35.5 71 35 73 37.5 75 42 74 45.5 71 45.5 68 45.5 66 51 63 55 58.5 55.5
        57 56 58.5 61.5 56 65 55 66 58 67 60.5 66 61 67.5 58 69 55 68 52 65.5 48 64.5 44 65.5
        43.5 64.5 48 63 45.5 61 45.5 54 40 52 37 49 32 52 28 51.5 24 48 20 43""",
    "lion": """0 63 4 52 10 46 20 42 22 36 25 25 29 12 34 6 40 2.5 46 3 53 3 60 9 66 17 70 25 73 35
        72 45 70 56 67 63 60 64.5 55 68 49 70 47.5 78 48.5 84 43 87 38 85 35 78 35.5 70 25 73.5
        16 78 11.5 82 11 92 8 98 2 97 5 85 6 77 8 70 0 70""",
    "tower": """11 100 18 90 27 80 30 75.5 26.5 74 27 71 35 66 42 54 47 38 51 20 50.5 15 56 11.5
        63 15.5 63 18 66 30 70 45 76 60 79 66.5 87 71 87.5 74.5 86 76 90 86 98 97 99 100""",
}
SHAPES = ("disc", "card", "flower")


def photograph(name):
    """Return a photograph and the mask of what it shows, or None where it is not installed."""
    package, _, rest = PHOTOGRAPHS[name].partition("/")
    found = find_spec(package)
    path = Path(str(found.origin)).parent / rest if found else HERE / "none"
    if not path.exists():
        return None
    image = load_image(path)
    corners = np.array(OUTLINES[name].split(), float).reshape(-1, 2) / 100
    outline = np.rint(corners * (image.width, image.height) - 0.5).astype(np.int32)
    mask = cv2.fillPoly(np.zeros((image.height, image.width), np.uint8), [outline], 1)
    return image, mask > 0


def scene(seed, size=(360, 480)):
    """Draw one thing off the middle under uneven light, on uneven ground, with its mask."""
    draw = np.random.default_rng(seed)
    height, width = size
    mask = np.zeros(size, np.uint8)
    x, y = (draw.uniform(0.35, 0.65, 2) * (width, height)).astype(int)
    r = int(draw.uniform(0.15, 0.3) * height)
    shape = SHAPES[seed % 3]
    if shape == "disc":
        cv2.circle(mask, (int(x), int(y)), r, 1, -1)
    elif shape == "card":
        cv2.rectangle(mask, (int(x - r), int(y - r / 2)), (int(x + r), int(y + r / 2)), 1, -1)
    else:
        angle = np.linspace(0, 2 * np.pi, 200)
        reach = r * (1 + 0.25 * np.cos(5 * angle))
        petals = np.stack([x + reach * np.cos(angle), y + reach * np.sin(angle)], axis=1)
        cv2.fillPoly(mask, [petals.astype(np.int32)], 1)
    ground = np.array([90, 120, 150]) + np.linspace(-25, 25, width)[None, :, None]
    light = np.linspace(-20, 20, height)[:, None, None]
    thing = draw.permutation([200, 70, 60]) + light
    picture = np.where(mask[..., None] > 0, thing, np.broadcast_to(ground, (*size, 3)))
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8) + draw.normal(0, 5, picture.shape)
    return Image(np.clip(picture, 0, 255).astype(np.uint8)), mask > 0


def box_of(mask, margin=0.02):
    """Return the box that a person draws around a thing: a little larger."""
    y, x = np.nonzero(mask)
    height, width = mask.shape
    box = np.array(
        [x.min() / width, y.min() / height, (x.max() + 1) / width, (y.max() + 1) / height]
    )
    return Boxes((tuple(np.clip(box + margin * np.array([-1, -1, 1, 1]), 0, 1)),))


def overlap(image, truth, region):
    """Return the intersection over union, 0 where nothing was found, and the picture cut out."""
    try:
        cut = remove_background(image, region=region)
    except SkillError:
        return 0.0, image
    found = cut.pixels[..., 3] > 127
    return float((found & truth).sum() / (found | truth).sum()), cut


def pictures():
    """Yield every picture that is here with its name and true mask."""
    for name in PHOTOGRAPHS:
        if pair := photograph(name):
            yield name, *pair
    for seed in range(6):
        yield f"drawn {SHAPES[seed % 3]} {seed}", *scene(seed)


def say(name, values):
    """Print one row of the table."""
    cells = (name, *(f"{value:.2f}" for value in values))
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def main(folder):
    """Print the table; with a folder, save the cut-outs and the true outlines there."""
    sys.stdout.write("| picture | nothing given | a box | the whole picture |\n|---|---|---|---|\n")
    rows = []
    for name, image, truth in pictures():
        alone, cut = overlap(image, truth, None)
        boxed, cut_by_box = overlap(image, truth, box_of(truth))
        rows.append((alone, boxed, float(truth.mean())))
        say(name, rows[-1])
        if folder:
            outlined = image.rgb().copy()
            edges, _ = cv2.findContours(truth.astype(np.uint8), cv2.RETR_EXTERNAL, 2)
            cv2.drawContours(outlined, edges, -1, (0, 255, 0), 2)
            sheet = np.hstack([outlined, cut.rgb(), cut_by_box.rgb()])
            Image(sheet).save(folder / f"{name}.png")
    for word, pick in (("photographs", slice(0, -6)), ("drawn", slice(-6, None))):
        mean = np.mean(rows[pick], axis=0)
        say(f"**mean, {word}**", mean)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
