"""Tags by models that compare a picture with words: SigLIP, SigLIP 2 and CLIP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Tags
from llava_plus.skills.common_things import COMMON_THINGS

from .checkpoint import load_checkpoint
from .finds import Floats, check_picture
from .pairing import Pairing
from .weights import identity
from .wording import pillow

SENTENCE = (
    "this is a photo of {}."  # as transformers' own zero-shot classification, in small letters
)
AT_ONCE = 64  # sentences
MOST = 5  # words of a picture, where nobody says how many
PICTURES = 16  # of calls that wait
LISTS = 4  # lists of words whose sentences are remembered

BLANK = Image(np.full((32, 32, 3), 127, np.uint8))  # the models want a picture with each text


def load_matcher(folder: Path, device: str) -> Matcher:
    """Load the model from a folder."""
    from transformers import AutoModel, AutoProcessor

    model, processor = load_checkpoint(folder, device, AutoModel, AutoProcessor)
    at_once = 1 if device == "cpu" else PICTURES
    return Matcher(model, processor, key=identity(folder), at_once=at_once)


class Tagger(ABC):
    """Says which words fit a picture, of several waiting calls at once."""

    def __call__(
        self, image: Image, *, words: Sequence[str] | None = None, most: int = MOST
    ) -> Tags:
        """Return the words that fit best, the best one first.

        Args:
            image: The picture.
            words: Those that there are; if left out, the tagger's own.
            most: How many to return at most.
        """
        return self.together([{"image": image, "words": words, "most": most}])[0]

    def group(self, arguments: Mapping[str, Any]) -> Hashable:
        """Return the same for all calls: each picture is brought to one size."""
        return ""

    @abstractmethod
    def together(self, calls: Sequence[Mapping[str, Any]]) -> list[Tags]:
        """Do several calls at once: the model looks at all pictures in one go."""


class Matcher(Tagger):
    """Says which words fit a picture; what it made of a list of words, it remembers.

    Words that are left out are `COMMON_THINGS`. Scores are of SigLIP the chance that each word
    fits, of CLIP its share among all.

    Args:
        model: A ``SiglipModel``, ``Siglip2Model`` or ``CLIPModel``.
        processor: Its processor.
        key: Names the weights.
        at_once: How many calls it may do together; a processor gains nothing from several.
    """

    def __init__(self, model: Any, processor: Any, *, key: str, at_once: int = 1) -> None:
        self.at_once = at_once
        self.pairing = Pairing(model, processor, key=key)
        self.search_images = self.pairing.search_images
        self._model = model
        self._processor = processor
        self._alone = hasattr(model, "logit_bias")  # SigLIP judges each word by itself
        self._known: dict[tuple[str, ...], Floats] = {}
        self.read = 0  # how many sentences the model has read

    def together(self, calls: Sequence[Mapping[str, Any]]) -> list[Tags]:
        """Do several calls at once: the model looks at all pictures in one go."""
        for call in calls:
            check_picture("tag", call["image"])
        lists = [call.get("words") for call in calls]
        names = [COMMON_THINGS if each is None else tuple(wanted_words(each)) for each in lists]
        seen = self.pairing.vectors(call["image"] for call in calls)  # (call, channel)
        return [
            best_tags(self._fits(vector, known), known, call.get("most", MOST))
            for vector, known, call in zip(seen, names, calls, strict=True)
        ]

    def scores(self, image: Image, names: tuple[str, ...]) -> Floats:
        """Return how well each word fits, in 0..1: (word,)."""
        return self._fits(self.pairing.vectors([image])[0], names)

    def _fits(self, seen: Floats, names: tuple[str, ...]) -> Floats:
        """Return how well each word fits what was seen, (channel,) of length 1: (word,)."""
        import torch

        logits = seen @ self._sentences(names).T * float(self._model.logit_scale.detach().exp())
        if self._alone:
            logits = logits + float(self._model.logit_bias.detach())
        fits = torch.from_numpy(logits)
        scores: Floats = (fits.sigmoid() if self._alone else fits.softmax(0)).numpy()
        return scores

    def _sentences(self, names: tuple[str, ...]) -> Floats:
        """Return what the model makes of each word in a sentence, of length 1: (word, channel)."""
        if names not in self._known:
            parts = []
            for start in range(0, len(names), AT_ONCE):
                texts = [SENTENCE.format(name) for name in names[start : start + AT_ONCE]]
                parts.append(self._read(texts).text_embeds.float().cpu().numpy())
                self.read += len(texts)
            if len(self._known) == LISTS:
                self._known.pop(next(iter(self._known)))
            self._known[names] = np.concatenate(parts)
        return self._known[names]

    def _read(self, texts: list[str]) -> Any:
        import torch

        longest = self._model.config.text_config.max_position_embeddings
        padding = {"padding": "max_length", "max_length": longest} if self._alone else {}
        inputs = self._processor(
            images=pillow(BLANK), text=texts, return_tensors="pt", **{"padding": True, **padding}
        )
        if inputs["input_ids"].shape[1] > longest:
            raise SkillError(
                f"tag: a word of the list is longer than the {longest} tokens that can be read. "
                "Use short words."
            )
        with torch.inference_mode():
            return self._model(**inputs.to(self._model.device))


def best_tags(scores: Floats, names: Sequence[str], most: int) -> Tags:
    """Return the words with the highest scores, the best one first."""
    best = np.argsort(-scores, kind="stable")[:most]
    return Tags(
        tuple(names[index] for index in best),
        scores=tuple(round(float(scores[index]), 4) for index in best),
    )


def wanted_words(words: Sequence[str]) -> list[str]:
    """Return the words of a person's list, each once.

    Raises:
        SkillError: One of them says nothing.
    """
    found = [" ".join(word.lower().split()) for word in words]
    for word, given in zip(found, words, strict=True):
        if not any(letter.isalnum() for letter in word):
            raise SkillError(f"tag: words has {given!r}, which names nothing. Leave it out.")
    return list(dict.fromkeys(found))
