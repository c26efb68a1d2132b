"""Tiny models in the files of their authors, with the weights of tiny models of transformers."""

import json
import re
import shutil
from types import SimpleNamespace

import tiny  # beside this file
import torch
from transformers import (
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    SamModel,
)

from llava_plus.skills.backends.grounding_dino_bert import build
from llava_plus.skills.backends.grounding_dino_original import read_config

PLAIN = {"use_checkpoint": False, "use_transformer_ckpt": False}
SAM = (  # transformers' names, and the authors'
    (r"^shared_image_embedding.*|^prompt_encoder\.shared_embedding\.positional_embedding",
     "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"^vision_encoder\.", "image_encoder."),
    (r"patch_embed\.projection", "patch_embed.proj"),
    (r"neck\.conv1", "neck.0"), (r"neck\.layer_norm1", "neck.1"),
    (r"neck\.conv2", "neck.2"), (r"neck\.layer_norm2", "neck.3"),
    (r"mask_embed\.conv1", "mask_downscaling.0"),
    (r"mask_embed\.layer_norm1", "mask_downscaling.1"),
    (r"mask_embed\.conv2", "mask_downscaling.3"),
    (r"mask_embed\.layer_norm2", "mask_downscaling.4"),
    (r"mask_embed\.conv3", "mask_downscaling.6"),
    (r"\.point_embed\.", ".point_embeddings."),
    (r"upscale_conv1", "output_upscaling.0"), (r"upscale_layer_norm", "output_upscaling.1"),
    (r"upscale_conv2", "output_upscaling.3"),
    (r"(mlps\.\d|head)\.layers\.0", r"\1.layers.1"),
    (r"(mlps\.\d|head)\.proj_in", r"\1.layers.0"), (r"(mlps\.\d|head)\.proj_out", r"\1.layers.2"),
    (r"layer_norm_final", "norm_final"),
    (r"\.layer_norm(\d)", r".norm\1"),
)  # fmt: skip
_EYE = r"^model\.backbone\.conv_encoder\.model\."
DINO = (
    (_EYE + r"hidden_states_norms\.stage4", "backbone.0.norm3"),
    (_EYE + r"hidden_states_norms\.stage3", "backbone.0.norm2"),
    (_EYE + r"hidden_states_norms\.stage2", "backbone.0.norm1"),
    (_EYE + r"swin\.(encoder\.|embeddings\.)?", "backbone.0."),
    (r"patch_embeddings\.projection", "patch_embed.proj"),
    (r"^backbone\.0\.norm\.", "backbone.0.patch_embed.norm."),
    (r"attention\.relative_position_bias\.", "attn."), (r"attention\.o_proj", "attn.proj"),
    (r"attention\.([qkv])_proj", r"attn.\1"),
    (r"layernorm_before", "norm1"), (r"layernorm_after", "norm2"),
    (r"^model\.input_proj_vision", "input_proj"),
    (r"^model\.text_backbone", "bert"), (r"^model\.text_projection", "feat_map"),
    (r"^model\.query_position_embeddings", "transformer.tgt_embed"),
    (r"^model\.encoder_output_bbox", "transformer.enc_out_bbox"),
    (r"^model\.", "transformer."),
    (r"(layers\.\d+)\.deformable_layer", r"\1"),
    (r"\.layers\.(\d+)\.text_enhancer_layer", r".text_layers.\1"),
    (r"\.layers\.(\d+)\.fusion_layer", r".fusion_layers.\1"),
    (r"vision_param", "gamma_v"), (r"text_param", "gamma_l"),
    (r"layer_norm_vision", "layer_norm_v"), (r"layer_norm_text", "layer_norm_l"),
    (r"vision_proj", "v_proj"), (r"text_proj", "l_proj"),
    (r"layer_norm_before", "norm1"), (r"layer_norm_after", "norm2"),
    (r"(decoder.*)encoder_attn_text_layer_norm", r"\1catext_norm"),
    (r"(decoder.*)encoder_attn_layer_norm", r"\1norm1"),
    (r"(decoder.*)self_attn_layer_norm", r"\1norm2"),
    (r"(decoder.*)final_layer_norm", r"\1norm3"),
    (r"self_attn_layer_norm", "norm1"), (r"final_layer_norm", "norm2"),
    (r"encoder_attn_text", "ca_text"), (r"encoder_attn", "cross_attn"),
    (r"(transformer.*layers\.\d+)\.fc", r"\1.linear"),
    (r"decoder\.layer_norm", "decoder.norm"), (r"reference_points_head", "ref_point_head"),
)  # fmt: skip
_PART = re.compile(r"\.(query|key|value|q|k|v)\.(weight|bias)$")


def _named(name, rules):
    for old, new in rules:
        name = re.sub(old, new, name)
    return name


def sam(folder):
    """Save a tiny SAM twice: as the hub has it in ``hub/``, and as its authors in ``sam.pth``."""
    hub = tiny.sam(folder / "hub", heads=8)
    model = SamModel.from_pretrained(hub)
    with torch.no_grad():
        model.mask_decoder.iou_prediction_head.proj_out.bias.copy_(
            torch.tensor([0.3, 0.5, 0.7, 0.4])
        )
    model.save_pretrained(hub)
    weights = model.state_dict()
    torch.save({_named(name, SAM): tensor for name, tensor in weights.items()}, folder / "sam.pth")
    return folder


def dino(folder):
    """Save a small GroundingDINO twice: in ``hub/``, and as its authors do, with their config."""
    hub = tiny.grounding_dino(folder / "hub", _vocabulary())
    written = json.loads((hub / "config.json").read_text())
    config = GroundingDinoConfig.from_pretrained(hub)
    config.d_model = 256  # this and the following are the smallest that the original builds
    config.backbone_config.update({
        "embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24], "window_size": 7,
        "image_size": 224, "num_layers": 4, "hidden_size": 768,
    })  # fmt: skip
    torch.manual_seed(1)
    model = GroundingDinoForObjectDetection(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.02)
    model.save_pretrained(hub)
    tensors = _joined({_named(n, DINO): t for n, t in model.state_dict().items()})
    tensors |= {f"transformer.decoder.{n}": t for n, t in tensors.items() if n[:4] == "bbox"}
    (folder / "tiny.cfg.py").write_text(_config(config))
    bert = folder / "bert-base-uncased"
    bert.mkdir()
    shutil.copy(hub / "vocab.txt", bert)
    (bert / "config.json").write_text(json.dumps(written["text_config"]))
    own = build(SimpleNamespace(**read_config(folder / "tiny.cfg.py"), **PLAIN), bert)
    rest = {
        n: t for n, t in own.state_dict().items() if "relative_position_index" in n or "pooler" in n
    }
    whole = {f"module.{name}": tensor for name, tensor in (tensors | rest).items()}
    torch.save({"model": whole}, folder / "tiny.pth")
    return folder


def _vocabulary():
    """Return words at the places where BERT has them: some of these are written into the code."""
    places = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: "."}
    words = [places.get(n, f"[unused{n}]") for n in range(1029)]
    return [*words, "?", "red", "car", "cat"]


