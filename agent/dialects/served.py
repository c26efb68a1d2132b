"""The requests of LLaVA-Plus's web server to its workers, as it would make them of a session.

Its model worker wants the whole conversation as one text, in the template that the name of the
model picks, with the pictures beside it; a tool worker wants one picture and the parameters.
Not covered: it cut requests to 1,536 characters (1,200 beside a picture), and began a new
conversation with each new picture.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydantic import JsonValue

from llava_plus.errors import SetupError
from llava_plus.messages import Message
from llava_plus.skills import Call, Image

Name = Literal["llava_v0", "llava_v1"]
SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
SHORT, LONG = 400, 800  # pixels of a picture's sides at most: for the model; the longer for tools


@dataclass(frozen=True, kw_only=True)
class Template:
    """How a conversation becomes one text; the model stops at ``stop``."""

    roles: tuple[str, str]
    opened: str  # after the system's words
    asked: str  # after what the person says
    stop: str  # after what the model says


TEMPLATES: dict[Name, Template] = {
    "llava_v0": Template(roles=("Human", "Assistant"), opened="###", asked="###", stop="###"),
    "llava_v1": Template(roles=("USER", "ASSISTANT"), opened=" ", asked=" ", stop="</s>"),
}


def template_of(model: str) -> Name:
    """Return the template that a model's name picked, as far as LLaVA-Plus's own models go."""
    return "llava_v1" if "v1" in model.lower() else "llava_v0"


def prompt(messages: Sequence[Message], template: Name) -> str:
    """Write a conversation that the model goes on with, as `plus.render` gave it.

    Raises:
        SetupError: It is not one that the original could have had.
    """
    style = TEMPLATES[template]
    text = SYSTEM + style.opened
    for index, message in enumerate(messages):
        planned = message.role == "assistant"
        if planned != bool(index % 2) or (message.images and (index or len(message.images) > 1)):
            raise SetupError(
                f"Message {index + 1} ({message.role}, {len(message.images)} pictures) fits no "
                "conversation of LLaVA-Plus: the person begins, with one picture at most, then "
                "both take turns."
            )
        words = ("<image>" if message.images else "") + message.text
        text += f"{style.roles[planned]}: {words}{style.stop if planned else style.asked}"
    return f"{text}{style.roles[1]}:"


def model_request(
    messages: Sequence[Message],
    *,
    model: str,
    temperature: float = 0.2,
    top_p: float = 0.7,
    max_new_tokens: int = 512,
) -> dict[str, JsonValue]:
    """Return what goes to the model worker's ``/worker_generate_stream``.

    The defaults are those of the page. After a result ``top_p`` is left out, as the server did.
    """
    template = template_of(model)
    pictures = [_encoded(_for_model(part.pixels)) for one in messages for part in one.images]
    body: dict[str, JsonValue] = {
        "model": model,
        "prompt": prompt(messages, template),
        "temperature": temperature,
        "top_p": top_p,
        "max_new_tokens": min(max_new_tokens, 1536),
        "stop": TEMPLATES[template].stop,
        "images": list(pictures),
    }
    if messages[-1].role == "observation":
        del body["top_p"]
    return body


def tool_request(call: Call, image: Image | None) -> dict[str, Any]:
    """Return what goes to a tool worker's ``/worker_generate``, but for what its state adds.

    Args:
        call: By the API's name; handles in it are left out.
        image: The picture that the conversation began with.
    """
    params = {name: v for name, v in call.args.items() if name not in ("image", "mask")}
    picture = None if image is None else _encoded(_for_tools(image.rgb()))
    body = {"image": picture, "box_threshold": 0.3, "text_threshold": 0.25, **params}
    return body | ({"mode": call.skill} if call.skill in ("openseed", "controlnet") else {})


def _for_model(pixels: NDArray[np.uint8]) -> Pillow.Image:
    """Scale (height, width, 3) so that it fits within 400 by 800 pixels, lying or standing."""
    picture = Pillow.fromarray(pixels)
    ratio = max(picture.size) / min(picture.size)
    short = int(min(LONG / ratio, SHORT, min(picture.size)))
    longer = int(short * ratio)
    if longer == max(picture.size):
        return picture
    upright = picture.height > picture.width
    return picture.resize((short, longer) if upright else (longer, short))


def _for_tools(pixels: NDArray[np.uint8]) -> Pillow.Image:
    """Scale (height, width, 3) so that no side is above 800 pixels."""
    picture = Pillow.fromarray(pixels)
    if max(picture.size) <= LONG:
        return picture
    width, height = picture.size
    size = (LONG, int(height * LONG / width))
    if height > width:
        size = (int(width * LONG / height), LONG)
    return picture.resize(size, Pillow.Resampling.BILINEAR)


def _encoded(picture: Pillow.Image) -> str:
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")
