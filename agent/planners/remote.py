"""The planner that asks an OpenAI-compatible chat server: vLLM, SGLang, Ollama or a hosted one."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from llava_plus.agent.dialects import json as json_dialect
from llava_plus.agent.dialects import native
from llava_plus.agent.halt import HaltedError
from llava_plus.agent.planner import Decision, PlannerError, PlanView
from llava_plus.errors import SetupError

from .chat_server import ChatServer
from .data_urls import DataUrls
from .handover import Item, until_decided
from .remote_config import RemoteConfig, read_config
from .reply import Reply
from .spending import Ledger, Spent

Emit = Callable[[Item], None]

POLL = 0.05  # seconds between looks at the cancel event
ROLES = {"system": "system", "user": "user", "assistant": "assistant", "observation": "user"}


class RemotePlanner:
    """Plans with a model behind a chat server.

    Prompts only grow from step to step, and each picture is in a request once, so that the
    server's prefix cache holds what was read before.
    """

    def __init__(self, config: RemoteConfig) -> None:
        self.config = config
        self.name = config.name or config.model
        self._server = ChatServer(config)
        self._ledger = Ledger(config)
        self._picture = DataUrls(longest_side=config.longest_side, format=config.picture_format)

    @classmethod
    def from_name(cls, name: str | Path) -> "RemotePlanner":
        """Make one from ``openai:MODEL@ADDRESS`` or from a YAML file; see `RemoteConfig`."""
        return cls(read_config(name))

    @property
    def spent(self) -> Spent:
        """Tokens and money so far."""
        return self._ledger.spent

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Yield the output as it is written, then the decision; see `Planner`."""
        queue: asyncio.Queue[Item] = asyncio.Queue()
        work = asyncio.create_task(self._work(view, queue.put_nowait))
        try:
            async for item in until_decided(lambda: _next(queue, view)):
                yield item
        finally:
            work.cancel()
            await asyncio.wait({work})

    def request(self, view: PlanView) -> dict[str, Any]:
        """Return the body of the request for a view."""
        config = self.config
        body: dict[str, Any] = {
            "model": config.model,
            "messages": self._messages(view),
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": config.max_tokens,
            "temperature": config.temperature,
            **(self._tools(view) if config.dialect == "native" else self._output(view)),
            **config.body,
        }
        return {name: value for name, value in body.items() if value is not None}

    async def _work(self, view: PlanView, emit: Emit) -> None:
        try:
            self._ledger.check()
            body = await asyncio.to_thread(self.request, view)
            reply = await self._server.reply(body, emit, native=self.config.dialect == "native")
            self._ledger.add(reply.usage)
            emit(self._decision(reply, view))
        except Exception as error:  # raised again where the plan is awaited
            emit(error)

    def _messages(self, view: PlanView) -> list[native.Chat]:
        if self.config.dialect == "native":
            return native.render(view, picture=self._picture)
        return [
            {
                "role": ROLES[message.role],
                "content": native.content_of(message.words_and_pictures, self._picture),
            }
            for message in json_dialect.render(view, system="full")
        ]

    def _tools(self, view: PlanView) -> dict[str, Any]:
        return {"tools": view.skills.openai_tools()} if len(view.skills) else {}

    def _output(self, view: PlanView) -> dict[str, Any]:
        kind = self.config.output
        if kind == "text":
            return {}
        schema = {"name": "step", "schema": json_dialect.schema(view.skills)}
        named = {"json_schema": schema} if kind == "json_schema" else {}
        return {"response_format": {"type": kind, **named}}

    def _decision(self, reply: Reply, view: PlanView) -> Decision:
        if reply.finish == "content_filter":
            raise SetupError(
                f"{self.config.address} stopped the reply by its content filter. "
                "Put the request in other words, or use another planner."
            )
        if reply.finish == "length":
            raise PlannerError("The output did not end within its limit of tokens. Be brief.")
        if self.config.dialect == "json" and not reply.message.get("refusal"):
            return json_dialect.parse(reply.content, view.call_ids())
        return native.parse(reply.message, view.call_ids())


async def _next(queue: asyncio.Queue[Item], view: PlanView) -> Item:
    """Wait for the next item, or for the word to stop."""
    while True:
        late = view.deadline is not None and time.monotonic() > view.deadline
        if late or view.cancel.is_set():
            raise HaltedError
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                return await queue.get()
