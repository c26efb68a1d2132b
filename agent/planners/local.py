"""The planner that runs a model in this process."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from safetensors import SafetensorError

from llava_plus.agent.dialects import json as json_dialect
from llava_plus.agent.dialects import plus as plus_dialect
from llava_plus.agent.halt import HaltedError
from llava_plus.agent.planner import Decision, PlanView
from llava_plus.errors import SetupError
from llava_plus.messages import Message
from llava_plus.model import LMM, LMMProcessor
from llava_plus.model.weight_files import check_files, read_json
from llava_plus.skills import SkillRegistry, default_registry

from .devices import choose_device
from .engine import Engine, Stats
from .grammar import call_grammar
from .handover import Item, until_decided
from .hub_engine import HubEngine
from .kosmos import MODEL_TYPE, KosmosChat
from .lmm_engine import LMMEngine
from .phrases import phrases_of
from .tool_calling import ToolCalling

BUNDLED = Path(__file__).parents[2] / "model" / "weights"  # one folder for each bundled planner

Dialect = Literal["json", "plus", "native"]


class LocalPlanner:
    """Plans with a local model, under a grammar that leaves only calls which can be carried out.

    A model of ours is offered the built-in skills that its processor names and those that are not
    built in; another model is offered all. Work happens in one thread, one request after the
    other; it stops within a token when the view says so.

    Args:
        model: Our `LMM`, or any image-text model of transformers.
        processor: What belongs to it.
        dialect: "json" (ours), "plus" (LLaVA-Plus's own format, without a grammar) or "native" (the
            model's own chat template, where that knows tools; not for our `LMM`).
        grammar: Whether to constrain the json and the native dialect.
        copied: Whether free-text arguments are phrases of the requests; None: for our LMM only.
        device: Where to run; None leaves the model where it is.
        name: What traces call this planner.
        **options: ``max_tokens``, ``temperature``, ``seed``, ``sessions``.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        dialect: Dialect = "json",
        grammar: bool = True,
        copied: bool | None = None,
        device: str | None = None,
        name: str = "local",
        **options: Any,
    ) -> None:
        if dialect not in get_args(Dialect):
            raise SetupError(f"No dialect {dialect!r}. Use {', '.join(get_args(Dialect))}.")
        if device is not None:
            place, dtype = choose_device(device)
            model = model.to(device=place, dtype=dtype)
        self.name = name
        self.dialect = dialect
        self.grammar = grammar and dialect != "plus"
        self._ours = isinstance(processor, LMMProcessor)
        if self._ours and dialect == "native":
            raise SetupError("A planner of ours has no template for tools. Use json or plus.")
        self.copied = self._ours if copied is None else copied
        self._catalogue = default_registry()
        self._known = self._catalogue
        self._template: ToolCalling | None = None
        self._engine: Engine
        if self._ours:
            self._known = _known(processor, self._catalogue)
            self._engine = LMMEngine(model, processor, **options)
        else:
            self._engine = hub = HubEngine(model, processor, **options)
            if dialect == "native":
                self._template = ToolCalling(hub, grammar=grammar)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="planner")

    @classmethod
    def from_pretrained(
        cls, path_or_id: str | Path, *, device: str = "auto", **options: Any
    ) -> "LocalPlanner":
        """Load a bundled planner ("nano"), a directory, or a model of a hub."""
        name = str(path_or_id)
        known_as = Path(name).resolve().name if Path(name).is_dir() else name
        options = {"name": known_as, **options}
        bundled = BUNDLED / name
        if name == "nano" and not bundled.is_dir():
            raise SetupError(
                f"The bundled planner is not there ({bundled}). Install the package again,"
                " or name a directory with a checkpoint."
            )
        if bundled.is_dir() and not Path(name).is_dir():
            path_or_id = bundled
        place, dtype = choose_device(device)
        if Path(path_or_id).is_dir():
            check_files(Path(path_or_id))
        try:
            load = _load_ours if _model_type(path_or_id) == "llava_plus_lmm" else _load_other
            model, processor = load(path_or_id, dtype)
        except (OSError, ValueError, ImportError, SafetensorError) as error:
            if "trust_remote_code" in str(error):
                raise SetupError(
                    f"The planner {name!r} brings code of its own, which is never run."
                    " Name a model of a kind that transformers knows."
                ) from error
            raise SetupError(
                f"Cannot load a planner from {name!r}: {error}"
                " Give a directory or a hub id of an image-text model with safetensors weights."
            ) from error
        return cls(model.to(place), processor, **options)

    @property
    def stats(self) -> Stats:
        """How much the model has read and written so far."""
        return self._engine.stats

    @property
    def engine(self) -> Engine:
        """What writes, for those who want words and no plan."""
        return self._engine

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Yield the output as it is written, then the decision; see `Planner`."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Item] = asyncio.Queue()
        left = threading.Event()

        def emit(item: Item) -> None:
            with suppress(RuntimeError):  # the loop is closed, nobody waits any more
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def stop() -> bool:
            late = view.deadline is not None and time.monotonic() > view.deadline
            return late or left.is_set() or view.cancel.is_set()

        self._worker.submit(self._work, view, stop, emit)
        try:
            async for item in until_decided(queue.get):
                yield item
        finally:
            left.set()

    def _work(
        self,
        view: PlanView,
        stop: Callable[[], bool],
        emit: Callable[[Item], None],
    ) -> None:
        try:
            if stop():
                raise HaltedError
            view = self._offered(view)
            if self._template is not None:
                emit(self._template.decide(view, stop, emit))
                return
            grammar = self._grammar(view) if self.grammar else None
            text = self._engine.write(self._render(view), grammar=grammar, stop=stop, emit=emit)
            emit(self._parse(text, view))
        except BaseException as error:  # raised again where the plan is awaited
            emit(error)

    def _offered(self, view: PlanView) -> PlanView:
        """The view with the skills that the model knows, and those that are not built in."""
        own, _ = view.skills.differences(self._catalogue)
        names = {spec.name for spec in (*self._known, *own)}
        skills = SkillRegistry(spec for spec in view.skills if spec.name in names)
        return replace(view, skills=skills)

    def _grammar(self, view: PlanView) -> str:
        said = phrases_of(turn.message for turn in view.turns) if self.copied else None
        return call_grammar(view.skills, view.artifacts, phrases=said)

    def _render(self, view: PlanView) -> list[Message]:
        if self.dialect == "plus":
            return plus_dialect.render(view)
        system: json_dialect.SystemText = "differences" if self._ours else "full"
        return json_dialect.render(view, system=system, known=self._known)

    def _parse(self, text: str, view: PlanView) -> Decision:
        if self.dialect == "plus":
            return plus_dialect.parse(text, view.call_ids(), view=view)
        return json_dialect.parse(text, view.call_ids())


