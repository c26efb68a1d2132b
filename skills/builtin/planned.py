"""The built-in skills that our own planner learns: data, evaluation and nano know just these."""

PLANNED = (
    "adjust",
    "blur",
    "crop",
    "detect",
    "erase",
    "image_info",
    "ocr",
    "pixelate",
    "read_codes",
    "rotate",
    "segment",
    "select",
)
