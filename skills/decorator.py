"""How a function becomes a skill."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

from .declaration import declare
from .spec import Isolation, SkillSpec

_F = TypeVar("_F", bound=Callable[..., Any])


@overload
def skill(function: _F, /) -> _F: ...


@overload
def skill(
    *,
    name: str | None = None,
    time_limit: float = 30.0,
    examples: Sequence[str] = (),
    aliases: Sequence[str] = (),
    cache: bool = True,
    isolation: Isolation | None = None,
    memory_limit: int = 4096,
    approval: bool = False,
) -> Callable[[_F], _F]: ...


def skill(
    function: _F | None = None,
    /,
    *,
    name: str | None = None,
    time_limit: float = 30.0,
    examples: Sequence[str] = (),
    aliases: Sequence[str] = (),
    cache: bool = True,
    isolation: Isolation | None = None,
    memory_limit: int = 4096,
    approval: bool = False,
) -> _F | Callable[[_F], _F]:
    """Give the function back unchanged, with its ``SkillSpec`` attached; nothing is registered.

    Args:
        function: A typed function with a docstring, which is what the planner reads; or a class
            whose ``__call__`` is one, made once in a process, with ``load()`` or
            ``load(device)`` called before its first call.
        name: What planners call it; the function's own name where left out, of a class
            ``FindEdges`` it is ``find_edges``.
        time_limit: Seconds after which a caller waits no longer, and a worker is killed.
        examples: Requests that it serves, such as "blur the faces".
        aliases: Other names under which it is found.
        cache: False where the same inputs may give another result.
        isolation: "worker" runs it in a process that can be killed, "inline" in a thread. Where
            left out, what stands in a person's own file runs in a worker, all else inline.
        memory_limit: MiB at which a worker is killed.
        approval: True where a person has to allow each call before it runs.
    """

    def attach(function: _F) -> _F:
        spec = declare(
            function,
            name=name,
            time_limit=time_limit,
            examples=examples,
            aliases=aliases,
            cache=cache,
            isolation=isolation,
            memory_limit=memory_limit,
            approval=approval,
        )
        function.__skill__ = spec  # type: ignore[attr-defined]
        spec.function.__skill__ = spec  # type: ignore[attr-defined]  # another one of a class
        return function

    return attach if function is None else attach(function)


def spec_of(function: object) -> SkillSpec | None:
    """Return the spec that ``skill`` attached, if it did."""
    spec = getattr(function, "__skill__", None)
    return spec if isinstance(spec, SkillSpec) else None
