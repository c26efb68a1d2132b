"""All skills that a program has: built in, in a person's files, and in installed packages."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from llava_plus.errors import SetupError

from .registry import SkillRegistry, default_registry
from .spec import SkillSpec

if TYPE_CHECKING:
    from .albums import Album

GROUP = "llava_plus.skills"  # of entry points
SWITCH = "LLAVA_PLUS_INSTALLED_SKILLS"  # "0" leaves installed packages out


@dataclass(frozen=True, kw_only=True)
class LoadedSkills:
    """The skills that could be loaded, and a sentence for each package that did not work."""

    skills: SkillRegistry
    problems: tuple[str, ...] = ()


def load_skills(
    files: Iterable[str | Path] = (),
    *,
    installed: bool | None = None,
    backends: Iterable[str] = (),
    album: "Album | None" = None,
) -> LoadedSkills:
    """Return the built-in skills, those of a person's files and those of installed packages.

    A package offers skills by an entry point of the group ``llava_plus.skills``, which names a
    module, a skill or a `SkillRegistry`. Its skills run in workers unless they say "inline".
    A file is asked for, so what is wrong with it is raised; a package is only there, so what is
    wrong with it is told and the rest is loaded. Names go to whoever comes first: built-in
    skills, files in their order, packages in alphabetical order.

    Not covered: a package is imported in this process, with all that it does meanwhile; one that
    never ends its import stops the program.

    Args:
        files: Python files with skills; one that is given twice counts once.
        installed: Whether packages are asked; if left out, unless the environment variable
            ``LLAVA_PLUS_INSTALLED_SKILLS`` is 0.
        backends: Which models do which skills, as in "detect=grounding-dino"; see `with_backends`.
        album: The person's folder of pictures that may be searched.

    Raises:
        SetupError: A file cannot be loaded, a name in it is taken, or a backend that is named
            cannot work here.
    """
    from .backends import with_album, with_backends

    skills = default_registry()
    for file in {Path(file).expanduser().resolve(): file for file in files}.values():
        skills = skills.merge(SkillRegistry.from_file(file))
    if installed is None:
        installed = os.environ.get(SWITCH, "").strip() != "0"
    problems = _add_installed(skills) if installed else []
    skills = with_album(with_backends(skills, backends), album)
    return LoadedSkills(skills=skills, problems=tuple(problems))


def _add_installed(skills: SkillRegistry) -> list[str]:
    """Take in what packages offer, skill by skill; return what is wrong with them."""
    problems: list[str] = []
    for package, distribution in sorted(_packages().items()):
        try:
            entries = distribution.entry_points.select(group=GROUP)
        except Exception as error:  # Python's reader raises whatever a damaged line makes it raise
            problems.append(_unloaded(package, "entry_points.txt", error))
            continue
        for entry in entries:
            try:
                offered = _offered(entry)
            except (Exception, SystemExit) as error:  # whatever it does, the program starts
                problems.append(_unloaded(package, f"{entry.name} = {entry.value}", error))
                continue
            problems += _add(skills, offered, package)
    return problems


def _add(skills: SkillRegistry, offered: SkillRegistry, package: str) -> list[str]:
    problems: list[str] = []
    for spec in offered:
        try:
            skills.add(_settled(spec, package))
        except SetupError as error:
            problems.append(f"Package {package}: {error} The skill of {package} is left out.")
    return problems


def _packages() -> dict[str, metadata.Distribution]:
    """Return the packages that offer skills, by name and version.

    All others are not looked at further: one of them may be damaged without any harm to us.
    """
    found: dict[str, metadata.Distribution] = {}
    names: set[str] = set()
    for distribution in metadata.distributions():
        if GROUP not in _declared(distribution):
            continue
        about = distribution.metadata.json  # a mapping that does not mind what is missing
        name = str(about.get("name", "without a name"))
        if name.lower() not in names:  # else it lies further back on the path, too
            names.add(name.lower())
            found[f"{name} {about.get('version', '')}".strip()] = distribution
    return found


def _declared(distribution: metadata.Distribution) -> str:
    try:
        return distribution.read_text("entry_points.txt") or ""
    except (OSError, UnicodeDecodeError):
        return ""


def _offered(entry: metadata.EntryPoint) -> SkillRegistry:
    thing = entry.load()
    if isinstance(thing, ModuleType):
        return SkillRegistry.from_module(thing)
    return thing if isinstance(thing, SkillRegistry) else SkillRegistry([thing])


def _settled(spec: SkillSpec, package: str) -> SkillSpec:
    isolation = spec.isolation if spec.isolation_given else "worker"
    return replace(spec, source=package, isolation=isolation)


def _unloaded(package: str, entry: str, error: BaseException) -> str:
    why = str(error) if isinstance(error, SetupError) else f"{type(error).__name__}: {error}"
    return (
        f"Package {package} offers skills ({entry}) that cannot be loaded: "
        f"{why.rstrip('.')}. Update or uninstall it, or start with {SWITCH}=0. "
        "All other skills work."
    )
