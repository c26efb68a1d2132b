"""The model that a run begins with: a saved one, one put together from others, or a random one."""

import math
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from llava_plus.errors import SetupError
from llava_plus.model.build import layout_of
from llava_plus.model.config import LMMConfig
from llava_plus.model.inject import copy_words_to_experts
from llava_plus.model.lmm import LMM
from llava_plus.model.presets import PRESETS
from llava_plus.model.processing import LMMProcessor, Side
from llava_plus.model.templates import TEMPLATES
from llava_plus.model.towers import tower_size
from llava_plus.model.weight_files import check_files, weight_files

from .parts import parts_of
from .recipe import Begin, Recipe

CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# What each kind of tower was trained to see; all others: CLIP's.
NORMALS = {"siglip_vision_model": HALF, "dinov2": IMAGENET}
_ROUND = 64  # vocabularies are multiples of this
PREFIX_END = "<sop>"  # what a decoder reads before it, it reads both ways


def begin(recipe: Recipe, folder: Path | None, **loading: Any) -> tuple[LMM, LMMProcessor]:
    """Make the model of a run's first stage, and its processor.

    Args:
        recipe: Says which preset, and where its weights come from.
        folder: A saved model; or one with a processor alone, for a model with random weights.
        **loading: Handed to ``from_pretrained`` of a saved model.

    Raises:
        SetupError: There is nothing to begin with, or it does not fit the recipe.
    """
    torch.manual_seed(recipe.seed)
    if folder is not None and (folder / "config.json").is_file():
        return saved_model(folder, recipe, **loading)
    if loading:
        raise SetupError("lora.bits needs a saved model to begin with: name one by --model.")
    if folder is not None:
        return _random(recipe, LMMProcessor.from_pretrained(folder).tokenizer, folder)
    if recipe.begin is None:
        raise SetupError(
            "There is no model to begin with: name a folder by --model, or say in the recipe where"
            " its parts come from, as begin: {decoder: …, towers: […]}."
        )
    return assemble(recipe, recipe.begin)


def saved_model(folder: Path, recipe: Recipe, **loading: Any) -> tuple[LMM, LMMProcessor]:
    """Load a saved model; a weight that is missing or too many is an error."""
    try:
        config = LMMConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise SetupError(f"{folder} holds no model of this package: {error}") from error
    if config.model_type != LMMConfig.model_type or not isinstance(config, LMMConfig):
        raise SetupError(
            f"{folder} holds a {config.model_type!r}, no model of this package. docs/models.md"
            " says how weights of other homes are read."
        )
    _check_fits(config, recipe, folder)
    _check_files(folder)
    loading = {"dtype": torch.float32, "ignore_mismatched_sizes": True, **loading}
    loaded: Any = LMM.from_pretrained(folder, output_loading_info=True, **loading)
    model, told = loaded
    shapes = [key for key, *_ in told["mismatched_keys"]]
    if wrong := [*told["missing_keys"], *told["unexpected_keys"], *shapes]:
        raise SetupError(
            f"{folder}: {len(wrong)} weights are missing, too many or of other shapes, such as"
            f" {', '.join(map(str, wrong[:3]))}."
        )
    _check_numbers(model, folder)
    processor = LMMProcessor.from_pretrained(folder)
    if (sides := sides_of(config)) and len(sides) != len(processor.sides):
        raise SetupError(
            f"{folder}/processor.json prepares pictures of {len(processor.sides)} sizes, the towers"
            f" read {len(sides)}. Write it anew with train.begin.processor_for."
        )
    return model, processor


def _check_files(folder: Path) -> None:
    """Whether a folder's weights are there and can be read, by their headers."""
    for file in weight_files(folder):
        if not file.is_file():
            raise SetupError(f"{file} is missing. Copy the model again, whole.")
    check_files(folder)


def _check_numbers(model: LMM, folder: Path) -> None:
    """Whether all weights are numbers: with one that is not, every loss would be none."""
    for name, weight in model.named_parameters():
        if weight.is_floating_point() and not bool(weight.detach().sum().isfinite()):
            raise SetupError(
                f"{folder}: weights {name} hold what is no finite number: the file is damaged, or"
                " the training that wrote it failed. Begin with an earlier one."
            )


