"""A whole run: every stage of a recipe, each begun with what the one before ended with."""

import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.spawn import spawn

from llava_plus.errors import SetupError
from llava_plus.model.config import LMMConfig
from llava_plus.model.lmm import LMM
from llava_plus.model.processing import LMMProcessor
from llava_plus.model.towers import tower_tokens

from .batches import CaptionCollator, Collator, Rows
from .begin import begin, saved_model, sides_of, with_template
from .distributed import shard_on_cpu, sharding
from .encoding import CaptionEncoder, ConversationEncoder, Encoder
from .folder import MODEL, RunFolder
from .index import index_of
from .lora import add_lora, merge_lora, quantization, save_adapter
from .meter import Work
from .parts import freeze, summary
from .plan import Plan, check_batch, make_plan
from .recipe import Recipe, Source, Stage
from .sources import DataSet, open_source

LOG = logging.getLogger(__name__)
_WAIT = timedelta(hours=12)  # for the process that reads the data first
Tick = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a person asked for.

    Args:
        recipe: With all data sets' paths in it.
        out: The folder of the run.
        model: A folder with a model, or with a processor alone.
        skip_broken: Leave broken conversations out.
        check: Only look at everything, and train nothing.
        tick: Told how far reading the data is.
    """

    recipe: Recipe
    out: Path
    model: Path | None = None
    skip_broken: bool = False
    check: bool = False
    tick: Tick | None = None


def train_recipe(order: Order) -> Path:
    """Train all stages, or go on where a run was broken off; return the last stage's model.

    Raises:
        SetupError: Something does not fit, before anything is trained where that can be known.
    """
    _needs_extra()
    recipe = order.recipe
    for stage in recipe.stages:
        for source in stage.data:
            _path_of(source, stage)
    if recipe.processes == 1 or "WORLD_SIZE" in os.environ:
        _run(order)
    else:
        os.environ["MASTER_ADDR"] = "127.0.0.1"
        with socket.create_server(("127.0.0.1", 0)) as free:
            os.environ["MASTER_PORT"] = str(free.getsockname()[1])
        spawn(  # type: ignore[no-untyped-call]
            _join, args=(replace(order, tick=None),), nprocs=recipe.processes
        )
    return RunFolder(path=order.out).stage(recipe.stages[-1].name) / MODEL


def _join(rank: int, order: Order) -> None:
    # How torch ends a process whose parent was killed; shells start background jobs deaf to it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("llava_plus").setLevel(logging.INFO)
    world = str(order.recipe.processes)
    here = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": world}
    os.environ |= {**here, "LOCAL_WORLD_SIZE": world}
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // order.recipe.processes))
    _run(order)
    torch.distributed.destroy_process_group()


def _needs_extra() -> None:
    try:
        import accelerate  # noqa: F401
    except ImportError as error:
        raise SetupError("Training needs accelerate: pip install 'llava-plus[train]'") from error


def _path_of(source: Source, stage: Stage) -> Path:
    if not source.path:
        raise SetupError(
            f"stage {stage.name}: where is the data set {source.name!r}? Give its file or folder:"
            f" --data {source.name}=PATH"
        )
    path = Path(source.path).expanduser()
    if not path.exists():
        raise SetupError(f"stage {stage.name}: {source.name}: nothing lies at {path}.")
    return path


def _run(order: Order) -> None:
    """What each process does."""
    from accelerate import PartialState

    recipe, folder = order.recipe, RunFolder(path=order.out)
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=_WAIT)
    for stage in recipe.stages:
        check_batch(stage, state.num_processes)
        quantization(stage.lora)
    if recipe.shard == "fsdp2" and state.num_processes == 1:
        raise SetupError("shard: fsdp2 needs several processes, such as --set processes=2.")
    with state.main_process_first():
        if state.is_main_process:
            folder.claim(recipe, {"model": order.model and str(order.model.resolve())})
    waiting = [n for n, stage in enumerate(recipe.stages) if not folder.finished(stage.name)]
    for number in waiting:
        model, processor = _start(order, folder, number, few_bits=True)
        if number == waiting[0]:
            _look(order, folder, waiting, model, processor, state)
        if order.check:
            return
        _train(order, folder, number, model, processor, state)
        state.wait_for_everyone()


def _look(
    order: Order,
    folder: RunFolder,
    waiting: Sequence[int],
    model: LMM,
    processor: LMMProcessor,
    state: Any,
) -> None:
    """Read the data of all stages: what is wrong with the last one's is said now."""
    for number in waiting:
        stage = order.recipe.stages[number]
        with state.main_process_first():
            plan, sets, _ = _read(order, folder, stage, model.config, processor)
        if state.is_main_process:
            LOG.info(
                "stage %s: %d conversations, %d steps of %d rows",
                stage.name, sum(map(len, sets)), plan.steps, plan.batch,
            )  # fmt: skip


def _start(
    order: Order, folder: RunFolder, number: int, *, few_bits: bool
) -> tuple[LMM, LMMProcessor]:
    """The model that a stage begins with; in few bits where its recipe says so and it may be."""
    stages = order.recipe.stages
    loading = quantization(stages[number].lora) if few_bits else {}
    if number == 0:
        return begin(order.recipe, order.model, **loading)
    before = folder.stage(stages[number - 1].name) / MODEL
    return saved_model(before, order.recipe, **loading)


