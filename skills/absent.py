"""What is said where a skill is called that only a model can do, and none does it."""

from collections.abc import Collection

from llava_plus.errors import SkillError

ABSENT = "not installed"  # stands where a backend is named
DONE_WITH = {  # skills that no model does alone, and the one with whose models they are there
    "segment_named": "detect",
    "open_found": "search_images",
    "show_found": "search_images",
}


def needs_model(name: str, preferred: Collection[str] = ()) -> SkillError:
    """Say which models do a skill, and the command that makes each able to.

    Args:
        name: One of the skills in ``llava_plus.skills.declared``.
        preferred: Of its backends those that are told of; all where it has none of these.
    """
    from .backends import BACKENDS, status_of

    skill = DONE_WITH.get(name, name)
    offered = [each for each in BACKENDS if each.skill == skill]
    offered = [each for each in offered if each.name in preferred] or offered
    states = [(each, status_of(each)) for each in offered]
    there = next((each.name for each, status in states if status.state == "available"), None)
    if there is not None and skill == "search_images":
        return needs_pictures(name)
    if there is not None:
        return SkillError(
            f"{name}: the model {there} can do it, but is not among the skills in use. They were "
            "chosen without it; load_skills() takes it in. Do without it, or answer."
        )
    told = ". ".join(f"{each.name} {status.sentence}" for each, status in states)
    return SkillError(f"{name} needs a model, and there is none here. {told or 'None is known'}.")


def needs_pictures(name: str) -> SkillError:
    """Say how a skill that searches a person's folder gets one."""
    return SkillError(
        f"{name}: no folder of pictures is open to it. A person opens one where the program "
        "starts, with --pictures FOLDER. Do without it, or answer."
    )
