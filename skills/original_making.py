"""LLaVA-Plus's APIs that make pictures and change them."""

from pydantic import JsonValue

from llava_plus.errors import SkillError

from .apis import BY_NAME
from .decorator import skill
from .original_calls import Maker, declared, not_here, run_skill
from .pixels import Image
from .regions import Masks
from .registry import SkillRegistry
from .spec import SkillSpec

SLOW = 1800.0  # seconds


def _drawing(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=SLOW)
    def stable_diffusion(prompt: JsonValue, *, image: Image | None = None) -> Image:
        """Draw a picture after a prompt; one that comes along is not looked at."""
        made: Image = run_skill(skills, "generate", prompt=_words("stable-diffusion", prompt))
        return made

    return declared(stable_diffusion)


def _editing(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=SLOW)
    def instruct_pix2pix(image: Image, prompt: JsonValue) -> Image:
        """Edit a picture as a prompt says."""
        words = _words("instruct-pix2pix", prompt)
        made: Image = run_skill(skills, "edit", image=image, instruction=words)
        return made

    return declared(instruct_pix2pix)


def _redrawing(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=SLOW)
    def controlnet(mask: Masks, prompt: JsonValue, *, image: Image | None = None) -> Image:
        """Draw a picture whose parts lie as those of the picture that was divided last.

        Args:
            mask: The labelled parts; the newest ones where left out.
            prompt: What the new picture shows.
            image: What was divided; it is not looked at.
        """
        made: Image = run_skill(skills, "redraw", layout=mask, prompt=_words("controlnet", prompt))
        return made

    return declared(controlnet)


def _filling(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=SLOW)
    def inpainting(image: Image, mask: Masks, *, prompt: JsonValue = "") -> Image:
        """Paint a prompt over the first of the outlines found last; without one, fill it.

        Args:
            image: The picture to edit.
            mask: The outlines; the newest ones where left out.
            prompt: What to paint; where it is empty, what surrounds the outline is continued.
        """
        words = _text(prompt)
        if words and "inpaint" not in skills:
            raise not_here(BY_NAME["inpainting"], f"paints {words[:80]!r}", ("inpaint",))
        if not len(mask):
            raise SkillError("inpainting: there is no outline in mask. Outline something first.")
        region = mask.take([0])
        edited: Image = (
            run_skill(skills, "inpaint", image=image, region=region, prompt=words)
            if words
            else run_skill(skills, "erase", image=image, region=region)
        )
        return edited

    return declared(inpainting)


MAKING: dict[str, Maker] = {
    "stable-diffusion": _drawing,
    "instruct-pix2pix": _editing,
    "controlnet": _redrawing,
    "inpainting": _filling,
}


def _words(name: str, prompt: JsonValue) -> str:
    if not (words := _text(prompt)):
        raise SkillError(
            f'{name}: prompt wants words, such as "a boat under the sea", got {str(prompt)[:80]!r}.'
        )
    return words


def _text(prompt: JsonValue) -> str:
    """Return the words of a prompt, which the original's models wrap in {"caption": …} at times."""
    inner = prompt.get("caption") if isinstance(prompt, dict) else prompt
    return inner.strip() if isinstance(inner, str) else ""
