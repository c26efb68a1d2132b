"""What is known of a skill: its name, its parameters, what it returns and where it comes from."""

from __future__ import annotations

import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import TypeAdapter

from .values import PREFIXES, Region, Value

Function = Callable[..., Value]
Isolation = Literal["inline", "worker"]  # a thread of this process, or a process of its own

REGION_KINDS = tuple(kind.kind for kind in get_args(Region))
_NUMBER = {"type": "number", "minimum": 0, "maximum": 1}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter: a value given by its handle, or something plain that pydantic checks."""

    name: str
    annotation: Any = field(repr=False)
    kinds: tuple[str, ...] = ()  # empty for plain parameters
    description: str = ""
    required: bool = True
    default: Any = None
    nullable: bool = False  # whether the function itself knows what to do with None
    keyword_only: bool = False
    json_schema: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    adapter: TypeAdapter[Any] | None = field(default=None, repr=False, compare=False)

    @property
    def wanted(self) -> str:
        """The type as a signature shows it; that it may be left out shows in the default."""
        return shown_kinds(self.kinds) if self.kinds else _shown(self.annotation)

    @property
    def literals(self) -> bool:
        """Whether numbers may stand where a handle could."""
        return bool({"boxes", "points"} & set(self.kinds))

    def signature(self) -> str:
        return f"{self.name}: {self.wanted}" + ("" if self.required else f" = {self.default!r}")


@dataclass(frozen=True, kw_only=True)
class SkillSpec:
    """Everything that planners, pages and traces need to know of a skill, without running it."""

    name: str
    description: str  # one paragraph in one line: what the planner reads
    doc: str
    parameters: tuple[Parameter, ...]
    returns: tuple[str, ...]  # kinds
    function: Function = field(repr=False)
    prepare: Callable[[], object] | None = field(default=None, repr=False, compare=False)
    examples: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    time_limit: float = 30.0  # seconds
    cache: bool = True  # False where the same inputs may give another result
    approval: bool = False  # whether a person has to allow each call of a planner
    version: str = ""  # of the function's own source; what it calls is not covered
    backend: str = "builtin"  # or the module that a person brought
    source: str = ""  # the file or the package that it was loaded from, where that is known
    note: str = ""  # what its backend adds to the description, for planners to read
    isolation: Isolation = "inline"
    isolation_given: bool = False  # whether its author said so
    memory_limit: int = 4096  # MiB that a worker may hold; nothing limits an inline skill

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)

    @property
    def told(self) -> str:
        """What a planner reads of it: the description, and what its backend adds."""
        return f"{self.description} {self.note}".rstrip()

    def for_call(self, args: Mapping[str, Any]) -> SkillSpec:
        """Return the skill as it does a call with these arguments: with the backend they get."""
        return self.function.choose(args) if isinstance(self.function, Routed) else self

    def signature(self) -> str:
        """Return the one line of the catalog, such as ``crop(image: Image) -> Image``."""
        shown: list[str] = []
        for parameter in self.parameters:
            if parameter.keyword_only and "*" not in shown:
                shown.append("*")
            shown.append(parameter.signature())
        return f"{self.name}({', '.join(shown)}) -> {shown_kinds(self.returns)}"

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of the arguments as a planner writes them."""
        return {
            "type": "object",
            "properties": {p.name: dict(p.json_schema) for p in self.parameters},
            "required": [p.name for p in self.parameters if p.required],
            "additionalProperties": False,
        }


class Routed(ABC):
    """The function of a skill that several backends share; ``options`` are the skill with each."""

    options: tuple[SkillSpec, ...]

    @abstractmethod
    def choose(self, args: Mapping[str, Any]) -> SkillSpec:
        """Return the skill with the one backend that does a call with these arguments."""

    def __call__(self, *values: Any, **named: Any) -> Value:
        names = [parameter.name for parameter in self.options[0].parameters]
        args = dict(zip(names, values, strict=False)) | named
        return self.choose(args).function(**args)


def value_schema(kinds: Sequence[str]) -> dict[str, Any]:
    """Return the schema of a value: a handle, or numbers where boxes or points are taken."""
    prefixes = "|".join(PREFIXES[kind] for kind in kinds)
    choices: list[dict[str, Any]] = [{"type": "string", "pattern": f"^({prefixes})_[1-9][0-9]*$"}]
    for kind, length in (("boxes", 4), ("points", 2)):
        if kind in kinds:
            one = {"type": "array", "items": _NUMBER, "minItems": length, "maxItems": length}
            choices += [one, {"type": "array", "items": one, "minItems": 1}]
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def shown_kinds(kinds: Sequence[str]) -> str:
    """Name kinds as their classes are named; together the three kinds of region are "Region"."""
    names = {kind.kind: kind.__name__ for kind in get_args(Value)}
    if set(kinds) == set(names):
        return "Value"
    if set(REGION_KINDS) <= set(kinds):
        rest = [names[kind] for kind in kinds if kind not in REGION_KINDS]
        return " | ".join(["Region", *rest])
    return " | ".join(names[kind] for kind in kinds)


def members(annotation: Any) -> tuple[Any, ...]:
    """Return the alternatives of a type, without None and without what is only annotated."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        parts = (part for choice in get_args(annotation) for part in members(choice))
        return tuple(dict.fromkeys(parts))
    return () if annotation in (None, types.NoneType) else (annotation,)


def takes_none(annotation: Any) -> bool:
    """Whether None is one of the alternatives of a type."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return takes_none(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return any(takes_none(choice) for choice in get_args(annotation))
    return annotation in (None, types.NoneType)


def _shown(annotation: Any) -> str:
    return " | ".join(_shown_one(member) for member in members(annotation))


def _shown_one(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(repr(choice) for choice in get_args(annotation))
    if get_args(annotation):
        inner = ", ".join("..." if a is Ellipsis else _shown(a) for a in get_args(annotation))
        return f"{getattr(get_origin(annotation), '__name__', annotation)}[{inner}]"
    return getattr(annotation, "__name__", str(annotation))
