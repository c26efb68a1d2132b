"""All backends that there are, the preferred ones of a skill first."""

from llava_plus.errors import SetupError

from .backend import Backend
from .table_extras import EXTRAS
from .table_making import MAKING
from .table_regions import REGIONS
from .table_saying import SAYING

BACKENDS = (*REGIONS, *EXTRAS, *SAYING, *MAKING)


def named(name: str) -> Backend:
    """Return a backend by its name, or tell the person which there are."""
    found = next((each for each in BACKENDS if each.name == name), None)
    if found is None:
        known = ", ".join(dict.fromkeys(each.name for each in BACKENDS))
        raise SetupError(f"There is no backend {name!r}. There are: {known}.")
    return found
