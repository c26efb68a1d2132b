"""What a model measures in a picture: depth, and how people hold themselves."""

from llava_plus.skills import Image, Region, Table, skill
from llava_plus.skills.absent import needs_model


@skill(examples=("how far away are things", "which of the two dogs is nearer"))
def depth(image: Image, *, region: Region | None = None) -> Image | Table:
    """Show how near each part of a picture is: light is near, dark is far. No metres are known.

    With a region, a table says of each of its parts how near it is, from 0, the farthest place in
    this picture, to 1, the nearest. These numbers order the places of one picture, nothing more.

    Args:
        image: The picture to look at.
        region: The parts to compare; a grey picture of all where left out.
    """
    raise needs_model("depth")


@skill(examples=("draw the skeletons of the people", "is she raising her arms"))
def pose(image: Image, *, region: Region | None = None, drawn: bool = True) -> Image | Table:
    """Find the joints of people: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles.

    Where the people are has to be known: detect "person" first. Left and right are their own.

    Args:
        image: The picture to look at.
        region: The people, each a part; the picture is taken for one person where left out.
        drawn: Whether to draw joints and limbs; else a table of the joints, places in 0..1.
    """
    raise needs_model("pose")
