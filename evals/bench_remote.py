"""How many bytes go to a chat server in a request with one photograph that takes many steps."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

from llava_plus.agent import Agent, Limits, load_planner
from llava_plus.skills import Image, Number, SkillRegistry, load_image, skill

STEPS = 20  # the last one is the answer
PHOTOGRAPH = Path(__file__).parents[1] / "ui" / "examples" / "astronaut.jpg"


@skill(cache=False, isolation="inline")
def weigh(image: Image, part: int) -> Number:
    """Give a number for a part of the image."""
    del image
    return Number(part)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request as the server got it."""

    bytes: int
    pictures: int  # data URLs
    prompt: str  # its messages as JSON, without the closing bracket

    @property
    def text(self) -> str:
        """The prompt without what the pictures take."""
        pieces = self.prompt.split('"data:')
        return pieces[0] + "".join(piece.partition('"')[2] for piece in pieces[1:])


def requests() -> list[Sent]:
    """Let a remote planner work through a request, and return what it sent at each step."""
    with _server() as (address, bodies):
        planner = load_planner(f"openai:scripted@{address}")
        agent = Agent(planner, SkillRegistry([weigh]), limits=Limits(steps=STEPS))
        agent.session().run_sync("Weigh all parts.", [load_image(PHOTOGRAPH)])
    if len(bodies) != STEPS:
        raise RuntimeError(f"the run ended after {len(bodies)} requests; wanted {STEPS}")
    return [_read(body) for body in bodies]


def grows_only(sent: list[Sent]) -> bool:
    """Say whether each prompt begins with the one before, which a server need not read again."""
    return all(after.prompt.startswith(before.prompt) for before, after in pairwise(sent))


def _read(body: bytes) -> Sent:
    prompt = json.dumps(json.loads(body)["messages"]).removesuffix("]")
    return Sent(bytes=len(body), pictures=prompt.count('"data:'), prompt=prompt)


@contextmanager
def _server() -> Iterator[tuple[str, list[bytes]]]:
    """Serve a chat model on the loopback that makes a call in each reply, and then answers."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for chunk in _reply(len(bodies)):
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _reply(number: int) -> list[dict[str, Any]]:
    """Return the chunks of the reply to the n-th request."""
    if number == STEPS:
        return [_chunk({"content": "All weighed."}), _chunk({}, "stop")]
    arguments = json.dumps({"image": "img_1", "part": number})
    function = {"name": "weigh", "arguments": arguments}
    call = {"index": 0, "id": f"id{number}", "type": "function", "function": function}
    return [_chunk({"tool_calls": [call]}), _chunk({}, "tool_calls")]


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
