"""The same calls through other agents, where they are installed; they are no dependencies."""

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from .bench_loop import CALLS


def installed() -> dict[str, Callable[[], object]]:
    """Return a run for each peer that is there, by the name of its package."""
    made = {"smolagents": smolagents_run, "pydantic-ai": pydantic_ai_run}
    return {name: make() for name, make in made.items() if name not in missing()}


def missing() -> list[str]:
    """Return the peers that are not installed."""
    modules = {"smolagents": "smolagents", "pydantic-ai": "pydantic_ai"}
    return [name for name, module in modules.items() if find_spec(module) is None]


def smolagents_run() -> Callable[[], object]:
    """Let smolagents' ToolCallingAgent make the calls, one a step; it says nothing meanwhile."""
    peer: Any = importlib.import_module("smolagents")
    models: Any = importlib.import_module("smolagents.models")

    class Model(models.Model):  # type: ignore[misc]
        calls = 0

        def generate(self, messages: Any, **_: Any) -> Any:
            del messages
            self.calls += 1
            last = self.calls > CALLS
            name = "final_answer" if last else "nothing"
            arguments = {"answer": "Done."} if last else {"number": float(self.calls)}
            function = models.ChatMessageToolCallFunction(name=name, arguments=arguments)
            call = models.ChatMessageToolCall(
                id=f"call_{self.calls}", type="function", function=function
            )
            role = models.MessageRole.ASSISTANT
            return models.ChatMessage(role=role, content="", tool_calls=[call])

    def nothing(number: float) -> float:
        """Give the number back.

        Args:
            number: The number.
        """
        return number

    tool = peer.tool(nothing)

    def run() -> object:
        agent = peer.ToolCallingAgent(
            tools=[tool], model=Model(), max_steps=CALLS + 1, verbosity_level=peer.LogLevel.OFF
        )
        return agent.run("go")

    return run


def pydantic_ai_run() -> Callable[[], object]:
    """Let pydantic-ai's Agent make the calls, one for each request to its model."""
    peer: Any = importlib.import_module("pydantic_ai")
    messages: Any = importlib.import_module("pydantic_ai.messages")
    function: Any = importlib.import_module("pydantic_ai.models.function")
    usage: Any = importlib.import_module("pydantic_ai.usage")

    def model(history: list[Any], info: Any) -> Any:
        del info
        done = sum(isinstance(one, messages.ModelResponse) for one in history)
        if done == CALLS:
            return messages.ModelResponse(parts=[messages.TextPart("Done.")])
        call = messages.ToolCallPart("nothing", {"number": float(done)})
        return messages.ModelResponse(parts=[call])

    def nothing(number: float) -> float:
        """Give the number back."""
        return number

    agent = peer.Agent(function.FunctionModel(model))
    agent.tool_plain(nothing)
    limits = usage.UsageLimits(request_limit=CALLS + 1)
    return lambda: agent.run_sync("go", usage_limits=limits)
