"""The recipe that `llava-plus data new` writes, for a person to change."""

from pathlib import Path

from llava_plus.errors import SetupError

RECIPE = "recipe.yaml"
TEXT = """\
# What `llava-plus data generate recipe.yaml -o OUT` makes. Paths are seen from this file's folder.
name: {name}          # ids of traces begin with it
seed: 0               # the same recipe with the same seed gives the same data
traces: 1000          # that are to be kept; what a verifier drops is not counted
per_picture: 8        # conversations about a picture each time it comes
side: 512             # pixels: larger pictures are scaled down; 0 leaves them as they are
pictures_per_part: 8  # pictures between two marks on the disk: the most that a kill can cost
workers: 2            # processes; each works on one core

# Where pictures come from. A source that is used up begins again; the requests are others then.
sources:
  - name: scenes
    drawn: 200        # scenes that are drawn here, with exact ground truth
    weight: 3         # how much it gives, beside the others' weights
  # - name: photos
  #   folder: photos  # beside a.jpg may lie a.jpg.json: {{"licence": "CC-BY-4.0", "origin": "…"}}
  #   licence: CC0-1.0
  #   weight: 1
  # Also: coco: [instances.json, captions.json], hiertext: FILE, textocr: FILE, genome: FOLDER
  # (each with images: [FOLDER]), urls: FILE with fetch: true, hub: user/name with rows: 1000.

# Who writes the requests; each picture goes to one of them.
writers:
  - writer: planned   # every skill, also yours, alone and composed, in four languages; no network
    weight: 1
    options: {{}}
  # - writer: phrases   # the requests that nano learns, in English
  # - writer: requests  # your own words: [a|b] draws one, {{thing}} is a thing in the picture
  #   options:
  #     requests:
  #       - ask: how [sharp|crisp] is [this|it]?
  #         plan: my_skill(img_1)
  #         answer: It is {{number_1}}.

# What can be called: all built-in skills, or those named here, and those of files of yours.
skills:
  use: []
  files: []           # such as [my_skills.py]

# Every trace passes all verifiers; docs/data.md says what each wants.
verify:
  leave_out: []       # such as ["replay"]
  licences: []        # names of licences that may be used beside the usual ones
  bypass: 0.02        # share of steps replayed past what is remembered
"""


def write_recipe(folder: Path) -> Path:
    """Write the recipe into a folder, which is made; return its path.

    Raises:
        SetupError: There is one already, or the folder cannot be written.
    """
    path = folder / RECIPE
    if path.exists():
        raise SetupError(f"{path} is there already. Name another folder, or delete it.")
    name = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in
                   folder.resolve().name)[:40].strip("-")  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXT.format(name=name or "traces"), encoding="utf-8")
    except OSError as error:
        raise SetupError(f"Cannot write {path}: {error.strerror}. Name another folder.") from error
    return path
