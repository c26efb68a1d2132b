"""Planning with a model of transformers in its template's own tool calling."""

from collections.abc import Callable

from llava_plus.agent.dialects import native
from llava_plus.agent.planner import Decision, PlanView

from .hub_engine import HubEngine
from .speech import Speech
from .template import read_syntax
from .tool_grammar import tool_grammar


class ToolCalling:
    """Makes decisions with a model's own chat template.

    Args:
        engine: The model and its processor.
        grammar: Whether to let it write only what can be carried out.
    """

    def __init__(self, engine: HubEngine, *, grammar: bool) -> None:
        self._engine = engine
        self._grammar = grammar
        self._syntax = read_syntax(engine.processor)
        self._specials = engine.specials()

    def decide(
        self, view: PlanView, stop: Callable[[], bool], emit: Callable[[str], None]
    ) -> Decision:
        """Write the next step and read it; see `Engine.write` for ``stop`` and ``emit``."""
        speech = Speech(self._syntax, emit)
        skills, grammar = view.skills, None
        if self._grammar:
            grammar = tool_grammar(skills, view.artifacts, self._syntax, self._specials)
        self._engine.reply(
            native.render(view),
            tools=skills.openai_tools(),
            grammar=grammar,
            stop=stop,
            emit=speech.feed,
        )
        return native.parse(speech.end(), view.call_ids())
