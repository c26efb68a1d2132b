"""A stage's data before it is trained: looked at, and put into an order."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from llava_plus.errors import SetupError
from llava_plus.model.config import LMMConfig
from llava_plus.model.processing import LMMProcessor

from .begin import with_template
from .encoding import CaptionEncoder, ConversationEncoder, Encoder
from .folder import RunFolder
from .index import index_of
from .plan import Plan, make_plan
from .recipe import Recipe, Source, Stage
from .sources import DataSet, open_source

LOG = logging.getLogger(__name__)
# Decoders that keep conversations apart whose positions begin again.
PACKABLE = frozenset({"cohere", "llama", "mistral", "phi3", "qwen2", "qwen3"})
Tick = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a person asked for.

    Args:
        recipe: With all data sets' paths in it.
        out: The folder of the run.
        model: A folder with a model, or with a processor alone.
        skip_broken: Leave broken conversations out.
        check: Only look at everything, each pixel too, and train nothing.
        tick: Told how far reading the data is.
    """

    recipe: Recipe
    out: Path
    model: Path | None = None
    skip_broken: bool = False
    check: bool = False
    tick: Tick | None = None


def path_of(source: Source, stage: Stage) -> Path:
    if not source.path:
        raise SetupError(
            f"stage {stage.name}: where is the data set {source.name!r}? Give its file or folder:"
            f" --data {source.name}=PATH"
        )
    path = Path(source.path).expanduser()
    if not path.exists():
        raise SetupError(f"stage {stage.name}: {source.name}: nothing lies at {path}.")
    return path


def encoder_of(recipe: Recipe, stage: Stage, config: LMMConfig, processor: LMMProcessor) -> Encoder:
    written = with_template(processor, stage.template or recipe.template)
    if stage.objective == "next_token":
        return ConversationEncoder(written, stage.longest)
    if not recipe.text_encoder:
        raise SetupError(
            f"stage {stage.name}: a Q-Former's words need a tokenizer of their own: --set"
            " text_encoder=FOLDER (such as BERT's)."
        )
    from .qformer_stage import text_tokenizer

    return CaptionEncoder(written, text_tokenizer(recipe.text_encoder), stage.longest)


def read_stage(
    order: Order, folder: RunFolder, stage: Stage, config: LMMConfig, processor: LMMProcessor
) -> tuple[Plan, list[DataSet], Encoder]:
    """Look at a stage's data, or at what is kept of it, and draw its order."""
    encoder = encoder_of(order.recipe, stage, config, processor)
    check_packing(stage, config)
    sets, indices = [], []
    for source in stage.data:
        images = Path(source.images).expanduser() if source.images else None
        data = open_source(path_of(source, stage), images, frames=stage.frames)
        index = index_of(
            data,
            encoder,
            kept=folder.stage(stage.name) / f"index-{source.name}.npz",
            identity=_identity(stage, processor, images),
            skip_broken=order.skip_broken,
            deep=order.check,
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
        processor.tokenizer.backend_tokenizer.to_str(), str(images), stage.frames,
        processor.state_dim, processor.tokens_per_state,
    ]  # fmt: skip
    return repr(facts)


def check_packing(stage: Stage, config: LMMConfig) -> None:
    """Packed conversations are told apart by positions, which not every model keeps apart."""
    kind = config.get_text_config(decoder=True).model_type
    gates = any(one["type"] == "cross_gate" for one in config.injections or [])
    shared = bool((config.layout or {}).get("shared_positions"))
    if stage.packing and (gates or shared or kind not in PACKABLE):
        why = "gates" if gates else "shared positions" if shared else f"a decoder of type {kind}"
        raise SetupError(
            f"stage {stage.name}: packing: conversations of a row would see each other in a model"
            f" with {why}. Set packing to false."
        )
