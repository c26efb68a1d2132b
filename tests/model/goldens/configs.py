"""What the `config.json` of each release says, and the tiny sizes that stand in for the real ones.

`RELEASED` are the real ones.
"""

# Of the tiny decoders.
TEXT = {
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
}

# What is the same in the release and in its tiny form.
CAMBRIAN = {
    "model_type": "cambrian_llama",
    "architectures": ["CambrianLlamaForCausalLM"],
    "mm_projector_type": "sva",
    "mm_vision_tower_aux_list": [
        "siglip/CLIP-ViT-SO400M-14-384",
        "openai/clip-vit-large-patch14-336",
        "facebook/dinov2-giant-res378",
        "clip-convnext-XXL-multi-stage",
    ],
    "mm_vision_select_layer": -2,
    "num_query_group": 1,
    "start_of_vision_sampler_layers": 0,
    "connector_only": False,
}
TINY_CAMBRIAN = {
    "mm_vision_tower_aux_token_len_list": [16, 16, 16, 256],
    "query_num_list": [16],
    "image_token_len": 16,
    "connector_depth": 2,
    "vision_hidden_size": 16,
    "stride_of_vision_sampler_layers": 2,
    "num_of_vision_sampler_layers": 2,
}

COGVLM = {
    "architectures": ["CogVLMForCausalLM"],
    "auto_map": {"AutoModelForCausalLM": "modeling_cogvlm.CogVLMForCausalLM"},
    "template_version": "chat",
    "hidden_act": "silu",
}
COGVLM_VISION = {
    "dropout_prob": 0.0,
    "hidden_act": "gelu",
    "in_channels": 3,
    "layer_norm_eps": 1e-6,
}
# The names of THUDM/cogvlm-chat-hf, and the ones that its first code gives the same weights.

QWEN = {
    "model_type": "qwen",
    "architectures": ["QWenLMHeadModel"],
    "layer_norm_epsilon": 1e-6,
    "no_bias": True,
    "kv_channels": 128,
    "rotary_emb_base": 10000,
    "tie_word_embeddings": False,
    "use_logn_attn": True,
}

VISUALGLM = {
    "model_type": "chatglm",
    "architectures": ["ChatGLMModel"],
    "layernorm_epsilon": 1e-5,
    "position_encoding_2d": True,
    "image_length": 32,
}
EVA = {"vocab_size": 1, "layernorm_epsilon": 1e-6, "max_sequence_length": 257}
BERT = {"vocab_size": 32, "layernorm_epsilon": 1e-12, "layernorm_order": "post"}

LARGE = {"vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32}
LARGE |= {"num_attention_heads": 32, "rms_norm_eps": 1e-5, "max_position_embeddings": 2048}
RELEASED = {
    "cambrian-8b": LARGE
    | CAMBRIAN
    | {
        "vocab_size": 128256,
        "intermediate_size": 14336,
        "num_key_value_heads": 8,
        "rope_theta": 500000.0,
        "mm_vision_tower_aux_token_len_list": [576, 576, 576, 9216],
        "query_num_list": [576],
        "image_token_len": 576,
        "connector_depth": 3,
        "vision_hidden_size": 1024,
        "stride_of_vision_sampler_layers": 3,
        "num_of_vision_sampler_layers": 10,
    },
    "cogvlm-17b": LARGE
    | COGVLM
    | {
        "intermediate_size": 11008,
        "vision_config": COGVLM_VISION
        | {"hidden_size": 1792, "image_size": 490, "intermediate_size": 15360, "patch_size": 14}
        | {"num_heads": 16, "num_hidden_layers": 63, "num_positions": 1226},
    },
    "qwen-vl-7b": LARGE
    | QWEN
    | {
        "vocab_size": 151936,
        "intermediate_size": 22016,
        "visual": {"heads": 16, "image_size": 448, "image_start_id": 151857, "layers": 48}
        | {"mlp_ratio": 4.9231, "output_dim": 4096, "patch_size": 14, "width": 1664},
    },
    "visualglm-6b": VISUALGLM
    | {
        "vocab_size": 130528,
        "hidden_size": 4096,
        "inner_hidden_size": 16384,
        "num_layers": 28,
        "num_attention_heads": 32,
        "max_sequence_length": 2048,
        "bos_token_id": 130004,
        "eva_config": EVA
        | {"num_layers": 39, "hidden_size": 1408, "num_attention_heads": 16, "patch_size": 14}
        | {"inner_hidden_size": 6144, "image_size": [224, 224]},
        "qformer_config": BERT | {"num_layers": 12, "hidden_size": 768, "num_attention_heads": 12},
    },
}
