"""Agents: a planner with skills, and the sessions that people hold with it."""

import secrets

from llava_plus.skills import ArtifactStore, ResultCache, SkillRegistry, default_registry

from .graph import Limits
from .planner import Planner
from .session import Session


class Agent:
    """A planner with skills; each conversation is a session of its own.

    Args:
        planner: What decides; see `load_planner` and `ScriptedPlanner`.
        skills: What can be done; the built-in catalogue if left out.
        limits: When a request has to end.
        store: Where pictures are kept; in memory if left out.
        results: Keeps what skills returned for later sessions, too; nobody does if left out.
    """

    def __init__(
        self,
        planner: Planner,
        skills: SkillRegistry | None = None,
        *,
        limits: Limits | None = None,
        store: ArtifactStore | None = None,
        results: ResultCache | None = None,
    ) -> None:
        self.planner = planner
        self.skills = default_registry() if skills is None else skills
        self.limits = limits or Limits()
        self.store = store or ArtifactStore()
        self.results = results
        self._sessions: dict[str, Session] = {}

    def session(self, id: str | None = None) -> Session:
        """Return the session of that id, a new one if there is none; without id, a new one."""
        if id is None:
            return self._open(secrets.token_hex(8))
        if id not in self._sessions:
            self._sessions[id] = self._open(id)
        return self._sessions[id]

    def forget(self, id: str) -> None:
        """Let go of a session that was opened by id."""
        self._sessions.pop(id, None)

    def _open(self, id: str) -> Session:
        return Session(
            id,
            planner=self.planner,
            skills=self.skills,
            limits=self.limits,
            store=self.store,
            results=self.results,
        )
