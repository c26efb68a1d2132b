"""Tiny models that divide scenes, saved as the hub has them."""

import json

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CLASSES = {0: "wall", 1: "sky, heavens", 2: "tree", 3: "sea; ocean"}


def _clip_tokenizer(folder, length):
    from transformers import CLIPTokenizer

    words = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    vocabulary = {word: n for n, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer.from_pretrained(str(folder), model_max_length=length)
    tokenizer.save_pretrained(folder)
    return tokenizer


def _named_as_on_the_hub(folder):
    """Name the processor as the hub's files do, which were written where torchvision was."""
    file = folder / "preprocessor_config.json"
    file.write_text(file.read_text().replace('ImageProcessorPil"', 'ImageProcessor"'))
    return folder


def _swin():
    return {
        "model_type": "swin", "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1],
        "window_size": 4, "image_size": 64, "out_indices": [1, 2, 3, 4],
    }  # fmt: skip


def mask2former(folder):
    """Save a Mask2Former of four classes."""
    import torch
    from transformers import (
        Mask2FormerConfig,
        Mask2FormerForUniversalSegmentation,
        Mask2FormerImageProcessor,
    )

    config = Mask2FormerConfig(
        backbone_config=_swin(), id2label=CLASSES, hidden_dim=32, feature_size=32,
        mask_feature_size=32, encoder_layers=1, decoder_layers=2, num_attention_heads=2,
        dim_feedforward=16, encoder_feedforward_dim=16, num_queries=6,
    )  # fmt: skip
    torch.manual_seed(0)
    Mask2FormerForUniversalSegmentation(config).save_pretrained(folder)
    size = {"height": 64, "width": 64}
    Mask2FormerImageProcessor(size=size, size_divisor=32).save_pretrained(folder)
    return _named_as_on_the_hub(folder)


def segformer(folder):
    """Save a SegFormer of four classes."""
    import torch
    from transformers import (
        SegformerConfig,
        SegformerForSemanticSegmentation,
        SegformerImageProcessor,
    )

    config = SegformerConfig(
        id2label=CLASSES, hidden_sizes=[4, 4, 8, 8], depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=8,
    )  # fmt: skip
    torch.manual_seed(0)
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    SegformerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return _named_as_on_the_hub(folder)


def oneformer(folder):
    """Save a OneFormer of four classes; its list of classes lies on the hub only."""
    import torch
    from transformers import (
        OneFormerConfig,
        OneFormerForUniversalSegmentation,
        OneFormerImageProcessor,
    )

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _clip_tokenizer(folder, 24)
    config = OneFormerConfig(
        backbone_config=_swin(), id2label=CLASSES, num_queries=6, hidden_dim=32, mask_dim=32,
        conv_dim=32, encoder_layers=1, decoder_layers=2, query_dec_layers=1, num_attention_heads=2,
        dim_feedforward=16, encoder_feedforward_dim=16, task_seq_len=24, max_seq_len=24,
        text_encoder_width=32, text_encoder_context_length=24, text_encoder_num_layers=1,
        text_encoder_vocab_size=len(tokenizer), text_encoder_n_ctx=2,
    )  # fmt: skip
    torch.manual_seed(0)
    OneFormerForUniversalSegmentation(config).save_pretrained(folder)
    size = {"height": 64, "width": 64}
    OneFormerImageProcessor(size=size, class_info_file=None).save_pretrained(folder)
    file = folder / "preprocessor_config.json"
    told = json.loads(file.read_text()) | {"class_info_file": "ade20k_panoptic.json"}
    file.write_text(json.dumps(told | {"repo_path": "shi-labs/oneformer_demo"}))
    return _named_as_on_the_hub(folder)
