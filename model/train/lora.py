"""Low-rank updates of a decoder's linear maps, on peft; with 4 or 8 bits below them (QLoRA)."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from llava_plus.errors import SetupError
from llava_plus.model.lmm import LMM

from .recipe import Lora

ADAPTER = "lora"


def add_lora(model: LMM, lora: Lora) -> None:
    """Put low-rank updates beside the maps of a decoder that a recipe names.

    Raises:
        SetupError: peft is not there, or no map has such a name.
    """
    peft, names = _peft(), checked_targets(model, lora)
    config = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=names,
        bias="none",
    )
    peft.inject_adapter_in_model(config, model, adapter_name=ADAPTER)
    # What transformers' own `add_adapter` sets, without which Trainer trains nothing quantized.
    model._hf_peft_config_loaded = True


def checked_targets(model: LMM, lora: Lora) -> list[str]:
    """What `targets` gives.

    Raises:
        SetupError: peft is not there, or no map has such a name.
    """
    _peft()
    if names := targets(model, lora):
        return names
    wanted = ", ".join(lora.targets) or "any linear map"
    layers = f" in layers {', '.join(map(str, lora.layers))}" if lora.layers else ""
    raise SetupError(
        f"lora.targets: the decoder has no {wanted}{layers}."
        f" Its maps are {', '.join(sorted(_last_names(model)))}."
    )


def targets(model: LMM, lora: Lora) -> list[str]:
    """The full names of the maps that get updates, those of a decoder's layers."""
    found = []
    for name, module in model.named_modules():
        layer = re.search(r"^decoder\.(?:.*\.)?layers\.(\d+)\.", name)
        if layer is None or not _is_map(module) or ".vision" in name:
            continue
        if lora.layers and int(layer.group(1)) not in lora.layers:
            continue
        if not lora.targets or name.rpartition(".")[2] in lora.targets:
            found.append(name)
    return found


def merge_lora(model: LMM) -> None:
    """Add the updates to the maps that they belong to, and take them away."""
    for name, module in list(model.named_modules()):
        if hasattr(module, "lora_A") and hasattr(module, "merge"):
            module.merge(safe_merge=True)
            _replace(model, name, module.get_base_layer())
    model._hf_peft_config_loaded = False


def save_adapter(model: LMM, lora: Lora, folder: Path, base: str) -> None:
    """Write the updates alone, as peft does: ``adapter_model.safetensors`` and its config."""
    peft = _peft()
    folder.mkdir(parents=True, exist_ok=True)
    prefix = "base_model.model."
    weights = {
        prefix + name.replace(f".{ADAPTER}.", "."): parameter.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        if ".lora_" in name
    }
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=[one.replace(".base_layer", "") for one in sorted(_bases(model))],
        bias="none",
        base_model_name_or_path=base,
        inference_mode=True,
    ).save_pretrained(folder)


def quantization(lora: Lora | None) -> dict[str, Any]:
    """Arguments of `LMM.from_pretrained` that load a decoder's maps in few bits.

    On a CPU it runs, slowly: to try a recipe out.

    Raises:
        SetupError: bitsandbytes is not there.
    """
    if lora is None or lora.bits is None:
        return {}
    if find_spec("bitsandbytes") is None:
        raise SetupError(
            f"lora.bits: {lora.bits} needs bitsandbytes: pip install 'llava-plus[qlora]', or take"
            " it away with --set stages.N.lora.bits=null to train LoRA on whole weights."
        )
    from transformers import BitsAndBytesConfig

    cuda = torch.cuda.is_available()
    whole = ["towers", "connector", "states", "lm_head", "newline"]
    quantized: Any = BitsAndBytesConfig
    config = quantized(
        load_in_4bit=lora.bits == 4,
        load_in_8bit=lora.bits == 8,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if cuda else torch.float32,
        llm_int8_skip_modules=whole,
    )
    device = torch.cuda.current_device() if cuda else "cpu"
    return {"quantization_config": config, "device_map": {"": device}}


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise SetupError("LoRA needs peft: pip install 'llava-plus[train]'") from error
    return peft


def _is_map(module: nn.Module) -> bool:
    # Quantized maps are no nn.Linear of torch's own, but have its sizes.
    return hasattr(module, "in_features") and hasattr(module, "out_features")


def _last_names(model: LMM) -> set[str]:
    return {name.rpartition(".")[2] for name in targets(model, Lora(rank=1, alpha=1))}


def _bases(model: LMM) -> list[str]:
    return [name for name, module in model.named_modules() if hasattr(module, "lora_A")]


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)
