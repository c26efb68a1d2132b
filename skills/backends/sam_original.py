"""Outlines by SAM (Kirillov et al. 2023, arXiv 2304.02643), as its authors published it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SetupError
from llava_plus.skills import Image

from .checkpoint import AGAIN, placed
from .masking import Floats, Seen, Size
from .outlining import Outliner
from .pickled import read_weights, tensors_of

HEADS = 8  # of the mask decoder, in all published sizes; no shape tells it
MEAN, SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # ImageNet's, of 0..255
_EYE = "image_encoder."
_HAND = "mask_decoder."


def check_sam_original(file: Path) -> None:
    """Refuse a file that does not hold a SAM.

    Raises:
        SetupError: It cannot be read, or is of another model.
    """
    sizes_of(file, tensors_of(file, read_weights(file, only_shapes=True)))


def load_sam_original(file: Path, device: str) -> Outliner:
    """Load the model of a ``.pth`` file; its size (ViT-B, -L, -H or another) is read off it."""
    tensors = tensors_of(file, read_weights(file))
    model = build_sam(sizes_of(file, tensors))
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        told = " ".join(str(error).split())[:200]
        raise SetupError(f"The weights in {file} are no whole SAM: {told}. {AGAIN}") from error
    return Outliner(SamOriginal(placed(model, device)))


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What sets one SAM apart from another."""

    channels: int
    side: int  # patches
    patch: int  # pixels
    heads: int
    spans: tuple[int, ...]  # patches each way that each block's attention reaches
    inner: int
    out: int
    mask_channels: int
    deep: int
    deep_inner: int
    choices: int
    judge: int
    judge_deep: int


def sizes_of(file: Path, tensors: dict[str, Any]) -> Sizes:
    """Read the sizes of a SAM off its weights.

    Raises:
        SetupError: The weights are of another model.
    """
    try:
        _, side, _, channels = tensors[f"{_EYE}pos_embed"].shape
        blocks = [f"{_EYE}blocks.{n}." for n in range(_count(tensors, f"{_EYE}blocks."))]
        relative = [tensors[f"{block}attn.rel_pos_h"].shape for block in blocks]
        return Sizes(
            channels=channels,
            side=side,
            patch=tensors[f"{_EYE}patch_embed.proj.weight"].shape[-1],
            heads=channels // relative[0][1],
            spans=tuple((rows + 1) // 2 for rows, _ in relative),
            inner=len(tensors[f"{_EYE}blocks.0.mlp.lin1.weight"]),
            out=len(tensors[f"{_EYE}neck.0.weight"]),
            mask_channels=len(tensors["prompt_encoder.mask_downscaling.3.weight"]),
            deep=_count(tensors, f"{_HAND}transformer.layers."),
            deep_inner=len(tensors[f"{_HAND}transformer.layers.0.mlp.lin1.weight"]),
            choices=len(tensors[f"{_HAND}mask_tokens.weight"]) - 1,
            judge=len(tensors[f"{_HAND}iou_prediction_head.layers.0.weight"]),
            judge_deep=_count(tensors, f"{_HAND}iou_prediction_head.layers."),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise SetupError(
            f"{file} holds weights of another model than segment-anything's SAM (vit_b, vit_l or "
            "vit_h). Name a file of one of these."
        ) from error


def build_sam(sizes: Sizes) -> Any:
    """Return a SAM of segment-anything."""
    from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
    from segment_anything.modeling import Sam as Original

    side, out = sizes.side, sizes.out
    pixels = side * sizes.patch
    asked = PromptEncoder(
        embed_dim=out,
        image_embedding_size=(side, side),
        input_image_size=(pixels, pixels),
        mask_in_chans=sizes.mask_channels,
    )
    hand = MaskDecoder(
        transformer_dim=out,
        transformer=TwoWayTransformer(
            depth=sizes.deep, embedding_dim=out, num_heads=HEADS, mlp_dim=sizes.deep_inner
        ),
        num_multimask_outputs=sizes.choices,
        iou_head_depth=sizes.judge_deep,
        iou_head_hidden_dim=sizes.judge,
    )
    return Original(_eye(sizes), asked, hand, pixel_mean=list(MEAN), pixel_std=list(SPREAD))


def _eye(sizes: Sizes) -> Any:
    from segment_anything.modeling import ImageEncoderViT
    from torch import nn

    windows = [span for span in sizes.spans if span != sizes.side]
    return ImageEncoderViT(
        depth=len(sizes.spans),
        embed_dim=sizes.channels,
        img_size=sizes.side * sizes.patch,
        mlp_ratio=sizes.inner / sizes.channels,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=sizes.heads,
        patch_size=sizes.patch,
        use_rel_pos=True,
        global_attn_indexes=tuple(n for n, span in enumerate(sizes.spans) if span == sizes.side),
        window_size=windows[0] if windows else 0,
        out_chans=sizes.out,
    )


class SamOriginal:
    """Looks at pictures and answers prompts.

    Args:
        model: A ``segment_anything.modeling.Sam``.
    """

    def __init__(self, model: Any) -> None:
        from segment_anything.utils.transforms import ResizeLongestSide

        self._model = model
        self._fitted = ResizeLongestSide(model.image_encoder.img_size)

    def look(self, image: Image) -> Seen:
        """Return what the large part makes of a picture."""
        import torch

        pixels = self._fitted.apply_image(np.ascontiguousarray(image.rgb()))
        tensor = torch.as_tensor(pixels, device=self._model.device).permute(2, 0, 1)[None]
        with torch.inference_mode():
            embedding = self._model.image_encoder(self._model.preprocess(tensor))
        return Seen(
            embedding=embedding,
            size=(image.height, image.width),
            scaled=(pixels.shape[0], pixels.shape[1]),
            square=self._model.image_encoder.img_size,
        )

    def decoded(
        self,
        seen: Seen,
        *,
        points: Floats | None = None,
        labels: NDArray[np.int64] | None = None,
        boxes: Floats | None = None,
        multimask: bool = True,
        **more: Any,
    ) -> tuple[Any, Any]:
        """Return masks and scores for prompts, see `Looker`."""
        marked = None if points is None else (self._tensor(points), self._tensor(labels))
        framed = None if boxes is None else self._tensor(boxes)
        sparse, dense = self._model.prompt_encoder(points=marked, boxes=framed, masks=None)
        logits, scores = self._model.mask_decoder(
            image_embeddings=seen.embedding,
            image_pe=self._model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            **more,
        )
        return logits, scores

    def enlarged(self, seen: Seen, logits: Any, size: Size) -> Any:
        """Bring masks to a size, see `Looker`."""
        return self._model.postprocess_masks(logits[:, None], seen.scaled, size)[:, 0]

    def _tensor(self, numbers: Any) -> Any:
        import torch

        return torch.as_tensor(numbers, dtype=torch.float32, device=self._model.device)


def _count(tensors: dict[str, Any], start: str) -> int:
    """Count the blocks whose weights' names begin so."""
    return len({key[len(start) :].split(".")[0] for key in tensors if key.startswith(start)})
