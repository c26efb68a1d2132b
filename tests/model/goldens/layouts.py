"""Names and shapes of weights as the systems' own code has them, and what it gives for them.

python tests/model/goldens/layouts.py qwen-vl path/to/Monkey

Sizes are tiny, weights are drawn by their names. The files lie in `layouts/`; the names and shapes
are in a file's metadata. `test_original_layouts.py` writes such checkpoints and reads them.
"""

import argparse
import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import stand_ins
import torch
import transformers
from compare import REPOSITORIES, commit
from ours import draw, pictures
from safetensors.torch import save_file
from theirs import drawn, load
from timm_towers import Given, layout_of, timm_convnext, timm_siglip
from torch import nn

NO_PICTURE = [5, 6, 7, 11, 12, 13, 14, 15, 16, 8, 9]
PLACES = (4, 8)  # which of these a picture takes


def qwen_vl(checkout: Path) -> Given:
    """Logits of a picture among words, from pixels and tokens on, and of words alone."""
    stand_ins.leave_out(
        "flash_attn", "requests", "tiktoken", "torchvision", "transformers_stream_generator",
        "xformers",
    )  # fmt: skip
    package = ModuleType("monkey_model")
    package.__path__ = [str(checkout / "monkey_model")]
    sys.modules["monkey_model"] = package
    transformers.generation.BeamScorer = object
    transformers.generation.ConstrainedBeamSearchScorer = object
    code = import_module("monkey_model.modeling_qwen")
    code.QWenModel.get_head_mask = lambda self, mask, layers: [None] * layers
    visual = {
        "heads": 2, "image_size": 8, "image_start_id": 100, "layers": 2, "mlp_ratio": 2.0,
        "output_dim": 256, "patch_size": 2, "width": 16, "n_queries": 4, "lora_repeat_num": 0,
    }  # fmt: skip
    config = import_module("monkey_model.configuration_qwen").QWenConfig(
        vocab_size=128,
        hidden_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=96,
        kv_channels=128,
        seq_length=64,
        use_flash_attn=False,
        fp32=True,
        visual=visual,
    )
    model = code.QWenLMHeadModel(config)
    places = model.transformer.visual.attn_pool.pos_embed.data.clone()
    drawn(model)
    model.transformer.visual.attn_pool.pos_embed.data = places
    seen = model.transformer.visual(pictures(1, 8))
    words = model(input_ids=torch.tensor([NO_PICTURE]), use_cache=False, return_dict=True).logits
    model.transformer.wte.register_forward_hook(
        lambda module, given, rows: rows.index_copy(1, torch.arange(*PLACES), seen)
    )
    logits = model(input_ids=torch.tensor([NO_PICTURE]), use_cache=False, return_dict=True).logits
    return {"logits": logits, "words": words}, layout_of(("", model))


def visualglm(checkout: Path, sat: Path) -> Given:
    """Tokens of two pictures, from pixels on; the decoder's layout is ChatGLM's own case."""
    stand_ins.leave_out(
        "bitsandbytes", "boto3", "braceexpand", "cpm_kernels", "datasets", "deepspeed", "einops",
        "sentencepiece", "tensorboardX", "timm", "torchvision", "triton", "wandb", "webdataset",
        "xformers",
    )  # fmt: skip
    sys.path.insert(0, str(sat))
    code = load(checkout / "model" / "blip2.py", "visualglm_blip2")
    run = {
        "world_size": 1, "rank": 0, "local_rank": 0, "deepspeed": None, "bf16": False,
        "fp16": False, "mode": "inference", "device": "cpu", "model_parallel_size": 1,
        "skip_init": True, "use_gpu_initialization": False,
    }  # fmt: skip
    tower = code.EVAViT(code.EVAViT.get_args(**VISUALGLM["eva_config"], **run))
    queries = code.QFormer(code.QFormer.get_args(**VISUALGLM["qformer_config"], **run))
    project = nn.Linear(16, 32)
    parts = (
        ("image_encoder.vit.", tower),
        ("image_encoder.qformer.", queries),
        ("image_encoder.glm_proj.", project),
    )
    for prefix, module in parts:
        drawn(module, prefix)
    tokens = project(queries(tower(pictures(2, 8))[0])[0])
    return {"tokens": tokens}, layout_of(*parts)


VISUALGLM: dict[str, dict[str, Any]] = {
    "eva_config": {
        "num_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "vocab_size": 1,
        "layernorm_order": "pre", "max_sequence_length": 17, "inner_hidden_size": 32,
        "use_final_layernorm": False, "layernorm_epsilon": 1e-6, "image_size": [8, 8],
        "row_parallel_linear_final_bias": False, "pre_len": 1, "post_len": 0, "in_channels": 3,
        "patch_size": 2, "num_categories": 0,
    },
    "qformer_config": {
        "num_layers": 4, "hidden_size": 16, "num_attention_heads": 2, "vocab_size": 32,
        "layernorm_order": "post", "max_sequence_length": 0, "layernorm_epsilon": 1e-12,
        "is_decoder": [True, False, True, False], "cross_attn_hidden_size": 16,
    },
}  # fmt: skip


