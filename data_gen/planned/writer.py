"""The writer: draws what is asked about a picture, of which kind, in whose words."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType

from llava_plus.data_gen.verify import Verifier
from llava_plus.data_gen.writing import Ask, Conversation, Material, Tags, UnwrittenError
from llava_plus.errors import SetupError
from llava_plus.skills import SkillRegistry
from llava_plus.skills import builtin as _builtin

from .banks import BANKS, Bank, banks
from .facts import Facts
from .following import follow
from .heldout import apart
from .kinds import chain, single
from .mistakes import SLOW, absent, recovered, unfindable
from .own import by_name, own
from .pointed import pointed, several
from .questions import question
from .scene import Dialogue, Request, Scene
from .script import Follower
from .sides import pair
from .talking import ask, cannot, explain, refuse, talk
from .tongue import tongue
from .typed import dressed, typed

TRIES = 12
MAKERS: Mapping[str, Callable[[Scene], Dialogue | None]] = {
    "single": single, "chain": chain, "side by side": pair, "question": question,
    "pointed": pointed, "several": several, "follow": follow, "ask": ask, "absent": absent,
    "unfindable": unfindable, "recover": recovered, "talk": talk, "explain": explain,
    "refuse": refuse, "cannot": cannot, "by name": by_name, "own": own,
}  # fmt: skip
SHARES: Mapping[str, float] = MappingProxyType({
    "single": 0.22, "chain": 0.17, "side by side": 0.07, "question": 0.11, "pointed": 0.07,
    "several": 0.06, "follow": 0.11, "ask": 0.04, "absent": 0.03, "unfindable": 0.02,
    "recover": 0.04, "talk": 0.02, "explain": 0.015, "refuse": 0.015, "cannot": 0.03,
    "by name": 0.02, "own": 0.3,
})  # fmt: skip
LANGUAGES: Mapping[str, float] = MappingProxyType({"en": 0.7, "zh": 0.22, "es": 0.04, "de": 0.04})
# Kinds whose words ask for what is said already: neither a lead nor a tail suits them.
_BARE = frozenset(("talk", "explain", "refuse", "impossible"))


@dataclass(frozen=True, kw_only=True)
class PlannedWriter:
    """Writes requests over all skills that there are, with plans that fit them.

    Args:
        shares: How often each kind of request is drawn, by the names of ``MAKERS``; what is not
            possible for a picture or with the skills at hand is drawn anew. Requests for skills
            of one's own are only drawn where there are some.
        languages: How often each language is, of en, zh, es and de.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    languages: Mapping[str, float] = field(default_factory=lambda: LANGUAGES)
    name: str = field(default="planned", init=False)
    at_once: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        _check("kind", self.shares, MAKERS)
        _check("language", self.languages, BANKS)

    async def write(self, material: Material) -> Sequence[Conversation]:
        """Draw as many conversations as wanted."""
        return self.written(material)

    def written(self, material: Material) -> list[Conversation]:
        """Draw as many conversations as wanted, at once; fewer where some cannot be had.

        Raises:
            UnwrittenError: Nothing of these kinds can be asked about it with these skills.
        """
        facts = tuple(map(Facts, material.items))
        own, able = _beyond(material.skills), frozenset(spec.name for spec in material.skills)
        found = []
        for number in range(material.count):
            rng = material.rng("planned", number)
            drawn = self._drawn(rng, facts, material.skills, own, able)
            if drawn is not None:
                place = f"{material.seed}:{material.index}:{number}"
                found.append(_conversation(*drawn, rng, seed=place))
        if material.count and not found:
            raise UnwrittenError("planned: of these kinds nothing can be asked about this picture.")
        return found

    def verifiers(self) -> Sequence[Verifier]:
        """Return none: the standard ones know all that there is to ask."""
        return ()

    def close(self) -> None:
        """Nothing is open."""

    def _drawn(
        self,
        rng: random.Random,
        facts: tuple[Facts, ...],
        skills: SkillRegistry,
        own: tuple[str, ...],
        able: frozenset[str],
    ) -> tuple[Dialogue, Bank] | None:
        kinds = {kind: share for kind, share in self.shares.items() if own or kind != "own"}
        for _ in range(TRIES):
            language = rng.choices(list(self.languages), list(self.languages.values()))[0]
            bank = rng.choice(banks(language))
            scene = Scene(
                rng=rng, facts=facts, skills=skills, bank=bank, words=tongue(language), own=own,
                able=able,
            )  # fmt: skip
            kind = rng.choices(list(kinds), list(kinds.values()))[0]
            dialogue = MAKERS[kind](scene)
            if dialogue is None:
                continue
            dialogue = _spoken(dialogue, bank, rng)
            if not any(apart().near(request.text) for request in dialogue.requests):
                return dialogue, bank
        return None


def _spoken(dialogue: Dialogue, bank: Bank, rng: random.Random) -> Dialogue:
    """Put every request into the manner of its bank, as it is typed."""
    requests = []
    for place, request in enumerate(dialogue.requests):
        plain = request.bare or dialogue.kind in _BARE or not dialogue.scripts[place].moves
        joins = not request.text.endswith(("?", "\N{FULLWIDTH QUESTION MARK}"))
        lead = not plain and joins and not _asking(request.text)
        text = dressed(request.text, bank, rng, lead=lead)
        requests.append(
            replace(request, text=typed(text, bank, rng, kept=_kept(request, dialogue)))
        )
    return replace(dialogue, requests=tuple(requests))


def _asking(text: str) -> bool:
    return text.startswith("input point") or text[:1] in "+¿"


def _kept(request: Request, dialogue: Dialogue) -> tuple[str, ...]:
    """Return the words that calls copy."""
    found: list[str] = []
    for script in dialogue.scripts:
        for move in script.moves:
            for deed in move.deeds:
                found += [deed.skill, *(arg for arg in deed.args.values() if isinstance(arg, str))]
    truth = request.truth
    return (*found, *(truth.boxes if truth else ()))


def _conversation(dialogue: Dialogue, bank: Bank, rng: random.Random, *, seed: str) -> Conversation:
    turns = tuple(
        Ask(text=one.text, images=one.items, pointers=one.pointers, truth=one.truth)
        for one in dialogue.requests
    )
    return Conversation(
        turns=turns,
        planner=Follower(scripts=dialogue.scripts, seed=seed),
        tags=Tags(kind=dialogue.kind, language=bank.language, bank=bank.name),
    )


def _beyond(skills: SkillRegistry) -> tuple[str, ...]:
    """Return the names of skills that are not built in."""
    return tuple(
        spec.name for spec in skills if spec.name not in _builtin_names() and spec.name != SLOW
    )


@cache
def _builtin_names() -> frozenset[str]:
    return frozenset(_builtin.__all__)


def _check(what: str, shares: Mapping[str, float], known: Iterable[str]) -> None:
    known = sorted(known)
    if wrong := [name for name in shares if name not in known]:
        raise SetupError(f"planned: no {what} {wrong[0]!r}. Known: {', '.join(known)}.")
    if not any(share > 0 for share in shares.values()) or min(shares.values()) < 0:
        raise SetupError(f"planned: shares of each {what} are 0 or more, and one is above 0.")
