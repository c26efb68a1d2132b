"""What the dialects with handles have in common: requests, results, and pictures shown once."""

from llava_plus.agent.trace import Turn, pointed_at
from llava_plus.messages import ImagePart, TextPart
from llava_plus.skills import Artifacts, Image, Observation

Part = TextPart | ImagePart
Shown = dict[str, str]  # digests of the pictures that the planner has seen, and their handles

HANDLES = """Pictures and results have handles such as img_1 or boxes_1; only handles that you \
were told exist. Calls of one step run at the same time, so a call that needs a result waits for \
the next step.
In an answer, {boxes_1} in braces is replaced by what was found, {img_2} shows the picture, \
{error} quotes the last error. Answer in the language of the request.
"""


def request_parts(turn: Turn, artifacts: Artifacts, shown: Shown) -> list[Part]:
    """Write a request: new pictures and pointers with their handles, then the words."""
    parts: list[Part] = []
    for handle in turn.images:
        same = show(handle, artifacts, parts, shown)
        parts.append(TextPart(text=f"{handle}{same} "))
    for handle in turn.pointers:
        parts.append(TextPart(text=f"{handle} on {pointed_at(artifacts[handle])} "))
    parts.append(TextPart(text=turn.message))
    return parts


def result_text(seen: Observation) -> str:
    """Write what came of a call."""
    if seen.handle is not None:
        return f"{seen.handle} = {seen.skill}: {seen.text}"
    return f"{seen.skill} failed: {seen.text}" if seen.skill else seen.text


def show(handle: str, artifacts: Artifacts, parts: list[Part], shown: Shown) -> str:
    """Add a picture that is new; for one that was shown before, return what to say instead."""
    value = artifacts[handle].value
    if not isinstance(value, Image):
        return ""
    if value.digest in shown:
        return f" (same as {shown[value.digest]})"
    shown[value.digest] = handle
    parts.append(ImagePart(pixels=value.rgb(), digest=value.digest))
    return ""
