"""BLIP-2's first stage in a recipe: a module of an `LMM`'s parts, which it hands back."""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForMaskedLM, AutoTokenizer, Blip2QFormerConfig, Blip2QFormerModel

from llava_plus.errors import SetupError
from llava_plus.model.lmm import LMM
from llava_plus.model.pretrain import QFormerPretrainer
from llava_plus.model.qformer import QFormerConnector

LOG = logging.getLogger(__name__)
BEGIN = "[DEC]"  # the word that begins a caption to write


def text_tokenizer(name: str) -> Any:
    """The tokenizer of a Q-Former's words, with a token that begins written ones."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise SetupError(f"text_encoder: no tokenizer at {name}: {error}") from error
    if tokenizer.bos_token is None:
        tokenizer.add_special_tokens({"bos_token": BEGIN})
    if tokenizer.pad_token is None:
        raise SetupError(f"text_encoder: the tokenizer of {name} has no padding token.")
    return tokenizer


def pretrainer(model: LMM, tokenizer: Any, seed: int) -> QFormerPretrainer:
    """The first stage's module around a model's tower and Q-Former.

    Where the tokenizer's folder holds BERT's weights too, the Q-Former begins with them, as the
    original does; what only pictures go through begins as what words go through.
    """
    connector = model.connector
    if not isinstance(connector, QFormerConnector):
        raise SetupError(
            "objective: qformer needs a preset with a Q-Former, such as blip2-opt-2.7b."
        )
    torch.manual_seed(seed + 1)
    facts = connector.qformer.config.to_dict()
    facts |= {"use_qformer_text_input": True, "vocab_size": len(tokenizer)}
    qformer = Blip2QFormerModel(Blip2QFormerConfig(**facts))
    qformer.load_state_dict(connector.qformer.state_dict(), strict=False)
    queries = connector.query_tokens.detach()
    if not bool(queries.any()):  # a new model's
        queries = torch.randn_like(queries) * float(facts["initializer_range"])
    made = QFormerPretrainer(model.towers[0], qformer, queries, tokenizer.bos_token_id)
    if (Path(tokenizer.name_or_path) / "config.json").is_file():
        _begin_as_bert(made, tokenizer.name_or_path)
    else:
        LOG.info("The Q-Former begins with random weights: %s has none.", tokenizer.name_or_path)
    return made


def hand_back(learner: nn.Module, model: LMM) -> None:
    """Put a trained Q-Former and its queries into the model that they came from."""
    assert isinstance(learner, QFormerPretrainer)
    connector: Any = model.connector
    state = learner.connector["qformer"].state_dict()
    connector.qformer.load_state_dict({k: state[k] for k in connector.qformer.state_dict()})
    with torch.no_grad():
        connector.query_tokens.copy_(learner.connector.query_tokens)


def _begin_as_bert(made: QFormerPretrainer, folder: str) -> None:
    """Copy a BERT's weights; cross-attention is not among them."""
    bert = AutoModelForMaskedLM.from_pretrained(folder).state_dict()
    own = made.connector["qformer"].state_dict()
    copied = {}
    for name, weight in bert.items():
        if not name.startswith("bert.encoder.layer."):
            continue
        name = name.removeprefix("bert.").replace(".attention.self.", ".attention.attention.")
        for target in (
            name,
            name.replace(".intermediate.", ".intermediate_query."),
            _query_output(name),
        ):
            if target in own:
                copied[target] = weight
    if wrong := [name for name, weight in copied.items() if own[name].shape != weight.shape]:
        raise SetupError(
            f"text_encoder: {folder} is of another size than the Q-Former: {wrong[0]}."
        )
    made.connector["qformer"].load_state_dict(copied, strict=False)
    heads = made.heads
    with torch.no_grad():
        words = bert["bert.embeddings.word_embeddings.weight"]
        heads.words.weight[: len(words)] = words
        heads.places.weight.copy_(bert["bert.embeddings.position_embeddings.weight"])


def _query_output(name: str) -> str:
    """The name of the second map of a feed-forward that only queries go through."""
    parts = name.split(".")
    if len(parts) > 3 and parts[3] == "output":
        parts[3] = "output_query"
    return ".".join(parts)
