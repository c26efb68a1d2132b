"""One stage of a run: from the model that it begins with to the one that it ends with."""

import logging
from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from transformers import TrainingArguments
from transformers.integrations.deepspeed import unset_hf_deepspeed_config

from llava_plus.errors import SetupError
from llava_plus.model.lmm import LMM
from llava_plus.model.processing import LMMProcessor
from llava_plus.model.towers import tower_tokens

from .batches import CaptionCollator, Collator, Rows
from .begin import begin, saved_model
from .distributed import shard_on_cpu, sharding
from .encoding import CaptionEncoder, ConversationEncoder, Encoder
from .folder import MODEL, RunFolder
from .lora import add_lora, merge_lora, quantization, save_adapter
from .meter import Work
from .parts import freeze, summary
from .plan import Plan, check_batch
from .prepare import Order, encoder_of, read_stage
from .qformer_stage import hand_back, pretrainer
from .recipe import Recipe, Stage
from .trainer import TRAINED, WHOLE, StageTrainer, load_trained

LOG = logging.getLogger(__name__)
WAIT = timedelta(hours=12)  # for the process that reads the data first


def start_of(
    order: Order, folder: RunFolder, number: int, *, few_bits: bool
) -> tuple[LMM, LMMProcessor]:
    """The model that a stage begins with; in few bits where its recipe says so and it may be."""
    stages = order.recipe.stages
    loading = quantization(stages[number].lora) if few_bits else {}
    if number == 0:
        return begin(order.recipe, order.model, **loading)
    before = folder.stage(stages[number - 1].name) / MODEL
    return saved_model(before, order.recipe, **loading)


def train_stage(
    order: Order,
    folder: RunFolder,
    number: int,
    model: LMM,
    processor: LMMProcessor,
    state: Any,
) -> None:
    recipe, stage = order.recipe, order.recipe.stages[number]
    with state.main_process_first():
        plan, sets, encoder = read_stage(order, folder, stage, model.config, processor)
    learner = learner_of(recipe, stage, model, encoder)
    turns = check_batch(stage, state.num_processes)
    rows = Rows(plan, sets, stage.data, encoder)
    arguments = _arguments(recipe, stage, folder, plan, turns, learner)
    if recipe.shard == "fsdp2":
        shard_on_cpu(arguments.distributed_state)
    trainer = StageTrainer(
        learner,
        arguments,
        stage=stage,
        rows=rows,
        collator=collator_of(stage, encoder, model, processor),
    )
    if recipe.shard == "fsdp2" and not trainer.is_fsdp_enabled:
        raise SetupError("shard: this accelerate does not shard on this device. Set shard to none.")
    if stage.objective == "next_token" and model.config.towers:
        trainer.work = Work.of(learner, tower_tokens(model.config.towers[0]))
    last = folder.checkpoint(stage.name) if state.is_main_process else None
    state.wait_for_everyone()
    last = folder.checkpoint(stage.name) or last
    if state.is_main_process:
        LOG.info("stage %s: %d steps of %d rows, %s", stage.name, plan.steps, plan.batch,
                 summary(learner))  # fmt: skip
        if last is not None:
            folder.check(last)
            LOG.info("stage %s goes on from %s", stage.name, last)
    try:
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
    except torch.OutOfMemoryError as error:
        step = trainer.state.global_step
        first = step * plan.batch
        raise SetupError(
            f"stage {stage.name}: step {step + 1} does not fit into memory, with"
            f" {stage.per_device} rows of up to {stage.longest} tokens at once:"
            f" {rows.where(first)} and {plan.batch - 1} more. Lower per_device or longest, or"
            " shard the model (--set shard=fsdp2)."
        ) from error
    trainer.save_trained(folder.stage(stage.name) / "trained.safetensors")
    if recipe.shard == "deepspeed":
        # Else the models made from now on are split up as well.
        unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]
    if state.is_main_process:
        _finish(order, folder, number)


def learner_of(recipe: Recipe, stage: Stage, model: LMM, encoder: Encoder) -> nn.Module:
    """What the Trainer gets: the model with the right parts frozen, or a stage's own module."""
    learner: nn.Module = model
    if stage.lora is not None:
        add_lora(model, stage.lora)
    if stage.objective == "qformer":
        assert isinstance(encoder, CaptionEncoder)
        learner = pretrainer(model, encoder.tokenizer, recipe.seed)
    freeze(learner, stage)
    if stage.checkpointing and isinstance(learner, LMM):
        # Its name from transformers 5.20 on; the older one warns there.
        name = "activation_checkpointing_enable"
        enable = getattr(learner, name, None) or learner.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    return learner


def collator_of(
    stage: Stage, encoder: Encoder, model: LMM, processor: LMMProcessor
) -> Callable[..., dict[str, Any]]:
    if isinstance(encoder, CaptionEncoder):
        return CaptionCollator(pad=encoder.tokenizer.pad_token_id)
    assert isinstance(encoder, ConversationEncoder)
    return Collator(
        encoder=encoder,
        pad=processor.end_token_id,
        packing=stage.packing,
        reads=model.layout is not None,
        states=model.states is not None,
    )


def _arguments(
    recipe: Recipe, stage: Stage, folder: RunFolder, plan: Plan, turns: int, model: nn.Module
) -> Any:
    cuda = torch.cuda.is_available()
    made = TrainingArguments(
        output_dir=str(folder.stage(stage.name)),
        per_device_train_batch_size=stage.per_device,
        gradient_accumulation_steps=turns,
        max_steps=plan.steps,
        learning_rate=stage.rate,
        max_grad_norm=stage.clip,
        bf16=cuda and torch.cuda.is_bf16_supported(),
        use_cpu=not cuda,
        seed=recipe.seed,
        logging_steps=recipe.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=recipe.save_every,
        save_total_limit=recipe.keep,
        report_to=_reports(),
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=recipe.workers,
        dataloader_pin_memory=cuda,
        label_names=["labels"],
        average_tokens_across_devices=True,
        ddp_find_unused_parameters=True,
        ddp_timeout=int(WAIT.total_seconds()),
        **sharding(recipe.shard, model),
    )
    if made.n_gpu > 1:  # else Trainer cuts batches up for them in one process, pictures apart
        made._n_gpu = 1
        LOG.info("one of this machine's GPUs is used; --set processes=N uses more")
    return made


def _reports() -> list[str]:
    """TensorBoard, where it is installed."""
    return ["tensorboard"] if find_spec("tensorboard") else []


def _finish(order: Order, folder: RunFolder, number: int) -> None:
    """Put what was learned into a whole model, made anew, and save it."""
    stage = order.recipe.stages[number]
    model, processor = start_of(order, folder, number, few_bits=False)
    learner = learner_of(order.recipe, stage, model, encoder_of(
        order.recipe, stage, model.config, processor))  # fmt: skip
    file = folder.stage(stage.name) / TRAINED
    load_trained(learner, file)
    if stage.objective == "qformer":
        hand_back(learner, model)
    if stage.lora is not None:
        base = str(order.model or order.recipe.preset)
        save_adapter(model, stage.lora, folder.stage(stage.name) / "adapter", base)
        merge_lora(model)
    target = folder.stage(stage.name) / MODEL
    model.save_pretrained(target)
    processor.save_pretrained(target)
    (target / WHOLE).touch()
    file.unlink()
    folder.clear(stage.name)
    LOG.info("stage %s is done: %s", stage.name, target)
