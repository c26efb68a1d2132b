"""Fetching from a real server on this machine, and refusing to where it must not."""

import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from llava_plus.data_gen.sources import Fetcher, UrlList
from llava_plus.data_gen.sources.fetching import is_public
from llava_plus.errors import SetupError


class Answers(BaseHTTPRequestHandler):
    """Serves a picture, redirects, files without end and slow ones."""

    picture = b""
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self):
        self.asked.append(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", unquote(self.path.removeprefix("/to/")))
            self.end_headers()
            return
        self.send_response(404 if self.path == "/gone" else 200)
        self.end_headers()
        if self.path == "/endless":
            while not self.server.closing.is_set():
                try:
                    self.wfile.write(b"x" * 65536)
                except OSError:
                    return
        if self.path == "/silent":
            self.server.closing.wait(30)
        self.wfile.write(self.picture if self.path == "/a.png" else b"<html>")

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, photo):
    Answers.picture = photo(tmp_path / "a.png").read_bytes()
    Answers.asked = []
    running = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    running.closing = threading.Event()
    thread = threading.Thread(target=partial(running.serve_forever, poll_interval=0.01))
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.closing.set()
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def items(tmp_path, problems):
    """Read a list of addresses; servers on this machine may be asked unless said otherwise."""

    def read(*lines, **settings):
        file = tmp_path / "list.txt"
        file.write_text("\n".join(lines))
        settings = {"allowed": lambda address: address == "127.0.0.1", **settings}
        fetcher = Fetcher(folder=tmp_path / "cache", **settings)
        return list(UrlList(file=file, fetcher=fetcher, allowed=True).items(problems.append))

    return read


def test_nothing_is_fetched_unless_allowed(tmp_path, server, problems):
    file = tmp_path / "list.txt"
    file.write_text(f"{server}/a.png")
    with pytest.raises(SetupError, match="that must be allowed"):
        list(UrlList(file=file, fetcher=Fetcher(folder=tmp_path)).items(problems.append))
    assert Answers.asked == []


def test_a_picture_is_fetched_once_and_then_found_by_its_content(server, items, problems):
    said = f'{{"url": "{server}/a.png", "licence": "CC0", "captions": ["A cup."]}}'
    (item,) = items("# mine", "", said)
    (again,) = items(said)
    assert (item.id, item.licence, item.truth.captions[0].text) == (
        f"{server}/a.png", "CC0", "A cup.",
    )  # fmt: skip
    assert again.image() == item.image()
    assert (Answers.asked, problems) == (["/a.png"], [])


def test_a_damaged_file_of_the_cache_is_fetched_again(server, items):
    (item,) = items(f"{server}/a.png")
    item.picture.write_bytes(b"rubbish")
    (again,) = items(f"{server}/a.png")
    assert again.image().width == 40
    assert len(Answers.asked) == 2


def test_redirects_are_followed_so_far(server, items, problems):
    assert items(f"{server}/to//a.png")
    assert not items(f"{server}/to//to//to//to//a.png", redirects=2)
    assert "redirects more than 2 times" in problems[0].why


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2/a.png", "http://[::1]/a.png", "file:///etc/passwd", "ftp://x/a"]
)
def test_a_redirect_is_checked_like_the_first_address(server, items, problems, target):
    assert not items(f"{server}/to/{target}")
    assert "not a public address" in problems[0].why or "only http" in problems[0].why


def test_by_default_this_machine_is_not_asked(server, items, problems):
    assert not items(f"{server}/a.png", server.replace("127.0.0.1", "localhost"), allowed=is_public)
    assert ["not a public address" in p.why for p in problems] == [True, True]
    assert Answers.asked == []


@pytest.mark.parametrize(
    ("path", "settings", "why"),
    [
        ("/endless", {"most_bytes": 200_000}, "larger than 200000 bytes"),
        ("/endless", {"seconds": 0.3, "most_bytes": 10**12}, "longer than 0.3 seconds"),
        ("/silent", {"seconds": 0.3}, "longer than 0.3 seconds"),
        ("/gone", {}, "the server answers 404"),
        ("/page", {}, "a web page"),
    ],
)
def test_what_cannot_be_had_is_reported_with_its_line(server, items, problems, path, settings, why):
    assert not items("", f"{server}{path}", **settings)
    assert (problems[0].file, problems[0].id) == ("list.txt", "line 2")
    assert why in problems[0].why


@pytest.mark.parametrize("line", ['{"url": 5}', "{", "not an address", "http://", "http://[bad"])
def test_a_line_that_is_no_address_costs_only_itself(server, items, problems, line):
    assert len(items(line, f"{server}/a.png")) == 1
    assert [p.id for p in problems] == ["line 1"]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "::1",
     "100.64.0.1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "224.0.0.1",
     "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "::", "240.0.0.1", "ff02::1"],
)  # fmt: skip
def test_private_addresses_are_no_public_ones_however_they_are_wrapped(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address):
    assert is_public(address)
