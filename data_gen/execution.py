"""Conversations played in sessions with the real skills: what comes out is a trace."""

from collections.abc import Sequence
from itertools import count

from llava_plus.agent import Agent, Limits, Session, Trace
from llava_plus.errors import SetupError
from llava_plus.skills import ArtifactStore, Image, ResultCache, SkillRegistry

from .sources import Item
from .truth import Truth, knowing, with_truths
from .writing import Ask, Conversation

TURNS = 20  # of one conversation at most
LIMITS = Limits(steps=12, seconds=300)


class WatchedPictures(ArtifactStore):
    """A store that remembers that it could not write, which a session tells its planner only.

    Args:
        store: What keeps the pictures.
    """

    quick = True

    def __init__(self, store: ArtifactStore) -> None:
        super().__init__(store.root)
        self._store = store
        self.problem: SetupError | None = None

    def put(self, image: Image) -> str:
        """Keep a picture."""
        try:
            return self._store.put(image)
        except SetupError as error:
            self.problem = error
            raise


async def play(
    conversation: Conversation,
    *,
    id: str,
    skills: SkillRegistry,
    store: ArtifactStore,
    results: ResultCache | None,
    seed: int,
    writer: str,
) -> Trace:
    """Play a conversation to its end.

    Args:
        conversation: What is asked, and who decides.
        id: Of the trace.
        skills: What can be called, beside the conversation's own.
        store: Where pictures go.
        results: What calls have returned before; the same call on the same content is not run
            again.
        seed: What was drawn from.
        writer: Who wrote it.

    Raises:
        SetupError: Pictures cannot be written, or the conversation asks for what cannot be.
    """
    if conversation.skills is not None:
        skills = skills.merge(conversation.skills)
    truths = [ask.truth for ask in conversation.turns if ask.truth is not None]
    watched = WatchedPictures(store)
    agent = Agent(
        conversation.planner, knowing(skills, truths), store=watched, results=results,
        limits=LIMITS,
    )  # fmt: skip
    session, asked = agent.session(), []
    for number in count():
        ask = await _next(conversation, number, session)
        if ask is None:
            break
        asked.append(ask)
        session.attach([item.image() for item in ask.images])
        async for _ in session.run(ask.text, pointers=ask.pointers):
            pass
        if watched.problem is not None:
            raise watched.problem
    tags = conversation.tags.to_json() | _origins([item for ask in asked for item in ask.images])
    known = [
        ask.truth.model_copy(update={"turn": number})
        for number, ask in enumerate(asked, 1)
        if ask.truth is not None
    ]
    return _finished(session.trace, id, seed, tags | {"writer": writer}, asked, known)


async def _next(conversation: Conversation, number: int, session: Session) -> Ask | None:
    """Return what is asked in a turn, from 0."""
    if number < len(conversation.turns):
        return conversation.turns[number]
    if conversation.more is None or number >= TURNS:
        return None
    return await conversation.more(session.trace)


def _origins(items: Sequence[Item]) -> dict[str, str]:
    if not items:
        return {}
    joined = {"item": [item.id for item in items], "origin": [item.origin for item in items]}
    return {name: " and ".join(dict.fromkeys(words)) for name, words in joined.items()}


def _finished(
    trace: Trace, id: str, seed: int, tags: dict[str, str], asked: Sequence[Ask],
    known: Sequence[Truth],
) -> Trace:  # fmt: skip
    """Say whose pictures they are and what is known; leave out what only a clock says."""
    licences = dict.fromkeys(item.licence for ask in asked for item in ask.images)
    facts = {"id": id, "seed": seed, "tags": tags, "licence": " and ".join(licences)}
    return with_truths(timeless(trace).model_copy(update=facts), known)


def timeless(trace: Trace) -> Trace:
    """Return the trace without seconds, and without saying which results were remembered."""
    turns = []
    for turn in trace.turns:
        steps = []
        for step in turn.steps:
            seen = [
                one.model_copy(update={"seconds": 0.0} | ({"cached": False} if one.ok else {}))
                for one in step.observations
            ]
            steps.append(step.model_copy(update={"seconds": 0.0, "observations": tuple(seen)}))
        turns.append(turn.model_copy(update={"seconds": 0.0, "steps": tuple(steps)}))
    return trace.model_copy(update={"turns": tuple(turns)})
