"""Asking a chat server for words: answers, and judgements of answers."""

import time
from itertools import count
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from llava_plus.agent.planners.chat_server import FAILURES, pause_before_retry
from llava_plus.agent.planners.complaints import BrokenOffError, complain, passing
from llava_plus.agent.planners.remote_config import RemoteConfig
from llava_plus.agent.planners.spending import Ledger

Content = str | list[dict[str, Any]]


class Server:
    """An OpenAI-compatible server, asked one question after the other.

    Budget, retries, key and further fields of the request are those of its `RemoteConfig`.
    """

    def __init__(self, config: RemoteConfig) -> None:
        self.config = config
        self.name = config.name or config.model
        self._key = config.key()
        self._ledger = Ledger(config)
        self._client = openai.OpenAI(
            api_key=self._key or "none",
            base_url=config.address,
            max_retries=0,
            timeout=config.timeout,
            http_client=openai.DefaultHttpxClient(
                follow_redirects=False,
                trust_env=not config.here,  # no proxy in between on one machine
                timeout=config.timeout,
            ),
        )

    def ask(self, content: Content, *, tokens: int, temperature: float) -> str:
        """Ask in one message and return the reply's words, cut off where they are too long.

        Args:
            content: Words, or parts with pictures.
            tokens: The reply's greatest length.
            temperature: 0 for the likeliest words.
        """
        self._ledger.check()
        for tries in count():
            try:
                return self._try(content, tokens, temperature)
            except FAILURES as error:
                if tries >= self.config.retries or not passing(error):
                    problem = complain(error, self.config, self._key)
                    # Without what it came from: that may quote the key.
                    raise problem from None
                time.sleep(pause_before_retry(error, self.config.pause * 2**tries))
        raise AssertionError("count() does not end")

    def _try(self, content: Content, tokens: int, temperature: float) -> str:
        body = {"max_tokens": tokens, "temperature": temperature, **self.config.body}
        messages: Any = [{"role": "user", "content": content}]
        unsaid = ["OpenAI-Organization", "OpenAI-Project"]  # of the environment; not for any server
        unsaid += [] if self._key else ["Authorization"]
        reply = self._client.chat.completions.create(
            model=self.config.model,
            messages=messages,
            extra_body={name: value for name, value in body.items() if value is not None},
            extra_headers=dict.fromkeys(unsaid, openai.omit),
        )
        if not isinstance(reply, ChatCompletion) or not reply.choices:
            raise BrokenOffError(silent=True)
        self._ledger.add(reply.usage)
        return reply.choices[0].message.content or ""
