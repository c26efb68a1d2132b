"""The writer that lets a teacher write: what is asked, and a planner that asks it what to do."""

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from llava_plus.agent import Decision, ScriptedPlanner, Trace
from llava_plus.data_gen.truth import Truth
from llava_plus.data_gen.verify import Verifier
from llava_plus.data_gen.writing import Ask, Conversation, Material, Tags
from llava_plus.errors import SetupError
from llava_plus.skills import SkillRegistry, SkillSpec

from .acting import TeacherPlanner, every_look
from .config import read_teacher
from .consistency import SelfConsistent
from .facts import facts_of, known_of
from .pool import listed, pool_of, signature
from .reading import Talk, Wish, ask_for
from .teacher import Chat, Teacher, TeacherError
from .wording import MANNERS, prompt

log = logging.getLogger(__name__)

Kind = Literal["fly", "all tools", "conversation", "detail", "reasoning"]
EVENLY: Mapping[str, float] = dict.fromkeys(get_args(Kind), 1.0)
TURNS = (3, 4, 5)  # of a conversation without skills
TWO_SKILLS = 0.3  # share of the requests that are about two
SEEDS = 3  # requests that a request begins with
LANGUAGES = {"English": "en", "Chinese": "zh"}


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One conversation to be written: of which kind, about what, and what chance says."""

    kind: str
    material: Material
    facts: str
    rng: random.Random
    sample: int


class TeacherWriter:
    """Conversations that a model writes; what skills return is really what they return.

    Args:
        teacher: ``openai:MODEL@ADDRESS``, or the YAML file about it (`TeacherConfig`).
        kinds: How often each kind comes, relative to the others: "fly" (the teacher calls what the
            request needs), "all tools" (all skills that look are called first), and LLaVA's three
            without skills, "conversation", "detail" and "reasoning".
        rounds: Of self-instruct, for each skill.
        seeds: A file with a request in each line, to begin with.
        follow_ups: The share of conversations with skills that get a second request, 0..1.
        samples: How often everything is asked again to see whether it agrees; 0 for never.

    Raises:
        SetupError: The teacher's file, the key or an option is wrong.
    """

    name = "teacher"

    def __init__(
        self,
        *,
        teacher: str,
        kinds: Mapping[str, float] = EVENLY,
        rounds: int = 2,
        seeds: str | None = None,
        follow_ups: float = 0.3,
        samples: int = 0,
    ) -> None:
        self._teacher = Teacher(read_teacher(teacher))
        self._kinds = _checked(kinds)
        self._rounds = rounds
        self._seeds = _lines(seeds)
        self._follow_ups = follow_ups
        self._samples = samples
        self._pools: dict[str, list[str]] = {}

    @property
    def at_once(self) -> int:
        """How many items it may be asked about side by side."""
        return self._teacher.config.at_once

    async def write(self, material: Material) -> Sequence[Conversation]:
        """Return conversations about an item; see `Writer`."""
        facts = facts_of(material.item, sees=self._teacher.config.sees)
        names, weights = list(self._kinds), list(self._kinds.values())
        done: list[Conversation] = []
        problem: TeacherError | None = None
        for number in range(material.count):
            rng = material.rng(self.name, number)
            (kind,) = rng.choices(names, weights)
            # The same picture may come again, under another index: then something new is wanted.
            sample = material.index * material.count + number
            job = _Job(kind=kind, material=material, facts=facts, rng=rng, sample=sample)
            acts = kind in ("fly", "all tools")
            try:
                done.append(await (self._acted(job) if acts else self._talked(job)))
            except TeacherError as error:
                problem = error
                log.warning("%s, conversation %d: %s", material.item.id, number + 1, error)
        if problem is not None and not done:
            raise problem
        return done

    def verifiers(self) -> Sequence[Verifier]:
        """Return what asks everything again, if that is wanted."""
        return [SelfConsistent(self._teacher, samples=self._samples)] if self._samples else []

    def close(self) -> None:
        """Let go of the file of replies."""
        self._teacher.close()

    async def _talked(self, job: _Job) -> Conversation:
        """Write a conversation without skills; it has thoughts, and no actions."""
        count = str(job.rng.choice(TURNS))
        words = prompt(job.kind, self._teacher.config.language, facts=job.facts, count=count)
        talk = await ask_for(Talk, self._teacher, self._chat(words, job), sample=job.sample)
        said = talk.turns if job.kind == "conversation" else talk.turns[:1]
        truth = Truth(known=known_of(job.material.item))
        turns = [Ask(text=one.question, truth=truth) for one in said]
        turns[0] = Ask(text=said[0].question, images=(job.material.item,), truth=truth)
        script = [Decision(thought=one.thought, answer=one.answer) for one in said]
        planner = ScriptedPlanner(script, name=self._teacher.name)
        return Conversation(turns=tuple(turns), planner=planner, tags=self._tags(job))

    async def _acted(self, job: _Job) -> Conversation:
        """Write a request that needs skills; the teacher goes on when their results are there."""
        skills = job.material.skills
        chosen = _drawn(skills, job.rng)
        words = prompt(
            "request",
            self._teacher.config.language,
            facts=job.facts,
            skills=signature(*chosen),
            seeds=listed(await self._shown(chosen[0], job)),
            names=" and ".join(spec.name for spec in chosen),
            manner=job.rng.choice(MANNERS[self._teacher.config.language]),
        )
        wish = await ask_for(Wish, self._teacher, self._chat(words, job), sample=job.sample)
        first = every_look(skills) if job.kind == "all tools" else ()
        planner = TeacherPlanner(self._teacher, job.facts, first=first, sample=job.sample)
        goes_on = not first and job.rng.random() < self._follow_ups
        manner = job.rng.choice(MANNERS[self._teacher.config.language])

        async def more(trace: Trace) -> Ask | None:
            if planner.problem is not None:
                raise planner.problem  # the conversation is lost; of a budget, the run ends
            if not goes_on or len(trace.turns) > 1 or trace.turns[-1].reason != "answered":
                return None
            return await self._followed(trace, job, manner)

        ask = Ask(text=wish.request, images=(job.material.item,))
        return Conversation(turns=(ask,), planner=planner, more=more, tags=self._tags(job))

    async def _followed(self, trace: Trace, job: _Job, manner: str) -> Ask | None:
        """Write the next request; where that fails, the conversation ends as it is."""
        talk = "\n".join(f"- {turn.message}\n- {turn.answer}" for turn in trace.turns)
        words = prompt(
            "follow",
            self._teacher.config.language,
            facts=job.facts,
            talk=talk,
            skills=signature(*_suited(job.material.skills)),
            manner=manner,
        )
        try:
            wish = await ask_for(Wish, self._teacher, self._chat(words, job), sample=job.sample)
        except TeacherError:
            return None
        return Ask(text=wish.request)

    async def _shown(self, spec: SkillSpec, job: _Job) -> list[str]:
        """Draw requests of a skill's pool, which is made when it is first wanted."""
        if spec.name not in self._pools:
            self._pools[spec.name] = await pool_of(
                spec,
                self._teacher,
                rounds=self._rounds,
                seeds=self._seeds,
                seed=job.material.seed,
            )
        pool = self._pools[spec.name]
        return job.rng.sample(pool, min(SEEDS, len(pool)))

    def _chat(self, words: str, job: _Job) -> list[Chat]:
        """Return the message, with the picture where the teacher sees."""
        picture = self._teacher.picture_of(job.material.item)
        content = [*picture, {"type": "text", "text": words}] if picture else words
        return [{"role": "user", "content": content}]

    def _tags(self, job: _Job) -> Tags:
        config = self._teacher.config
        return Tags(kind=job.kind, language=LANGUAGES[config.language], bank=config.model)


