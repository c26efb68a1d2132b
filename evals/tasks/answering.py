"""What answers questions about pictures: a model in this process, or one behind a server."""

from pathlib import Path
from typing import Any, Protocol

from llava_plus.agent.planner import PlannerError
from llava_plus.agent.planners.data_urls import DataUrls
from llava_plus.agent.planners.remote_config import RemoteConfig
from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.skills import Image

from .served import Server


class Answerer(Protocol):
    """A model that answers."""

    name: str  # for a person
    source: str  # tells it from every other

    def answer(self, prompt: str, image: Image | None) -> str:
        """Return the likeliest answer, cut off where it is too long."""


class LocalAnswerer:
    """A model of this process, each question on its own: an answer is the same in any run.

    Args:
        name: "nano", a folder with a checkpoint, or the id of one on a hub.
        device: "cuda", "mps", "cpu" or "auto".
        tokens: An answer's greatest length.
    """

    def __init__(self, name: str, *, device: str, tokens: int) -> None:
        from llava_plus.agent.planners.local import LocalPlanner

        planner = LocalPlanner.from_pretrained(name, device=device, max_tokens=tokens, sessions=1)
        self.name = planner.name
        self.source = str(Path(name).resolve()) if Path(name).is_dir() else name
        self._engine = planner.engine

    def answer(self, prompt: str, image: Image | None) -> str:
        seen: tuple[ImagePart, ...] = () if image is None else (_part(image),)
        asked = Message(role="user", parts=(*seen, TextPart(text=prompt)))
        pieces: list[str] = []
        self._engine.forget()
        try:
            return self._engine.write(
                [asked], grammar=None, stop=lambda: False, emit=pieces.append
            ).strip()
        except PlannerError:  # too long
            return "".join(pieces).strip()


class RemoteAnswerer:
    """A model behind an OpenAI-compatible server, at temperature 0.

    Args:
        config: Which server, and how pictures go there.
        tokens: An answer's greatest length.
    """

    def __init__(self, config: RemoteConfig, *, tokens: int) -> None:
        self._server = Server(config)
        self.name = self._server.name
        self.source = f"{config.model}@{config.address}"
        self._tokens = tokens
        self._picture = DataUrls(longest_side=config.longest_side, format=config.picture_format)

    def answer(self, prompt: str, image: Image | None) -> str:
        content: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
        if image is not None:
            content.insert(0, self._picture(_part(image)))
        return self._server.ask(content, tokens=self._tokens, temperature=0.0).strip()


def _part(image: Image) -> ImagePart:
    return ImagePart(pixels=image.rgb(), digest=image.digest)
