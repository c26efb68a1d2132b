"""Which backend does a call: chosen where the program starts, or by a rule that is written down."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError
from llava_plus.skills import SkillRegistry, SkillSpec, Value, model_registry
from llava_plus.skills.absent import ABSENT, needs_model
from llava_plus.skills.classes import DEVICE, best_device
from llava_plus.skills.spec import Routed

from .backend import Backend, Model
from .checkpoint import is_out_of_memory
from .composing import with_composed
from .precision import calculating
from .shelf import Shelf, default_shelf
from .status import Status, need_of, status_of
from .table import BACKENDS
from .together import Queue
from .weights import fingerprint

VARIABLE = "LLAVA_PLUS_BACKENDS"  # such as "detect=owlv2,segment=builtin"; flags come first
AUTO = "auto"
BUILTIN = "builtin"
TIME_LIMIT = 300.0  # seconds, in which a model may have to be loaded
_BOTH = f"{BUILTIN}+"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a person wants to do a skill: "detect=grounding-dino:FOLDER", taken apart."""

    backend: str = AUTO  # or "builtin", or the name of a model
    place: str = ""
    shared: bool = False  # the built-in one does what it can, the model the rest
    said: str = ""  # where and how, for errors


class Chooser(Routed):
    """Gives each call its backend.

    Args:
        builtin: The skill as it is with nothing downloaded; where only a model can do it, its
            declaration.
        model: The same skill done by a model.
        covers: Whether the built-in one does a call with such arguments; None where the model does
            them all.
    """

    def __init__(
        self,
        builtin: SkillSpec,
        model: SkillSpec,
        covers: Callable[[Mapping[str, Any]], bool] | None,
    ) -> None:
        self.builtin = builtin
        self.model = model
        self.options = (builtin, model) if covers else (model,)
        self._covers = covers

    @property
    def shared(self) -> bool:
        """Whether the built-in skill does some of the calls."""
        return self._covers is not None

    def choose(self, args: Mapping[str, Any]) -> SkillSpec:
        covered = self._covers is not None and self._covers(args)
        return self.builtin if covered else self.model


def with_backends(
    skills: SkillRegistry,
    wanted: Iterable[str] = (),
    *,
    table: Sequence[Backend] = BACKENDS,
    shelf: Shelf | None = None,
) -> SkillRegistry:
    """Return the skills with the models that do them.

    A choice is "SKILL=BACKEND", "SKILL=BACKEND:FOLDER_OR_ID" or "SKILL=builtin+BACKEND", where the
    built-in backend does what it can and the model the rest. What nobody chooses is "auto": of the
    backends of a skill, the first one whose weights are there; for ``detect`` together with the
    built-in one, for other skills alone; where there is none, the built-in one. A skill that only a
    model can do is taken in where one of its backends does it.

    Args:
        skills: The registry.
        wanted: Choices; the environment variable ``LLAVA_PLUS_BACKENDS`` may hold more, with
            commas between them, for skills that are not named here.
        table: The backends that there are.
        shelf: Where loaded models stand; that of this process if left out.

    Raises:
        SetupError: A choice cannot be read, or the backend that it names cannot work here.
    """
    choices = _choices(wanted, table)
    shelf = shelf or default_shelf()
    specs = []
    for spec in [*skills, *(each for each in model_registry() if each.name not in skills)]:
        offered = [each for each in table if each.skill == spec.name]
        if offered and spec.backend in (BUILTIN, ABSENT):
            spec = _chosen(spec, choices.get(spec.name, Choice()), offered, shelf)
        if spec.backend != ABSENT:
            specs.append(spec)
    return with_composed(SkillRegistry(specs))


def skill_backends(spec: SkillSpec, table: Sequence[Backend] = BACKENDS) -> tuple[str, ...]:
    """Return a line for each backend of a skill: whether it is used, and else what it needs."""
    offered = [each for each in table if each.skill == spec.name]
    chooser = spec.function if isinstance(spec.function, Chooser) else None
    if not offered or (chooser is None and spec.backend not in (BUILTIN, ABSENT)):
        return ()
    used = chooser.model.backend if chooser else ""
    alone = chooser is None or not chooser.shared
    lines = []
    if (chooser.builtin if chooser else spec).backend == BUILTIN:
        state = "available" if chooser and not chooser.shared else "used"
        lines.append(f"{BUILTIN}: {state}" + ("" if alone else " for what it can do"))
    for each in offered:
        if each.name == used:
            lines.append(f"{each.name}: used" + ("" if alone else " for all else"))
        else:
            lines.append(f"{each.name}: {status_of(each).sentence}")
    return tuple(lines)


def _choices(wanted: Iterable[str], table: Sequence[Backend]) -> dict[str, Choice]:
    told = [text for text in os.environ.get(VARIABLE, "").split(",") if text.strip()]
    choices: dict[str, Choice] = {}
    for source, texts in ((VARIABLE, told), ("--backend", wanted)):
        for text in texts:
            skill, choice = _choice(text.strip(), source, table)
            choices[skill] = choice
    return choices