def _encoder(recipe: Recipe, stage: Stage, config: LMMConfig, processor: LMMProcessor) -> Encoder:
    written = with_template(processor, stage.template or recipe.template)
    if stage.objective == "next_token":
        return ConversationEncoder(written, stage.longest, sides_of(config))
    if not recipe.text_encoder:
        raise SetupError(
            f"stage {stage.name}: a Q-Former's words need a tokenizer of their own: --set"
            " text_encoder=FOLDER (such as BERT's)."
        )
    from .qformer_stage import text_tokenizer

    return CaptionEncoder(written, text_tokenizer(recipe.text_encoder), stage.longest)


def _read(
    order: Order, folder: RunFolder, stage: Stage, config: LMMConfig, processor: LMMProcessor
) -> tuple[Plan, list[DataSet], Encoder]:
    """Look at a stage's data, or at what is kept of it, and draw its order."""
    encoder = _encoder(order.recipe, stage, config, processor)
    _check_packing(stage, config)
    sets, indices = [], []
    for source in stage.data:
        images = Path(source.images).expanduser() if source.images else None
        data = open_source(_path_of(source, stage), images)
        index = index_of(
            data,
            encoder,
            kept=folder.stage(stage.name) / f"index-{source.name}.npz",
            identity=_identity(stage, processor, images),
            skip_broken=order.skip_broken,
            tick=order.tick and partial(order.tick, source.name),
        )
        for problem in index.problems[:5]:
            LOG.warning("left out: %s", problem)
        sets.append(data)
        indices.append(index)
    plan = make_plan(stage, indices, order.recipe.seed)
    if not plan.steps:
        raise SetupError(f"stage {stage.name}: there is not one batch of {stage.batch} rows.")
    return plan, sets, encoder


def _identity(stage: Stage, processor: LMMProcessor, images: Path | None) -> str:
    """What lengths depend on besides the data's files."""
    facts = [
        stage.template, stage.objective, processor.template.name, str(processor.layout),
        processor.tokenizer.backend_tokenizer.to_str(), str(images),
    ]  # fmt: skip
    return repr(facts)


def _check_packing(stage: Stage, config: LMMConfig) -> None:
    """Packed conversations are told apart by positions, which not every model keeps apart."""
    kind = config.get_text_config(decoder=True).model_type
    gates = any(one["type"] == "cross_gate" for one in config.injections or [])
    shared = bool((config.layout or {}).get("shared_positions"))
    if stage.packing and (gates or shared or kind == "opt"):
        why = "gates" if gates else "shared positions" if shared else f"a decoder of type {kind}"
        raise SetupError(
            f"stage {stage.name}: packing: conversations of a row would see each other in a model"
            f" with {why}. Set packing to false."
        )


def _train(
    order: Order,
    folder: RunFolder,
    number: int,
    model: LMM,
    processor: LMMProcessor,
    state: Any,
) -> None:
    from .trainer import StageTrainer

    recipe, stage = order.recipe, order.recipe.stages[number]
    with state.main_process_first():
        plan, sets, encoder = _read(order, folder, stage, model.config, processor)
    learner = _learner(recipe, stage, model, encoder)
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
        collator=_collator(stage, encoder, model, processor),
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
    if state.is_main_process:
        _finish(order, folder, number)


def _learner(recipe: Recipe, stage: Stage, model: LMM, encoder: Encoder) -> nn.Module:
    """What the Trainer gets: the model with the right parts frozen, or a stage's own module."""
    learner: nn.Module = model
    if stage.lora is not None:
        add_lora(model, stage.lora)
    if stage.objective == "qformer":
        from .qformer_stage import pretrainer

        assert isinstance(encoder, CaptionEncoder)
        learner = pretrainer(model, encoder.tokenizer, recipe.seed)
    freeze(learner, stage)
    if stage.checkpointing and isinstance(learner, LMM):
        # Its name from transformers 5.20 on; the older one warns there.
        name = "activation_checkpointing_enable"
        enable = getattr(learner, name, None) or learner.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    return learner


def _collator(
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
    )


def _arguments(
    recipe: Recipe, stage: Stage, folder: RunFolder, plan: Plan, turns: int, model: nn.Module
) -> Any:
    from transformers import TrainingArguments

    cuda = torch.cuda.is_available()
    return TrainingArguments(
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
        ddp_timeout=int(_WAIT.total_seconds()),
        **sharding(recipe.shard, model),
    )


def _reports() -> list[str]:
    """TensorBoard, where it is installed."""
    from importlib.util import find_spec

    return ["tensorboard"] if find_spec("tensorboard") else []


def _finish(order: Order, folder: RunFolder, number: int) -> None:
    """Put what was learned into a whole model, made anew, and save it."""
    from .trainer import TRAINED, WHOLE, load_trained

    stage = order.recipe.stages[number]
    model, processor = _start(order, folder, number, few_bits=False)
    learner = _learner(order.recipe, stage, model, _encoder(
        order.recipe, stage, model.config, processor))  # fmt: skip
    file = folder.stage(stage.name) / TRAINED
    load_trained(learner, file)
    if stage.objective == "qformer":
        from .qformer_stage import hand_back

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
