"""Turns put together: the moves that fulfil wishes one after the other, and the answer to them."""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import JsonValue

from llava_plus.data_gen.truth import Box, Truth
from llava_plus.skills import SkillRegistry

from .answers import Told, sentence
from .script import Arg, Deed, Given, Made, Move, Ref, Script, Seen, UnseenError
from .targets import Target
from .tongue import Tongue
from .wishes import SHAPED, Wish


@dataclass(frozen=True, kw_only=True)
class Act:
    """A wish with all that was left open: what is meant, numbers, colours.

    Args:
        wish: What is wanted.
        args: Its arguments, but for pictures and regions.
        slots: The words for them.
        target: What is meant, where it is about a part.
        other: A second thing, for distances.
        shaped: Whether the exact outline of the target is taken.
    """

    wish: Wish
    args: Mapping[str, JsonValue] = field(default_factory=dict)
    slots: Mapping[str, str] = field(default_factory=dict)
    target: Target | None = None
    other: Target | None = None
    shaped: bool = False


@dataclass(kw_only=True)
class Plot:
    """The moves of one turn while they are put together.

    Args:
        turn: Which turn, from 0.
        image: The newest picture.
        words: The language.
    """

    turn: int
    image: Ref
    words: Tongue
    moves: list[Move] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    shown: list[Ref] = field(default_factory=list)
    boxes: dict[str, tuple[Box, ...]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    known: dict[tuple[Ref, str], Ref] = field(default_factory=dict)
    original: Ref | None = None

    def step(self, *deeds: Deed, thought: str = "", slip: bool = False) -> tuple[Made, ...]:
        """Add a move; return what its calls will have made."""
        self.moves.append(Move(deeds=deeds, thought=thought, slip=slip))
        move = len(self.moves) - 1
        return tuple(Made(turn=self.turn, move=move, call=call) for call in range(len(deeds)))

    def call(self, skill: str, **args: Arg) -> Made:
        """Add a move of one call."""
        return self.step(Deed(skill=skill, args=args))[0]

    def find(self, target: Target, image: Ref | None = None) -> Ref:
        """Add what finds a target, unless it was found before; return where."""
        return self.find_all((target,), image)[0]

    def find_all(self, targets: Sequence[Target], image: Ref | None = None) -> tuple[Ref, ...]:
        """Find several targets side by side."""
        place = image or self.image
        for target in targets:
            self.boxes |= target.boxes
        depth = max(len(target.deeds) for target in targets)
        found: list[Ref | None] = [self.known.get((place, one.phrase)) for one in targets]
        new = [number for number, ref in enumerate(found) if ref is None]
        for level in range(depth):
            at = [number for number in new if level < len(targets[number].deeds)]
            deeds = [self._deed(targets[n].deeds[level], place, found[n]) for n in at]
            if at:
                for number, made in zip(at, self.step(*deeds), strict=True):
                    found[number] = made
        for target, ref in zip(targets, found, strict=True):
            assert ref is not None
            self.known[place, target.phrase] = ref
        return tuple(ref for ref in found if ref is not None)

    def act(self, act: Act, region: Ref | None = None, second: Ref | None = None) -> Made:
        """Add what fulfils a wish.

        Args:
            act: The wish.
            region: Where its target is, if that is known.
            second: Where its other target is.
        """
        wish, args = act.wish, dict(act.args)
        if act.target is not None and region is None:
            region = self.find(act.target)
        if act.other is not None and second is None:
            second = self.find(act.other)
        if act.shaped and region is not None:
            region = self.call("segment", image=self.image, prompt=region)
        if wish.key in ("plot.colors", "plot.sizes"):
            before = "colors" if wish.key == "plot.colors" else "measure"
            extra: dict[str, Arg] = {} if region is None else {"region": region}
            table = self.call(before, image=self.image, **extra)
            made = self.call("plot", table=table, **args)
        elif wish.skill == "detect":
            assert act.target is not None
            assert isinstance(region, Made)
            made = region
        else:
            made = self.call(wish.skill, **self._args(wish, args, region, second))
        if wish.edits:
            self.original = self.original or self.image
            self._after(made, moves=wish.moves)
            self.shown = [made]
        else:
            target = act.target
            self.told.append(Told(tell=wish.tell, ref=made, target=target, slots=act.slots))
        return made

    def script(self, **more: Callable[[Seen], str]) -> Script:
        """Return the turn's script, with the usual answer unless ``told`` says otherwise."""
        told, shown, words = tuple(self.told), tuple(self.shown), self.words

        def said(seen: Seen) -> str:
            return finished(told, shown, seen, words)

        def failed(seen: Seen) -> str:
            return words.gap.join([*_so_far(told, seen, words), words.failed(seen)])

        def none(seen: Seen) -> str:
            return words.none("none.edit" if shown else "none", seen)

        return Script(
            tongue=words,
            moves=tuple(self.moves),
            **({"told": said, "empty": none, "failed": failed} | more),
        )

    def truth(self, *, refuse: bool = False) -> Truth | None:
        """Return what the source knows of the answer."""
        found = {
            "boxes": self.boxes,
            "counts": self.counts,
            "texts": self.texts,
            "answers": self.answers,
            "refuse": refuse,
        }
        given = {name: value for name, value in found.items() if value}
        return Truth.model_construct(**given) if given else None

    def _after(self, made: Made, *, moves: bool) -> None:
        """Note the new picture; where nothing moved, what was found is still there."""
        if not moves:
            kept = [
                (words, ref) for (place, words), ref in self.known.items() if place == self.image
            ]
            self.known |= {(made, words): ref for words, ref in kept}
        self.image = made

    def _deed(self, deed: Deed, image: Ref, before: Ref | None) -> Deed:
        first: dict[str, Arg] = {"image": image}
        if deed.skill == "select":
            assert before is not None
            first = {"region": before}
        return Deed(skill=deed.skill, args={**first, **deed.args})

    def _args(
        self, wish: Wish, args: dict[str, JsonValue], region: Ref | None, second: Ref | None
    ) -> dict[str, Arg]:
        made: dict[str, Arg] = (
            {} if wish.images == 0 or wish.skill == "count" else {"image": self.image}
        )
        if region is not None and wish.region:
            made[wish.region] = region
        if second is not None:
            made["to"] = second
        if wish.images > 1:
            names = ("picture",) if wish.skill == "replace_background" else ("other", "third")
            others = (Given(turn=self.turn, place=place) for place in range(1, wish.images))
            made |= dict(zip(names, others, strict=False))
        return {**made, **wish.args, **args}


def _so_far(told: Sequence[Told], seen: Seen, words: Tongue) -> list[str]:
    """Return what was found out and made before a call failed."""
    said = []
    for one in told:
        with suppress(UnseenError):
            said.append(sentence(one, seen, words))
    steps = seen.view.turns[-1].steps
    made = [one for step in steps for one in step.observations if one.kind == "image"]
    if made and "so.far" in words:
        said.append(words.say("so.far", seen.rng, out="{" + str(made[-1].handle) + "}"))
    return said


def finished(told: Sequence[Told], shown: Sequence[Ref], seen: Seen, words: Tongue) -> str:
    """Return the usual answer: what was found out, and the pictures that were made."""
    gap = words.gap
    said = gap.join(sentence(one, seen, words) for one in told)
    out = ["{" + seen.handle(ref) + "}" for ref in shown]
    if not out:
        return said
    listed = words.say("and", seen.rng, a=", ".join(out[:-1]), b=out[-1]) if out[1:] else out[0]
    if said and "done.told" in words:
        return words.say("done.told", seen.rng, told=said, out=listed)
    done = words.say("done.many" if out[1:] else "done", seen.rng, out=listed)
    return f"{said}{gap}{done}" if said else done


def draw_act(
    wish: Wish,
    words: Tongue,
    rng: random.Random,
    skills: SkillRegistry,
    *,
    target: Target | None = None,
    other: Target | None = None,
) -> Act | None:
    """Return a wish with what it leaves open drawn; none where the language lacks a word."""
    drawn = wish.draw(rng, None, words) if wish.draw else ({}, {})
    if drawn is None:
        return None
    args, slots = drawn
    thing = target is not None and target.label not in ("", "text", "code")
    shaped = wish.shape and thing and "segment" in skills and rng.random() < SHAPED
    return Act(wish=wish, args=args, slots=slots, target=target, other=other, shaped=shaped)
