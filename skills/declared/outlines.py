"""Outlining in more ways than from a box or a point."""

from typing import Annotated

from pydantic import Field

from llava_plus.skills import Image, Masks, Points, Region, skill
from llava_plus.skills.absent import needs_model


@skill(examples=("outline the dog", "cut out every red car"))
def segment_named(image: Image, label: str) -> Masks:
    """Find the things in a picture that a phrase names, and outline each exactly.

    Args:
        image: The picture to look at.
        label: What to outline, such as "red car"; " . " stands between several things.
    """
    raise needs_model("segment_named")


@skill(examples=("which outlines could I have meant with this click",))
def segment_choices(image: Image, points: Points) -> Masks:
    """Give the three outlines that a click can mean, such as button, shirt and person, best first.

    Args:
        image: The picture to look at.
        points: Points on one thing; points marked as negative say what does not belong to it.
    """
    raise needs_model("segment_choices")


@skill(examples=("outline this at every size: the part, the thing, the group",))
def segment_levels(image: Image, points: Points) -> Masks:
    """Outline what is under a click at several sizes within each other, the smallest first.

    Args:
        image: The picture to look at.
        points: Points on one thing; points marked as negative say what does not belong to it.
    """
    raise needs_model("segment_levels")


@skill(examples=("outline everything in the picture", "cut the picture into its parts"))
def segment_everything(image: Image, *, density: Annotated[int, Field(ge=2, le=64)] = 32) -> Masks:
    """Outline all things and parts that stand out in a picture, without names, largest first.

    Args:
        image: The picture to look at.
        density: So many points each way are asked what they lie on; more find smaller parts.
    """
    raise needs_model("segment_everything")


@skill(examples=("find in this picture what I marked in the other one",))
def segment_alike(image: Image, reference: Image, region: Region) -> Masks:
    """Outline in a picture the one thing that is most like a thing marked in another picture.

    It always finds something; a low score says that the thing may not be there.

    Args:
        image: The picture to look at.
        reference: The other picture.
        region: Where the thing is in the other picture.
    """
    raise needs_model("segment_alike")


@skill(examples=("divide the picture into sky, road, trees", "which part is grass"))
def segment_scene(image: Image) -> Masks:
    """Divide a whole picture by what each part shows, such as sky, road and tree, largest first.

    Args:
        image: The picture to look at.
    """
    raise needs_model("segment_scene")
