"""A language: what things are called in it, what is thought and what is answered."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from llava_plus.skills.nouns import plural, singular

from .banks import FOLDER, Wording, filled, read_wordings

if TYPE_CHECKING:
    from .script import Seen

_UNFOUND = re.compile(r"cannot find '(.+?)' here")
LANGUAGES = ("en", "zh", "es", "de")
CUT = 60  # letters of an own skill's result that stand in an answer in full


@dataclass(frozen=True, kw_only=True)
class Name:
    """What a thing is called: the one, several, with an article, and its measure word."""

    label: str
    one: str
    many: str
    the: str = ""
    the_many: str = ""
    measure: str = "个"


@dataclass(frozen=True, kw_only=True)
class Tongue:
    """A language; what it has no word for is not talked about in it."""

    code: str
    says: Mapping[str, tuple[Wording, ...]] = field(repr=False)
    names: Mapping[str, Name] = field(repr=False)

    def __contains__(self, key: str) -> bool:
        return key in self.says

    @property
    def gap(self) -> str:
        """What stands between two sentences."""
        return "" if self.code == "zh" else " "

    def name(self, label: str) -> Name | None:
        """Return what a thing is called; none where this language has no name for it."""
        if (known := self.names.get(label)) is not None:
            return known
        if self.code == "en":
            return Name(label=label, one=label, many=plural(singular(label)))
        color, _, noun = label.partition(" ")
        if self.code == "zh" and f"color.{color}" in self and (known := self.names.get(noun)):
            word = f"{self.says[f'color.{color}'][0].words}的{known.one}"
            return Name(label=label, one=word, many=word, measure=known.measure)
        return None

    def color(self, color: str, rng: random.Random) -> str | None:
        """Return the word for a colour."""
        if self.code == "en":
            return color
        return self.say(f"color.{color}", rng) if f"color.{color}" in self else None

    def colors(self, rows: Sequence[Sequence[object]], rng: random.Random) -> str:
        """Return a list of colours with their shares, as the skill `colors` gives them."""
        named = [(self.color(str(row[0]), rng) or str(row[0]), row[-1]) for row in rows]
        joint = "、" if self.code == "zh" else ", "
        return joint.join(f"{name} ({_plain(share)} %)" for name, share in named)

    def say(self, key: str, rng: random.Random, **slots: str) -> str:
        """Return one of the sentences under a key, with its slots filled."""
        return filled(rng.choice(self.says[key]).words, slots, rng)

    def thought(self, key: str, rng: random.Random) -> str:
        """Return what is thought at an end: "end", "failed", "empty" and so on."""
        return self.say(f"thought.{key}" if f"thought.{key}" in self else "thought.end", rng)

    def verb(self, skill: str) -> str:
        """Return what a skill does in one word; of a user's own its name."""
        known = self.says.get(f"verb.{skill}")
        return known[0].words if known else skill.replace("_", " ")

    def plan(self, steps: Sequence[Sequence[str]]) -> str:
        """Return the plan in words: "First find, then blur."."""
        verbs = [self._joined(dict.fromkeys(self.verb(one) for one in step)) for step in steps]
        key = "plan.one" if len(verbs) == 1 else "plan.more"
        joint = self.says["plan.joint"][0].words
        slots = {"a": verbs[0], "b": joint.join(verbs[1:])}
        return filled(self.says[key][0].words, slots, random.Random(0))

    def able(self, skills: Sequence[str]) -> str:
        """Return what can be done with these skills, in a sentence."""
        known = [self.says[f"can.{one}"][0].words for one in skills if f"can.{one}" in self]
        verbs = [self.verb(one) for one in skills if f"can.{one}" not in self]
        joint = "、" if self.code == "zh" else ", "
        listed = joint.join([*known, *verbs][:8]) or "…"
        return filled(self.says["able"][0].words, {"list": listed}, random.Random(0))

    def failed(self, seen: "Seen") -> str:
        """Return the answer where a call failed: why, as far as this language can say it."""
        errors = [
            one for step in seen.view.turns[-1].steps for one in step.observations if not one.ok
        ]
        last = errors[-1]
        if last.error == "time":
            return self.say("failed.time", seen.rng)
        if found := _UNFOUND.search(last.text):
            name = self.name(found[1])
            one = name.one if name else f'"{found[1]}"'
            article = "an" if one[:1] in "aeiou" else "a"
            return self.say("failed.find", seen.rng, x=one, a=f"{article} {one}")
        return self.say("failed", seen.rng, error="{error}")

    def nothing_done(self, seen: "Seen") -> str:
        """Return the answer where nothing was found, so that nothing could be done."""
        return self.none("none.edit", seen)

    def none(self, key: str, seen: "Seen") -> str:
        """Return the answer where nothing was found, under one of the keys for that."""
        asked = ""
        for step in seen.view.turns[-1].steps:
            for call, one in zip(step.actions, step.observations, strict=True):
                value = seen.view.artifacts[one.handle].value if one.handle else None
                if value is not None and not getattr(value, "__len__", lambda: 1)():
                    asked = str(call.args.get("label") or getattr(value, "query", "") or "")
                    asked = asked or call.skill.replace("_", " ")
        return self.named_none(key, asked or "face", seen.rng)

    def named_none(self, key: str, label: str, rng: random.Random) -> str:
        """Return that there is no such thing."""
        name = self.name(label) or self.name(singular(label))
        name = name or Name(label=label, one=f'"{label}"', many=f'"{label}"')
        return self.say(key, rng, x=singular(name.one), m=name.measure, n="0")

    def _joined(self, words: Mapping[str, None]) -> str:
        first, *rest = words
        for word in rest:
            first = filled(self.says["and"][0].words, {"a": first, "b": word}, random.Random(0))
        return first


@cache
def tongue(code: str) -> Tongue:
    """Return a language of the bundled ones."""
    return Tongue(code=code, says=read_wordings(FOLDER / f"say_{code}.txt"), names=_names(code))


def _names(code: str) -> dict[str, Name]:
    path = FOLDER / f"nouns_{code}.tsv"
    if not path.exists():
        return {}
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return {row[0]: _NAMED[code](row) for row in rows}


def _chinese(row: Sequence[str]) -> Name:
    return Name(label=row[0], one=row[1], many=row[1], the=row[1], the_many=row[1], measure=row[2])


def _european(row: Sequence[str]) -> Name:
    return Name(label=row[0], one=row[1], the=row[2], the_many=row[3], many=row[4])


def _plain(share: object) -> str:
    return f"{share:.3g}" if isinstance(share, float) else str(share)


_NAMED: Mapping[str, Callable[[Sequence[str]], Name]] = {
    "zh": _chinese, "es": _european, "de": _european,
}  # fmt: skip