def _check_fits(config: LMMConfig, recipe: Recipe, folder: Path) -> None:
    """Whether a saved model is put together as the recipe's preset is; sizes may differ."""
    wanted = PRESETS[recipe.preset]()

    def shape(one: LMMConfig) -> dict[str, Any]:
        return {
            "towers": [tower["vision"]["model_type"] for tower in one.towers or []],
            "connector": (one.connector or {}).get("type"),
            "layout": (one.layout or {}).get("mode", "squeeze"),
            "injections": [injection["type"] for injection in one.injections or []],
        }

    have, want = shape(config), shape(wanted)
    if wrong := [key for key in want if have[key] != want[key]]:
        key = wrong[0]
        raise SetupError(
            f"{folder} is no {recipe.preset}: its {key} is {have[key]}, the recipe's {want[key]}."
            " Name another model or another preset (--set preset=…)."
        )


def _random(recipe: Recipe, tokenizer: Any, folder: Path) -> tuple[LMM, LMMProcessor]:
    wanted = TEMPLATES[recipe.template].specials
    if missing := [name for name in wanted if name not in tokenizer.get_vocab()]:
        raise SetupError(
            f"The tokenizer in {folder} lacks {', '.join(missing)}, which template"
            f" {recipe.template!r} writes."
        )
    size = math.ceil(len(tokenizer) / _ROUND) * _ROUND
    config = _config(recipe, size, tokenizer)
    if config.states and (config.layout or {}).get("state_token_id") is None:
        raise SetupError(
            f"The tokenizer in {folder} lacks {TEMPLATES[recipe.template].state_token}, which"
            f" {recipe.preset} reads states at. Add it as a special token."
        )
    model = LMM(config)
    copy_words_to_experts(model.decoder)
    return model, processor_for(config, tokenizer, recipe.template)


def assemble(recipe: Recipe, parts: Begin) -> tuple[LMM, LMMProcessor]:
    """Put a model together from a decoder and picture encoders; the rest is random.

    Special tokens that its templates need and the tokenizer lacks are added; their embeddings are
    the mean of the others, as LLaVA has it.
    """
    decoder = _loaded(AutoModelForCausalLM, parts.decoder, "decoder")
    tokenizer = AutoTokenizer.from_pretrained(parts.decoder)
    wanted = [name for one in _templates(recipe) for name in TEMPLATES[one].specials]
    wanted.append(TEMPLATES[recipe.template].video_token)
    if PRESETS[recipe.preset]().states:
        wanted.append(TEMPLATES[recipe.template].state_token)
    missing = list(dict.fromkeys(one for one in wanted if one not in tokenizer.get_vocab()))
    tokenizer.add_tokens(missing, special_tokens=True)
    old = decoder.get_input_embeddings().num_embeddings
    if len(tokenizer) > old:
        _grow(decoder, math.ceil(len(tokenizer) / _ROUND) * _ROUND, old)
    config = _config(recipe, decoder.get_input_embeddings().num_embeddings, tokenizer)
    model = LMM(config)
    _copy(model.decoder, decoder.state_dict(), parts.decoder, injected=True)
    if len(parts.towers) != len(model.towers):
        raise SetupError(
            f"begin.towers names {len(parts.towers)}, {recipe.preset} has {len(model.towers)}."
        )
    for tower, name in zip(model.towers, parts.towers, strict=True):
        encoder: Any = tower.encoder
        found = _loaded(type(encoder), name, "tower")
        _copy(encoder, found.state_dict(), name, injected=False)
    copy_words_to_experts(model.decoder)
    return model, processor_for(config, tokenizer, recipe.template)