def minigpt_4(checkout: Path) -> Given:
    """Tokens of two pictures, from pixels on, through the tower, its norm and the Q-Former."""
    stand_ins.leave_out("timm", "minigpt4")
    vit = load(checkout / "minigpt4" / "models" / "eva_vit.py", "minigpt_eva")
    vit.to_2tuple = lambda one: (one, one)
    vit.trunc_normal_ = nn.init.trunc_normal_
    tower = vit.VisionTransformer(
        img_size=8,
        patch_size=2,
        embed_dim=16,
        depth=3,
        num_heads=2,
        mlp_ratio=2,
        qkv_bias=True,
        norm_layer=lambda dim: nn.LayerNorm(dim, eps=1e-6),
    )
    for name in ("find_pruneable_heads_and_indices", "prune_linear_layer"):
        setattr(transformers.modeling_utils, name, None)
    transformers.modeling_utils.apply_chunking_to_forward = (
        transformers.pytorch_utils.apply_chunking_to_forward
    )
    sys.modules["transformers.file_utils"] = SimpleNamespace(  # type: ignore[assignment]
        ModelOutput=transformers.utils.ModelOutput
    )
    code = load(checkout / "minigpt4" / "models" / "Qformer.py", "minigpt_qformer")
    for kind in (code.BertModel, code.BertLMHeadModel):
        kind.init_weights = lambda self: None
        kind.get_head_mask = lambda self, mask, layers: [None] * layers
        kind.invert_attention_mask = lambda self, mask: (1 - mask[:, None, None]) * -1e4
    config = transformers.BertConfig(
        vocab_size=64,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    config.encoder_width, config.query_length = 16, 6
    config.add_cross_attention, config.cross_attention_freq = True, 2
    queries = code.BertLMHeadModel(config=config)
    norm, project = nn.LayerNorm(16), nn.Linear(16, 32)
    parts = (
        ("eva.", tower),
        ("qformer.ln_vision.", norm),
        ("qformer.Qformer.", queries),
        ("model.llama_proj.", project),
    )
    for prefix, module in parts:
        drawn(module, prefix.removeprefix("eva.").removeprefix("qformer."))
    tokens = draw("query_tokens", (1, 6, 16))
    seen = norm(tower(pictures(2, 8)))
    read = queries.bert(
        query_embeds=tokens.expand(2, -1, -1),
        encoder_hidden_states=seen,
        encoder_attention_mask=torch.ones(seen.shape[:2]),
        return_dict=True,
    ).last_hidden_state
    return {"tokens": project(read)}, layout_of(*parts) | {"qformer.query_tokens": (1, 6, 16)}


def cambrian(checkout: Path) -> Given:
    """Names and shapes alone: what the parts give is in their own case."""
    sampler = load(checkout / "cambrian" / "model" / "vision_sampler.py", "cambrian_sampler")
    kind, windows = sampler.VisionTokenSampler, [1, 1, 1, 4]

    def mlp(dim: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(dim, 16), nn.GELU(), nn.Linear(16, 16), nn.LayerNorm(16))

    words = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=128,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
    )
    parts = [
        ("", words),
        ("model.mm_projector.", nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 32))),
        ("model.vision_sampler_0.", kind(16, 16, [16] * 4, windows, 16, 2)),
    ]
    parts += [
        (f"model.mm_projector_aux_{at}.", mlp(dim)) for at, dim in enumerate((16, 16, 16, 48))
    ]
    parts += [
        (f"model.vision_sampler_layers.{at}.", kind(32, 16, [16] * 4, windows, 16, 1))
        for at in range(2)
    ]
    loose = {"model.vision_query": (1, 16), "model.image_newline": (32,)}
    return {}, layout_of(*parts) | loose


def open_flamingo(checkout: Path) -> Given:
    """Names and shapes alone: what the parts give is in their own case."""
    helpers = load(checkout / "open_flamingo" / "src" / "helpers.py", "flamingo_helpers")
    perceiver = helpers.PerceiverResampler(dim=16, depth=2, dim_head=8, heads=2, num_latents=4)
    gates = [
        helpers.GatedCrossAttentionBlock(dim=32, dim_visual=16, dim_head=8, heads=2)
        for _ in range(2)
    ]
    return {}, layout_of(
        ("perceiver.", perceiver),
        *(
            (f"lang_encoder.model.layers.{at}.gated_cross_attn_layer.", gate)
            for at, gate in zip((1, 3), gates, strict=True)
        ),
    ) | {"lang_encoder.model.embed_tokens.weight": (131, 32)}


CASES: dict[str, Callable[..., Given]] = {
    "cambrian": cambrian,
    "minigpt-4": minigpt_4,
    "open-flamingo": open_flamingo,
    "qwen-vl": qwen_vl,
    "timm-convnext": timm_convnext,
    "timm-siglip": timm_siglip,
    "visualglm": visualglm,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=sorted(CASES))
    parser.add_argument("checkouts", type=Path, nargs="*")
    given = parser.parse_args()
    checkouts = [one.resolve() for one in given.checkouts]
    with torch.no_grad():
        outputs, layout = CASES[given.case](*checkouts)
    known = [REPOSITORIES[one.name] for one in checkouts]
    pairs = zip(known, map(commit, checkouts), strict=True)
    facts = {
        "layout": json.dumps(layout),
        "source": "; ".join(f"{name} {version}" for (name, _), version in pairs),
        "licence": "; ".join(licence for _, licence in known),
    }
    if given.case.startswith("timm"):
        facts |= {"source": f"timm {import_module('timm').__version__}", "licence": "Apache-2.0"}
    file = Path(__file__).with_name("layouts") / f"{given.case}.safetensors"
    kept = {name: one.contiguous() for name, one in outputs.items()} or {"none": torch.zeros(1)}
    save_file(kept, file, facts)
    for name, one in outputs.items():
        sys.stdout.write(f"{name} {tuple(one.shape)}, up to {one.abs().max():.2f}\n")
    sys.stdout.write(f"{len(layout)} names; kept {file.name}, {file.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
