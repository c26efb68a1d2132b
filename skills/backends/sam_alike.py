"""Outlining what is like a thing in another picture, after PerSAM (Zhang et al. 2023).

Of "Personalize Segment Anything Model with One Shot" (arXiv 2305.03048), the form without training:
what SAM's large part makes of the thing is compared with every place of the other picture; the most
and the least similar places are the points that are asked with, the similarity guides the decoder's
attention, and what it outlines is given to it twice more, to be refined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Masks, Region, region_mask
from llava_plus.skills.builtin.areas import parts_of

from .masking import Seen

if TYPE_CHECKING:
    from .outlining import Outliner


def outlined_alike(model: Outliner, image: Image, reference: Image, region: Region) -> Masks:
    """Outline in a picture what is most like a region of another one.

    Returns:
        One mask. Its score is the cosine of the angle between what SAM makes of the region and of
        the mask, 0..1: low where the thing is not there, but no measure of how good the outline is.
    """
    import torch

    marked = region_mask(parts_of("segment_alike", region), reference.width, reference.height)
    if not marked.any():
        raise SkillError("segment_alike: the region covers nothing of the reference.")
    there, here = model.look(reference), model.look(image)
    with torch.inference_mode():
        target = _mean(there, marked)  # (channel,)
        likeness = torch.cosine_similarity(here.embedding[0], target[:, None, None], dim=0)
        points = _extremes(likeness, here)
        guide: dict[str, Any] = {
            "attention_similarity": _attention(likeness),
            "target_embedding": target[None, None],
        }
    prompt: dict[str, Any] = {"points": points[None], "labels": np.array([[1, 0]])}
    first, _ = model.decoded(image, **prompt, multimask=False, **guide)
    logits = _best(*model.decoded(image, **prompt, input_masks=first))
    box = _box(model.outlines(image, logits[0])[0])
    if box is not None:
        logits = _best(*model.decoded(image, **prompt, boxes=box, input_masks=logits))
    mask = model.outlines(image, logits[0])
    if not mask.any():
        return Masks((), query="thing like it")
    with torch.inference_mode():
        alike = torch.cosine_similarity(_mean(here, mask[0]), target, dim=0)
    score = round(min(max(float(alike), 0.0), 1.0), 3)
    return Masks.from_array(mask, scores=(score,), query="thing like it")


def cells(seen: Seen, mask: NDArray[np.bool_]) -> Any:
    """Return (row, column) booleans: which cells of the embedding a mask of the picture covers.

    Those of which it covers half or more; where there is none, as with small things, the one of
    which it covers most.
    """
    import torch
    from torch.nn import functional

    height, width = seen.scaled
    whole = torch.from_numpy(mask)[None, None].float()
    inside = functional.interpolate(whole, (height, width), mode="area")
    square = functional.pad(inside, (0, seen.square - width, 0, seen.square - height))
    shares = functional.adaptive_avg_pool2d(square, seen.embedding.shape[-2:])[0, 0]
    return shares >= min(0.5, float(shares.max()))


def _mean(seen: Seen, mask: NDArray[np.bool_]) -> Any:
    """Return (channel,): the middle of what the model makes of a mask's cells."""
    return seen.embedding[0][:, cells(seen, mask).to(seen.embedding.device)].mean(dim=1)


def _extremes(likeness: Any, seen: Seen) -> NDArray[np.float64]:
    """Return (2, 2): the most and the least similar place of the picture, in 0..1."""
    from torch.nn import functional

    height, width = seen.scaled
    size = (seen.square, seen.square)
    smooth = functional.interpolate(likeness[None, None], size, mode="bilinear")
    inside = smooth[0, 0, :height, :width].flatten()
    spots = np.array([int(inside.argmax()), int(inside.argmin())])
    return np.stack([(spots % width + 0.5) / width, (spots // width + 0.5) / height], axis=1)


def _attention(likeness: Any) -> Any:
    """Return (1, 1, 1, cell): what the decoder's attention to each cell of the picture gets more.

    The similarity with its mean taken off and divided by its deviation, through a sigmoid.
    """
    deviation = likeness.std().clamp(min=1e-6)
    return ((likeness - likeness.mean()) / deviation).sigmoid().flatten()[None, None, None]


def _best(logits: Any, scores: Any) -> Any:
    """Return (1, 1, row, column): of one prompt's masks the one that SAM takes for the best."""
    return logits[:, scores[0].argmax()][:, None]


def _box(mask: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return (1, 4): the box around a mask in 0..1; nothing where it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    height, width = mask.shape
    edges = [columns[0] / width, rows[0] / height, (columns[-1] + 1) / width]
    return np.array([[*edges, (rows[-1] + 1) / height]])
