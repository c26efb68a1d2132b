"""What the references give: each function takes the paths of its checkouts and nothing else.

They are other people's programs: run them where that is safe, and keep nothing of them but numbers.
"""

import sys
from argparse import Namespace
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import stand_ins
import torch
import transformers
from ours import (
    BOS,
    CAMBRIAN,
    CHATGLM,
    CHATGLM_IDS,
    COGVLM_WORDS,
    GMASK,
    MEDIA_AT,
    MINIGPT,
    QWEN,
    SIZES,
    cambrian_reader,
    draw,
    pictures,
)
from torch import Tensor, nn


def load(path: Path, name: str) -> ModuleType:
    """A module from its file."""
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def drawn(module: nn.Module, prefix: str = "") -> nn.Module:
    """A module of theirs with every weight drawn by its name."""
    for name, weight in module.named_parameters():
        weight.data = draw(prefix + name, weight.shape)
    return module.eval()


def cambrian(checkout: Path) -> dict[str, Tensor]:
    return _cambrian(checkout, "sva")


def cambrian_plain(checkout: Path) -> dict[str, Tensor]:
    return _cambrian(checkout, "mlp2x_gelu")


def _cambrian(checkout: Path, kind: str) -> dict[str, Tensor]:
    """`prepare_inputs_labels_for_multimodal` of a model whose towers hand on drawn features."""
    stand_ins.leave_out(
        "ezcolorlog", "cambrian.model.multimodal_encoder", "cambrian.model.language_model"
    )
    sys.path.insert(0, str(checkout))
    # The package's own face would import its decoders, which need an old transformers.
    for name in ("cambrian", "cambrian.model"):
        package = ModuleType(name)
        package.__path__ = [str(checkout.joinpath(*name.split(".")))]
        sys.modules[name] = package
    sys.modules["cambrian.utils"] = SimpleNamespace(IS_XLA_AVAILABLE=False)  # type: ignore[assignment]
    arch = import_module("cambrian.model.cambrian_arch")
    sampler = import_module("cambrian.model.vision_sampler").VisionTokenSampler
    hidden, text, queries = CAMBRIAN["hidden"], CAMBRIAN["text"], CAMBRIAN["queries"]
    _, features = cambrian_reader(nn.Identity(), 4 if kind == "sva" else 1)
    config = Namespace(
        mm_projector_type=kind,
        image_token_len=16,
        query_num_list=queries,
        mm_hidden_size=sum(CAMBRIAN["dims"]),
        hidden_size=text,
    )
    model = nn.Module()
    model.config = config
    if kind == "sva":
        wide = hidden * len(queries)
        model.mm_projector = nn.Sequential(nn.Linear(wide, text), nn.GELU(), nn.Linear(text, text))
        for at, dim in enumerate(CAMBRIAN["dims"]):
            aux = nn.Sequential(
                nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.LayerNorm(hidden)
            )
            setattr(model, f"mm_projector_aux_{at}", aux)
        for at, number in enumerate(queries):
            windows = [side // int(number**0.5) for side in CAMBRIAN["sides"]]
            setattr(
                model,
                f"vision_sampler_{at}",
                sampler(hidden, hidden, [hidden] * 3, windows, hidden, 2),
            )
        model.vision_query = nn.Parameter(torch.empty(len(queries), hidden))
    else:
        model.mm_projector = arch.build_vision_projector(config)
    model.image_newline = nn.Parameter(torch.empty(text))
    drawn(model)
    model.embed_tokens = lambda ids: torch.zeros(*ids.shape, text)
    towers = [lambda images: images] * 3
    model.get_vision_tower_aux_list = lambda: towers

    class Model(arch.CambrianMetaForCausalLM):
        device, dtype = torch.device("cpu"), torch.float32

        def __init__(self) -> None:
            self.config, self.model = Namespace(), model

        def get_model(self) -> nn.Module:
            return model

    ids = torch.tensor([[1, -200, 2]] * len(SIZES))
    out = Model().prepare_inputs_labels_for_multimodal(
        ids, None, None, None, None, features, None, [(width, height) for height, width in SIZES]
    )
    embeds, seen, masks, final, context = out[4], *out[6:]
    counts = [height * (width + 1) for height, width in final]
    tokens = [one[1 : 1 + count] for one, count in zip(embeds, counts, strict=True)]
    result = {"tokens": torch.cat(tokens)}
    if kind == "sva":
        inside = sampler(text, hidden, [hidden] * 3, [1, 1, 4], hidden, 1)
        drawn(inside, "vision_sampler_layers.0.")
        states = draw("states", (len(context), text), 1.0)
        result["sampled"] = inside(states[:, None], context, *seen, *masks)[:, 0]
    return result


def open_flamingo(checkout: Path) -> dict[str, Tensor]:
    helpers = load(checkout / "open_flamingo" / "src" / "helpers.py", "flamingo_helpers")
    perceiver = helpers.PerceiverResampler(dim=16, depth=2, dim_head=8, heads=2, num_latents=3)
    drawn(perceiver, "perceiver.")
    features = draw("features", (4, 9, 16), 1.0)
    latents = perceiver(features[:, None, None])[:, 0]
    gate = helpers.GatedCrossAttentionBlock(dim=12, dim_visual=16, dim_head=8, heads=2)
    drawn(gate, "gate.")
    media, words = latents.view(2, 2, 3, 16), draw("words", (2, 7, 12), 1.0)
    places = torch.tensor(MEDIA_AT).bool()
    return {
        "latents": latents,
        "words": gate(words, media, places),
        "later": gate(words[:, :2], media, places, use_cached_media=True),
    }


def qwen_vl(checkout: Path) -> dict[str, Tensor]:
    stand_ins.leave_out("torchvision", "requests")
    visual = load(checkout / "monkey_model" / "visual.py", "qwen_visual")
    model = visual.VisionTransformer(
        image_size=QWEN["size"],
        patch_size=QWEN["patch"],
        width=QWEN["width"],
        layers=QWEN["layers"],
        heads=QWEN["heads"],
        mlp_ratio=48 / QWEN["width"],
        n_queries=16,
        output_dim=QWEN["text"],
        lora_repeat_num=0,
    )
    places = model.attn_pool.pos_embed.data.clone()
    drawn(model)
    model.attn_pool.pos_embed.data = places
    return {"tokens": model(pictures(2, QWEN["size"]))}


def minigpt_v2(checkout: Path) -> dict[str, Tensor]:
    stand_ins.leave_out("timm", "minigpt4")
    vit = load(checkout / "minigpt4" / "models" / "eva_vit.py", "minigpt_eva")
    vit.to_2tuple = lambda one: (one, one)
    vit.trunc_normal_ = nn.init.trunc_normal_
    tower = vit.VisionTransformer(
        img_size=MINIGPT["size"],
        patch_size=MINIGPT["patch"],
        embed_dim=MINIGPT["dim"],
        depth=MINIGPT["layers"],
        num_heads=MINIGPT["heads"],
        mlp_ratio=MINIGPT["inner"] / MINIGPT["dim"],
        qkv_bias=True,
        norm_layer=lambda dim: nn.LayerNorm(dim, eps=1e-6),
    )
    drawn(tower)
    norm = drawn(nn.LayerNorm(MINIGPT["dim"]), "ln_vision.")
    project = drawn(nn.Linear(4 * MINIGPT["dim"], MINIGPT["text"]), "llama_proj.")
    # What `MiniGPTv2.encode_img` does with them; the class itself wants Llama-2 from a hub.
    embeds = norm(tower(pictures(2, MINIGPT["size"])))[:, 1:]
    batch, patches, width = embeds.shape
    return {"tokens": project(embeds.view(batch, patches // 4, width * 4))}


def cogvlm(checkout: Path, sat: Path) -> dict[str, Tensor]:
    """The whole model in SwissArmyTransformer, with plain attention and rotation."""
    stand_ins.leave_out(
        "bitsandbytes", "boto3", "braceexpand", "cpm_kernels", "datasets", "deepspeed",
        "sentencepiece", "tensorboardX", "timm", "torchvision", "triton", "wandb", "webdataset",
        "xformers",
    )  # fmt: skip
    sys.path[:0] = [str(checkout), str(sat)]
    rotary = import_module("sat.model.position_embedding.triton_rotary_embeddings")
    rotary.apply_rotary_emb_func = stand_ins.plain_rotation
    eva = import_module("utils.models.eva_clip_model")
    eva.xops.memory_efficient_attention = stand_ins.plain_attention
    code = import_module("utils.models.cogvlm_model")
    adapter = code.GLU
    code.GLU = lambda args, in_features: adapter(args, args.eva_args["hidden_size"])
    vit: dict[str, Any] = {
        "num_layers": 3,
        "hidden_size": 16,
        "num_attention_heads": 2,
        "inner_hidden_size": 32,
        "image_size": [8, 8],
        "patch_size": 2,
        "in_channels": 3,
        "pre_len": 1,
        "post_len": 0,
        "vocab_size": 1,
        "layernorm_epsilon": 1e-6,
        "layernorm_order": "post",
        "use_final_layernorm": False,
    }
    args = code.CogVLMModel.get_args(
        num_layers=4,
        vocab_size=128,
        hidden_size=32,
        inner_hidden_size=48,
        max_sequence_length=512,
        image_length=16,
        eva_args=vit,
        layernorm_epsilon=1e-5,
        use_bias=False,
        use_final_layernorm=True,
        layernorm_order="pre",
        world_size=1,
        rank=0,
        local_rank=0,
        deepspeed=None,
        bf16=False,
        fp16=False,
        mode="inference",
        device="cpu",
        model_parallel_size=1,
        skip_init=True,
        use_gpu_initialization=False,
        num_attention_heads=4,
    )
    model = drawn(code.CogVLMModel(args))
    words = load(checkout / "utils" / "utils" / "language.py", "cogvlm_language")
    asked, answer = COGVLM_WORDS
    pieces = {"asked": asked, "answer": answer, "": []}
    tokenizer = SimpleNamespace(
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        signal_type="base",
        encode=lambda text, add_special_tokens: pieces[text],
    )
    processor = words.llama2_text_processor(tokenizer, 64, image_length=16)
    given = processor("answer", "<EOI>asked")
    length = 1 + 18 + len(asked) + len(answer) + 1
    with torch.no_grad():
        logits = model(
            input_ids=given["input_ids"],
            position_ids=given["position_ids"],
            attention_mask=given["attention_mask"].float(),
            vision_expert_mask=given["vision_expert_mask"],
            image_embed_mask=given["image_embed_mask"],
            vision_input_ids=torch.zeros(1, 1, dtype=torch.long),
            vision_position_ids=None,
            vision_attention_mask=torch.tensor([[1.0]]),
            vision_image=pictures(1, 8),
        )[0]
    return {"logits": logits[:, :length]}


def chatglm(checkout: Path) -> dict[str, Tensor]:
    """The decoder alone; its rotation is brought to float32, which the release rounds to half."""

    class Config(transformers.PretrainedConfig):
        def __init__(self, **facts: Any) -> None:
            super().__init__()
            vars(self).update(facts)

    package = ModuleType("chatglm")
    package.__path__ = [str(checkout)]
    sys.modules["chatglm"] = package
    sys.modules["chatglm.configuration_chatglm"] = SimpleNamespace(ChatGLMConfig=Config)  # type: ignore[assignment]
    for name in ("add_code_sample_docstrings", "add_start_docstrings_to_model_forward"):
        setattr(transformers.utils, name, lambda *args, **kwargs: lambda function: function)
    code = load(checkout / "modeling_chatglm.py", "chatglm.modeling_chatglm")
    model = code.ChatGLMForConditionalGeneration(
        Config(
            vocab_size=CHATGLM["words"],
            hidden_size=CHATGLM["dim"],
            inner_hidden_size=CHATGLM["inner"],
            num_layers=CHATGLM["layers"],
            num_attention_heads=CHATGLM["heads"],
            layernorm_epsilon=1e-5,
            max_sequence_length=64,
            position_encoding_2d=True,
            pre_seq_len=None,
            prefix_projection=False,
            quantization_bit=0,
            bos_token_id=BOS,
            gmask_token_id=GMASK,
            mask_token_id=60,
            use_cache=False,
        )
    )
    drawn(model)
    for layer in model.transformer.layers:
        rotary, dim = layer.attention.rotary_emb, CHATGLM["dim"] // CHATGLM["heads"] // 2
        layer.num_layers = CHATGLM["layers"]  # which it takes to be 28
        rotary.inv_freq = 1.0 / (10000 ** (torch.arange(0, dim, 2).float() / dim))
    model.transformer.position_encoding_2d = True
    ids = torch.tensor(CHATGLM_IDS)
    states = model.transformer(
        input_ids=ids, use_cache=False, output_attentions=False, output_hidden_states=False,
        return_dict=True,
    )[0]  # fmt: skip
    return {"logits": model.lm_head(states).permute(1, 0, 2)}


REFERENCES = {
    "cambrian": cambrian,
    "cambrian-plain": cambrian_plain,
    "chatglm": chatglm,
    "cogvlm": cogvlm,
    "minigpt-v2": minigpt_v2,
    "open-flamingo": open_flamingo,
    "qwen-vl": qwen_vl,
}
