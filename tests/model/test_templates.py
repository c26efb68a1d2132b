import numpy as np
import pytest

from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.model import TEMPLATES, LMMProcessor, train_tokenizer

PICTURE = ImagePart(pixels=np.zeros((4, 4, 3), np.uint8), digest="d")


def say(role, *parts, supervised=False):
    parts = tuple(TextPart(text=part) if isinstance(part, str) else part for part in parts)
    return Message(role=role, parts=parts, supervised=supervised)


TALK = (
    say("system", ""),
    say("user", PICTURE, "img_1 ", "What is this?"),
    say("assistant", "A cat.", supervised=True),
    say("observation", PICTURE, "img_2 = crop"),
    say("assistant", "Its ear.", supervised=True),
    say("user", "Thanks"),
)

NANO = (
    "<|user|>[picture]img_1 What is this?<|end|>"
    "<|assistant|>*A cat.**<|end|>*"
    "<|observation|>[picture]img_2 = crop<|end|>"
    "<|assistant|>*Its ear.**<|end|>*"
    "<|user|>Thanks<|end|>"
    "<|assistant|>"
)
VICUNA = (
    "<s>A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
    " USER: [picture]\nimg_1 What is this? ASSISTANT:* A cat.**</s>*"
    "USER: [picture]\nimg_2 = crop ASSISTANT:* Its ear.**</s>*"
    "USER: Thanks ASSISTANT:"
)

