"""Packages that only some exports need."""

from importlib import import_module
from typing import Any

from llava_plus.errors import SetupError


def needed(module: str, what: str) -> Any:
    """Import a module of the extra ``data``, or say how to get it.

    Args:
        module: Such as "pyarrow".
        what: What needs it, in words.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise SetupError(
            f"{what} needs {package}, which is not installed: pip install 'llava-plus[data]'"
        ) from error
