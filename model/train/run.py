"""A whole run: every stage of a recipe, each begun with what the one before ended with."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.spawn import ProcessException, spawn

from llava_plus.errors import SetupError
from llava_plus.model.lmm import LMM
from llava_plus.model.processing import LMMProcessor

from .folder import MODEL, RunFolder
from .lora import checked_targets, quantization
from .parts import check_names
from .plan import check_batch
from .prepare import Order, path_of, read_stage

LOG = logging.getLogger(__name__)


def train_recipe(order: Order) -> Path:
    """Train all stages, or go on where a run was broken off; return the last stage's model.

    Raises:
        SetupError: Something does not fit, before anything is trained where that can be known.
    """
    _needs_extra()
    recipe = order.recipe
    for stage in recipe.stages:
        check_batch(stage, int(os.environ.get("WORLD_SIZE", recipe.processes)))
        for source in stage.data:
            path_of(source, stage)
    if recipe.processes == 1 or "WORLD_SIZE" in os.environ:
        _run(order)
    else:
        os.environ["MASTER_ADDR"] = "127.0.0.1"
        with socket.create_server(("127.0.0.1", 0)) as free:
            os.environ["MASTER_PORT"] = str(free.getsockname()[1])
        problems = get_context("spawn").SimpleQueue()
        try:
            spawn(  # type: ignore[no-untyped-call]
                _join, args=(replace(order, tick=None), problems), nprocs=recipe.processes
            )
        except ProcessException:
            if problems.empty():
                raise
            raise SetupError(problems.get()) from None
    return RunFolder(path=order.out).stage(recipe.stages[-1].name) / MODEL


def _join(rank: int, order: Order, problems: Any) -> None:
    """Run one process; what a person can put right reaches the one that started it in words."""
    # How torch ends a process whose parent was killed; shells start background jobs deaf to it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("llava_plus").setLevel(logging.INFO)
    world = str(order.recipe.processes)
    here = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": world}
    os.environ |= {**here, "LOCAL_WORLD_SIZE": world}
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // order.recipe.processes))
    try:
        _run(order)
    except SetupError as error:
        problems.put(str(error))
        sys.exit(1)
    torch.distributed.destroy_process_group()


def _needs_extra() -> None:
    try:
        import accelerate  # noqa: F401
    except ImportError as error:
        raise SetupError("Training needs accelerate: pip install 'llava-plus[train]'") from error


def _run(order: Order) -> None:
    """What each process does."""
    from accelerate import PartialState

    from .stage import WAIT, start_of, train_stage

    recipe, folder = order.recipe, RunFolder(path=order.out)
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=WAIT)
    for stage in recipe.stages:
        quantization(stage.lora)
    alone = state.num_processes == 1 and not torch.distributed.is_initialized()
    if recipe.shard != "none" and alone:
        raise SetupError(
            f"shard: {recipe.shard} needs several processes, such as --set processes=2."
        )
    with state.main_process_first():
        if state.is_main_process:
            folder.claim(recipe, {"model": order.model and str(order.model.resolve())})
    waiting = [n for n, stage in enumerate(recipe.stages) if not folder.finished(stage.name)]
    for number in waiting:
        model, processor = start_of(order, folder, number, few_bits=True)
        if number == waiting[0]:
            _look(order, folder, waiting, model, processor, state)
        if order.check:
            return
        train_stage(order, folder, number, model, processor, state)
        state.wait_for_everyone()


def _look(
    order: Order,
    folder: RunFolder,
    waiting: Sequence[int],
    model: LMM,
    processor: LMMProcessor,
    state: Any,
) -> None:
    """Look at the names and the data of all stages: what is wrong with the last is said now."""
    for number in waiting:
        stage = order.recipe.stages[number]
        if stage.lora is not None:
            checked_targets(model, stage.lora)
        if stage.objective == "next_token":
            check_names(model, stage)
        with state.main_process_first():
            plan, sets, _ = read_stage(order, folder, stage, model.config, processor)
        if state.is_main_process:
            LOG.info(
                "stage %s: %d conversations, %d steps of %d rows",
                stage.name, sum(map(len, sets)), plan.steps, plan.batch,
            )  # fmt: skip
