"""What a remote planner has read and written, what that costs, and when it is enough."""

import threading
from dataclasses import dataclass, replace

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
        config, spent = self._config, self.spent
        used = ""
        if config.budget_tokens is not None and spent.tokens >= config.budget_tokens:
            used = f"budget_tokens, {config.budget_tokens}, is used up: {spent.tokens} tokens"
        if config.budget_money is not None and spent.money >= config.budget_money:
            unit = config.currency
            used = f"budget_money, {config.budget_money:g} {unit}, is used up: {spent.money:.4g}"
            used += f" {unit}"
        if used:
            raise SetupError(
                f"The planner's {used} in {spent.requests} requests. "
                "Raise it in the planner's file, or start the program again."
            )

    def add(self, usage: CompletionUsage | None) -> None:
        """Count a request; a server that does not say what it used cannot have a budget."""
        config = self._config
        budget = config.budget_tokens is not None or config.budget_money is not None
        if usage is None and budget:
            raise SetupError(
                f"{config.address} does not say how many tokens it used, so that no budget can be "
                "kept. Take budget_tokens and budget_money out of the planner's file, or use a "
                "server that reports usage in streams."
            )
        with self._lock:
            self.spent = self._sum(usage)

    def _sum(self, usage: CompletionUsage | None) -> Spent:
        spent, config = self.spent, self._config
        if usage is None:
            return replace(spent, requests=spent.requests + 1)
        details = usage.prompt_tokens_details
        read, written = usage.prompt_tokens or 0, usage.completion_tokens or 0
        cached = min((details.cached_tokens or 0) if details else 0, read)
        price = config.price_read or 0.0
        price_cached = price if config.price_cached is None else config.price_cached
        money = (read - cached) * price + cached * price_cached
        money += written * (config.price_written or 0.0)
        return Spent(
            requests=spent.requests + 1,
            read=spent.read + read,
            cached=spent.cached + cached,
            written=spent.written + written,
            money=spent.money + money / MILLION,
        )
