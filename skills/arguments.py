"""From what a planner wrote to what a function takes; every complaint says what to do next."""

import difflib
import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from llava_plus.errors import SkillError

from .regions import Boxes
from .spec import Parameter, SkillSpec, shown_kinds
from .store import Artifacts
from .values import PREFIXES, Points, Value


def resolve(spec: SkillSpec, args: Mapping[str, Any], artifacts: Artifacts) -> dict[str, Any]:
    """Check the arguments and put values in the place of handles, or raise ``SkillError``."""
    for name in args:
        if spec.parameter(name) is None:
            raise _unknown(spec, name)
    resolved: dict[str, Any] = {}
    for parameter in spec.parameters:
        given = args.get(parameter.name)
        given = given.strip() if isinstance(given, str) else given
        if given is None and parameter.name in args and parameter.nullable:
            resolved[parameter.name] = None
        elif given is None and parameter.required:
            raise _missing(spec, parameter, artifacts)
        elif given is not None and parameter.adapter is None:
            resolved[parameter.name] = _value(spec, parameter, given, artifacts)
        elif given is not None:
            resolved[parameter.name] = _plain(spec, parameter, given)
    return resolved


def _value(spec: SkillSpec, parameter: Parameter, given: Any, artifacts: Artifacts) -> Value:
    if not isinstance(given, str):
        return _literal(spec, parameter, given, artifacts)
    artifact = artifacts[given]
    if artifact.kind not in parameter.kinds:
        raise SkillError(
            f"{spec.name}: {parameter.name} wants {shown_kinds(parameter.kinds)}, "
            f"{given} is {artifact.kind}. {_offer(parameter, artifacts)}"
        )
    return artifact.value


def _literal(spec: SkillSpec, parameter: Parameter, given: Any, artifacts: Artifacts) -> Value:
    """Read [x0, y0, x1, y1] or [x, y], or a list of those, where boxes or points are taken."""
    start = f"{spec.name}: {parameter.name}"
    rows = given if isinstance(given, list | tuple) and _nested(given) else [given]
    lengths = {len(row) if _numbers(row) else 0 for row in rows}
    try:
        if lengths == {4} and "boxes" in parameter.kinds:
            return Boxes(tuple(tuple(row) for row in rows))
        if lengths == {2} and "points" in parameter.kinds:
            return Points(tuple(tuple(row) for row in rows))
    except ValueError as error:
        raise SkillError(f"{start}: {error}.") from error
    wanted = shown_kinds(parameter.kinds)
    raise SkillError(f"{start} wants {wanted}, got {_shown(given)}. {_offer(parameter, artifacts)}")


def _plain(spec: SkillSpec, parameter: Parameter, given: Any) -> Any:
    assert parameter.adapter is not None
    try:
        result = parameter.adapter.validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{part}]" for part in first["loc"] if isinstance(part, int))
        why = first["msg"][:1].lower() + first["msg"][1:]
        raise _unfit(spec, parameter, given, place + why) from error
    if isinstance(result, float) and not math.isfinite(result):
        raise _unfit(spec, parameter, given, "input should be a finite number")
    return result


def _unfit(spec: SkillSpec, parameter: Parameter, given: Any, why: str) -> SkillError:
    out = "" if parameter.required else ", or leave it out"
    out += f" for {parameter.default!r}." if parameter.default is not None else "."
    return SkillError(f"{spec.name}: {parameter.name} cannot be {_shown(given)}: {why}{out}")


def _unknown(spec: SkillSpec, name: str) -> SkillError:
    names = [parameter.name for parameter in spec.parameters]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return SkillError(f"{spec.name}: no parameter {name!r}.{hint} It takes: {', '.join(names)}.")


def _missing(spec: SkillSpec, parameter: Parameter, artifacts: Artifacts) -> SkillError:
    what = f"{spec.name}: {parameter.name} is missing, it wants {parameter.wanted}."
    return SkillError(f"{what} {_offer(parameter, artifacts)}" if parameter.kinds else what)


def _offer(parameter: Parameter, artifacts: Artifacts) -> str:
    """Say which handles would fit."""
    fitting = [name for name, artifact in artifacts.items() if artifact.kind in parameter.kinds]
    prefixes = " or ".join(f"{PREFIXES[kind]}_1" for kind in parameter.kinds)
    there = f"There are: {', '.join(fitting)}." if fitting else f"There is no {prefixes} yet."
    return there + (" Or give numbers from 0 to 1." if parameter.literals else "")


def _nested(given: Any) -> bool:
    return bool(given) and all(isinstance(row, list | tuple) for row in given)


def _numbers(row: Any) -> bool:
    return isinstance(row, list | tuple) and all(
        isinstance(n, int | float) and not isinstance(n, bool) for n in row
    )


def _shown(given: Any) -> str:
    text = json.dumps(given, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:79] + "…"
