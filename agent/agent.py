"""Agents: a planner with skills, and the sessions that people hold with it."""

import secrets
from pathlib import Path
from weakref import WeakValueDictionary

from llava_plus.errors import SetupError
from llava_plus.skills import ArtifactStore, ResultCache, SkillRegistry, default_registry

from .graph import Limits
from .keeper import Keeper
from .planner import Planner
from .session import Session
from .sessions import Retention, SessionStore


class Agent:
    """A planner with skills; each conversation is a session of its own.

    Args:
        planner: What decides; see `load_planner` and `ScriptedPlanner`.
        skills: What can be done; the built-in catalogue if left out.
        limits: When a request has to end.
        store: Where pictures are kept; in memory if left out.
        results: Keeps what skills returned for later sessions, too; nobody does if left out.
        home: A directory in which sessions, with their pictures, outlive the process; see
            `data_home`. If left out, all is forgotten when the process ends, and a step costs less:
            the loop's nodes are walked without LangGraph, which is there for checkpoints. So data
            is made, with hundreds of sessions at once.
        retention: When sessions in ``home`` are deleted; never if left out.
    """

    def __init__(
        self,
        planner: Planner,
        skills: SkillRegistry | None = None,
        *,
        limits: Limits | None = None,
        store: ArtifactStore | None = None,
        results: ResultCache | None = None,
        home: str | Path | None = None,
        retention: Retention | None = None,
    ) -> None:
        if home is not None and store is not None:
            raise SetupError("A home keeps pictures itself. Give the agent a home or a store.")
        self.planner = planner
        self.skills = default_registry() if skills is None else skills
        self.limits = limits or Limits()
        self.store = store or ArtifactStore()
        self.results = results
        self._kept = None if home is None else SessionStore(home)
        self._retention = retention
        self._sessions: dict[str, Session] = {}
        self._unnamed: WeakValueDictionary[str, Session] = WeakValueDictionary()

    def session(self, id: str | None = None) -> Session:
        """Return the session of that id, a new one if there is none; without id, a new one.

        With a home, a session that another process has open is refused, and one that a kill broke
        off can go on: see `Session.interrupted` and `Session.resume`.
        """
        if id is None:
            session = self._open(secrets.token_hex(8))
            self._unnamed[session.id] = session
            return session
        if id not in self._sessions:
            self._sessions[id] = self._unnamed.get(id) or self._open(id)
        return self._sessions[id]

    def forget(self, id: str) -> None:
        """Let go of a session that was opened by id; what a home keeps of it stays."""
        if (session := self._sessions.pop(id, None)) is not None:
            self._unnamed.pop(id, None)
            session.close()

    def _open(self, id: str) -> Session:
        if self._kept is None:
            return self._session(id, self.store, None)
        keeper = Keeper(self._kept.home, id)
        try:
            if self._retention is not None:
                self._kept.prune(self._retention)
            return self._session(id, keeper.store, keeper)
        except BaseException:
            keeper.close()
            raise

    def _session(self, id: str, store: ArtifactStore, keeper: Keeper | None) -> Session:
        return Session(
            id,
            planner=self.planner,
            skills=self.skills,
            limits=self.limits,
            store=store,
            results=self.results,
            keeper=keeper,
        )