def _drawn(skills: SkillRegistry, rng: random.Random) -> list[SkillSpec]:
    """Draw one or two skills for a request."""
    suited = _suited(skills)
    if not suited:
        raise TeacherError("No skill is there that works on one picture.")
    count = 2 if len(suited) > 1 and rng.random() < TWO_SKILLS else 1
    return rng.sample(suited, count)


def _suited(skills: SkillRegistry) -> list[SkillSpec]:
    """Return what can be wanted of one picture without asking a person for leave."""
    return [spec for spec in skills if not spec.approval and _pictures(spec) <= 1]


def _pictures(spec: SkillSpec) -> int:
    return sum(one.required and one.kinds == ("image",) for one in spec.parameters)


def _checked(kinds: Mapping[str, float]) -> dict[str, float]:
    known = get_args(Kind)
    for kind, weight in kinds.items():
        if kind not in known or not weight >= 0:
            raise SetupError(
                f"The teacher has no kind {kind!r} with weight {weight!r}. Known: "
                f"{', '.join(known)}, each with a number from 0 on."
            )
    if not sum(kinds.values()):
        raise SetupError("All kinds of the teacher have weight 0. Give one of them more.")
    return dict(kinds)


def _lines(file: str | None) -> list[str]:
    if file is None:
        return []
    try:
        text = Path(file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise SetupError(f"Cannot read the seeds in {file}: {why}.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
