"""All backends that there are, the preferred ones of a skill first."""

from llava_plus.errors import SetupError

from .backend import Backend
from .grounding_dino import load_grounding_dino
from .owlv2 import load_owlv2
from .sam import load_sam

_ANYTHING = "Here it finds whatever a short English phrase names, too."

BACKENDS = (
    Backend(
        name="grounding-dino",
        skill="detect",
        note=_ANYTHING,
        weights="IDEA-Research/grounding-dino-tiny",
        model_type="grounding-dino",
        licence="Apache-2.0",
        download=690,
        working=2000,
        load=load_grounding_dino,
        words=True,
    ),
    Backend(
        name="owlv2",
        skill="detect",
        note=_ANYTHING,
        weights="google/owlv2-base-patch16-ensemble",
        model_type="owlv2",
        licence="Apache-2.0",
        download=620,
        working=2000,
        load=load_owlv2,
        words=True,
        packages=("scipy",),
        extra="owlv2",
    ),
    Backend(
        name="sam",
        skill="segment",
        note="",
        weights="facebook/sam-vit-base",
        model_type="sam",
        licence="Apache-2.0",
        download=375,
        working=4000,
        load=load_sam,
    ),
)


def named(name: str) -> Backend:
    """Return a backend by its name, or tell the person which there are."""
    found = next((each for each in BACKENDS if each.name == name), None)
    if found is None:
        known = ", ".join(each.name for each in BACKENDS)
        raise SetupError(f"There is no backend {name!r}. There are: {known}.")
    return found
