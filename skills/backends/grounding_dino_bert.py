"""Building the original GroundingDINO beside transformers 5.

Its own wrapper of BERT calls methods that BertModel no longer has, and its constructor fetches
BERT's weights, which are in the checkpoint already. While a model is built, both are replaced.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_LOCK = threading.Lock()  # what is replaced belongs to the whole process


def build(config: SimpleNamespace, bert: Path) -> Any:
    """Return a GroundingDINO with no weights in it yet.

    Args:
        config: As its authors write it, one attribute for each name.
        bert: A folder with the config and the tokenizer of its BERT.
    """
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports names that timm has moved
        from groundingdino.models import build_model

        with _replaced():
            return build_model(SimpleNamespace(**{**vars(config), "text_encoder_type": str(bert)}))


@contextmanager
def _replaced() -> Iterator[None]:
    from groundingdino.models.GroundingDINO import groundingdino as module

    tools = SimpleNamespace(
        get_tokenlizer=_tokenizer, get_pretrained_language_model=_language_model
    )
    old = module.get_tokenlizer, module.BertModelWarper
    module.get_tokenlizer, module.BertModelWarper = tools, _wrapped
    try:
        yield
    finally:
        module.get_tokenlizer, module.BertModelWarper = old


def _tokenizer(folder: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _language_model(folder: str) -> Any:
    from transformers import BertConfig, BertModel

    config = BertConfig.from_pretrained(folder, local_files_only=True, attn_implementation="eager")
    return BertModel(config)


def _wrapped(bert_model: Any) -> Any:
    """Return a BertModel that takes the mask of GroundingDINO, with the weights' names unchanged.

    Between tokens of different phrases nothing is exchanged: its mask is (batch, token, token), and
    BertModel takes one of four dimensions, which is added to the attention.
    """
    import torch

    def widen(module: Any, args: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        allowed = named["attention_mask"]
        if allowed.dim() == 3:
            scores = torch.zeros(allowed.shape, device=allowed.device, dtype=module.dtype)
            lowest = torch.finfo(module.dtype).min
            named["attention_mask"] = scores.masked_fill(~allowed, lowest)[:, None]
        return args, named

    bert_model.register_forward_pre_hook(widen, with_kwargs=True)
    return bert_model
