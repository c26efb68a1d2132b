"""The tools of LLaVA-Plus, as its models call them, and which of our skills answer them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Api:
    """A tool of the original.

    Args:
        names: What its models call it.
        parameters: Those beside the picture, as its models write them.
        skills: Those of ours that answer it, one after the other; none where none is installed.
        more: Those that answer a part of its calls, where they are installed.
        backends: Of these skills, the backends that do what it does there.
        does: What it does, in a few words.
        model: What does it there, and would do it here.
        tells: Under which name its result says, beside boxes, what was looked for.
        shown: How its server introduces the result, where that is not the name called.
        silent: Whether the outlines that it gives are shown to the person only.
    """

    names: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    does: str
    model: str
    tells: str = ""
    shown: str = ""
    silent: bool = False


DETECTING = ("caption", "box_threshold", "text_threshold")
THRESHOLDS = DETECTING[1:]
GROUNDING_DINO = ("grounding-dino", "grounding-dino-original")  # two ways to load the same model
SAM = ("sam", "sam-original")
APIS = (
    Api(
        names=("grounding_dino",),
        parameters=DETECTING,
        skills=("detect",),
        backends=GROUNDING_DINO,
        does="finds what phrases name",
        model="GroundingDINO",
    ),
    Api(
        names=("sam",),
        parameters=("boxes", "points", "point_labels"),
        skills=("segment",),
        backends=SAM,
        does="outlines what boxes or points mark",
        model="SAM",
    ),
    Api(
        names=("grounding_dino+sam", "grounded_sam"),
        parameters=DETECTING,
        skills=("detect", "segment"),
        backends=(*GROUNDING_DINO, *SAM),
        does="finds what phrases name, and outlines it",
        model="GroundingDINO and SAM",
    ),
    Api(names=("ocr", "easyocr"), skills=("ocr",), does="reads text", model="EasyOCR"),
    Api(
        names=("inpainting",),
        parameters=("prompt",),
        skills=("erase",),
        more=("inpaint",),
        backends=("stable-diffusion-inpainting",),
        does="paints what a prompt says over the last outline",
        model="Stable Diffusion 2 inpainting",
    ),
    Api(
        names=("ram",),
        skills=("tag",),
        backends=("ram",),
        does="tags a picture",
        model="RAM",
    ),
    Api(
        names=("ram+grounding_dino",),
        parameters=THRESHOLDS,
        skills=("tag", "detect"),
        backends=("ram", *GROUNDING_DINO),
        tells="tags",
        does="tags a picture and finds what the tags name",
        model="RAM and GroundingDINO",
    ),
    Api(
        names=("blip2",),
        skills=("caption",),
        backends=("blip2",),
        does="captions a picture",
        model="BLIP-2",
    ),
    Api(
        names=("blip2+grounding_dino",),
        parameters=THRESHOLDS,
        skills=("caption", "detect"),
        backends=("blip2", *GROUNDING_DINO),
        tells="caption",
        does="captions a picture and finds what the caption names",
        model="BLIP-2 and GroundingDINO",
    ),
    Api(
        names=("clip", "retrieval"),
        skills=("search_images",),
        does="finds captions of similar pictures",
        model="CLIP with an index of pictures",
    ),
    Api(
        names=("openseed",),
        skills=("segment_scene",),
        silent=True,
        does="divides a picture by what each part shows",
        model="OpenSeeD",
        shown="controlnet",
    ),
    Api(
        names=("controlnet",),
        parameters=("prompt",),
        skills=("redraw",),
        backends=("controlnet",),
        does="draws a picture after a divided one",
        model="ControlNet",
    ),
    Api(
        names=("stable-diffusion", "sd"),
        parameters=("prompt",),
        skills=("generate",),
        backends=("stable-diffusion",),
        does="draws a picture after a prompt",
        model="Stable Diffusion",
    ),
    Api(
        names=("instruct-pix2pix", "ip2p"),
        parameters=("prompt",),
        skills=("edit",),
        backends=("instruct-pix2pix",),
        does="edits a picture as a prompt says",
        model="InstructPix2Pix",
    ),
    Api(
        names=("seem",),
        skills=("segment_alike",),
        silent=True,
        does="outlines what a reference picture marks",
        model="SEEM",
    ),
    Api(
        names=("semantic-sam", "semantic_sam"),
        parameters=("point", "boxes"),
        skills=("segment_levels",),
        silent=True,
        does="gives outlines of several sizes around a point",
        model="Semantic-SAM",
    ),
)
BY_NAME = {name: api for api in APIS for name in api.names}
