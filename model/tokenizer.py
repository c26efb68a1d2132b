"""Training a byte-level tokenizer."""

import re
from collections.abc import Iterable, Iterator, Sequence

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from .templates import NANO


def train_tokenizer(
    texts: Iterable[str],
    *,
    vocab_size: int = 4096,
    specials: Sequence[str] = NANO.specials,
    boilerplate: Sequence[str] = (),
    end_token: str = NANO.end_token,
) -> PreTrainedTokenizerFast:
    """Learn a byte-level BPE vocabulary; decoding gives back exactly what was encoded.

    Args:
        texts: What to learn from.
        vocab_size: How many tokens in all, special tokens and boilerplate included.
        specials: Tokens that words never turn into; they get the first ids, in this order.
        boilerplate: Strings that become one token each wherever they occur, longest first. Digits
            are single tokens, so that any number is spelled in the same way.
        end_token: The special token that ends a message.
    """
    least = 256 + len(specials) + len(boilerplate)
    if vocab_size < least:
        raise ValueError(
            f"vocab_size {vocab_size} is too small: 256 bytes, {len(specials)} special tokens and"
            f" {len(boilerplate)} boilerplate strings need {least}."
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(boilerplate),
        special_tokens=[AddedToken(name, special=True, normalized=False) for name in specials],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_without(texts, boilerplate), trainer)
    tokenizer.add_tokens(
        [AddedToken(text, special=False, normalized=False) for text in boilerplate]
    )
    for text in boilerplate:
        ids = tokenizer.encode(text).ids
        if tokenizer.decode(ids) != text or len(ids) != 1:
            raise ValueError(
                f"boilerplate {text!r} does not decode to itself as one token;"
                " leave out special tokens and letters such as 'é' (ASCII is safe)."
            )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token=end_token,
        pad_token=end_token,
        clean_up_tokenization_spaces=False,
    )


def _without(texts: Iterable[str], boilerplate: Sequence[str]) -> Iterator[str]:
    """What is left of the texts for the vocabulary to learn."""
    if not boilerplate:
        yield from texts
        return
    pattern = re.compile("|".join(map(re.escape, sorted(boilerplate, key=len, reverse=True))))
    for text in texts:
        yield from filter(None, pattern.split(text))
