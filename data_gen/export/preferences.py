"""Pairs of a better and a worse way to go on from the same prompt, for DPO trainers.

A pair comes about in one of two ways, and says in which:

- ``two answers``: the same request was made twice from the same state (the page's "Ask again", or
  two chats that began alike), and a person put the thumb up for one and down for the other. What
  differs is all that follows the request: calls, results and the answer.
- ``correction``: a person put the thumb down and wrote what the answer should have been. What
  differs is the last answer; calls and results belong to the prompt.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any

from llava_plus.agent import PlanView, Trace
from llava_plus.agent.dialects import native
from llava_plus.data_gen.feedback import Opinion, opinions_of
from llava_plus.data_gen.output import Output, PictureFiles, Shards
from llava_plus.skills import Image, SkillRegistry

from .writing import LeftOutError

Chat = dict[str, Any]
IMAGES = "images"


@dataclass(frozen=True, kw_only=True)
class _Way:
    """One way to go on from a prompt, and what a person said of it."""

    chat: tuple[Chat, ...]
    liked: bool
    id: str


class PreferencePairs:
    """Writes ``dpo-*.jsonl`` (``prompt``, ``chosen``, ``rejected``, ``images``, ``tools``).

    Only what persons said something about stays in memory.

    Args:
        output: Where to.
        skills: Those that the traces had.
    """

    def __init__(self, output: Output, skills: SkillRegistry) -> None:
        self._skills = skills
        self._pictures = PictureFiles(output.folder / IMAGES)
        self._shards = Shards(output, "dpo")
        self._ways: dict[str, list[_Way]] = {}
        self._judged = 0
        self._counts = {"two answers": 0, "correction": 0}

    def add(self, trace: Trace) -> None:
        """Note the turns that a person judged; write the pairs that corrections make."""
        opinions = [one for one in opinions_of(trace) if one.turn <= len(trace.turns)]
        if not opinions:
            raise LeftOutError("Nobody has said anything about it.")
        for opinion in opinions:
            self._judge(trace, opinion)

    def close(self) -> Mapping[str, Any]:
        """Write the pairs of two answers; return how many of each sort there are."""
        for key, ways in self._ways.items():
            prompt, tools = json.loads(key)
            for chosen, rejected in _pairs(ways):
                ids = [chosen.id, rejected.id]
                self._write("two answers", prompt, chosen.chat, rejected.chat, tools, ids)
        self._shards.close()
        unpaired = sum(len({way.liked for way in ways}) < 2 for ways in self._ways.values())
        facts = {"judged": self._judged, "pairs": dict(self._counts), "unpaired": unpaired}
        return {"kind": "preferences", "images": IMAGES, **facts}

    def _judge(self, trace: Trace, opinion: Opinion) -> None:
        turn = trace.turns[opinion.turn - 1]
        if turn.by == "person":
            return
        before, whole = (self._chat(trace, opinion.turn, steps) for steps in (0, None))
        tools = self._tools(trace)
        prompt, way = whole[: len(before)], whole[len(before) :]
        self._judged += 1
        if way:
            key = json.dumps([prompt, tools], sort_keys=True, ensure_ascii=False)
            found = _Way(chat=tuple(way), liked=opinion.liked, id=trace.id)
            self._ways.setdefault(key, []).append(found)
        better = opinion.better.strip()
        if better and whole[-1]["role"] == "assistant" and better != turn.answer:
            chosen = [{"role": "assistant", "content": _parts(better)}]
            self._write("correction", whole[:-1], chosen, whole[-1:], tools, [trace.id])

    def _chat(self, trace: Trace, number: int, steps: int | None) -> list[Chat]:
        """Write a session up to a turn, with so many of its steps or all, as chat messages."""
        turn = trace.turns[number - 1]
        if steps is not None:
            some = turn.steps[:steps]
            turn = turn.model_copy(update={"steps": some, "answer": "", "reason": "running"})
        view = PlanView(
            turns=(*trace.turns[: number - 1], turn),
            artifacts=trace.artifacts,
            skills=self._offered(trace),
            cancel=Event(),
        )
        return [self._named(message) for message in native.render(view)]

    def _named(self, message: Chat) -> Chat:
        """Return a message with its pictures as files; each content is a list of parts."""
        content = message.get("content") or ""
        parts = _parts(content) if isinstance(content, str) else content
        return {**message, "content": [self._part(part) for part in parts]}

    def _part(self, part: Chat) -> Chat:
        if part["type"] != "image":
            return part
        name = self._pictures.put(Image(part["image"]))
        return {"type": "image", "image": f"{IMAGES}/{name}"}

    def _offered(self, trace: Trace) -> SkillRegistry:
        return self._skills.subset(*(name for name in trace.skills if name in self._skills))

    def _tools(self, trace: Trace) -> str:
        return json.dumps(self._offered(trace).openai_tools(), ensure_ascii=False)

    def _write(
        self, how: str, prompt: Any, chosen: Any, rejected: Any, tools: str, ids: list[str]
    ) -> None:
        """Write one pair; pictures are named beside, in the order of their places."""
        sides = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
        line = {
            **{name: [_unnamed(message) for message in chat] for name, chat in sides.items()},
            "images": [image for name in ("prompt", "chosen") for image in _images(sides[name])],
            "rejected_images": [*_images(prompt), *_images(rejected)],
            "tools": tools,
            "source": how,
            "traces": ids,
        }
        self._shards.add(json.dumps(line, ensure_ascii=False))
        self._counts[how] += 1


def _pairs(ways: list[_Way]) -> Iterator[tuple[_Way, _Way]]:
    """Yield each liked way with each disliked one that differs, every pair of words once."""
    seen: set[str] = set()
    for chosen in ways:
        for rejected in ways:
            words = json.dumps([chosen.chat, rejected.chat], ensure_ascii=False)
            wanted = chosen.liked and not rejected.liked and chosen.chat != rejected.chat
            if wanted and words not in seen:
                seen.add(words)
                yield chosen, rejected


def _parts(text: str) -> list[Chat]:
    return [{"type": "text", "text": text}]


def _unnamed(message: Chat) -> Chat:
    parts = [{"type": "image"} if p["type"] == "image" else p for p in message["content"]]
    return {**message, "content": parts}


def _images(chat: list[Chat]) -> list[str]:
    parts = (part for message in chat for part in message["content"])
    return [part["image"] for part in parts if part["type"] == "image"]
