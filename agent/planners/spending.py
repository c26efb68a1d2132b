"""What a remote planner has read and written, what that costs, and when it is enough."""

import threading
from dataclasses import dataclass

from openai.types import CompletionUsage

from llava_plus.errors import SetupError

from .remote_config import RemoteConfig

MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Sums since the planner was made."""

    requests: int = 0
    read: int = 0  # tokens of prompts, with those of the cache
    cached: int = 0  # tokens of prompts that the server still had
    written: int = 0  # tokens
    money: float = 0.0  # in the currency of the configuration

    @property
    def tokens(self) -> int:
        return self.read + self.written

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            requests=self.requests + other.requests,
            read=self.read + other.read,
            cached=self.cached + other.cached,
            written=self.written + other.written,
            money=self.money + other.money,
        )


class Ledger:
    """Counts what all sessions of a planner spend, and stops it where its budget ends.

    Not covered: what a request cost that was stopped or broke off, since the server says so only
    at its end; and the last request may go over the budget.
    """

    def __init__(self, config: RemoteConfig) -> None:
        self.spent = Spent()
        self._config = config
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise `SetupError` where nothing is left."""
        check_budget(self.spent, self._config)

    def add(self, usage: CompletionUsage | None) -> None:
        """Count a request; a server that does not say what it used cannot have a budget."""
        cost = cost_of(usage, self._config)
        with self._lock:
            self.spent += cost


def check_budget(spent: Spent, config: RemoteConfig, *, whose: str = "planner") -> None:
    """Raise `SetupError` where nothing is left to spend."""
    used = ""
    if config.budget_tokens is not None and spent.tokens >= config.budget_tokens:
        used = f"budget_tokens, {config.budget_tokens}, is used up: {spent.tokens} tokens"
    if config.budget_money is not None and spent.money >= config.budget_money:
        unit = config.currency
        used = f"budget_money, {config.budget_money:g} {unit}, is used up: {spent.money:.4g} {unit}"
    if used:
        again = ", or start the program again" if whose == "planner" else " and run it again"
        raise SetupError(
            f"The {whose}'s {used} in {spent.requests} requests. "
            f"Raise it in the {whose}'s file{again}."
        )


def cost_of(usage: CompletionUsage | None, config: RemoteConfig) -> Spent:
    """Return what one request cost; where there is a budget, the server has to say so."""
    if usage is None:
        if config.budget_tokens is not None or config.budget_money is not None:
            raise SetupError(
                f"{config.address} does not say how many tokens it used, so that no budget can be "
                "kept. Take budget_tokens and budget_money out of the planner's file, or use a "
                "server that reports usage in streams."
            )
        return Spent(requests=1)
    details = usage.prompt_tokens_details
    read, written = usage.prompt_tokens or 0, usage.completion_tokens or 0
    cached = min((details.cached_tokens or 0) if details else 0, read)
    price = config.price_read or 0.0
    price_cached = price if config.price_cached is None else config.price_cached
    money = (read - cached) * price + cached * price_cached
    money += written * (config.price_written or 0.0)
    return Spent(requests=1, read=read, cached=cached, written=written, money=money / MILLION)
