"""Serving the page: to this machine by default, to others only with a token."""

import os
import re
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from llava_plus.agent import Agent, SessionStore
from llava_plus.errors import SetupError

from .examples import FOLDER
from .late import LatePlanner
from .lobby import Lobby, release_regularly

if TYPE_CHECKING:
    from llava_plus.data_gen.feedback import Collection

ASSETS = Path(__file__).parent / "assets"
LOCAL = ("127.0.0.1", "localhost", "::1")
COOKIE = "llava_plus_token"
UPLOAD_LIMIT = "64mb"


class TokenGate:
    """Lets in who brings the token: once as ``?token=…``, from then on by a cookie."""

    def __init__(self, app: ASGIApp, *, token: str) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or self._may_pass(scope):
            await self.app(scope, receive, send)
            return
        await self._answer(Request(scope))(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        if scope["path"].endswith("/startup-events"):  # gradio asks itself, and tells nothing
            return True
        cookie = SimpleCookie(dict(scope["headers"]).get(b"cookie", b"").decode("latin-1"))
        return COOKIE in cookie and self._fits(cookie[COOKIE].value)

    def _answer(self, request: Request) -> Response:
        if not self._fits(request.query_params.get("token", "")):
            text = "This page needs its token: open the address that the program has printed."
            return PlainTextResponse(text, status_code=401)
        answer = RedirectResponse(request.url.path, status_code=303)
        answer.set_cookie(COOKIE, self.token, httponly=True, samesite="strict")
        return answer

    def _fits(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())


class HostGate:
    """Lets in who asks for this machine by its own name.

    So a page elsewhere cannot pretend to be this one and read the chats (DNS rebinding), and
    most proxies, behind which visitors would meet, are told to use a token.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope.get("headers", ())).get(b"host", b"").decode("latin-1")
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        if scope["type"] not in ("http", "websocket") or name.strip("[]").lower() in LOCAL:
            await self.app(scope, receive, send)
            return
        text = "This page answers to localhost only. For other names, start it with --token."
        await PlainTextResponse(text, status_code=421)(scope, receive, send)


@dataclass(frozen=True, kw_only=True)
class Server:
    """The page while it is open."""

    address: str  # with the token, where one is needed
    blocks: Any
    folder: Path  # where copies of pictures lie while they are looked at
    over: threading.Event  # set when it closes

    def wait(self) -> None:
        """Stay until interrupted, then tidy up."""
        try:
            self.blocks.block_thread()
        finally:
            self.close()

    def close(self) -> None:
        """Stop serving, and delete what visitors have left."""
        self.over.set()
        self.blocks.close(verbose=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def serve(
    make_agent: Callable[[], Agent],
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    store: SessionStore | None = None,
    planners: Mapping[str, LatePlanner] | None = None,
    collection: "Collection | None" = None,
) -> Server:
    """Open the page.

    Args:
        make_agent: Makes an agent for each chat; where ``store`` is given, with its home.
        host: Where to listen; others than this machine need the token.
        port: A free one from 7860 on if left out.
        token: Made up if one is needed and none given.
        store: The kept sessions: all of them are the visitor's where only this machine can reach
            the page; else each visitor has their own. Left out, nothing is kept.
        planners: What visitors may choose to plan with, by name.
        collection: Where chats go that visitors give for training, if they are asked.
    """
    folder = Path(tempfile.mkdtemp(prefix="llava-plus-"))
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    from .app import build_app

    if needs_token(host):
        token = token or secrets.token_urlsafe(16)
    gate = Middleware(TokenGate, token=token) if token else Middleware(HostGate)
    lobby, over = (
        Lobby(
            make_agent,
            store,
            shared=needs_token(host),
            planners=planners,
            collection=collection,
        ),
        threading.Event(),
    )
    blocks = build_app(lobby)
    address = launch(blocks, gate, folder=folder, host=host, port=port, allowed=[FOLDER])
    address += f"?token={token}" if token else ""
    release_regularly(lobby, over)
    return Server(address=address, blocks=blocks, folder=folder, over=over)


def launch(
    blocks: Any,
    gate: Middleware,
    *,
    folder: Path,
    host: str,
    port: int | None,
    allowed: Sequence[Path] = (),
) -> str:
    """Begin to serve a page and return its address.

    Args:
        blocks: The page, of gradio.
        gate: Says who may come in.
        folder: Of what the page makes; it is deleted where the page cannot be served.
        host: Where to listen.
        port: A free one from 7860 on if left out.
        allowed: Folders of which files may be shown beside those that the page made.
    """
    import gradio as gr

    try:
        _check_host(host)
        _, address, _ = blocks.launch(
            server_name=host,
            server_port=port,
            app_kwargs={"middleware": [gate], "docs_url": None, "redoc_url": None},
            allowed_paths=list(map(str, allowed)),
            max_file_size=UPLOAD_LIMIT,
            theme=gr.themes.Default(primary_hue="teal", font=["system-ui", "sans-serif"]),
            css_paths=ASSETS / "page.css",
            footer_links=[],
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            ssr_mode=False,
            mcp_server=False,
            inbrowser=False,
            _frontend=False,  # else gradio gives up if a busy machine takes 3 seconds to answer
        )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        place = f"{host}, port {port}" if port else f"{host}, ports from 7860 on"
        raise SetupError(
            f"Cannot listen on {place}: taken or not allowed. Choose another with --port or --host."
        ) from error
    return str(address)


def _check_host(host: str) -> None:
    """Raise `OSError` where this machine has no such address; gradio would try it on each port."""
    family, kind, protocol, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.bind(place)


def needs_token(host: str) -> bool:
    """Say whether others than this machine can reach the page there."""
    return host not in LOCAL
