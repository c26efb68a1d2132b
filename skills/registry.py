"""Collections of skills, and how they show themselves to planners and people."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from llava_plus.errors import SetupError, SkillError

from .absent import ABSENT, needs_model
from .decorator import spec_of
from .origin import import_file
from .spec import Routed, SkillSpec

Skill = Callable[..., Any] | SkillSpec

_BUILTIN = "llava_plus.skills.builtin"
_DECLARED = "llava_plus.skills.declared"


class SkillRegistry:
    """Skills by name, in alphabetical order. Make as many as you like; none is global."""

    def __init__(self, skills: Iterable[Skill] = ()) -> None:
        self._specs: dict[str, SkillSpec] = {}
        self._aliases: dict[str, str] = {}
        self._ordered: tuple[SkillSpec, ...] | None = None
        for skill in skills:
            self.add(skill)

    @classmethod
    def from_module(cls, module: ModuleType) -> SkillRegistry:
        """Collect the skills that a module defines, or names in its ``__all__``."""
        listed = getattr(module, "__all__", ())
        found = [
            spec
            for name, item in vars(module).items()
            if (spec := spec_of(item))
            and (name in listed or spec.function.__module__ == module.__name__)
        ]
        if not found:
            place = getattr(module, "__file__", None) or module.__name__
            raise SetupError(f"{place}: no skill found. Write @skill above a function in it.")
        return cls(found)

    @classmethod
    def from_file(cls, path: str | Path) -> SkillRegistry:
        """Import a person's own file of skills, which run in workers, with that person's rights.

        Not covered: the file is also imported here once, to read the signatures, so what it does
        while it is imported it does in this process.
        """
        found = cls.from_module(import_file(Path(path).expanduser()))
        return cls(replace(spec, source=str(path)) for spec in found)

    def add(self, skill: Skill) -> None:
        """Take a skill in; a name that is taken is an error, never a silent replacement."""
        spec = skill if isinstance(skill, SkillSpec) else spec_of(skill)
        if spec is None:
            name = getattr(skill, "__name__", repr(skill))
            raise SetupError(f"{name} is not a skill. Write @skill above it.")
        for name in (spec.name, *spec.aliases):
            taken = self._specs.get(self._aliases.get(name, name))
            if taken not in (None, spec):
                raise SetupError(
                    f"There are two skills {name!r}: {_whose(taken)} and {_whose(spec)}. "
                    f"Give one another name, as in @skill(name='my_{spec.name}'), "
                    "or use with_prefix."
                )
        self._specs[spec.name] = spec
        self._aliases |= dict.fromkeys(spec.aliases, spec.name)
        self._ordered = None

    def find(self, name: str) -> SkillSpec:
        """Return a skill by its name or alias, or tell the planner which there are.

        Of a skill that only a model can do, and none does, it is told what that needs.
        """
        name = name.strip()
        name = self._aliases.get(name, name)
        if name in self._specs:
            return self._specs[name]
        if name in model_registry():
            raise needs_model(name)
        known = [*self._specs, *self._aliases]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SkillError(f"No skill {name!r}.{hint} Known: {', '.join(sorted(self._specs))}.")

    def subset(self, *names: str) -> SkillRegistry:
        """Return a registry of these skills only."""
        try:
            return SkillRegistry(self.find(name) for name in names)
        except SkillError as error:
            raise SetupError(str(error)) from error

    def with_prefix(self, prefix: str) -> SkillRegistry:
        """Return the same skills under longer names: ``with_prefix("my_")`` has ``my_blur``."""
        specs = self._specs.values()
        return SkillRegistry(replace(s, name=prefix + s.name, aliases=()) for s in specs)

    def merge(self, other: SkillRegistry) -> SkillRegistry:
        """Return a registry of both."""
        return SkillRegistry([*self, *other])

    def having(self, spec: SkillSpec) -> SkillRegistry:
        """Return the same skills, but for this one in the place of the one of its name."""
        found = SkillRegistry()
        found._specs = {name: one for name, one in self._specs.items() if name != spec.name}
        found._aliases = {name: of for name, of in self._aliases.items() if of != spec.name}
        found.add(spec)
        return found

    def differences(self, base: SkillRegistry) -> tuple[tuple[SkillSpec, ...], tuple[str, ...]]:
        """Return what is new or reads otherwise than in the base, and the names that are gone."""
        added = tuple(spec for spec in self if not _same(spec, base._specs.get(spec.name)))
        return added, tuple(spec.name for spec in base if spec.name not in self._specs)

    def prompt(self) -> str:
        """Return one line for each skill, for a planner to read."""
        return "\n".join(f"{spec.signature()}: {spec.told}" for spec in self)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of one call: ``{"skill": …, "args": {…}}``."""
        calls = [
            {
                "type": "object",
                "properties": {"skill": {"const": spec.name}, "args": spec.json_schema()},
                "required": ["skill", "args"],
                "additionalProperties": False,
            }
            for spec in self
        ]
        return {"anyOf": calls}

    def openai_tools(self) -> list[dict[str, Any]]:
        """Return the skills as the ``tools`` of an OpenAI-compatible request."""
        return [
            {
                "type": "function",
                "function": {
                    "name": spec.name,
                    "description": spec.told,
                    "parameters": spec.json_schema(),
                },
            }
            for spec in self
        ]

    def __getitem__(self, name: str) -> SkillSpec:
        return self.find(name)

    def __contains__(self, name: object) -> bool:
        return name in self._specs or name in self._aliases

    def __iter__(self) -> Iterator[SkillSpec]:
        if self._ordered is None:
            self._ordered = tuple(sorted(self._specs.values(), key=lambda spec: spec.name))
        return iter(self._ordered)

    def __len__(self) -> int:
        return len(self._specs)


def _whose(spec: SkillSpec) -> str:
    """Say where a skill stands."""
    if spec.backend == "builtin" or isinstance(spec.function, Routed):
        return f"the built-in {spec.name!r}"
    code = inspect.unwrap(spec.function).__code__
    return f"that in {Path(code.co_filename).name}:{code.co_firstlineno}"


def _same(spec: SkillSpec, other: SkillSpec | None) -> bool:
    """Whether two skills of one name read alike; most often they are one."""
    if spec is other or other is None:
        return spec is other
    return (spec.signature(), spec.description) == (other.signature(), other.description)


def default_registry() -> SkillRegistry:
    """Return a new registry of the skills that work with nothing downloaded."""
    return SkillRegistry.from_module(importlib.import_module(_BUILTIN))


def model_registry() -> SkillRegistry:
    """Return a new registry of the skills that only a model can do, as they are declared.

    A call of one of these says what it needs; `with_backends` puts models behind them.
    """
    declared = SkillRegistry.from_module(importlib.import_module(_DECLARED))
    return SkillRegistry(replace(spec, backend=ABSENT) for spec in declared)


def catalog_page() -> str:
    """Return what ``docs/catalog.md`` holds: the skills that always work, and those with models."""
    always, modelled = map(catalog_markdown, (default_registry(), model_registry()))
    return f"{always}\n## With models\n\n{modelled}"


def catalog_markdown(registry: SkillRegistry) -> str:
    """Return a table of skills."""
    lines = ["| Skill | Signature | What it does |", "|---|---|---|"]
    for spec in registry:
        cells = (f"`{spec.name}`", f"`{spec.signature()}`", spec.description)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
