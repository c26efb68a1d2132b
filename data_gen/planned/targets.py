"""What a request is about: a thing by its name, place or colour, or writing."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from llava_plus.data_gen.truth import Box
from llava_plus.skills import SkillRegistry

from .banks import Bank
from .facts import Facts, Group
from .script import Arg, Deed, Made, Move
from .tongue import Name, Tongue

PICKS = ("left", "right", "top", "bottom", "largest", "smallest")
OTHERS = ("left", "largest")
NTHS = ("left", "right", "largest")
ORDINALS = {2: "second", 3: "third"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is meant, in words, and the calls that find it.

    Args:
        phrase: With an article where the language has them: "the leftmost mug".
        bare: Without one, for notes.
        plural: Whether it is many.
        label: What is detected; empty for what was pointed at.
        deeds: The calls of the moves that find it, on the picture that `looked` is given.
        boxes: What the source knows of where it is, by label.
        count: How many there are, where that is known.
        one: Whether all of what it names is one thing.
        name: What such a thing is called.
    """

    phrase: str
    bare: str
    plural: bool
    label: str = ""
    deeds: tuple[Deed, ...] = ()
    boxes: Mapping[str, tuple[Box, ...]] = field(default_factory=dict)
    count: int | None = None
    one: bool = False
    name: Name | None = None
    picked: str = ""
    group: Group | None = None

    def moves(self, image: Arg, *, turn: int, first: int) -> tuple[Move, ...]:
        """Return the moves that find it.

        Args:
            image: The picture to look at.
            turn: The running turn.
            first: Which move of the turn comes first here.
        """
        found: list[Move] = []
        for place, deed in enumerate(self.deeds):
            args: dict[str, Arg] = dict(deed.args)
            if deed.skill == "select":
                args = {"region": Made(turn=turn, move=first + place - 1), **args}
            else:
                args = {"image": image, **args}
            found.append(Move(deeds=(Deed(skill=deed.skill, args=args),)))
        return tuple(found)

    def slots(self, bank: Bank) -> dict[str, str]:
        """Return the words for the places of a wording that are about it."""
        phrase = self.phrase if bank.articles or not self.bare else self.bare
        slots = {"t": phrase, "is": _is(bank.language, self.plural)}
        slots |= {"does": "do" if self.plural else "does", "has": "have" if self.plural else "has"}
        if self.name is not None:
            one, many = self.name.one, self.name.many
            article = "an" if one[:1].lower() in "aeiou" else "a"
            slots |= {"a": f"{article} {one}", "x": one, "p": many, "m": self.name.measure}
        return slots


def draw_target(
    facts: Facts, skills: SkillRegistry, words: Tongue, rng: random.Random, *, whole: bool = False
) -> Target | None:
    """Return something of the picture to ask about; none where nothing is known.

    Args:
        facts: The picture.
        skills: What can be called.
        words: The language.
        rng: Draws.
        whole: Whether only all things of a name will do, not some of them.
    """
    if "detect" not in skills:
        return None
    found: list[Target | None] = []
    groups = [group for group in facts.groups if words.name(group.label)]
    if groups:
        group = rng.choice(groups)
        found += [named(group, words, rng)] * 3
        if not whole and len(group.things) > 1 and "select" in skills:
            found += [picked(group, words, rng)] * 4
        if facts.colored and words.code in ("en", "zh"):
            found += [named(rng.choice(facts.colored), words, rng)] * 2
    found += [common(one, words, rng) for one in facts.common]
    if not whole and facts.texts and "ocr" in skills and "select" in skills:
        found.append(line(facts, words, rng))
    kept = [target for target in found if target is not None]
    return rng.choice(kept) if kept else None


def named(group: Group, words: Tongue, rng: random.Random) -> Target | None:
    """All things of a name."""
    name = words.name(group.label)
    if name is None:
        return None
    many = len(group.things) > 1
    phrase = name.the_many if many else name.the
    if words.code in ("en", "zh"):
        phrase = words.say("all" if many else "one", rng, x=name.one, p=name.many, m=name.measure)
    return Target(
        phrase=phrase,
        bare=name.many if many else name.one,
        # "every mug" and "my mug" are one to grammar
        plural=many and "every" not in phrase,
        label=group.label,
        deeds=(Deed(skill="detect", args={"label": group.label}),),
        boxes={group.label: group.boxes},
        count=len(group.things),
        one=not many,
        name=name,
        group=group,
    )


def picked(group: Group, words: Tongue, rng: random.Random) -> Target | None:
    """Some things of a name, by place or size; none where the order is not clear."""
    whole, by = named(group, words, rng), rng.choice(PICKS)
    if whole is None or whole.name is None or f"pick.{by}" not in words:
        return None
    if group.order(by) is None:
        return None
    args: dict[str, Arg] = {"by": by}
    key, n = f"pick.{by}", 1
    if by in NTHS and len(group.things) > 2 and rng.random() < 0.35:
        key, n = f"pick.{by}.nth", rng.choice((2, 3) if len(group.things) > 3 else (2,))
        args["nth"] = n
    elif by in OTHERS and len(group.things) > 2 and rng.random() < 0.2:
        key, args["invert"] = f"pick.others.{by}", True
    number = words.say(f"nth.{n}", rng) if f"nth.{n}" in words else str(n)
    shown = number if words.code == "zh" else str(n)
    name = whole.name
    slots = {"x": name.one, "p": name.many, "m": name.measure, "n": shown, "nth": number}
    phrase = words.say(key, rng, **slots)
    return replace(
        whole,
        phrase=phrase,
        bare=phrase.removeprefix("the "),
        plural="invert" in args,
        deeds=(*whole.deeds, Deed(skill="select", args=args)),
        count=None,
        one="invert" not in args,
        picked=by if n == 1 and "invert" not in args else "",
    )


def common(label: str, words: Tongue, rng: random.Random) -> Target | None:
    """Faces, writing or codes: what is found without any weights."""
    if f"the.{label}" not in words:
        return None
    name = words.name(label) or Name(label=label, one=label, many=f"{label}s")
    phrase = words.say(f"the.{label}", rng)
    many = phrase.endswith("s") or phrase.startswith("all ")
    return Target(
        phrase=phrase,
        bare=phrase.removeprefix("the "),
        plural=many,
        label=label,
        deeds=(Deed(skill="detect", args={"label": label}),),
        name=name,
    )


def line(facts: Facts, words: Tongue, rng: random.Random) -> Target | None:
    """A line of writing by some of its words."""
    lines = [text for text in facts.texts if 3 < len(text) < 24 and '"' not in text]
    if not lines or "line" not in words:
        return None
    text = rng.choice(lines)
    if sum(text in other for other in facts.texts) > 1:
        return None
    phrase = words.say("line", rng, w=quoted(text, words))
    return Target(
        phrase=phrase,
        bare=phrase.removeprefix("the "),
        plural=phrase.startswith("the words"),
        deeds=(Deed(skill="ocr"), Deed(skill="select", args={"label": text})),
        one=True,
    )


def quoted(text: str, words: Tongue) -> str:
    """Put text between the quotation marks of a language."""
    return f"“{text}”" if words.code == "zh" else f'"{text}"'


def _is(language: str, plural: bool) -> str:
    if language == "es":
        return "están" if plural else "está"
    return "are" if plural else "is"