CHAT = """*<|im_start|>*system
You are a helpful assistant.*<|im_end|>**
**<|im_start|>*user
Picture 1: <img>[picture]</img>
img_1 What is this?*<|im_end|>**
**<|im_start|>*assistant
*A cat.**<|im_end|>**
**<|im_start|>*user
Picture 2: <img>[picture]</img>
img_2 = crop*<|im_end|>**
**<|im_start|>*assistant
*Its ear.**<|im_end|>**
**<|im_start|>*user
Thanks*<|im_end|>**
**<|im_start|>*assistant
"""
GOLDEN = {
    "nano": NANO,
    "vicuna_v1": VICUNA,
    "plain": "<s>[picture]*A cat.\n*[picture]*Its ear.\n*",
    # As the first LLaVA's code masked: the signs that begin turns are learned, and an answer's end.
    "vicuna_v0": (
        "<s>A chat between a curious human and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the human's questions.\n\n"
        "*###* Human: [picture]\nimg_1 What is this?\n*### Assistant:** A cat.\n###*"
        " Human: [picture]\nimg_2 = crop\n*### Assistant:** Its ear.\n###*"
        " Human: Thanks\n*### Assistant:*"
    ),
    "flamingo": (
        "<s>[picture]img_1 What is this?*A cat.**<|endofchunk|>*"
        "[picture]img_2 = crop*Its ear.**<|endofchunk|>*Thanks"
    ),
    "caption": (
        "[picture]</s>img_1 What is this?* A cat.\n*"
        "[picture]</s>img_2 = crop* Its ear.\n*</s>Thanks"
    ),
    "minigpt4": (
        "<s>###Human: <Img>[picture]</Img> img_1 What is this? ###Assistant: *A cat.###*"
        "Human: <Img>[picture]</Img> img_2 = crop ###Assistant: *Its ear.###*"
        "Human: Thanks ###Assistant: "
    ),
    "minigpt_v2": (
        "<s>[INST] <Img>[picture]</Img> img_1 What is this? [/INST]* A cat.**</s>*"
        "<s>[INST] <Img>[picture]</Img> img_2 = crop [/INST]* Its ear.**</s>*"
        "<s>[INST] Thanks [/INST]"
    ),
    "cogvlm": (
        "<s>[picture] [INST] img_1 What is this? [/INST] *A cat.**</s>*"
        "[picture] [INST] img_2 = crop [/INST] *Its ear.**</s>* [INST] Thanks [/INST] "
    ),
    "palm_e": (
        "<s>Q: [picture]img_1 What is this?\nA:* A cat.**</s>*"
        "Q: [picture]img_2 = crop\nA:* Its ear.**</s>*Q: Thanks\nA:"
    ),
    "visualglm": (
        "<img>[picture]</img>问：img_1 What is this?\n答：[gMASK]*<sop>**A cat.**<eop>*"  # noqa: RUF001
        "<img>[picture]</img>问：img_2 = crop\n答：[gMASK]*<sop>**Its ear.**<eop>*"  # noqa: RUF001
        "问：Thanks\n答：[gMASK]*<sop>*"  # noqa: RUF001
    ),
    # Every line break that is a token of its own is learned too, whoever says it.
    "qwen_1_5": (
        CHAT.replace("Picture 1: <img>", "").replace("Picture 2: <img>", "")
        .replace("</img>", "").replace("*<|im_start|>*system\n", "*<|im_start|>*system*\n*")
        .replace("user\n", "user*\n*").replace("assistant\n", "assistant*\n*")
        .replace("[picture]\n", "[picture]*\n*")
    ),
    "qwen_vl": CHAT,
    "llama_3": (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n[picture]\nimg_1 What is"
        " this?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n*A cat.**<|eot_id|>*"
        "<|start_header_id|>user<|end_header_id|>\n\n[picture]\nimg_2 = crop<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n*Its ear.**<|eot_id|>*"
        "<|start_header_id|>user<|end_header_id|>\n\nThanks<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
}  # fmt: skip
SIGNS_LEARNED = {"vicuna_v0", "qwen_1_5", "qwen_vl"}  # as their systems have it


def written(segments):
    """Segments as one line; what is learned stands between stars."""
    words = []
    for segment in segments:
        text = "[picture]" if segment.image else segment.token or segment.text
        words.append(f"*{text}*" if segment.supervised else text)
    return "".join(words)


def test_every_template_has_a_golden():
    assert GOLDEN.keys() == TEMPLATES.keys()


@pytest.mark.parametrize(("name", "golden"), GOLDEN.items())
def test_a_conversation_is_written_as_the_template_says(name, golden):
    assert written(TEMPLATES[name].render(TALK, add_generation_prompt=True)) == golden


def test_a_system_message_is_written_where_it_says_something():
    told = (say("system", "+ zoom"), *TALK[1:])
    assert written(TEMPLATES["nano"].render(told)).startswith("<|system|>+ zoom<|end|><|user|>")
    assert written(TEMPLATES["vicuna_v1"].render(told)).startswith("<s>+ zoom USER: ")


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("length", range(1, len(TALK)))
def test_a_longer_conversation_extends_the_shorter_one(name, length):
    template = TEMPLATES[name]
    whole = template.render(TALK)
    shorter = template.render(TALK[:length])
    assert whole[: len(shorter)] == shorter
    if TALK[length].role == "assistant":
        prompted = template.render(TALK[:length], add_generation_prompt=True)
        assert whole[: len(prompted)] == prompted


def test_only_supervised_assistants_are_learned():
    talk = (say("user", "a", supervised=True), say("assistant", "b"))
    for name, template in TEMPLATES.items():
        learned = [segment for segment in template.render(talk) if segment.supervised]
        signs = {"###", "### Assistant:", "\n", "", "<|im_start|>", "<|im_end|>"}
        assert all(name in SIGNS_LEARNED and (s.token or s.text) in signs for s in learned)


@pytest.mark.parametrize("name", TEMPLATES)
def test_labels_are_the_tokens_of_what_is_learned(name):
    specials = TEMPLATES[name].specials
    texts = ["A cat. Its ear. Thanks Human: Assistant: USER: What is this?"]
    tokenizer = train_tokenizer(
        texts, vocab_size=330, specials=specials, end_token=TEMPLATES[name].end_token
    )
    processor = LMMProcessor(tokenizer, template=name)
    encoded = processor.encode(TALK, with_pixels=False)
    learned = [
        i for i, label in zip(encoded["input_ids"], encoded["labels"], strict=True) if label >= 0
    ]
    segments = [s for s in TEMPLATES[name].render(TALK) if s.supervised]
    assert tokenizer.decode(learned) == "".join(s.token or s.text for s in segments)
    assert all(
        label in (-100, token)
        for token, label in zip(encoded["input_ids"], encoded["labels"], strict=True)
    )
