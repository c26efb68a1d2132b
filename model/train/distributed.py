"""How several processes share the work: the settings of FSDP2 and DeepSpeed."""

from typing import Any

from torch import nn

from llava_plus.errors import SetupError

# ZeRO-3; "auto" is filled in from the stage by transformers. It was run on CPUs alone.
DEEPSPEED: dict[str, Any] = {
    "bf16": {"enabled": "auto"},
    "train_micro_batch_size_per_gpu": "auto",
    "train_batch_size": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "zero_optimization": {
        "stage": 3,
        "overlap_comm": True,
        "contiguous_gradients": True,
        "reduce_bucket_size": "auto",
        "stage3_prefetch_bucket_size": "auto",
        "stage3_param_persistence_threshold": "auto",
        "stage3_gather_16bit_weights_on_model_save": True,
    },
}


def sharding(shard: str, model: nn.Module) -> dict[str, Any]:
    """Arguments of `TrainingArguments` for a way of sharing.

    Args:
        shard: "none", "fsdp2" or "deepspeed".
        model: Its repeated layers are what FSDP2 gathers at once.
    """
    if shard == "deepspeed":
        try:
            import deepspeed  # type: ignore[import-not-found]  # noqa: F401
        except ImportError as error:
            raise SetupError(
                "shard: deepspeed needs deepspeed: pip install deepspeed, or set shard to fsdp2."
            ) from error
        return {"deepspeed": DEEPSPEED}
    if shard == "none":
        return {}
    return {
        "fsdp": True,
        "fsdp_config": {
            "version": 2,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "transformer_layer_cls_to_wrap": sorted(layer_classes(model)),
            "state_dict_type": "SHARDED_STATE_DICT",
            "reshard_after_forward": True,
            "cpu_ram_efficient_loading": False,
        },
    }


def shard_on_cpu(state: Any) -> None:
    """Let accelerate shard where there is no accelerator, too.

    It takes FSDP for device types that it lists, and leaves it out without a word for processes on
    CPUs (1.15), though torch's own FSDP2 works there with gloo. So they are called what is listed
    until its `AcceleratorState` makes "FSDP" of that.

    Args:
        state: accelerate's `PartialState` of several processes.
    """
    from accelerate import DistributedType

    if state.distributed_type == DistributedType.MULTI_CPU:
        state._shared_state["distributed_type"] = DistributedType.MULTI_GPU
        state.distributed_type = DistributedType.MULTI_GPU


def layer_classes(model: nn.Module) -> set[str]:
    """Class names of the layers that repeat, in the decoder and in the towers."""
    found = set()
    for name, module in model.named_modules():
        last = name.rpartition(".")[2]
        if last in ("layers", "layer", "blocks") and isinstance(module, nn.ModuleList):
            found |= {type(one).__name__ for one in module if not name.startswith("connector.")}
    return found