def _config(recipe: Recipe, size: int, tokenizer: Any) -> LMMConfig:
    """The preset, with the tokens at which its tokenizer writes what is shown."""
    template, vocabulary = TEMPLATES[recipe.template], tokenizer.get_vocab()
    config = PRESETS[recipe.preset](size, image_token_id=vocabulary[template.image_token])
    lies = layout_of(config)
    found = {}
    if lies is not None and lies.videos and len(sides_of(config)) == 1:
        found["video_token_id"] = vocabulary.get(template.video_token)
    if config.states:
        found["state_token_id"] = vocabulary.get(template.state_token)
    layout = config.layout or {}
    if "prefix_end_id" in layout:
        if PREFIX_END not in vocabulary:
            raise SetupError(
                f"{recipe.preset} reads both ways what stands before {PREFIX_END}, which the"
                " tokenizer lacks. Write its conversations with template visualglm."
            )
        found["prefix_end_id"] = vocabulary[PREFIX_END]
    config.layout = layout | {key: one for key, one in found.items() if one is not None}
    return config


def _templates(recipe: Recipe) -> list[str]:
    return [recipe.template, *(stage.template for stage in recipe.stages if stage.template)]


def _loaded(kind: Any, name: str, what: str) -> Any:
    try:
        model, told = kind.from_pretrained(name, output_loading_info=True, dtype=torch.float32)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise SetupError(f"begin: the {what} {name} cannot be loaded: {error}") from error
    if told["missing_keys"]:
        raise SetupError(
            f"begin: the {what} {name} lacks {len(told['missing_keys'])} weights, such as"
            f" {sorted(told['missing_keys'])[0]}."
        )
    return model


def _copy(module: torch.nn.Module, state: dict[str, Any], name: str, *, injected: bool) -> None:
    own = module.state_dict()
    # A tower may be the beginning of an encoder, without its last layers and its head.
    extra = list(state.keys() - own.keys()) if injected else []
    missing = [
        key
        for key in own.keys() - state.keys()
        if not (injected and parts_of(f"decoder.{key}") == ("injections",))
    ]
    shapes = [key for key in own.keys() & state.keys() if own[key].shape != state[key].shape]
    if wrong := sorted([*extra, *missing, *shapes]):
        raise SetupError(
            f"begin: {name} does not fit the preset: {len(wrong)} weights are missing, too many or"
            f" of other shapes, such as {', '.join(wrong[:3])}."
        )
    module.load_state_dict({key: state[key] for key in own.keys() & state.keys()}, strict=False)


def _grow(decoder: Any, size: int, old: int) -> None:
    decoder.resize_token_embeddings(size, mean_resizing=False)
    with torch.no_grad():
        for embeddings in (decoder.get_input_embeddings(), decoder.get_output_embeddings()):
            embeddings.weight[old:] = embeddings.weight[:old].mean(dim=0)


def processor_for(config: LMMConfig, tokenizer: Any, template: str) -> LMMProcessor:
    """The processor of a model that is put together."""
    states = config.states or {}
    return LMMProcessor(
        tokenizer,
        template=template,
        layout=layout_of(config),
        sides=sides_of(config),
        state_dim=states.get("dim"),
        tokens_per_state=states.get("tokens", 1),
    )


def sides_of(config: LMMConfig) -> list[Side]:
    """How the towers of a model want their pictures; one where all want the same."""
    found = []
    for tower in config.towers or []:
        mean, std = NORMALS.get(tower["vision"]["model_type"], CLIP)
        found.append(Side(pixels=tower_size(tower), mean=mean, std=std))
    return found[:1] if len(set(found)) == 1 else found


def with_template(processor: LMMProcessor, template: str) -> LMMProcessor:
    """The same processor, writing another template.

    Raises:
        SetupError: Its tokenizer lacks special tokens of that.
    """
    if processor.template.name == template:
        return processor
    try:
        changed = LMMProcessor(
            processor.tokenizer,
            template=template,
            skills=processor.skills,
            layout=processor.layout,
            sides=processor.sides,
            state_dim=processor.state_dim,
            tokens_per_state=processor.tokens_per_state,
        )
    except ValueError as error:
        raise SetupError(f"template: {error} Begin with a model that knows them.") from error
    if changed.image_token_id != processor.image_token_id:
        raise SetupError(
            f"template: {template!r} writes pictures as {changed.template.image_token!r}, the model"
            f" knows them as {processor.template.image_token!r}."
        )
    return changed
