"""What a person reads when a chat server does not do its work: what came and what to do."""

import json
import re

import openai

from llava_plus.errors import SetupError

from .remote_config import RemoteConfig

LONGEST = 300  # characters of the server's own words
ADVICE = (
    (
        r"tool",
        "Start the server with tool calling (docs/planners.md has the commands), or plan with"
        " dialect: json.",
    ),
    (r"response_format|schema|grammar|guided|structured", "Set output: text."),
    (
        r"context|too long|too large|maximum.{0,20}length",
        "Begin a new session, or set a smaller longest_side or max_tokens.",
    ),
    (r"image|multimodal|vision", "Use a model that reads pictures."),
    (r"max_tokens|temperature|stream_options", "Set that field to null under body:."),
)


class BrokenOffError(Exception):
    """A stream that ended before the reply did; ``silent`` says whether nothing came at all."""

    def __init__(self, silent: bool) -> None:
        super().__init__()
        self.silent = silent


def passing(error: Exception) -> bool:
    """Whether trying again may help."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 425, 429) or error.status_code >= 500
    if isinstance(error, openai.APITimeoutError):
        return False
    return isinstance(error, BrokenOffError | openai.APIConnectionError)


def complain(error: Exception, config: RemoteConfig, key: str) -> SetupError:
    """Turn what went wrong into a sentence without the key, whoever wrote it into an error."""
    text = _sentence(error, config)
    return SetupError(text.replace(key, "[the key]") if key else text)


def _sentence(error: Exception, config: RemoteConfig) -> str:
    where = config.address
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return (
            f"{where} did not finish within {config.timeout:g} seconds. See whether it still works,"
            " or raise timeout in the planner's file."
        )
    if isinstance(error, BrokenOffError) and not error.silent:
        return f"{where} broke off in the middle of its reply. See its log, and ask again."
    if isinstance(error, openai.APIConnectionError):
        return (
            f"{where} cannot be reached ({_cause(error)}). Start the server, or correct the address"
            " that the planner was started with."
        )
    if isinstance(error, openai.APIStatusError):
        return _status(error, config)
    if isinstance(error, openai.APIError):  # an error in the middle of a stream
        return f"{where} failed while it replied: {_words(error)}. See its log, and ask again."
    return (
        f"{where} does not reply as an OpenAI-compatible server does. The address usually ends in"
        " /v1: correct it."
    )


def _status(error: openai.APIStatusError, config: RemoteConfig) -> str:
    where, code, words = config.address, error.status_code, _words(error)
    came = f"{code}: {words}"
    if code in (401, 403) and config.key_from:
        return (
            f"{where} refuses the key from {config.key_from} ({came}). Put a valid one into that"
            " variable and start again."
        )
    if code in (401, 403):
        return (
            f"{where} wants a key ({came}). Put it into an environment variable and name that in"
            " the planner's file: key_from: NAME."
        )
    if code == 404:
        return (
            f"{where} has no model {config.model!r}, or no chat there ({came}). Look at"
            f" {where}/models, and see that the address ends as the server's does, usually in /v1."
        )
    if code == 402 or (code == 429 and re.search("quota|billing|credit", words, re.I)):
        return f"{where} says that the account has nothing left ({came}). Add to it, or wait."
    if code == 429:
        return f"{where} has too many requests ({came}). Wait a little and ask again."
    if code >= 500:
        return f"{where} failed ({came}). See its log, and ask again."
    if 300 <= code < 400:
        return f"{where} sends on to another address ({code}). Start with the final one."
    advice = next((what for sign, what in ADVICE if re.search(sign, words, re.I)), "")
    return f"{where} refuses the request ({came}). {advice or 'See its log.'}"


def _words(error: openai.APIError) -> str:
    """What the server says, in one line."""
    body = error.body
    said = body.get("message") or body.get("detail") if isinstance(body, dict) else body
    if isinstance(said, dict | list):
        said = json.dumps(said, ensure_ascii=False)
    text = re.sub(r"\s+", " ", str(said or error.message)).strip().rstrip(".")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _cause(error: openai.APIConnectionError) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return str(cause) or type(cause).__name__
