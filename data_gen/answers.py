"""What the bundled planner is taught to think and to say."""

import random
import re
from collections.abc import Mapping, Sequence

from llava_plus.agent.notation import Plan
from llava_plus.skills import Call

VERBS = {
    "detect": "find", "select": "pick", "ocr": "read", "read_codes": "scan", "segment": "outline",
    "crop": "crop", "blur": "blur", "pixelate": "pixelate", "erase": "erase", "adjust": "adjust",
    "rotate": "rotate", "image_info": "look up",
}  # fmt: skip
ABLE = (
    "I can find faces, text and codes, and crop, blur, pixelate, erase, adjust or rotate pictures."
)
NO_SKILL_THOUGHTS = {
    "chat": "Just talk.",
    "explain": "A question, nothing to do.",
    "ask": "Something is missing.",
    "refuse": "I must not do that.",
    "cannot": "No skill does that.",
    "recall": "We have that already.",
}
CHAT = (
    (r"\b(thank\w*|thanx|thx|ty|cheers|tysm|appreciate|grateful|ta|merci|gracias|danke)\b",
     "You are welcome!"),
    (r"\b(bye|goodbye|good ?night|see (you|ya)|cya|farewell|that'?s all|i.?m done)\b",
     "Goodbye!"),
    (r"\b(who|what) (are|r) (you|u)\b|\byour name\b|\b(are|r) (you|u) (a|an|human|real|alive)\b"
     r"|\b(ai|bot|robot|human|machine|chatgpt|gpt)\b|\bwho (made|built|wrote|trained)\b",
     "I am nano, the small planner of LLaVA-Plus. " + ABLE),
    (r"\b(what|which|how|anything).*\b(can|could|do) (you|u|i)\b|\b(can|could) (you|u)\b|\bhelp\b"
     r"|\bskills?\b|\bfeatures?\b|\bable to\b|\bgood (at|for)\b", ABLE),
    (r"\b(hi|hello|hey|hiya|yo|morning|evening|afternoon|howdy|sup|gm|greetings|alright|wassup)\b",
     "Hello! " + ABLE),
    (r"\b(sorry|apolog\w*|my bad|oops|whoops|nvm|never ?mind|forget it)\b", "No problem."),
    (r"\b(wrong|bad|ugly|awful|terrible|useless|stupid|slow|worse|hate|horrible|rubbish|dumb|crap"
     r"|broken|disappoint\w*|not what|garbage|idiot)\b",
     "I am sorry. Tell me what to do otherwise."),
    (r"\b(great|lovely|nice|perfect|love|good|wow|amazing|awesome|cool|brilliant|beautiful|super"
     r"|neat|sweet|excellent|fantastic|wonderful|well done|fab|clever|smart|best|happy)\b",
     "I am glad that you like it."),
)  # fmt: skip
SMALL_TALK = "I only know about pictures. " + ABLE
EXPLAIN = "I am too small a planner to explain that; I only work on pictures."
ASK_PICTURE = "Please add a picture first."
ASK_WHERE = "What do you mean exactly? Name it, click on it, or drag a box around it."
ASK_WHAT = "What exactly should I do with it?"
REFUSE = "I will not help with that: it could harm somebody or their privacy."
CANNOT = "None of my skills can do that. " + ABLE


def thought(steps: Sequence[Sequence[Call]]) -> str:
    """The rest of the plan in words: "First find, then blur."."""
    verbs = [
        " and ".join(dict.fromkeys(VERBS.get(c.skill, c.skill) for c in step)) for step in steps
    ]
    if len(verbs) == 1:
        return f"Now {verbs[0]}."
    return f"First {', then '.join(verbs)}."


def without_skill(kind: str, text: str, context: str, handles: Mapping[str, Sequence[str]]) -> str:
    """The answer to a request that needs no skill.

    Args:
        kind: What sort of request it is (`agent.notation.KINDS`).
        text: The request.
        context: The context in the notation of requests.
        handles: Live handles by prefix, oldest first.
    """
    if kind == "chat":
        return next((said for words, said in CHAT if re.search(words, text.lower())), SMALL_TALK)
    if kind == "ask":
        if context == "0":
            return ASK_PICTURE
        vague = re.search(r"\b(this|that|it|there|here|one|them|him|her)\b", text.lower())
        return ASK_WHERE if vague else ASK_WHAT
    if kind == "recall":
        return _recalled(text.lower(), handles)
    return {"explain": EXPLAIN, "refuse": REFUSE, "cannot": CANNOT}[kind]


def _recalled(text: str, handles: Mapping[str, Sequence[str]]) -> str:
    pictures = handles.get("img", ())
    found = [h for prefix in ("boxes", "lines", "masks", "table") for h in handles.get(prefix, ())]
    if pictures and re.search(r"original|first|begin|start|untouched|uploaded|sent|raw", text):
        return f"Here it is again: {{{pictures[0]}}}."
    if len(pictures) > 1 and re.search(
        r"undo|back|revert|before|previous|restore|scrap|nevermind|last", text
    ):
        return f"Here it is again: {{{pictures[-2]}}}."
    if found and re.search(
        r"how many|what|which|count|number|find|found|say|said|read|any|did|where|size", text
    ):
        return f"It was {{{found[-1]}}}."
    if pictures:
        return f"That is {{{pictures[-1]}}}."
    return ASK_PICTURE


def finished(plan: Plan, made: Sequence[str], rng: random.Random) -> str:
    """The answer after all of a plan's calls worked out.

    Args:
        plan: What was done.
        made: Handles of the results, in order.
        rng: Picks among wordings.
    """
    pictures = [handle for handle in made if handle.startswith("img_")]
    told = [handle for handle in made if not handle.startswith("img_")]
    last = plan.steps[-1]
    if pictures and last[0].skill in ("ocr", "read_codes", "image_info", "detect"):
        return f"{_told(plan, told[-len(last) :])} The picture is {{{pictures[-1]}}}."
    if pictures:
        ends = pictures[-len(last) :] if len(last) > 1 else pictures[-1:]
        cited = " and ".join(f"{{{handle}}}" for handle in ends)
        read = [c for c in plan.calls if c.skill in ("ocr", "read_codes")]
        words = f" {_told(plan, told[-1:])}" if read and "select" not in plan.skills else ""
        return f"{rng.choice(('Done', 'Here it is', 'Done'))}: {cited}.{words}"
    return _told(plan, told[-len(last) :])


def _told(plan: Plan, handles: Sequence[str]) -> str:
    cited = " and ".join(f"{{{handle}}}" for handle in handles)
    skill = plan.steps[-1][-1].skill
    if skill == "select":
        skill = {"boxes": "detect", "masks": "segment"}.get(handles[-1].partition("_")[0], "ocr")
    return {
        "ocr": f"It says: {cited}",
        "read_codes": f"The code says: {cited}",
        "segment": f"Here is the outline: {cited}.",
        "image_info": f"{cited}",
        "detect": f"I found {cited}.",
    }.get(skill, f"The result: {cited}")


def nothing(handle: str, *, more: bool) -> str:
    """The answer when a look found nothing; ``more`` when something was to be done with it."""
    return (
        f"I found {{{handle}}}, so I left the picture as it is."
        if more
        else f"I found {{{handle}}}."
    )


FAILED = "{error}"
