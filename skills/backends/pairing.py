"""Pictures and words as vectors that can be compared: CLIP and SigLIP, as transformers has them.

CLIP: Radford et al. 2021, arXiv 2103.00020. SigLIP: Zhai et al. 2023, arXiv 2303.15343; SigLIP 2:
Tschannen et al. 2025, arXiv 2502.14786.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Table
from llava_plus.skills.absent import needs_pictures
from llava_plus.skills.albums import Album, found_table

from .finds import Floats, check_picture
from .wording import pillow

AT_ONCE = 16  # pictures


class Pairing:
    """Turns pictures and words into vectors of length 1 in one space.

    Args:
        model: A ``CLIPModel``, ``SiglipModel`` or ``Siglip2Model``.
        processor: What belongs to it.
        key: Names the weights; what was made with others cannot be compared.
    """

    def __init__(self, model: Any, processor: Any, *, key: str) -> None:
        self._model = model
        self._processor = processor
        self._padded = hasattr(model, "logit_bias")  # SigLIP learned texts of one length
        self.key = key

    def search_images(
        self,
        text: str = "",
        *,
        image: Image | None = None,
        most: int = 10,
        album: Album | None = None,
    ) -> Table:
        """Find the pictures of a folder that fit words, or are like a picture.

        Args:
            text: The words.
            image: The picture; either it or words.
            most: How many.
            album: The folder.
        """
        if album is None:
            raise needs_pictures("search_images")
        if bool(text.strip()) == (image is not None):
            raise SkillError(
                "search_images: give either text, such as 'a dog on a beach', or image, and not "
                "both."
            )
        vector = self.words(text.strip()) if image is None else self._picture(image)
        return found_table(album.nearest(self.key, vector, most))

    def vectors(self, images: Iterable[Image]) -> Floats:
        """Return (picture, dimension); of the pictures only one is held at a time."""
        parts = [self._looked(batch) for batch in _batches(map(self._prepared, images))]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    def words(self, text: str) -> Floats:
        """Return (dimension,) of words.

        Raises:
            SkillError: They are more than the model reads.
        """
        import torch

        most = self._model.config.text_config.max_position_embeddings
        text = text.lower() if self._padded else text  # SigLIP learned small letters
        length = len(self._processor.tokenizer(text)["input_ids"])
        if length > most:
            raise SkillError(
                f"search_images: text is {length} tokens long, and the model reads {most}. "
                "Say it in a few words."
            )
        filled = {"padding": "max_length", "max_length": most} if self._padded else {}
        inputs = self._processor(text=[text], return_tensors="pt", **filled)
        with torch.inference_mode():
            found = self._model.get_text_features(**inputs.to(self._model.device))
        vector: Floats = _unit(found.pooler_output)[0]
        return vector

    def _picture(self, image: Image) -> Floats:
        check_picture("search_images", image)
        vector: Floats = self.vectors([image])[0]
        return vector

    def _prepared(self, image: Image) -> dict[str, Any]:
        """Return what the model takes of one picture: small, and of one size for all pictures."""
        return dict(self._processor(images=[pillow(image)], return_tensors="pt"))

    def _looked(self, prepared: list[dict[str, Any]]) -> Floats:
        import torch

        device = self._model.device
        inputs = {
            name: torch.cat([each[name] for each in prepared]).to(device) for name in prepared[0]
        }
        with torch.inference_mode():
            return _unit(self._model.get_image_features(**inputs).pooler_output)


def _unit(vectors: Any) -> Floats:
    found: Floats = (vectors / vectors.norm(dim=-1, keepdim=True)).float().cpu().numpy()
    return found


def _batches(prepared: Iterable[Any]) -> Iterator[list[Any]]:
    prepared = iter(prepared)
    while batch := list(islice(prepared, AT_ONCE)):
        yield batch
