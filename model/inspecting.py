"""What a model is made of and what it takes, from its config alone."""

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig

from llava_plus.errors import SetupError

from .checkpoints import config_from_hub
from .config import LMMConfig
from .layout import Layout, Size
from .lmm import LMM
from .originals import config_of_original, is_original
from .presets import PRESETS
from .weight_files import read_json

PICTURES: tuple[Size, ...] = ((336, 336), (480, 640), (1080, 1920), (1280, 480))
FRAMES = 32
_INJECTED = (".vision.", ".cross_gate.", ".sampler.")


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What `inspect_model` found.

    Args:
        name: The preset or folder.
        composition: Each axis and what stands on it, in words.
        parameters: How many weights each part has.
        tokens: How many tokens pictures (height, width) take.
        video_tokens: Those of a video of `FRAMES` frames, where the model reads any.
        memory: Bytes of the weights by number format; "int8" and "int4" hold the decoder's linear
            maps so, without their scales, and all else in bfloat16.
    """

    name: str
    composition: dict[str, str]
    parameters: dict[str, int]
    tokens: dict[Size, int]
    video_tokens: int | None
    memory: dict[str, int]


def inspect_model(name: str) -> Inspection:
    """Look at a preset, or at a folder with a checkpoint's ``config.json``."""
    config = config_of(name)
    with torch.device("meta"):
        model = LMM(config)
    layout = model.layout
    reads_videos = layout is not None and model.video_token_id is not None
    return Inspection(
        name=name,
        composition=_composition(config, layout),
        parameters=_parameters(model),
        tokens={} if layout is None else {size: layout.count_tokens(size) for size in PICTURES},
        video_tokens=layout.count_video_tokens(FRAMES) if layout and reads_videos else None,
        memory=_memory(model),
    )


def config_of(name: str) -> LMMConfig:
    """The config of a preset or of a folder: ours, a system's own or that of transformers."""
    if name in PRESETS:
        return PRESETS[name]()
    folder = Path(name).expanduser()
    if not folder.is_dir():
        near = get_close_matches(name, PRESETS, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SetupError(f"No preset or folder {name!r}.{hint} Presets: {', '.join(PRESETS)}.")
    facts = read_json(folder / "config.json")
    if facts.get("model_type") == LMMConfig.model_type:
        ours: LMMConfig = LMMConfig.from_pretrained(folder)
        return ours
    if is_original(facts):
        return config_of_original(folder)
    try:
        hub = AutoConfig.from_pretrained(folder)
    except ValueError as error:
        raise SetupError(f"{folder}/config.json: {str(error).splitlines()[0]}") from error
    return config_from_hub(hub)


def _composition(config: LMMConfig, layout: Layout | None) -> dict[str, str]:
    text: Any = config.text_config
    towers = [
        f"{one['vision']['model_type']} ({one.get('select_layer', 'last')},"
        f" {one.get('select_feature', 'patch')})"
        for one in config.towers or []
    ]
    shown = {
        "towers": " + ".join(towers) or "none",
        "connector": _words(config.connector or {}) if towers else "none",
        "layout": "none" if layout is None else f"{layout.mode}, {layout.view_tokens} a view",
        "injections": "; ".join(map(_words, config.injections or [])) or "none",
        "decoder": f"{text.model_type}, {text.num_hidden_layers} layers of {text.hidden_size},"
        f" vocabulary {text.vocab_size}",
    }
    return shown | ({"states": _words({"type": "mlp", **config.states})} if config.states else {})


def _words(options: dict[str, Any]) -> str:
    """A type and its options, those that are configs of their own left out."""
    rest = {key: one for key, one in options.items() if key != "type" and not isinstance(one, dict)}
    said = ", ".join(f"{key} {one}" for key, one in rest.items())
    return f"{options['type']} ({said})" if said else str(options["type"])


def _parameters(model: LMM) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for name, weight in model.named_parameters():
        part = name.split(".")[0]
        if part == "towers":
            part = ".".join(name.split(".")[:2])
        elif part == "decoder" and any(mark in name for mark in _INJECTED):
            part = "injections"
        counts[part] += weight.numel()
    return dict(counts)


def _memory(model: LMM) -> dict[str, int]:
    total = sum(weight.numel() for weight in model.parameters())
    head = model.get_output_embeddings()
    linear = sum(
        module.weight.numel()
        for module in model.decoder.modules()
        if isinstance(module, nn.Linear) and module is not head
    )
    rest = 2 * (total - linear)
    return {"bf16": 2 * total, "int8": rest + linear, "int4": rest + linear // 2}
