"""Decoders and towers of the systems in `zoo`, as their configs in transformers or here.

Sizes are those of the released models. A decoder's vocabulary is that of the checkpoint named
beside it; another one can be given to `presets.PRESETS`.
"""

from typing import Any

Data = dict[str, Any]

# Decoders.
LLAMA_7B: Data = {
    "model_type": "llama",
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}
LLAMA_13B: Data = LLAMA_7B | {
    "hidden_size": 5120,
    "intermediate_size": 13824,
    "num_hidden_layers": 40,
    "num_attention_heads": 40,
    "num_key_value_heads": 40,
}
LLAMA3_8B: Data = LLAMA_7B | {
    "vocab_size": 128256,
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "max_position_embeddings": 8192,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
}
MISTRAL_7B: Data = LLAMA_7B | {
    "model_type": "mistral",
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "max_position_embeddings": 32768,
    "sliding_window": None,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
}
YI_34B: Data = LLAMA_7B | {
    "vocab_size": 64064,
    "hidden_size": 7168,
    "intermediate_size": 20480,
    "num_hidden_layers": 60,
    "num_attention_heads": 56,
    "num_key_value_heads": 8,
    "rope_parameters": {"rope_type": "default", "rope_theta": 5000000.0},
}
QWEN2_05B: Data = {
    "model_type": "qwen2",
    "vocab_size": 152000,
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
    "tie_word_embeddings": True,
}
QWEN2_7B: Data = QWEN2_05B | {
    "vocab_size": 152128,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "tie_word_embeddings": False,
}
QWEN_7B: Data = QWEN2_05B | {  # the first Qwen is this shape: biases on q, k, v alone
    "vocab_size": 151936,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 8192,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "tie_word_embeddings": False,
}
QWEN2_72B: Data = QWEN2_7B | {
    "hidden_size": 8192,
    "intermediate_size": 29568,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
}
QWEN15_72B: Data = QWEN2_72B | {  # a Qwen2 in all but the name; one key for each head
    "intermediate_size": 24576,
    "num_key_value_heads": 64,
}
QWEN15_110B: Data = QWEN15_72B | {"intermediate_size": 49152, "num_key_value_heads": 8}
OPT_27B: Data = {
    "model_type": "opt",
    "vocab_size": 50304,
    "hidden_size": 2560,
    "ffn_dim": 10240,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "word_embed_proj_dim": 2560,
    "max_position_embeddings": 2048,
}
CHATGLM_6B: Data = {"model_type": "lmm_chatglm", "vocab_size": 130528}
# Cohere's blocks are PaLM's: attention and SwiGLU side by side, one key for all heads, no biases.
PALM_8B: Data = {
    "model_type": "cohere",
    "vocab_size": 256000,
    "hidden_size": 4096,
    "intermediate_size": 16384,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "num_key_value_heads": 1,
    "max_position_embeddings": 2048,
    "logit_scale": 1.0,
    "tie_word_embeddings": True,
}

# Towers.
CLIP_L_336: Data = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "hidden_act": "quick_gelu",
    "projection_dim": 768,
}
CLIP_L_224: Data = CLIP_L_336 | {"image_size": 224}
SIGLIP_SO: Data = {
    "model_type": "siglip_vision_model",
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 384,
    "patch_size": 14,
    "vision_use_head": False,
}
DINOV2_G: Data = {
    "model_type": "dinov2",
    "hidden_size": 1536,
    "num_hidden_layers": 40,
    "num_attention_heads": 24,
    "image_size": 518,
    "patch_size": 14,
    "use_swiglu_ffn": True,
}
CONVNEXT_XXL: Data = {
    "model_type": "convnext",
    "hidden_sizes": [384, 768, 1536, 3072],
    "depths": [3, 4, 30, 3],
    "image_size": 1024,
    "patch_size": 4,
}
EVA_G_224: Data = {
    "model_type": "blip_2_vision_model",
    "hidden_size": 1408,
    "intermediate_size": 6144,
    "num_hidden_layers": 39,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 14,
}
EVA2_E_490: Data = {
    "model_type": "lmm_vit",
    "hidden_size": 1792,
    "intermediate_size": 15360,
    "num_hidden_layers": 63,
    "num_attention_heads": 16,
    "image_size": 490,
    "patch_size": 14,
}
BIGG_448: Data = {
    "model_type": "lmm_vit",
    "hidden_size": 1664,
    "intermediate_size": 8192,
    "num_hidden_layers": 48,
    "num_attention_heads": 16,
    "image_size": 448,
    "patch_size": 14,
    "class_token": False,
    "entry_norm": True,
    "post_norm": False,
    "patch_bias": False,
    "position_side": 16,
}
VIT_4B: Data = EVA2_E_490 | {
    "num_hidden_layers": 56,
    "image_size": 224,
    "class_token": False,
    "post_norm": False,
}
