"""An OpenAI-compatible chat server: asks, waits, asks again, and says what is wrong with it."""

import asyncio
import logging
from collections.abc import Callable
from itertools import count
from json import JSONDecodeError
from typing import Any

import openai

from .complaints import BrokenOffError, complain, passing
from .remote_config import RemoteConfig
from .reply import Reply

log = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0  # seconds before a retry
FAILURES = (openai.APIError, BrokenOffError, TimeoutError, JSONDecodeError, UnicodeDecodeError)

Emit = Callable[[str], None]


class ChatServer:
    """One server, as its configuration says.

    A client is made for each request, since one belongs to its event loop, and there may be
    several.
    """

    def __init__(self, config: RemoteConfig) -> None:
        self.config = config
        self._key = config.key()
        if self._key and config.address.startswith("http://") and not config.here:
            log.warning("the key goes unencrypted to %s: use https", config.address)

    async def reply(
        self, body: dict[str, Any], emit: Emit | None = None, *, native: bool = False
    ) -> Reply:
        """Ask until there is a reply, or no use in asking again.

        Args:
            body: Of the request, for a stream; see `RemotePlanner.request`.
            emit: Called with each piece of the output, which is not asked for again once it began.
            native: As `Reply` takes it.

        Raises:
            SetupError: The server does not do its work; a sentence for a person.
        """
        for tries in count():
            reply = Reply(native=native)
            try:
                async with asyncio.timeout(self.config.timeout):
                    await self._ask(body, reply, emit)
            except FAILURES as error:
                heard = reply.begun and emit is not None
                if heard or tries >= self.config.retries or not passing(error):
                    problem = complain(error, self.config, self._key)
                    # Without what it came from: that may quote the key.
                    raise problem from None
                pause = pause_before_retry(error, self.config.pause * 2**tries)
                log.info(
                    "try %d failed (%s), again in %g s", tries + 1, type(error).__name__, pause
                )
            else:
                return reply
            await asyncio.sleep(pause)
        raise AssertionError("count() does not end")

    async def _ask(self, body: dict[str, Any], reply: Reply, emit: Emit | None) -> None:
        """Send the request once and read the stream to its end."""
        rest = {name: body[name] for name in body if name not in ("model", "messages", "stream")}
        unsaid = ["OpenAI-Organization", "OpenAI-Project"]  # of the environment; not for any server
        unsaid += [] if self._key else ["Authorization"]
        async with self._client() as client:
            stream = await client.chat.completions.create(
                model=body["model"],
                messages=body["messages"],
                stream=True,
                extra_body=rest,
                extra_headers=dict.fromkeys(unsaid, openai.omit),
            )
            async with stream:
                async for chunk in stream:
                    if (piece := reply.feed(chunk)) and emit:
                        emit(piece)
        if not reply.finish:
            raise BrokenOffError(reply.silent)
        if (piece := reply.end()) and emit:
            emit(piece)

    def _client(self) -> openai.AsyncOpenAI:
        """Make a client that goes to the address and nowhere else."""
        transport = openai.DefaultAsyncHttpxClient(
            follow_redirects=False,
            trust_env=not self.config.here,  # no proxy in between on one machine
            timeout=self.config.timeout,
        )
        return openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self.config.address,
            max_retries=0,
            timeout=self.config.timeout,
            http_client=transport,
        )


def pause_before_retry(error: Exception, usual: float) -> float:
    """How many seconds to wait: as long as the server says, where it does."""
    response = getattr(error, "response", None)
    said = response.headers.get("retry-after", "") if response is not None else ""
    return min(float(said) if said.isdecimal() else usual, LONGEST_PAUSE)
