"""What a recipe says: stages of training, each with what learns, how fast and on what."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from llava_plus.model.presets import PRESETS
from llava_plus.model.templates import TEMPLATES

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set of a mixture.

    Args:
        name: What ``--data NAME=PATH`` calls it.
        path: Its file or folder; usually given by ``--data``.
        images: The folder of its pictures; beside the file, in ``images``, if absent.
        ratio: Its share of what is drawn, in proportion to the others'; without any ratios every
            conversation comes once per epoch.
        weight: What its losses are multiplied by.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    path: str = ""
    images: str = ""
    ratio: Positive | None = None
    weight: Positive = 1.0


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Low-rank updates of the decoder's linear maps (Hu et al. 2021), which stay frozen.

    Args:
        rank: Their rank.
        alpha: Updates are scaled by ``alpha / rank``.
        dropout: Of what they read.
        targets: Last names of the maps; all of the decoder's layers if absent.
        layers: Numbers of the decoder's layers; all if absent.
        bits: Keep the frozen maps in this many bits (QLoRA, Dettmers et al. 2023).
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    rank: Count
    alpha: Positive
    dropout: Share = 0.0
    targets: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    bits: Literal[4, 8] | None = None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of training.

    Args:
        name: What logs and folders call it.
        train: What learns: parts (towers, connector, decoder, injections, embeddings, newline,
            states) or beginnings of parameter names; all else is frozen.
        rate: The highest learning rate.
        rates: Other rates, by part ("lora" too) or beginning of a name; the longest one counts.
        layer_decay: Each layer of a tower has this share of the rate of the layer after it.
        data: The mixture.
        batch: Conversations of a step over all processes; rows of packed ones where they are.
        per_device: Of these, how many a process reads at once.
        longest: Tokens of a conversation, or of a row where they are packed.
        frames: The most frames of a video; of more, as many are chosen at even distances.
        template: How conversations are written, if not as the recipe says.
        epochs: How often each conversation comes.
        max_steps: How many steps, instead of epochs.
        schedule: How rates go after the warm-up.
        floor: The share of the rates that is left at the end.
        warmup: Below 1 a share of the steps, else steps, of linear warm-up.
        warmup_from: The share of the rates that it begins with.
        weight_decay: Of AdamW; norms and biases have none.
        betas: Of AdamW.
        clip: The largest norm of the gradient.
        packing: Put several conversations into one row, where none sees another.
        group: Make batches of conversations of like length ("length"), of like length with
            pictures or videos, with states alone or with words alone ("modality"), or of one data
            set ("source").
        checkpointing: Compute activations again in the backward pass to save memory.
        lora: Low-rank updates of the decoder.
        objective: "next_token", or "qformer" for BLIP-2's first stage.
        unchecked: Keys whose values are quoted from a paper and were not looked up in code.
        note: What else is known, or what differs.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    train: tuple[str, ...] = ()
    rate: Rate
    rates: dict[str, Rate] = field(default_factory=dict)
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    data: tuple[Source, ...]
    batch: Count
    per_device: Count = 1
    longest: Annotated[int, Field(ge=2)] = 2048
    frames: Count = 32
    template: str | None = None
    epochs: Positive = 1.0
    max_steps: Count | None = None
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    floor: Share = 0.0
    warmup: Rate = 0.03
    warmup_from: Share = 0.0
    weight_decay: Rate = 0.0
    betas: tuple[Share, Share] = (0.9, 0.999)
    clip: Positive = 1.0
    packing: bool = False
    group: Literal["none", "length", "modality", "source"] = "none"
    checkpointing: bool = True
    lora: Lora | None = None
    objective: Literal["next_token", "qformer"] = "next_token"
    unchecked: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if self.template is not None:
            _known("template", self.template, TEMPLATES)
        if not self.data:
            raise ValueError(f"stage {self.name}: no data; name at least one data set")
        names = [source.name for source in self.data]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"stage {self.name}: data set {twice[0]!r} comes twice")
        with_ratio = [source.ratio is not None for source in self.data]
        if any(with_ratio) and not all(with_ratio):
            raise ValueError(f"stage {self.name}: give all data sets a ratio, or none")
        if not self.train and self.lora is None:
            raise ValueError(f"stage {self.name}: nothing learns; name parts in train, or a lora")
        if self.packing and (self.group != "none" or self.objective != "next_token"):
            raise ValueError(f"stage {self.name}: packing goes with group: none and next_token")


@dataclass(frozen=True, kw_only=True)
class Begin:
    """Where a new model's weights come from; without it, they are random.

    Args:
        decoder: Id or folder of a causal language model with its tokenizer.
        towers: Id or folder of each picture encoder, in order.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    decoder: str
    towers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a file in `recipes` says of training a system.

    Args:
        preset: What is built where ``--model`` is no whole model (`presets.PRESETS`).
        template: How conversations are written.
        source: Where the figures are from.
        stages: What to do, in order; each begins with the weights that the one before ended with.
        begin: Where a new model's weights come from.
        text_encoder: Id or folder of the tokenizer of a Q-Former's own words, for "qformer".
        seed: Of weights, order and dropout.
        save_every: Steps between checkpoints.
        keep: How many checkpoints stay.
        log_every: Steps between lines of the log.
        processes: How many to start on this machine; a launcher (torchrun, accelerate) may do so
            instead.
        shard: How several processes share the work: "none" (each has all weights), "fsdp2", or
            "deepspeed".
        workers: Processes that read data, for each that trains.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    preset: str
    template: str
    source: str
    stages: tuple[Stage, ...]
    begin: Begin | None = None
    text_encoder: str = ""
    seed: int = 0
    save_every: Count = 500
    keep: Count = 2
    log_every: Count = 10
    processes: Count = 1
    shard: Literal["none", "fsdp2", "deepspeed"] = "none"
    workers: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        _known("preset", self.preset, PRESETS)
        _known("template", self.template, TEMPLATES)
        if not self.stages:
            raise ValueError("no stages; one is enough")
        names = [stage.name for stage in self.stages]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two stages are called {twice[0]!r}; give each its own name")


def _known(key: str, name: str, known: object) -> None:
    assert isinstance(known, dict)
    if name not in known:
        raise ValueError(f"no {key} {name!r}; known: {', '.join(sorted(known))}")
