"""Fetching weights, from a small server that speaks as the hub does."""

import hashlib
import http.server
import json
import re
import threading
from dataclasses import replace

import pytest

from llava_plus.errors import SetupError
from llava_plus.skills.backends import BACKENDS, pull, status_of
from llava_plus.skills.backends.single import Single

SAM = replace(next(each for each in BACKENDS if each.name == "sam"), weights="tiny/sam")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = ".safetensors"


class Hub(http.server.ThreadingHTTPServer):
    """Serves the files of one repository.

    ``break_at`` breaks the first sending of the weights off after so many bytes, and ``spoil``
    changes a byte of them.
    """

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = files
        self.gets = []  # name, and the range that was asked for
        self.break_at = None
        self.spoil = False

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Answer(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        path = self.path.partition("?")[0]
        if not re.match(r"(/api/models)?/tiny/sam(/|$)", path):
            self.send(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif path.startswith("/api/models/tiny/sam/tree/"):
            self.send(200, json.dumps([self.entry(name) for name in self.server.files]).encode())
        elif path.startswith("/api/"):
            names = [{"rfilename": name} for name in self.server.files]
            facts = {"id": "tiny/sam", "sha": COMMIT, "siblings": names}
            self.send(200, json.dumps(facts).encode())
        else:
            self.file(path.rpartition("/")[2])

    def entry(self, name):
        body = self.server.files[name]
        entry = {"type": "file", "path": name, "size": len(body), "oid": etag(name, body)[:40]}
        if name.endswith(LARGE):
            entry["lfs"] = {"oid": etag(name, body), "size": len(body), "pointerSize": 130}
        return entry

    def file(self, name):
        body, asked = self.server.files[name], self.headers.get("Range", "")
        headers = {"ETag": f'"{etag(name, body)}"', "X-Repo-Commit": COMMIT}
        first = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        if asked:
            headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
        if self.command == "GET":
            self.server.gets.append((name, asked))
            if self.server.spoil and name.endswith(LARGE):
                body = body[:-1] + bytes([body[-1] ^ 1])
        self.send(206 if asked else 200, body[first:], headers, name)

    def send(self, code, body, headers=None, name=""):
        self.send_response(code)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.server.break_at if name.endswith(LARGE) else None
        self.server.break_at = None if cut else self.server.break_at
        self.wfile.write(body[:cut])
        self.close_connection = True


def etag(name, body):
    return (hashlib.sha256 if name.endswith(LARGE) else hashlib.sha1)(body).hexdigest()


@pytest.fixture
def hub(tiny, tmp_path, own_choice, monkeypatch):
    """Serve a repository with weights, a picture and old pickled weights, too."""
    from huggingface_hub import constants

    folder = tiny.weights(tmp_path / "served", "sam", megabytes=1)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub = Hub(files | {"pytorch_model.bin": b"pickle", "cat.jpg": b"jpg"})
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    yield hub
    hub.shutdown()
    hub.server_close()
    thread.join()


def test_weights_are_fetched_into_the_hubs_cache_and_found_there(hub, own_choice):
    said = []
    assert status_of(SAM).state == "needs weights"
    folder = pull(SAM, say=said.append)
    assert said == ["Fetching tiny/sam for sam: about 375 MB, licence Apache-2.0."]
    assert folder == own_choice / "models--tiny--sam" / "snapshots" / COMMIT
    assert (folder / "model.safetensors").read_bytes() == hub.files["model.safetensors"]
    assert not (folder / "pytorch_model.bin").exists()
    assert not (folder / "cat.jpg").exists()
    assert (status_of(SAM).state, status_of(SAM).folder) == ("available", folder)
    before = len(hub.gets)
    assert pull(SAM, say=said.append) == folder
    assert len(hub.gets) == before


def test_weights_that_are_one_file_are_fetched_with_what_belongs_to_them_and_checked(hub):
    checked = []
    single = Single(ending=".pth", check=checked.append, companions=("*.cfg.py",))
    one = replace(SAM, name="one", weights="tiny/sam/weights.pth", single=single)
    hub.files |= {"weights.pth": b"tensors", "weights.cfg.py": b"a = 1", "other.cfg": b""}
    assert status_of(one).command == "llava-plus skills pull one"
    file = pull(one, say=lambda _: None)
    assert (file.name, file.read_bytes()) == ("weights.pth", b"tensors")
    assert sorted(path.name for path in file.parent.iterdir()) == ["weights.cfg.py", "weights.pth"]
    assert checked == [file]
    assert (status_of(one).state, status_of(one).folder) == ("available", file)
    with pytest.raises(SetupError, match=r"tiny/sam has no second\.pth\. Check the name"):
        pull(one, "tiny/sam/second.pth", say=lambda _: None)


def test_what_cannot_be_pulled_is_told_before_anything_is_fetched(hub):
    single = Single(ending=".pth", check=lambda _: None, wants=lambda: "And a list of words.")
    one = replace(SAM, name="one", weights="tiny/sam/weights.pth", single=single)
    hub.files["weights.pth"] = b"tensors"
    fetched = []
    pull(one, say=lambda words: fetched.append((words, len(hub.gets))))
    assert fetched[-1] == ("And a list of words.", 0)


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)  # it keeps whole pieces
    hub.break_at = 300_000
    folder = pull(SAM, say=lambda _: None)
    asked = [part for name, part in hub.gets if name == "model.safetensors"]
    assert asked == ["", "bytes=300000-"]
    assert (folder / "model.safetensors").read_bytes() == hub.files["model.safetensors"]


def test_what_does_not_fit_its_checksum_is_deleted_and_fetched_again_next_time(hub):
    hub.spoil = True
    with pytest.raises(SetupError, match=r"model\.safetensors of tiny/sam came damaged"):
        pull(SAM, say=lambda _: None)
    assert status_of(SAM).state == "needs weights"
    hub.spoil = False
    pull(SAM, say=lambda _: None)
    assert status_of(SAM).state == "available"
    assert [name for name, _ in hub.gets].count("config.json") == 1


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("model.safetensors", "tiny/sam has no model.safetensors. sam reads weights in safetensor"),
        ("preprocessor_config.json", "tiny/sam has no preprocessor_config.json."),
    ],
)
def test_a_repository_without_what_is_needed_says_what(hub, gone, words):
    del hub.files[gone]
    with pytest.raises(SetupError) as caught:
        pull(SAM, say=lambda _: None)
    assert words in str(caught.value)


def test_a_repository_of_another_model_is_refused(hub):
    hub.files["config.json"] = b'{"model_type": "owlv2"}'
    with pytest.raises(SetupError, match="holds a model of type 'owlv2', but sam takes 'sam'"):
        pull(SAM, say=lambda _: None)


def test_a_name_that_is_not_on_the_hub_is_said(hub):
    with pytest.raises(SetupError, match="There is no 'tiny/sum' on the hub, or it is private"):
        pull(SAM, "tiny/sum", say=lambda _: None)


def test_offline_it_says_so_and_what_else_would_do(own_choice, monkeypatch):
    from huggingface_hub import constants

    for how in ("switched off", "unreachable"):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", how == "switched off")
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(SetupError) as caught:
            pull(SAM, say=lambda _: None)
        assert str(caught.value).startswith("tiny/sam could not be fetched: ")
        assert "copy the weights from another machine and name their folder" in str(caught.value)


def test_a_folder_cannot_be_pulled(tmp_path):
    with pytest.raises(SetupError, match="is a folder; only what is on the hub can be pulled"):
        pull(SAM, str(tmp_path), say=lambda _: None)
