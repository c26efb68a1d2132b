"""What is said where a skill is called that only a model can do, and none does it."""

from collections.abc import Collection

from llava_plus.errors import SkillError

ABSENT = "not installed"  # stands where a backend is named
DONE_WITH = {  # skills that no model does alone, and those with whose models they are there
    "ground": ("caption", "detect"),
    "segment_named": ("detect",),
    "open_found": ("search_images",),
    "show_found": ("search_images",),
}
_OPENED = "named with --pictures FOLDER where the program starts"


def needs_model(name: str, preferred: Collection[str] = ()) -> SkillError:
    """Say which models do a skill, and the command that makes each able to.

    Args:
        name: One of the skills in ``llava_plus.skills.declared``.
        preferred: Of its backends those that are told of; all where it has none of these.
    """
    there = ""
    told: list[str] = []
    others: list[str] = []
    for skill in DONE_WITH.get(name, (name,)):
        available, sentences, untold = _states(skill, preferred)
        there = there or available
        told += [] if available else sentences
        others += [] if available else untold
    if told or not there:
        models = f"{'. '.join(told) or 'None is known'}."
        rest = f" {' and '.join(others)} can do it, too." if others else ""
        lacks = ", and there is none here"
        if _searches(name):
            lacks = f", and a folder of pictures that is {_OPENED}; not both are here"
        return SkillError(f"{name} needs a model{lacks}. {models}{rest}")
    if _searches(name):
        return needs_pictures(name)
    return SkillError(
        f"{name}: the model {there} can do it, but is not among the skills in use. They were "
        "chosen without it; load_skills() takes it in. Do without it, or answer."
    )


def needs_pictures(name: str) -> SkillError:
    """Say how a skill that searches a person's folder gets one."""
    return SkillError(
        f"{name}: no folder of pictures is open to it. A person opens one where the program "
        "starts, with --pictures FOLDER. Do without it, or answer."
    )


def _searches(name: str) -> bool:
    return "search_images" in DONE_WITH.get(name, (name,))


def _states(skill: str, preferred: Collection[str]) -> tuple[str, list[str], list[str]]:
    """Name the first model that can do a skill here, say how it is with each, and name the rest."""
    from .backends import BACKENDS, status_of

    every = [each for each in BACKENDS if each.skill == skill]
    offered = [each for each in every if each.name in preferred] or every
    states = [(each.name, status_of(each)) for each in offered]
    there = next((name for name, status in states if status.state == "available"), "")
    told = [f"{name} {status.sentence}" for name, status in states]
    return there, told, [each.name for each in every if each not in offered]