def _choice(text: str, source: str, table: Sequence[Backend]) -> tuple[str, Choice]:
    skill, _, rest = text.partition("=")
    shared = rest.startswith(_BOTH)
    name, _, place = rest.removeprefix(_BOTH).partition(":")
    names = [each.name for each in table if each.skill == skill]
    said = f"{source} {text}"
    if not names:
        there = ", ".join(sorted({each.skill for each in table}))
        raise SetupError(
            f"{said}: no skill {skill!r} has models to choose from; {there} have. "
            "Write SKILL=BACKEND, as in detect=grounding-dino."
        )
    own = () if skill in model_registry() else (BUILTIN,)
    plain = (*own, AUTO)
    known = name in (*names, *plain) and not (name in plain and (place or shared))
    if not known or (shared and not own):
        raise SetupError(
            f"{said}: {skill} has no backend {rest!r}. Write {skill}={names[0]}, "
            f"{skill}={names[0]}:FOLDER_OR_ID, {' or '.join(f'{skill}={each}' for each in plain)}; "
            f"its backends are {', '.join((*own, *names))}."
        )
    if shared and _coverage(skill) is None:
        raise SetupError(f"{said}: the built-in {skill} does all calls. Write {skill}={name}.")
    return skill, Choice(backend=name, place=place, shared=shared, said=said)


def _chosen(spec: SkillSpec, choice: Choice, offered: Sequence[Backend], shelf: Shelf) -> SkillSpec:
    if choice.backend == BUILTIN or (found := _found(choice, offered)) is None:
        return spec
    shared = choice.shared or choice.backend == AUTO
    return _backed(spec, *found, _coverage(spec.name) if shared else None, shelf)


def _found(choice: Choice, offered: Sequence[Backend]) -> tuple[Backend, Status] | None:
    """Return the model that is chosen; without a choice the first one that is there, if any."""
    if choice.backend == AUTO:
        looked = ((each, status_of(each)) for each in offered if not each.chosen_only)
        return next(((e, status) for e, status in looked if status.state == "available"), None)
    backend = next(each for each in offered if each.name == choice.backend)
    status = status_of(backend, choice.place)
    if status.state != "available":
        raise SetupError(f"{choice.said}: {backend.name} {status.sentence}")
    return backend, status


def _backed(
    spec: SkillSpec,
    backend: Backend,
    status: Status,
    covers: Callable[[Mapping[str, Any]], bool] | None,
    shelf: Shelf,
) -> SkillSpec:
    """Return a skill that a model does, or shares with the built-in function."""
    assert status.folder is not None
    model = replace(
        spec,
        function=_function(backend, status.folder, shelf),
        note=backend.note,
        backend=backend.name,
        version=f"{spec.version}.{fingerprint(status.folder)}",
        isolation="inline",
        time_limit=max(TIME_LIMIT, spec.time_limit),
    )
    name = _BOTH + backend.name if covers else backend.name
    return replace(model, function=Chooser(spec, model, covers), backend=name)


def use_model(skill: str, wanted: Iterable[str], use: Callable[[Model], Any]) -> Any:
    """Do something with the model that does a skill, which nobody else uses meanwhile.

    Args:
        skill: One that only models do.
        wanted: Choices; see `with_backends`.
        use: What to do with it.

    Raises:
        SetupError: No model that does it is there, or it runs out of memory.
    """
    offered = [each for each in BACKENDS if each.skill == skill]
    choice = _choices(wanted, BACKENDS).get(skill, Choice())
    if (found := _found(choice, offered)) is None:
        raise SetupError(str(needs_model(skill)))
    backend, status = found
    assert status.folder is not None
    return _on_shelf(backend, status.folder, default_shelf(), use)


def _function(backend: Backend, folder: Path, shelf: Shelf) -> Callable[..., Value]:
    """Return what does a skill with a model, which it loads at the first call."""
    queue = Queue(backend.method)

    def function(*args: Any, **named: Any) -> Value:
        with queue.waiting(args, named) as call:
            done: Value = _on_shelf(backend, folder, shelf, lambda model: queue.done(model, call))
            return done

    return function


def _on_shelf(backend: Backend, folder: Path, shelf: Shelf, use: Callable[[Model], Any]) -> Any:
    """Use a model alone; say it in a sentence where its memory does not suffice."""
    need = need_of(backend, folder)
    key = (backend.name, str(folder))
    device = best_device()
    try:
        with (
            shelf.borrow(key, need, lambda: backend.load(folder, device)) as model,
            calculating(device),
        ):
            return use(model)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    shelf.drop(key)  # only here has the error let go of what it held
    elsewhere = "" if device == "cpu" else f", or start with {DEVICE}=cpu"
    raise SetupError(
        f"{backend.name} ran out of memory on {device}; it takes about {need} MiB. Close other "
        f"programs or name smaller weights (--backend {backend.skill}={backend.name}:"
        f"FOLDER_OR_ID){elsewhere}."
    )


def _coverage(skill: str) -> Callable[[Mapping[str, Any]], bool] | None:
    """Return what tells which calls the built-in skill does as well as it can be done."""
    if skill != "detect":
        return None
    from llava_plus.skills.builtin.finding import finds

    return lambda args: finds(str(args["label"]))
