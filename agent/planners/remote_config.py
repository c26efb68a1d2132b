"""Which server a planner talks to, and how; only the person who starts the program says so."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from llava_plus.errors import SetupError

from .data_urls import Format

SHORT = re.compile(r"openai:(?P<model>.+?)@(?P<address>https?://.+)")
HOW = 'Use openai:MODEL@http://127.0.0.1:8000/v1, or a YAML file with "model" and "address".'

Price = Annotated[float, Field(ge=0)]  # of a million tokens


class RemoteConfig(BaseModel):
    """An OpenAI-compatible chat server and what may be spent on it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: str = Field(min_length=1)
    address: str  # up to /v1
    key_from: str = ""  # the environment variable that holds the key; empty: no key is sent
    name: str = ""  # what traces call the planner; the model's name if empty
    dialect: Literal["native", "json"] = "native"
    output: Literal["json_schema", "json_object", "text"] = "json_schema"  # of the json dialect
    longest_side: int = Field(default=1024, ge=16)  # pixels of a picture
    picture_format: Format = "jpeg"
    max_tokens: int = Field(default=4096, ge=1)  # of one output
    temperature: float | None = Field(default=None, ge=0)  # None: the server's own
    body: dict[str, Any] = {}  # more fields of the request; null takes one out
    timeout: float = Field(default=120, gt=0)  # seconds for one try of a request
    retries: int = Field(default=3, ge=0)
    pause: float = Field(default=0.5, ge=0)  # seconds before the first retry; then twice as long
    budget_tokens: int | None = Field(default=None, ge=1)  # read and written since the start
    budget_money: float | None = Field(default=None, gt=0)
    price_read: Price | None = None
    price_cached: Price | None = None  # of what the server had read before; as price_read if None
    price_written: Price | None = None
    currency: str = "USD"

    @field_validator("address")
    @classmethod
    def _plain_address(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("wanted an address such as http://127.0.0.1:8000/v1")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("wanted a plain address; a key comes from a variable (key_from)")
        return address.rstrip("/")

    @field_validator("key_from")
    @classmethod
    def _variable(cls, name: str) -> str:
        if not re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)?", name):
            raise ValueError("wanted the name of an environment variable, not the key itself")
        return name

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.budget_money is not None and None in (self.price_read, self.price_written):
            raise ValueError("budget_money needs price_read and price_written, of a million tokens")
        return self

    @property
    def here(self) -> bool:
        """Whether the server runs on this machine."""
        return urlsplit(self.address).hostname in ("localhost", "127.0.0.1", "::1")

    def key(self) -> str:
        """Return the key from the environment; empty where none is wanted."""
        if not self.key_from:
            return ""
        key = os.environ.get(self.key_from, "").strip()
        if not key:
            raise SetupError(
                f"The environment variable {self.key_from}, which is to hold the key for "
                f"{self.address}, is not set. Set it and start again."
            )
        if not re.fullmatch(r"[!-~]+", key):
            raise SetupError(
                f"What {self.key_from} holds is no key: there are blanks or unusual letters in it. "
                "Copy the key again and start again."
            )
        return key


Config = TypeVar("Config", bound=RemoteConfig)


def read_config(name: str | Path) -> RemoteConfig:
    """Read ``openai:MODEL@ADDRESS`` or a YAML file with the fields of `RemoteConfig`."""
    return read_config_as(RemoteConfig, name)


def read_config_as(kind: type[Config], name: str | Path) -> Config:
    """Read the same with the fields of a class that adds to `RemoteConfig`."""
    text = str(name)
    if text.startswith("openai:"):
        if not (found := SHORT.fullmatch(text)):
            raise SetupError(f"{_unkeyed(text)!r} names no server. {HOW}")
        return _checked(kind, found.groupdict(), f"openai:{found['model']}@…")
    path = Path(text).expanduser()
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise SetupError(f"Cannot read {text!r}: {why}. {HOW}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise SetupError(f"{text!r} is no YAML: it breaks off{line}. {HOW}") from error
    if not isinstance(fields, dict):
        raise SetupError(f"{text!r} has no fields. {HOW}")
    return _checked(kind, fields, repr(text))


def _checked(kind: type[Config], fields: dict[str, Any], where: str) -> Config:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        problems = "; ".join(map(_problem, error.errors()))
    # Outside of the handler: the caught error quotes what came, which may be a key.
    raise SetupError(f"{where}: {problems}. {HOW}")


def _problem(problem: Any) -> str:
    """Say what is wrong with a field, without what stood in it: that may be a key."""
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        known = ", ".join(RemoteConfig.model_fields)
        key = " A key never stands here: name its environment variable with key_from."
        return f"no field {name!r}; known: {known}.{key if 'key' in name.lower() else ''}"
    message: str = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {message[:1].lower()}{message[1:]}" if name else message


def _unkeyed(text: str) -> str:
    """Leave out what stands before the @ of an address: it may be a password."""
    return re.sub(r"//[^/]*@", "//…@", text)
