"""Reading JSON that a model wrote, which may be anything."""

import json
from math import isfinite
from typing import Any


def decoder() -> json.JSONDecoder:
    """Make a decoder that refuses what is no JSON number; control characters may stand in text."""
    return json.JSONDecoder(strict=False, parse_constant=_refuse, parse_float=_finite)


def tidy(value: Any) -> Any:
    """Strip strings and mend halves of characters, at any depth."""
    if isinstance(value, str):
        return value.strip().encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [tidy(item) for item in value]
    if isinstance(value, dict):
        return {tidy(key): tidy(item) for key, item in value.items()}
    return value


def short(value: Any) -> str:
    """Quote the beginning and the end of what came."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return repr(text if len(text) <= 120 else f"{text[:80]}…{text[-30:]}")


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not a JSON number")


def _finite(word: str) -> float:
    if not isfinite(number := float(word)):
        raise ValueError(f"{word} is too big")
    return number
