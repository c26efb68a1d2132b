"""Vision-language models of transformers with random weights, to measure and test planners on."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import (
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
)

from llava_plus.model import train_tokenizer

SPECIALS = ("<|im_end|>", "<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
CALL_TOKENS = ("<tool_call>", "</tool_call>")
TEMPLATE = """\
{% if tools %}<|im_start|>system
Tools:{% for tool in tools %}{{ "\n" }}{{ tool | tojson }}{% endfor %}<|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}\
{% for part in message.content %}{% if part.type == "image" %}\
<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}\
{% endif %}{% for call in message.tool_calls or [] %}\
{% if message.content or not loop.first %}{{ "\n" }}{% endif %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""  # tells of tools and writes calls as Hermes and Qwen do
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "tiny": {
        "text": {
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        },
        "vision": {"depth": 2, "embed_dim": 32, "num_heads": 2, "hidden_size": 32},
    },
    "7b": {  # as Qwen2-VL-7B
        "text": {
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "vocab_size": 152064,
            "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
        },
        "vision": {"depth": 32, "embed_dim": 1280, "num_heads": 16, "hidden_size": 3584},
    },
}


class PicturesOnly(Qwen2VLProcessor):
    """Qwen2-VL's processor without the part for videos, which needs torchvision."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        if argument is None:
            return None
        return super().check_argument_for_proper_class(  # type: ignore[no-untyped-call]
            argument_name, argument
        )


def random_qwen(
    size: str = "tiny",
    *,
    texts: Sequence[str] = ("find the faces",),
    most_pixels: int = 28 * 28 * 16,
    device: str = "cpu",
    template: str = TEMPLATE,
) -> tuple[Any, Any]:
    """Make a Qwen2-VL with random weights and a processor in its format.

    Args:
        size: "tiny" (float32) or "7b" (bfloat16, 15 GB).
        texts: What the tokenizer learns its words from.
        most_pixels: Pictures are scaled down to that many; 28 x 28 of them make a token.
        device: Where the weights are made.
        template: The chat template.
    """
    tokenizer = train_tokenizer(
        texts, specials=SPECIALS, boilerplate=CALL_TOKENS, end_token=SPECIALS[0]
    )
    ids: list[int] = [tokenizer.vocab[name] for name in SPECIALS[2:]]
    starts, ends, pad = ids
    text = {"vocab_size": len(tokenizer), **SIZES[size]["text"]}
    config = Qwen2VLConfig(
        text_config={
            **text,
            "max_position_embeddings": 32768,
            "bos_token_id": None,
            "eos_token_id": 0,
        },
        vision_config={**SIZES[size]["vision"], "mlp_ratio": 4, "patch_size": 14},
        vision_start_token_id=starts,
        vision_end_token_id=ends,
        image_token_id=pad,
        video_token_id=len(tokenizer) - 1,
    )
    torch.manual_seed(0)
    dtype = torch.float32 if size == "tiny" else torch.bfloat16
    with torch.device(device):
        model: Any = Qwen2VLForConditionalGeneration._from_config(  # type: ignore[no-untyped-call]
            config, dtype=dtype
        )
    model.generation_config.eos_token_id = 0
    processor = PicturesOnly(  # type: ignore[no-untyped-call]
        image_processor=Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=most_pixels),
        tokenizer=tokenizer,
        video_processor=None,
        chat_template=template,
    )
    return model, processor
