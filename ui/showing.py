"""The page of ``llava-plus data show``: a list of traces, filters, and one of them in full."""

import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from llava_plus.agent import Trace
from llava_plus.data_gen.browsing import GONE, KEPT, UNREADABLE, Row, TraceIndex, Wanted
from llava_plus.data_gen.folders import Problem
from llava_plus.errors import LlavaPlusError

from .notices import Updates, say
from .pictures import Pictures
from .render import ChatMessage, plain, render_turn
from .serve import HostGate, Server, launch

SIZE = 20  # rows of a page
ANY = "any"
COLUMNS = ["request", "skills", "verdict"]
SHORT = 90  # characters of a reason in the list; beside it stands all of it
QUIET: Any = {"api_visibility": "private", "show_progress": "hidden"}


class Browser:
    """Builds the page and wires it.

    Args:
        index: Of the traces; it may still be filling.
        folder: Where copies of pictures may lie while they are looked at.
    """

    def __init__(self, index: TraceIndex, folder: Path) -> None:
        self.index = index
        self._files = Pictures(folder)
        with gr.Blocks(title="LLaVA-Plus: traces", fill_width=True) as self.blocks:
            self.page = gr.State(0)
            self.shown = gr.State([])  # numbers of the rows
            self._build()
            self._wire()
        self.blocks.queue(default_concurrency_limit=None, api_open=False)

    def _build(self) -> None:
        self.about = gr.Markdown(f"### Traces in {plain(str(self.index.path))}")
        with gr.Row():
            self.text = gr.Textbox(label="text", placeholder="in requests, thoughts and answers")
            self.skill = gr.Dropdown([ANY], value=ANY, label="skill")
            self.verdict = gr.Dropdown([ANY, KEPT, GONE, UNREADABLE], value=ANY, label="verdict")
            self.verifier = gr.Dropdown([ANY], value=ANY, label="dropped by")
        with gr.Row():
            with gr.Column(scale=3, min_width=420):
                self.list = gr.Dataframe(
                    headers=COLUMNS,
                    interactive=False,
                    wrap=True,
                    column_widths=["46%", "20%", "34%"],
                    max_height=700,
                    elem_id="list",
                    buttons=[],
                )
                with gr.Row(elem_classes="buttons"):
                    self.back = gr.Button("◀", size="sm", elem_id="back")
                    self.place = gr.Markdown(elem_id="place")
                    self.on = gr.Button("▶", size="sm", elem_id="on")
            with gr.Column(scale=2, min_width=360):
                self.facts = gr.Markdown("Choose a trace in the list.", elem_id="facts")
                self.chat = gr.Chatbot(
                    height="70vh",
                    latex_delimiters=[],
                    buttons=[],
                    autoscroll=False,
                    label="trace",
                    elem_id="trace",
                )
        self.timer = gr.Timer(2.0)

    def _wire(self) -> None:
        filters = [self.text, self.skill, self.verdict, self.verifier]
        listed = [self.list, self.shown, self.page, self.place]
        each: Any
        for each in filters:
            on = each.change if each is self.text else each.input
            on(self.first, filters, listed, trigger_mode="always_last", **QUIET)
        self.back.click(self.earlier, [self.page, *filters], listed, **QUIET)
        self.on.click(self.later, [self.page, *filters], listed, **QUIET)
        self.list.select(self.choose, self.shown, [self.facts, self.chat], **QUIET)
        filling = [*listed, self.skill, self.verifier, self.timer]
        self.timer.tick(self.tick, [self.page, *filters], filling, **QUIET)
        self.blocks.load(self.tick, [self.page, *filters], filling, **QUIET)

    def first(self, *filters: str) -> Updates:
        """Show the first page of what is looked for."""
        return self._listed(0, _wanted(*filters))

    def earlier(self, page: int, *filters: str) -> Updates:
        """Show the page before."""
        return self._listed(page - 1, _wanted(*filters))

    def later(self, page: int, *filters: str) -> Updates:
        """Show the page after."""
        return self._listed(page + 1, _wanted(*filters))

    def tick(self, page: int, *filters: str) -> Updates:
        """Show what was read meanwhile, until all of it was."""
        whole = self.index.whole
        skills = gr.Dropdown([ANY, *self.index.skills()])
        verifiers = gr.Dropdown([ANY, *self.index.verifiers()])
        return {
            **self._listed(page, _wanted(*filters)),
            self.skill: skills,
            self.verifier: verifiers,
            self.timer: gr.Timer(active=not whole),
        }

    def choose(self, shown: list[int], event: gr.SelectData) -> Updates:
        """Show one trace in full."""
        row = event.index[0]
        if not 0 <= row < len(shown):
            return {self.facts: gr.skip()}
        try:
            found = self.index.open(shown[row])
            chat = [] if isinstance(found, Problem) else self._rendered(found)
        except LlavaPlusError as error:
            say(error)
            return {self.facts: gr.skip()}
        return {self.facts: _facts(found), self.chat: chat}

    def _listed(self, page: int, wanted: Wanted) -> Updates:
        rows, count = self.index.find(wanted, page=max(page, 0), size=SIZE)
        last = max(0, (count - 1) // SIZE)
        if page > last:  # also where fewer are found than before
            page = last
            rows, count = self.index.find(wanted, page=page, size=SIZE)
        page = max(page, 0)
        so_far = "" if self.index.whole else f" (reading, {len(self.index)} so far)"
        begin = page * SIZE + 1 if rows else 0
        place = f"{begin} to {page * SIZE + len(rows)} of {count}{so_far}"
        return {
            self.list: [_line(row) for row in rows],
            self.shown: [row.number for row in rows],
            self.page: page,
            self.place: place,
        }

    def _rendered(self, trace: Trace) -> list[ChatMessage]:
        chat: list[ChatMessage] = []
        for number, turn in enumerate(trace.turns):
            chat += render_turn(
                turn, trace.artifacts, show=self._files.show, earlier=trace.turns[:number]
            )
        return chat


def show_traces(index: TraceIndex, *, port: int | None = None) -> Server:
    """Open the page to this machine; traces are read meanwhile.

    Args:
        index: Of the traces.
        port: A free one from 7860 on if left out.
    """
    folder = Path(tempfile.mkdtemp(prefix="llava-plus-"))
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    browser = Browser(index, folder)
    threading.Thread(target=index.fill, name="trace-index", daemon=True).start()
    gate = Middleware(HostGate)
    blocks = browser.blocks
    address = launch(blocks, gate, folder=folder, host="127.0.0.1", port=port, allowed=[folder])
    return Server(address=address, blocks=blocks, folder=folder, over=threading.Event())


def _wanted(text: str, skill: str, verdict: str, verifier: str) -> Wanted:
    def chosen(value: str) -> str:
        return "" if value == ANY else value or ""

    return Wanted(
        text=text or "",
        skill=chosen(skill),
        verdict=chosen(verdict),
        verifier=chosen(verifier),
    )


def _line(row: Row) -> list[str]:
    why = row.reason if len(row.reason) <= SHORT else f"{row.reason[:SHORT]}…"
    verdict = f"{row.verdict}, {why}" if why else row.verdict
    return [row.request or row.id, row.skills, verdict]


def _facts(found: Trace | Problem) -> str:
    """Return what stands above a trace: where it is from, and what was said of it."""
    if isinstance(found, Problem):
        line = plain(found.line[:2000])
        return f"**{plain(found.where)}** cannot be read: {plain(found.why)}\n\n<code>{line}</code>"
    facts = {"planner": found.planner, "licence": found.licence or "not named", **found.tags}
    told = " · ".join(f"{plain(name)}: {plain(value)}" for name, value in facts.items())
    lines = [f"**{plain(found.id)}**", told]
    passed = []
    for name, said in found.verdicts.items():
        if not isinstance(said, dict) or "ok" not in said:
            lines.append(f"{plain(name)}: {plain(str(said)[:500])}")
        elif said["ok"]:
            passed.append(plain(name))
        else:
            lines.append(f"✗ {plain(name)}: {plain(str(said.get('reason', '')))}")
    if passed:
        lines.append(f"✓ {', '.join(passed)}")
    if found.truth:
        lines.append(f"truth: {plain(str(list(found.truth))[:1000])}")
    return "\n\n".join(lines)
