"""Whether a planner calls skills that a person added, never seen in its training.

python -m llava_plus.evals.added --skills examples/my_skills.py --planner nano
"""

import argparse
from pathlib import Path

from llava_plus.agent import Agent, Planner, load_planner
from llava_plus.skills import SkillRegistry

from .plan_score import wilson
from .world import world_image, world_registry

REQUESTS = (
    ("half_size", "make it half as wide and half as high"),
    ("half_size", "its too big for the form, halve the size pls"),
    ("gold_tint", "I want the whole thing in warm gold tones"),
    ("gold_tint", "wash it in gold"),
    ("red_only", "show me just the red channel"),
    ("red_only", "keep only red, nothing else"),
    ("checker_out", "black out every other square like a chessboard"),
    ("checker_out", "can you do a chessboard pattern of black squares over my photo"),
    ("color_swap", "exchange the red and the blue"),
    ("color_swap", "what if red was blue and blue was red? show me"),
    ("slice_shuffle", "cut it into strips and mix them up"),
    ("slice_shuffle", "shuffle my picture in upright slices"),
    ("cover_green", "fill the faces with green for a green screen"),
    ("cover_green", "put plain green over the text"),
    ("share_of_blue", "how much of this is blue, as a percentage"),
    ("share_of_blue", "measure the share of blue pixels"),
    ("is_square", "is this exactly as wide as it is high?"),
    ("is_square", "tell me whether the pic is square"),
    ("stack_twice", "put a second copy of the picture under it"),
    ("stack_twice", "stack it on top of itself"),
)


def called(
    planner: Planner, skill: str, text: str, added: SkillRegistry, *, together: bool
) -> bool:
    """Whether the planner calls the skill when a person asks for what it does.

    Args:
        planner: Who plans.
        skill: The skill that is wanted.
        text: The request.
        added: All added skills.
        together: Whether all of them are listed, or the wanted one alone.
    """
    skills = world_registry().merge(added if together else added.subset(skill))
    session = Agent(planner=planner, skills=skills).session()
    turn = session.run_sync(text, images=[world_image(1)]).turns[-1]
    return any(action.skill == skill for step in turn.steps for action in step.actions)


def main() -> None:
    """Print the rate, with each added skill alone and with all of them listed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planner", default="nano")
    parser.add_argument("--skills", type=Path, required=True)
    options = parser.parse_args()
    planner, added = load_planner(options.planner), SkillRegistry.from_file(options.skills)
    for together in (False, True):
        missed = [
            text
            for name, text in REQUESTS
            if not called(planner, name, text, added, together=together)
        ]
        hits, total = len(REQUESTS) - len(missed), len(REQUESTS)
        low, high = wilson(hits, total)
        print(  # noqa: T201
            f"{'all ten listed' if together else 'one listed'}: {hits}/{total} called"
            f" (95 %: {low:.0%} to {high:.0%}); missed: {'; '.join(missed)}"
        )


if __name__ == "__main__":
    main()
