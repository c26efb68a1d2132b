"""Towers as timm names and computes them, which Cambrian-1 takes, and how a case is given."""

import torch
from ours import pictures
from theirs import drawn
from torch import Tensor, nn
from torch.nn import functional

Layout = dict[str, tuple[int, ...]]
Given = tuple[dict[str, Tensor], Layout]


def layout_of(*parts: tuple[str, nn.Module]) -> Layout:
    """Names and shapes of all weights and buffers that such modules keep."""
    return {
        prefix + name: tuple(one.shape)
        for prefix, module in parts
        for name, one in module.state_dict().items()
    }


def timm_siglip() -> Given:
    """Features of two pictures, as Cambrian-1 takes them."""
    from timm.models.vision_transformer import VisionTransformer

    model = VisionTransformer(
        img_size=8,
        patch_size=2,
        embed_dim=16,
        depth=3,
        num_heads=2,
        mlp_ratio=2,
        class_token=False,
        global_pool="map",
        num_classes=0,
        act_layer="gelu_tanh",
    )
    drawn(model, "visual.trunk.")
    return {"features": model.forward_features(pictures(2, 8))}, layout_of(("visual.trunk.", model))


def timm_convnext() -> Given:
    """Every stage's features of two pictures on one grid, as Cambrian-1 takes them."""
    from timm.models.convnext import ConvNeXt

    model = ConvNeXt(depths=(1, 1, 1, 1), dims=(8, 8, 16, 16), num_classes=0, norm_eps=1e-5)
    drawn(model, "visual.trunk.")
    states, stages = model.stem(pictures(2, 32)), []
    for stage in model.stages:
        states = stage(states)
        stages.append(functional.interpolate(states, (8, 8), mode="bilinear"))
    features = torch.cat(stages, dim=1).flatten(2).transpose(1, 2)
    return {"features": features}, layout_of(("visual.trunk.", model))