def _known(processor: LMMProcessor, catalogue: SkillRegistry) -> SkillRegistry:
    """The built-in skills that a model of ours was trained on."""
    gone = [name for name in processor.skills if name not in catalogue]
    if gone:
        raise SetupError(
            f"This planner was trained on {', '.join(gone)}, which this version does not have."
            ' Correct "skills" in its processor.json, or use the version it was made with.'
        )
    return catalogue.subset(*processor.skills) if processor.skills else catalogue


def _model_type(path_or_id: str | Path) -> str:
    from transformers import AutoConfig

    file = Path(path_or_id) / "config.json"
    if file.is_file():
        return str(read_json(file).get("model_type", ""))
    return str(AutoConfig.from_pretrained(str(path_or_id), trust_remote_code=False).model_type)


def _load_ours(path_or_id: str | Path, dtype: Any) -> tuple[Any, Any]:
    path = Path(path_or_id)
    if not path.is_dir():
        from huggingface_hub import snapshot_download

        path = Path(snapshot_download(str(path_or_id), allow_patterns=["*.json", "*.safetensors"]))
    loaded: Any = LMM.from_pretrained(
        path, dtype=dtype, use_safetensors=True, output_loading_info=True
    )
    model, report = loaded
    wrong = {what: sorted(map(str, names)) for what, names in report.items() if names}
    if wrong:
        raise SetupError(f"The weights in {path} do not fit their config: {wrong}.")
    return model, LMMProcessor.from_pretrained(path)


def _load_other(path_or_id: str | Path, dtype: Any) -> tuple[Any, Any]:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    name = str(path_or_id)
    model = AutoModelForImageTextToText.from_pretrained(
        name, dtype=dtype, use_safetensors=True, trust_remote_code=False
    )
    processor = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
        name, trust_remote_code=False
    )
    kosmos = model.config.model_type == MODEL_TYPE
    return model, KosmosChat(processor) if kosmos else processor
