"""The generator's core where hardly anything is installed."""

import subprocess
import sys

from PIL import Image as Pillow

WITH_LITTLE = """
import sys
from pathlib import Path

HERE = {"llava_plus", "numpy", "PIL", "pydantic", "pydantic_core", "annotated_types",
        "typing_extensions", "typing_inspection"}


class Only:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in HERE or top in sys.stdlib_module_names or top.startswith("_"):
            return self.finder.find_spec(name, path, target)


sys.meta_path[:] = map(Only, sys.meta_path)
from llava_plus.data_gen.generate import generate
from llava_plus.data_gen.recipe import Recipe

recipe = Recipe.parse({
    "traces": 8, "per_picture": 8, "sources": [{"folder": sys.argv[1], "licence": "CC0-1.0"}],
    "writers": [{"writer": "planned"}], "skills": {"use": ["image_info", "crop", "flip"]},
})
print(generate(recipe, Path(sys.argv[2])).kept)
"""


def test_it_needs_numpy_pillow_and_pydantic_only(tmp_path):
    (tmp_path / "pictures").mkdir()
    Pillow.effect_noise((64, 48), 90).save(tmp_path / "pictures" / "noise.png")
    command = [sys.executable, "-c", WITH_LITTLE, tmp_path / "pictures", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("8\n", "")
