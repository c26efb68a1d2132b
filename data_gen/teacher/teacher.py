"""A model behind an OpenAI-compatible server that writes data: asked, remembered, accounted for."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from llava_plus.agent.planners.chat_server import ChatServer
from llava_plus.agent.planners.data_urls import DataUrls
from llava_plus.agent.planners.spending import Spent, check_budget, cost_of
from llava_plus.agent.waiting import wait
from llava_plus.data_gen.sources import Item
from llava_plus.data_gen.writing import SpentError, UnwrittenError
from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart

from .config import TeacherConfig
from .replies import Kept, Replies, key_of

Chat = dict[str, Any]  # one message, or one part of its content
LONGEST = 2**20  # characters of a reply that are kept


class TeacherError(UnwrittenError):
    """The teacher gave nothing of use for an item; the message says why."""


class Teacher:
    """Asks the model, unless the same was asked before.

    Args:
        config: Which server, and what may be spent.

    Raises:
        SetupError: The key is missing, or the file of replies cannot be used.
    """

    def __init__(self, config: TeacherConfig) -> None:
        self.config = config
        self.name = f"teacher:{config.name or config.model}"
        self.asked = self.found = 0  # requests that went out, and those that did not have to
        self.replies = Replies(config.cache)
        self._server = ChatServer(config)
        self._picture = DataUrls(longest_side=config.longest_side, format=config.picture_format)
        self._failures, self._problem = 0, ""  # in a row
        self._lock = threading.Lock()

    @property
    def spent(self) -> Spent:
        """Tokens and money, of all runs that used this file of replies."""
        return self.replies.spent()

    def close(self) -> None:
        """Let go of the file of replies; nothing is asked any more."""
        self.replies.close()

    def ask_sync(self, chat: Sequence[Chat], *, sample: int = 0) -> str:
        """Ask and wait, wherever this is called from; see `ask`."""
        return wait(self.ask(chat, sample=sample))

    async def ask(self, chat: Sequence[Chat], *, sample: int = 0) -> str:
        """Return the model's words.

        Args:
            chat: The messages, as APIs take them.
            sample: Which of several replies to the same messages, from 0.

        Raises:
            TeacherError: It refused, was cut off, or cannot be reached.
            SpentError: Nothing is left to spend, or it failed too often in a row.
        """
        request = self._request(chat)
        key = key_of(request, sample)
        reply = await asyncio.to_thread(self.replies.find, key)
        if reply is None:
            reply = await self._paid(request, key)
        else:
            self._count(found=1)
        return _words(reply)

    def picture(self, part: ImagePart) -> list[Chat]:
        """Return the part of a message with a picture; nothing for a teacher that cannot see."""
        if not self.config.sees:
            return []
        return [self._picture(part)]

    def picture_of(self, item: Item) -> list[Chat]:
        """Return the same for the picture of an item."""
        if not self.config.sees:
            return []
        image = item.image()
        return self.picture(ImagePart(pixels=image.rgb(), digest=image.digest))

    def _request(self, chat: Sequence[Chat]) -> dict[str, Any]:
        config = self.config
        body = {
            "model": config.model,
            "messages": list(chat),
            "max_tokens": config.max_tokens,
            "temperature": config.temperature,
            **config.body,
        }
        return {name: value for name, value in body.items() if value is not None}

    async def _paid(self, request: dict[str, Any], key: str) -> Kept:
        """Ask the server, in its turn, if there is something left to spend."""
        self._check()
        if self.config.per_minute is not None:
            pause = await asyncio.to_thread(self.replies.reserve, self.config.per_minute)
            await asyncio.sleep(pause)
            self._check()
        streamed = {"stream": True, "stream_options": {"include_usage": True}, **request}
        try:
            reply = await self._server.reply(streamed)
            cost = cost_of(reply.usage, self.config)
        except SetupError as error:
            self._fail(str(error))
            raise TeacherError(str(error)) from error
        message = reply.message
        refused = bool(message.get("refusal"))
        text = str(message.get("refusal") or reply.content)[:LONGEST]
        kept = Kept(text=text, finish=reply.finish, refused=refused)
        await asyncio.to_thread(self.replies.keep, key, kept, cost)
        self._count(asked=1)
        return kept

    def _check(self) -> None:
        """Raise `SpentError` where asking is of no use any more."""
        if self._failures >= self.config.patience:
            raise SpentError(
                f"The teacher failed {self._failures} times in a row and is asked no more. "
                f"{self._problem}"
            )
        try:
            check_budget(self.replies.spent(), self.config, whose="teacher")
        except SetupError as error:
            raise SpentError(str(error)) from error

    def _fail(self, problem: str) -> None:
        with self._lock:
            self._failures += 1
            self._problem = problem

    def _count(self, *, asked: int = 0, found: int = 0) -> None:
        with self._lock:
            self.asked += asked
            self.found += found
            self._failures = 0 if asked else self._failures


def _words(reply: Kept) -> str:
    if reply.refused or reply.finish == "content_filter":
        raise TeacherError(f"The teacher refused: {reply.text[:200]!r}.")
    if reply.finish == "length":
        raise TeacherError("The teacher's reply was cut off; raise max_tokens in its file.")
    return reply.text
