"""Make the pictures beside this file: ``python ui/examples/make.py``.

SOURCES.md says whose they are. The photographs come with scikit-image and matplotlib; the letter
is drawn here. Reruns with the same versions of those give the same files.
"""

from pathlib import Path

import zxingcpp
from matplotlib import cbook
from PIL import Image, ImageDraw, ImageFont
from skimage import data

HERE = Path(__file__).parent
SIDE = 640
LIMIT = 60_000  # bytes

LETTER = (
    ("Harbour Library", 40),
    ("Reading room open daily", 26),
    ("Monday to Friday  09:00 - 18:30", 26),
    ("Saturday  10:00 - 16:00", 26),
    ("Desk: +00 555 0142", 26),
    ("mail: desk@library.example", 26),
)
LINK = "https://library.example/hours"


def photographs() -> dict[str, Image.Image]:
    """Return the photographs by the names of their files."""
    pictures = {
        name: Image.fromarray(getattr(data, name)())
        for name in ("astronaut", "chelsea", "coffee", "rocket")
    }
    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as picture:
        pictures["grace_hopper"] = picture.convert("RGB")
    return pictures


def letter() -> Image.Image:
    """Draw a notice with some lines of text and a QR code."""
    page = Image.new("RGB", (640, 480), (250, 248, 242))
    brush = ImageDraw.Draw(page)
    brush.rectangle((0, 0, 639, 12), fill=(20, 80, 110))
    top = 46
    for text, size in LETTER:
        brush.text((40, top), text, fill=(25, 25, 30), font=ImageFont.load_default(size))
        top += size + 24
    code = zxingcpp.create_barcode(LINK, zxingcpp.BarcodeFormat.QRCode)
    drawn = Image.fromarray(zxingcpp.write_barcode_to_image(code, scale=5))
    page.paste(drawn.convert("RGB"), (620 - drawn.width, 460 - drawn.height))
    return page


def main() -> None:
    """Write every picture as a JPEG of bearable size."""
    for name, picture in {**photographs(), "notice": letter()}.items():
        picture.thumbnail((SIDE, SIDE))
        path = HERE / f"{name}.jpg"
        for quality in range(90, 30, -5):
            picture.save(path, "JPEG", quality=quality, optimize=True)
            if path.stat().st_size <= LIMIT:
                break
        print(f"{path.name}: {picture.width}x{picture.height}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
