"""Tiny diffusion pipelines with random weights, saved as the hub's repositories are laid out."""

import json

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIDE = 64  # pixels


def tokenizer(folder):
    """Make a CLIP tokenizer of letters."""
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    words = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    vocabulary = {word: n for n, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(str(folder), model_max_length=77)


def parts(folder, *, channels):
    """Make what the pipelines have in common, with a network that reads so many channels."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    read = tokenizer(folder / "letters")
    text = CLIPTextConfig(
        vocab_size=len(read), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=77, bos_token_id=52, eos_token_id=53,
    )  # fmt: skip
    blocks = {"block_out_channels": (8, 16), "norm_num_groups": 4}
    unet = UNet2DConditionModel(
        sample_size=SIDE // 2, in_channels=channels, out_channels=4, layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16, attention_head_dim=2, **blocks,
    )  # fmt: skip
    vae = AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, layers_per_block=1, sample_size=SIDE,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        **blocks,
    )  # fmt: skip
    return {
        "vae": vae,
        "text_encoder": CLIPTextModel(text).eval(),
        "tokenizer": read,
        "unet": unet,
        "scheduler": DDIMScheduler(clip_sample=False, steps_offset=1),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }


def save_all(folder):
    """Save a pipeline for each skill; return their folders."""
    import diffusers
    from diffusers import ControlNetModel

    kinds = {
        "generate": ("StableDiffusionPipeline", 4),
        "edit": ("StableDiffusionInstructPix2PixPipeline", 8),
        "inpaint": ("StableDiffusionInpaintPipeline", 9),
        "redraw": ("StableDiffusionControlNetPipeline", 4),
    }
    places = {}
    for skill, (kind, channels) in kinds.items():
        made = parts(folder, channels=channels)
        if skill == "redraw":
            network = ControlNetModel.from_unet(
                made["unet"], conditioning_embedding_out_channels=(4, 8)
            )
            fresh = (network.controlnet_cond_embedding.conv_out, network.controlnet_mid_block)
            for block in (*fresh, *network.controlnet_down_blocks):  # new ones change nothing
                block.weight.data.normal_(std=0.5)
            made["controlnet"] = network
        places[skill] = folder / skill
        getattr(diffusers, kind)(**made).save_pretrained(places[skill])
    return places