def _joined(tensors):
    """Lay query, key and value upon each other, as the authors' attention has them."""
    joined = {}
    for name, tensor in tensors.items():
        part = _PART.search(name)
        if not part or name.startswith("bert"):
            joined[name] = tensor
        elif part[1] in ("query", "q"):
            start, kind = name[: part.start()], part[2]
            names = ("q", "k", "v") if part[1] == "q" else ("query", "key", "value")
            whole = f"{start}.qkv.{kind}" if part[1] == "q" else f"{start}.in_proj_{kind}"
            joined[whole] = torch.cat([tensors[f"{start}.{n}.{kind}"] for n in names])
    return joined


def _config(config):
    """Write a config as the authors do, with those of its values that matter here."""
    values = {
        "modelname": "groundingdino", "backbone": "swin_T_224_1k", "position_embedding": "sine",
        "pe_temperatureH": 20, "pe_temperatureW": 20, "return_interm_indices": [1, 2, 3],
        "backbone_freeze_keywords": None, "enc_layers": config.encoder_layers,
        "dec_layers": config.decoder_layers, "pre_norm": False, "dim_feedforward": 32,
        "hidden_dim": config.d_model, "dropout": 0.0, "nheads": 2, "num_queries": 20,
        "query_dim": 4, "num_patterns": 0, "num_feature_levels": 4, "enc_n_points": 4,
        "dec_n_points": 4, "two_stage_type": "standard", "two_stage_bbox_embed_share": False,
        "two_stage_class_embed_share": False, "transformer_activation": "relu",
        "dec_pred_bbox_embed_share": True, "dn_box_noise_scale": 1.0, "dn_label_noise_ratio": 0.5,
        "embed_init_tgt": True, "dn_labelbook_size": 2000, "max_text_len": 256,
        "text_encoder_type": "bert-base-uncased", "use_text_enhancer": True,
        "use_fusion_layer": True, "use_checkpoint": True, "use_transformer_ckpt": True,
        "use_text_cross_attention": True, "text_dropout": 0.0, "fusion_dropout": 0.0,
        "fusion_droppath": 0.1, "sub_sentence_present": True,
    }  # fmt: skip
    return "".join(f"{name} = {value!r}\n" for name, value in values.items())
