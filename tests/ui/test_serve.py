import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from llava_plus.agent import Agent, ScriptedPlanner
from llava_plus.ui.serve import HostGate, TokenGate, needs_token, serve


@pytest.fixture
def client():
    async def page(request):
        return PlainTextResponse("hello")

    app = Starlette(
        routes=[Route("/", page), Route("/gradio_api/file=x", page)],
        middleware=[Middleware(TokenGate, token="secret")],
    )
    with TestClient(app, follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/gradio_api/file=x", "/?token=wrong", "/?token="])
def test_without_the_token_nothing_is_served(client, path):
    answer = client.get(path)
    assert answer.status_code == 401
    assert "hello" not in answer.text


def test_the_token_is_asked_for_once(client):
    first = client.get("/?token=secret")
    assert (first.status_code, first.headers["location"]) == (303, "/")
    assert "HttpOnly" in first.headers["set-cookie"]
    assert client.get("/").text == "hello"
    assert client.get("/gradio_api/file=x").text == "hello"


def test_a_wrong_cookie_does_not_help(client):
    client.cookies.set("llava_plus_token", "wrong")
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    ("host", "needed"),
    [
        ("127.0.0.1", False),
        ("localhost", False),
        ("::1", False),
        ("0.0.0.0", True),
        ("10.1.2.3", True),
    ],
)
def test_only_this_machine_needs_no_token(host, needed):
    assert needs_token(host) == needed


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:7860", 200),
        ("localhost", 200),
        ("[::1]:7860", 200),
        ("LOCALHOST:9000", 200),
        ("evil.example", 421),
        ("localhost.evil.example:7860", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_without_a_token_only_this_machines_own_names_are_answered(host, status):
    async def page(request):
        return PlainTextResponse("hello")

    app = Starlette(routes=[Route("/", page)], middleware=[Middleware(HostGate)])
    with TestClient(app) as client:
        answer = client.get("/", headers={"host": host})
    assert (answer.status_code, answer.text == "hello") == (status, status == 200)


@pytest.mark.slow
def test_the_real_page_is_served_behind_its_token(skills, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "is set anew")
    server = serve(lambda: Agent(ScriptedPlanner([]), skills), token="secret")
    try:
        with httpx.Client(timeout=300) as client:
            plain = server.address.partition("?")[0]
            assert client.get(plain).status_code == 401
            assert client.get(f"{plain}config").status_code == 401
            page = client.get(server.address, follow_redirects=True)
            assert "LLaVA-Plus" in page.text
            for outside in ("fonts.googleapis.com", "cdnjs", "huggingface.co/front"):
                assert outside not in page.text
        assert server.folder.is_dir()
    finally:
        server.close()
    assert not server.folder.exists()
