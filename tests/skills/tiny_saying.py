"""Tiny models that say, read and measure, with random weights, saved as the hub's are."""

import json

LOCATIONS = 1000  # of Florence-2
CHAT = (
    "{% for message in messages %}USER: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %} ASSISTANT:"
)


def _on_the_hub(folder):
    """Name the processor as the hub's files do, which were written where torchvision was."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        file = folder / name
        if file.exists():
            file.write_text(file.read_text().replace('ImageProcessorPil"', 'ImageProcessor"'))
    return folder


def _bytes(folder, kind, special, **more):
    """Make a tokenizer of single bytes with the files that GPT-2, BART and RoBERTa have."""
    import transformers

    signs = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(sign) for sign in signs] + [chr(256 + n) for n in range(256 - len(signs))]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: n for n, word in enumerate([*special, *letters])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return getattr(transformers, kind).from_pretrained(str(folder), **more)


def _vision(**more):
    return {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": 32, "patch_size": 16, **more,
    }  # fmt: skip


def blip2(folder):
    """Save a BLIP-2 of 16 channels, whose language model is an OPT."""
    import torch
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        BlipImageProcessor,
    )

    tokenizer = _bytes(
        folder, "GPT2Tokenizer", ("<pad>", "</s>"), bos_token="</s>", eos_token="</s>",
        unk_token="</s>", pad_token="<pad>",
    )  # fmt: skip
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    config = Blip2Config(
        vision_config=_vision(),
        qformer_config={
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "encoder_hidden_size": 16, "vocab_size": 10,
        },
        text_config={
            "model_type": "opt", "vocab_size": len(tokenizer), "hidden_size": 16, "ffn_dim": 16,
            "word_embed_proj_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0, "init_std": 0.5,
        },
        num_query_tokens=4,
        image_token_index=len(tokenizer) - 1,
    )  # fmt: skip
    torch.manual_seed(0)
    Blip2ForConditionalGeneration(config).save_pretrained(folder)
    sees = BlipImageProcessor(size={"height": 32, "width": 32})
    Blip2Processor(sees, tokenizer, num_query_tokens=4).save_pretrained(folder)
    return _on_the_hub(folder)


def florence2(folder):
    """Save a Florence-2 of 16 channels."""
    import torch
    from transformers import (
        CLIPImageProcessor,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
    )

    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>", "<image>")
    own = {"image_token": "<image>"}
    tokenizer = _bytes(folder, "BartTokenizer", special, extra_special_tokens=own)
    tokenizer.add_tokens([f"<loc_{n}>" for n in range(LOCATIONS)])
    config = Florence2Config(
        vision_config={
            "depths": (1, 1, 1, 1), "embed_dim": (8, 8, 8, 16), "num_heads": (1, 1, 1, 1),
            "num_groups": (1, 1, 1, 1), "window_size": 2, "projection_dim": 16,
        },
        text_config={
            "model_type": "bart", "vocab_size": len(tokenizer), "d_model": 16,
            "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16,
            "decoder_ffn_dim": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
            "init_std": 0.5,
        },
        image_token_id=tokenizer.image_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    Florence2ForConditionalGeneration(config).save_pretrained(folder)
    square = {"height": 64, "width": 64}
    sees = CLIPImageProcessor(size=square, crop_size=square, image_seq_length=5)
    Florence2Processor(sees, tokenizer).save_pretrained(folder)
    return _on_the_hub(folder)


def image_text(folder, template=CHAT):
    """Save a LLaVA of 16 channels, whose language model is a Llama."""
    import torch
    from transformers import (
        CLIPImageProcessor,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = _bytes(folder, "GPT2Tokenizer", ("<pad>", "</s>"), eos_token="</s>",
                       bos_token="</s>", unk_token="</s>", pad_token="<pad>")  # fmt: skip
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    config = LlavaConfig(
        vision_config={"model_type": "clip_vision_model", **_vision()},
        text_config={
            "model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 16,
            "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0, "initializer_range": 0.5,
        },
        image_token_index=len(tokenizer) - 1,
        image_seq_length=4,
        vision_feature_layer=-1,
    )  # fmt: skip
    torch.manual_seed(0)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    sees = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    LlavaProcessor(
        sees, tokenizer, patch_size=16, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=template,
    ).save_pretrained(folder)  # fmt: skip
    return _on_the_hub(folder)


def siglip(folder):
    """Save a SigLIP of 16 channels."""
    import torch
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel, SiglipProcessor

    tokenizer = _bytes(folder, "GPT2Tokenizer", ("<pad>", "</s>"), eos_token="</s>",
                       bos_token="</s>", unk_token="</s>", pad_token="<pad>")  # fmt: skip
    config = SiglipConfig(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 16,
            "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64,
            "projection_size": 16, "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0,
        },
        vision_config=_vision(),
    )  # fmt: skip
    torch.manual_seed(0)
    SiglipModel(config).save_pretrained(folder)
    SiglipProcessor(SiglipImageProcessor(size={"height": 32, "width": 32}), tokenizer
                    ).save_pretrained(folder)  # fmt: skip
    return _on_the_hub(folder)


def clip(folder):
    """Save a CLIP of 16 channels."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    letters = "abcdefghijklmnopqrstuvwxyz."
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: n for n, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer.from_pretrained(str(folder), model_max_length=77)
    config = CLIPConfig(
        text_config={
            "vocab_size": len(vocabulary), "hidden_size": 16, "intermediate_size": 16,
            "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 77,
            "bos_token_id": len(words), "eos_token_id": len(words) + 1,
        },
        vision_config=_vision(),
        projection_dim=16,
    )  # fmt: skip
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    sees = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(sees, tokenizer).save_pretrained(folder)
    return _on_the_hub(folder)


