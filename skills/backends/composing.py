"""Skills that are two others, one after the other, with the models that these have."""

from dataclasses import replace

from llava_plus.skills import Image, Masks, SkillRegistry, model_registry
from llava_plus.skills.original_calls import run_skill
from llava_plus.skills.spec import Routed

NAMED = "segment_named"
PARTS = ("detect", "segment")


def with_named(skills: SkillRegistry) -> SkillRegistry:
    """Return the skills with ``segment_named`` where a model finds what a phrase names.

    What outlines it is whatever ``segment`` has. With the built-in ``detect`` alone it would know
    three words, and is left out.
    """
    if NAMED in skills or not all(name in skills for name in PARTS):
        return skills
    parts = SkillRegistry(skills[name] for name in PARTS)
    if not isinstance(parts["detect"].function, Routed):
        return skills

    def segment_named(image: Image, label: str) -> Masks:
        boxes = run_skill(parts, "detect", image=image, label=label)
        if not len(boxes):
            return Masks((), query=boxes.query)
        masks: Masks = run_skill(parts, "segment", image=image, prompt=boxes)
        return masks

    declared = model_registry()[NAMED]
    spec = replace(
        declared,
        function=segment_named,
        backend="+".join(f"{each.name}:{each.backend}" for each in parts),
        version="+".join([declared.version, *(each.version for each in parts)]),
        isolation="inline",
        time_limit=sum(each.time_limit for each in parts),
    )
    return SkillRegistry([*skills, spec])
