"""One stage on transformers' Trainer: our order, our groups of parameters, our checkpoints."""

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Sampler, SequentialSampler
from transformers import PrinterCallback, Trainer, TrainingArguments

from llava_plus.errors import SetupError
from llava_plus.model.weight_files import read_file

from .batches import Rows
from .meter import Meter, Work, device_peak, memory_gb
from .parts import groups
from .recipe import Stage

LOG = logging.getLogger(__name__)
TRAINED, WHOLE = "trained.safetensors", "complete"
# Decoders whose logits are the plain product with the output embeddings, so that those of labels
# alone need computing.
PLAIN_HEADS = frozenset({"llama", "mistral", "opt", "phi3", "qwen2", "qwen3"})


class StageTrainer(Trainer):
    """Trains one stage; what it saves is what learns.

    Args:
        model: With the right parameters frozen.
        args: The Trainer's own.
        stage: The recipe's stage.
        rows: The stage's rows, in order.
        collator: Makes batches of them.
    """

    def __init__(
        self,
        model: nn.Module,
        args: TrainingArguments,
        *,
        stage: Stage,
        rows: Rows,
        collator: Callable[..., dict[str, Any]],
    ) -> None:
        self.stage = stage
        self.rows = rows
        self.meter = Meter()
        self.work: Work | None = None
        self.started: tuple[float, int] | None = None
        self.learned = [name for name, one in model.named_parameters() if one.requires_grad]
        super().__init__(model=model, args=args, train_dataset=rows, data_collator=collator)
        self.remove_callback(PrinterCallback)  # what it prints, `_tell` does

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return SequentialSampler(self.rows)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW with a rate for each part."""
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(
                groups(self._whole(model), self.stage), betas=self.stage.betas, eps=1e-8
            )
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
        """Warm-up and then the stage's schedule."""
        if self.lr_scheduler is None:
            stage, steps = self.stage, num_training_steps
            work: torch.optim.Optimizer = optimizer or self.create_optimizer()
            self.lr_scheduler = LambdaLR(work, lambda step: rate_share(stage, step, steps))
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The mean over all labels of a step, whichever process or turn they come in."""
        self.started = self.started or (time.perf_counter(), self.state.global_step)
        self._count(inputs)
        if self.stage.objective != "next_token":
            output = model(**inputs)
            return (output["loss"], output) if return_outputs else output["loss"]
        labels = inputs["labels"]
        more = {"labelled_only": True} if self._plain_head() else {}
        output = model(**inputs, **more)
        count = (labels[:, 1:] != -100).sum()
        items = count if num_items_in_batch is None else num_items_in_batch
        loss = output.loss * (count / items)
        if num_items_in_batch is not None and self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes  # the mean over processes follows
        return (loss, output) if return_outputs else loss

    def _plain_head(self) -> bool:
        config = self.accelerator.unwrap_model(self.model).config
        kind = config.get_text_config(decoder=True).model_type
        if kind not in PLAIN_HEADS and any(source.weight != 1 for source in self.stage.data):
            raise SetupError(f"stage {self.stage.name}: a {kind} decoder takes no loss weights.")
        return kind in PLAIN_HEADS

    def _count(self, inputs: dict[str, Any]) -> None:
        tokens, conversations = inputs.pop("tokens"), inputs.pop("conversations")
        words = inputs.get("input_ids", inputs.get("text_ids"))
        pixels = inputs.get("pixel_values")
        views = 0 if pixels is None else len(pixels[0] if isinstance(pixels, list) else pixels)
        views += sum(len(video) for video in inputs.get("pixel_values_videos", ()))
        self.meter.add(int(tokens), views, int(conversations), cast("Tensor", words).numel())

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add throughput and memory to what is logged; a loss that is no number ends the run."""
        told = logs.get("loss", logs.get("train_loss", 0.0))
        if not math.isfinite(told):
            raise self._lost(f"the loss is {told}")
        if "loss" in logs:
            self._speed(logs)
            self._tell(logs)
        super().log(logs, start_time)

    def _lost(self, what: str) -> SetupError:
        return SetupError(
            f"stage {self.stage.name}: {what} at step {self.state.global_step}. Lower its rates, or"
            " lengthen its warm-up; earlier checkpoints are still there."
        )

    def _speed(self, logs: dict[str, float]) -> None:
        counted = self.meter.read()
        device = self.args.device
        sums = torch.tensor(
            [counted[k] for k in ("tokens", "views", "rows", "padded")], device=device
        )
        tokens, views, rows, padded = self.accelerator.reduce(sums, "sum").tolist()
        seconds = counted["seconds"]
        logs["tokens_per_second"] = tokens / seconds
        logs["padding"] = 1 - tokens / max(padded, 1)
        logs["memory_gb"] = memory_gb(device)
        if self.work is not None:
            peak = self._peak()[0] * self.accelerator.num_processes
            done = self.work.total(tokens, views, tokens / max(rows, 1))
            logs["mfu"] = done / seconds / peak

    def _peak(self) -> tuple[float, str]:
        if not hasattr(self, "_known_peak"):
            self._known_peak = device_peak(self.args.device)
            LOG.info("MFU is of %s", self._known_peak[1])
        return self._known_peak

    def _tell(self, logs: dict[str, float]) -> None:
        if not self.is_world_process_zero():
            return
        step, steps = self.state.global_step, self.state.max_steps
        began, first = self.started or (time.perf_counter(), 0)
        left = (time.perf_counter() - began) / max(1, step - first) * (steps - step)
        LOG.info(
            "stage %s step %d/%d loss %.4f, rate %.2e, %.0f tokens/s, padding %.0f%%, MFU %s,"
            " %.2f GB, %.0f min left",
            self.stage.name, step, steps, logs["loss"], logs["learning_rate"],
            logs["tokens_per_second"], 100 * logs["padding"],
            f"{100 * logs['mfu']:.1f}%" if "mfu" in logs else "unknown", logs["memory_gb"],
            left / 60,
        )  # fmt: skip

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None
    ) -> None:
        """Write what learns."""
        if not self.args.should_save:
            return
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        state = state_dict or dict(self._whole(None).named_parameters())
        if bad := [name for name in self.learned if not bool(state[name].sum().isfinite())]:
            raise self._lost(f"{len(bad)} weights such as {bad[0]} are no finite numbers")
        save_file(
            {name: state[name].detach().cpu().contiguous() for name in self.learned},
            folder / TRAINED,
        )

    def _whole(self, model: Any) -> nn.Module:
        whole: Any = model or self.model
        assert isinstance(whole, nn.Module)
        return whole

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.is_fsdp_enabled:
            try:
                super()._load_from_checkpoint(resume_from_checkpoint, model)
            except (CheckpointException, OSError, RuntimeError, ValueError) as error:
                reason = (str(error).strip().splitlines() or [""])[-1][:200]
                raise SetupError(
                    f"{resume_from_checkpoint} cannot be read: it is damaged ({reason}). Remove it"
                    " to go on from the checkpoint before it, or from the stage's beginning."
                ) from error
            return
        load_trained(self._whole(model), Path(resume_from_checkpoint) / TRAINED)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write a checkpoint; it counts once all of it is on the disk."""
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            folder = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"
            (folder / WHOLE).touch()

    def save_trained(self, file: Path) -> None:
        """Write what learned, gathered from all processes, at the end of the stage."""
        self.accelerator.wait_for_everyone()
        sharded = self.is_fsdp_enabled or self.is_deepspeed_enabled
        state = self.accelerator.get_state_dict(self.model_wrapped) if sharded else None
        self._save(str(file.parent), state)


def load_trained(model: nn.Module, file: Path) -> None:
    """Put saved weights into those that learn.

    Raises:
        SetupError: They are not the same ones, or of other shapes.
    """
    wanted = {name: one for name, one in model.named_parameters() if one.requires_grad}
    if not file.is_file():
        raise SetupError(f"{file} is missing: this checkpoint is of another kind of run.")
    found = read_file(file)
    wrong = sorted(wanted.keys() ^ found.keys()) or sorted(
        name for name in wanted if wanted[name].shape != found[name].shape
    )
    if wrong:
        raise SetupError(
            f"{file} is of another recipe or model: {len(wrong)} weights differ, such as"
            f" {', '.join(wrong[:3])}. Name another --out, or remove it."
        )
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(found[name].to(parameter.device, parameter.dtype))


def rate_share(stage: Stage, step: int, steps: int) -> float:
    """The share of a stage's rates at a step, counted from 0."""
    warmup = math.ceil(stage.warmup * steps) if stage.warmup < 1 else int(stage.warmup)
    warmup = min(warmup, steps)
    if step < warmup:
        return stage.warmup_from + (1 - stage.warmup_from) * step / warmup
    if stage.schedule == "constant":
        return 1.0
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    left = (1 + math.cos(math.pi * done)) / 2 if stage.schedule == "cosine" else 1 - done
    return stage.floor + (1 - stage.floor) * left