def trocr(folder):
    """Save a TrOCR of 16 channels."""
    import torch
    from transformers import (
        TrOCRConfig,
        TrOCRForCausalLM,
        TrOCRProcessor,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessor,
        ViTModel,
    )

    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    tokenizer = _bytes(folder, "RobertaTokenizer", special)
    decoder = TrOCRConfig(
        vocab_size=len(tokenizer), d_model=16, decoder_layers=1, decoder_attention_heads=2,
        decoder_ffn_dim=16, cross_attention_hidden_size=16, init_std=0.5, is_decoder=True,
        add_cross_attention=True,
    )  # fmt: skip
    torch.manual_seed(0)
    encoder = ViTModel(ViTConfig(**_vision()), add_pooling_layer=False)
    model = VisionEncoderDecoderModel(encoder=encoder, decoder=TrOCRForCausalLM(decoder))
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = 2, 2, 1
    model.save_pretrained(folder)
    sees = ViTImageProcessor(size={"height": 32, "width": 32})
    TrOCRProcessor(sees, tokenizer).save_pretrained(folder)
    return _on_the_hub(folder)


def depth_anything(folder, kind="relative"):
    """Save a Depth Anything of 16 channels."""
    import torch
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, DPTImageProcessor

    config = DepthAnythingConfig(
        backbone_config={
            "model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 4,
            "num_attention_heads": 2, "image_size": 70, "patch_size": 14, "mlp_ratio": 1,
            "out_indices": [1, 2, 3, 4], "reshape_hidden_states": False,
        },
        reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        head_hidden_size=8, depth_estimation_type=kind, max_depth=20 if kind == "metric" else 1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = DepthAnythingForDepthEstimation(config)
    with torch.no_grad():
        model.head.conv3.bias.fill_(1.0)  # else all may be cut at 0, and nothing differs
    model.save_pretrained(folder)
    DPTImageProcessor(
        size={"height": 70, "width": 70}, keep_aspect_ratio=True, ensure_multiple_of=14
    ).save_pretrained(folder)
    return _on_the_hub(folder)


def vitpose(folder, joints=17, experts=1):
    """Save a ViTPose of 16 channels."""
    import torch
    from transformers import VitPoseConfig, VitPoseForPoseEstimation, VitPoseImageProcessor

    config = VitPoseConfig(
        backbone_config={
            "model_type": "vitpose_backbone", "hidden_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "image_size": [64, 48], "patch_size": [16, 16],
            "mlp_ratio": 1, "num_experts": experts, "part_features": 4, "out_indices": [1],
        },
        num_labels=joints,
    )  # fmt: skip
    torch.manual_seed(0)
    VitPoseForPoseEstimation(config).save_pretrained(folder)
    VitPoseImageProcessor(size={"height": 64, "width": 48}).save_pretrained(folder)
    return _on_the_hub(folder)


def smolvlm(folder):
    """Save an Idefics3 of 16 channels, as SmolVLM is one."""
    import torch
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessorPil,
        Idefics3Processor,
    )

    signs = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
    special = ("<pad>", "</s>", *signs)
    tokenizer = _bytes(folder, "GPT2Tokenizer", special, eos_token="</s>", bos_token="</s>",
                       unk_token="</s>", pad_token="<pad>")  # fmt: skip
    tokenizer.add_special_tokens({"additional_special_tokens": list(signs)})
    config = Idefics3Config(
        vision_config={**_vision(image_size=64, patch_size=16), "model_type": "idefics3_vision"},
        text_config={
            "model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 16,
            "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0, "initializer_range": 0.5,
        },
        image_token_id=2, scale_factor=2, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    sees = Idefics3ImageProcessorPil(
        size={"longest_edge": 128}, max_image_size={"longest_edge": 64}
    )
    Idefics3Processor(sees, tokenizer, image_seq_len=4, chat_template=CHAT).save_pretrained(folder)
    return _on_the_hub(folder)
