"""Weights in the layout of diffusers: a folder for each part, and an index that names them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

INDEX = "model_index.json"
CLASS = "_class_name"
# What a part that is no network has, by how its class is called.
_FILES = {
    "Scheduler": ("scheduler_config.json",),
    "Tokenizer": ("tokenizer_config.json",),
    "TokenizerFast": ("tokenizer_config.json",),
    "ImageProcessor": ("preprocessor_config.json",),
    "FeatureExtractor": ("preprocessor_config.json",),
    "Processor": ("preprocessor_config.json", "processor_config.json"),
}
_WEIGHTS = ("diffusion_pytorch_model", "model")


def is_pipeline(folder: Path) -> bool:
    """Whether a folder holds a pipeline, as its index tells."""
    return (folder / INDEX).is_file()


def pipeline_class(folder: Path) -> str:
    """Return what class of pipeline, or of a single part, a folder holds; else nothing."""
    file = folder / (INDEX if is_pipeline(folder) else "config.json")
    return str(_object(file).get(CLASS, ""))


def pipeline_lacks(folder: Path) -> str:
    """Name the first file of a pipeline that is missing; empty where all are there.

    Whether weights are as long as they should be is not looked at here.
    """
    for name, kind in _parts(folder):
        part = folder / name
        wanted = next((files for end, files in _FILES.items() if kind.endswith(end)), None)
        if wanted is not None:
            if not any((part / file).is_file() for file in wanted):
                return f"{name}/{wanted[0]}"
        elif not (part / "config.json").is_file():
            return f"{name}/config.json"
        elif not part_weights(part):
            return f"{name}/{_WEIGHTS[0]}.safetensors"
    return "" if any(_parts(folder)) else INDEX


def pipeline_weights(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files of all parts of a pipeline, whether they are there or not."""
    return tuple(file for name, _ in _parts(folder) for file in part_weights(folder / name))


def part_weights(part: Path) -> tuple[Path, ...]:
    """Return the safetensors files of one network: a single one, or those that an index names."""
    for stem in _WEIGHTS:
        if (part / f"{stem}.safetensors").is_file():
            return (part / f"{stem}.safetensors",)
        named = _object(part / f"{stem}.safetensors.index.json").get("weight_map")
        if isinstance(named, dict):
            return tuple(part / Path(str(name)).name for name in sorted(set(named.values())))
    return ()


def _parts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the class of each part that the index says is there."""
    for name, entry in _object(folder / INDEX).items():
        pair = isinstance(entry, list) and len(entry) == 2
        if pair and not name.startswith("_") and "/" not in name and entry[1]:
            yield name, str(entry[1])


def _object(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
