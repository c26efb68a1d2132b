"""What a person types to install what a backend imports, leaving the rest of the program whole."""

import importlib.util
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata

_NAMES = {  # where the package that is installed is called otherwise than what is imported
    "groundingdino": "groundingdino-py==0.4.0",
    "segment_anything": "segment-anything",
    "ultralytics": "ultralytics ultralytics-thop",
}
_ALONE = ("groundingdino", "ultralytics")  # what they ask for would replace what is here


def not_installed(modules: Sequence[str]) -> list[str]:
    """Return those of some modules that are not here; none is imported."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def install_command(modules: Sequence[str]) -> str:
    """Return the command that installs modules, by the names that they are imported under.

    Torchvision belongs to one version of PyTorch: where it is wanted, the version that is here is
    named, so that it stays. What asks for packages that would replace some of ours (another OpenCV
    in the folder of ours, an old supervision) is installed without those.
    """
    pip = f"{sys.executable} -m pip install"
    plain = [_NAMES.get(name, name) for name in modules if name not in _ALONE]
    alone = [_NAMES.get(name, name) for name in modules if name in _ALONE]
    if {"torchvision", "timm"} & set(plain):
        with suppress(metadata.PackageNotFoundError):  # then any version will do
            plain.append(f"torch=={metadata.version('torch').partition('+')[0]}")
    commands = [f"{pip} {' '.join(plain)}"] if plain else []
    commands += [f"{pip} --no-deps {' '.join(alone)}"] if alone else []
    return " && ".join(commands)
