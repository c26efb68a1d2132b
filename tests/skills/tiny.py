"""Tiny models with random weights, saved as the hub's repositories are laid out."""

import json

WORDS = ("a", "the", "cat", "dog", "red", "car", "face", "of", "photo", "frisbee", ".", ",")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def weights(folder, kind, *, megabytes=0, lacks=()):
    """Save files as a model of some kind has them, without a model that could be loaded."""
    import numpy as np
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    (folder / "preprocessor_config.json").write_text("{}")
    (folder / "vocab.txt").write_text("a\n")
    save_file({"w": np.zeros((1 + megabytes * 2**18,), np.float32)}, folder / "model.safetensors")
    for name in lacks:
        (folder / name).unlink()
    return folder


def _named_as_on_the_hub(folder):
    """Name the processor as the hub's files do, which were written where torchvision was."""
    file = folder / "preprocessor_config.json"
    file.write_text(file.read_text().replace('ImageProcessorPil"', 'ImageProcessor"'))
    return folder


def grounding_dino(folder, vocabulary=(*SPECIAL, *WORDS)):
    """Save a GroundingDINO of 32 channels with a BERT tokenizer of a few words."""
    import torch
    from transformers import (
        BertTokenizer,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
    )

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    tokenizer = BertTokenizer.from_pretrained(str(folder))
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = GroundingDinoConfig(
        backbone_config={
            "model_type": "swin", "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1],
            "window_size": 4, "image_size": 64, "out_indices": [2, 3, 4],
        },
        text_config={
            "model_type": "bert", "vocab_size": len(tokenizer), "hidden_size": 16,
            "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
        },
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
        num_queries=20, max_text_len=32, **heads,
    )  # fmt: skip
    torch.manual_seed(0)
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    GroundingDinoImageProcessor(size={"shortest_edge": 256, "longest_edge": 426}).save_pretrained(
        folder
    )
    tokenizer.save_pretrained(folder)
    return _named_as_on_the_hub(folder)


def owlv2(folder):
    """Save an OWLv2 of 16 channels with a CLIP tokenizer of letters."""
    import torch
    from transformers import (
        CLIPTokenizer,
        Owlv2Config,
        Owlv2ForObjectDetection,
        Owlv2ImageProcessor,
    )

    folder.mkdir(parents=True, exist_ok=True)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: n for n, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer.from_pretrained(str(folder), model_max_length=24)
    config = Owlv2Config(
        text_config={
            "vocab_size": len(vocabulary), "hidden_size": 16, "intermediate_size": 16,
            "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 24,
            "bos_token_id": len(words), "eos_token_id": len(words) + 1,
        },
        vision_config={
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "image_size": 64, "patch_size": 16,
        },
        projection_dim=16,
    )  # fmt: skip
    torch.manual_seed(0)
    Owlv2ForObjectDetection(config).save_pretrained(folder)
    Owlv2ImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return _named_as_on_the_hub(folder)


def sam2(folder):
    """Save a SAM 2 of 8 channels that sees 64 pixels, with what the hub's have for video."""
    import torch
    from transformers import (
        Sam2HieraDetConfig,
        Sam2ImageProcessor,
        Sam2VideoConfig,
        Sam2VideoModel,
        Sam2VisionConfig,
    )

    backbone = Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, image_size=[64, 64], blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 2, 4, 8],
        window_size_per_stage=[4, 4, 4, 4], global_attention_blocks=[3],
        window_positional_embedding_background_size=[4, 4],
    )  # fmt: skip
    vision = Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]], fpn_hidden_size=32,
    )  # fmt: skip
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 32, "image_size": 64, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": 32, "mlp_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
        image_size=64, memory_attention_hidden_size=32, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32, memory_encoder_hidden_size=32,
        memory_encoder_output_channels=16, mask_downsampler_embed_dim=32,
        memory_fuser_num_layers=1, memory_fuser_embed_dim=32,
        memory_fuser_intermediate_dim=32, memory_attention_rope_feat_sizes=[4, 4],
    )  # fmt: skip
    torch.manual_seed(0)
    Sam2VideoModel(config).save_pretrained(folder)
    Sam2ImageProcessor(
        size={"height": 64, "width": 64}, mask_size={"height": 16, "width": 16}
    ).save_pretrained(folder)
    return folder


def sam(folder, *, heads=2):
    """Save a SAM of 16 channels that sees 64 pixels; ``heads`` of its mask decoder."""
    import torch
    from transformers import SamConfig, SamImageProcessor, SamModel

    config = SamConfig(
        vision_config={
            "hidden_size": 16, "output_channels": 16, "num_hidden_layers": 1, "mlp_dim": 16,
            "num_attention_heads": 2, "image_size": 64, "patch_size": 8, "num_pos_feats": 8,
            "global_attn_indexes": [0], "window_size": 4, "initializer_range": 0.02,
        },
        prompt_encoder_config={
            "hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 4,
        },
        mask_decoder_config={
            "hidden_size": 16, "mlp_dim": 16, "num_hidden_layers": 1, "num_attention_heads": heads,
            "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    torch.manual_seed(0)
    SamModel(config).save_pretrained(folder)
    processor = SamImageProcessor(
        size={"longest_edge": 64},
        pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )
    processor.save_pretrained(folder)
    return _named_as_on_the_hub(folder)
