"""Asking a teacher: paid for once, retried, paced, and stopped where nothing is left."""

import json
import subprocess
import sys
import time

import pytest

from llava_plus.data_gen.teacher import Replies, TeacherError, read_teacher
from llava_plus.data_gen.writing import SpentError
from llava_plus.errors import SetupError

HELLO = [{"role": "user", "content": "hello"}]


def test_the_same_request_is_paid_once_also_by_another_process(teacher, server):
    server.rule = lambda body: f"hi {len(server.bodies)}"
    prices = {"price_read": 10, "price_written": 100}
    first, second = teacher(**prices), teacher(**prices)
    assert first.ask_sync(HELLO) == second.ask_sync(HELLO) == "hi 1"
    assert first.ask_sync(HELLO, sample=1) == "hi 2"
    assert len(server.bodies) == 2
    assert (second.asked, second.found) == (0, 1)
    spent = second.spent  # of the file, not of this teacher
    assert (spent.requests, spent.read, spent.written) == (2, 200, 40)
    assert spent.money == pytest.approx(2 * (100 * 10 + 20 * 100) / 1e6)
    elsewhere = teacher(address="http://127.0.0.1:9/v1", **prices)
    assert elsewhere.ask_sync(HELLO) == "hi 1"  # the same model behind another address
    assert server.bodies[0]["temperature"] == 0.9


def test_a_budget_holds_for_all_runs_and_raising_it_goes_on(teacher, server):
    server.rule = lambda body: "hi"
    assert teacher(budget_tokens=200).ask_sync(HELLO) == "hi"
    assert teacher(budget_tokens=200).ask_sync(HELLO, sample=1) == "hi"  # 120 of 200 were spent
    poor = teacher(budget_tokens=200)
    assert poor.ask_sync(HELLO) == "hi"  # it is there
    with pytest.raises(SpentError, match="budget_tokens, 200, is used up: 240 tokens"):
        poor.ask_sync(HELLO, sample=2)
    assert len(server.bodies) == 2
    assert teacher(budget_tokens=400).ask_sync(HELLO, sample=2) == "hi"
    prices = {"price_read": 1e4, "price_written": 0}
    rich = teacher(budget_money=1, **prices)
    rich.ask_sync(HELLO, sample=3)
    with pytest.raises(SpentError, match="budget_money, 1 USD, is used up: 1 USD in 4 requests"):
        rich.ask_sync(HELLO, sample=4)


def test_a_server_that_stumbles_is_asked_again(teacher, server):
    def cut(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        chunk = {"choices": [{"index": 0, "delta": {"content": "half"}, "finish_reason": None}]}
        handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    replies = [(503, "busy"), (429, "slowly"), cut, "whole"]
    server.rule = lambda body: replies.pop(0)
    assert teacher().ask_sync(HELLO) == "whole"
    assert len(server.bodies) == 4


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"refusal": "I must not."}, "The teacher refused: 'I must not.'"),
        ({"content": "", "finish": "content_filter"}, "The teacher refused"),
        ({"content": "It is a", "finish": "length"}, "cut off; raise max_tokens"),
    ],
)
def test_a_refusal_is_paid_once_too(teacher, server, reply, said):
    server.rule = lambda body: dict(reply)
    for _ in range(2):
        with pytest.raises(TeacherError, match=said):
            teacher().ask_sync(HELLO)
    assert len(server.bodies) == 1


def test_what_failed_is_not_kept_and_failing_on_and_on_ends_the_run(teacher, server):
    server.rule = lambda body: (400, "no such thing")
    strict = teacher(patience=2)
    for _ in range(2):
        with pytest.raises(TeacherError, match="no such thing"):
            strict.ask_sync(HELLO)
    with pytest.raises(SpentError, match="failed 2 times in a row"):
        strict.ask_sync(HELLO)
    assert len(server.bodies) == 2
    server.rule = lambda body: "hi"
    assert teacher().ask_sync(HELLO) == "hi"


def test_requests_of_all_teachers_stay_within_the_rate(teacher, server):
    server.rule = lambda body: "hi"
    begun = time.monotonic()
    for sample, one in enumerate([teacher(per_minute=600), teacher(per_minute=600)] * 2):
        one.ask_sync(HELLO, sample=sample)
    assert server.times[-1] - begun >= 0.3  # three gaps of a tenth of a second, however slow


FILL = """
import sys
from llava_plus.agent.planners.spending import Spent
from llava_plus.data_gen.teacher import Replies
from llava_plus.data_gen.teacher.replies import Kept
from pathlib import Path

replies, start = Replies(Path(sys.argv[1])), int(sys.argv[2])
for number in range(start, start + 50):
    replies.keep(str(number), Kept(text="x" * 100), Spent(requests=1, read=1))
"""


def test_processes_share_a_file_of_replies(tmp_path):
    path = tmp_path / "replies.sqlite"
    commands = [[sys.executable, "-c", FILL, str(path), start] for start in ("0", "50")]
    workers = [subprocess.Popen(command) for command in commands]
    assert [worker.wait() for worker in workers] == [0, 0]
    replies = Replies(path)
    assert (replies.spent().requests, replies.spent().read) == (100, 100)
    assert replies.find("99").text == "x" * 100
    assert replies.find("100") is None


def test_a_damaged_file_is_one_sentence(teacher, tmp_path):
    (tmp_path / "replies.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(SetupError, match=r"cannot be kept in .*replies.sqlite"):
        teacher()


def test_the_teachers_file_says_what_is_wrong_with_it(teacher_file, tmp_path):
    config = read_teacher(teacher_file(per_minute=30, language="Chinese"))
    assert (config.per_minute, config.cache) == (30, str(tmp_path / "teacher.sqlite"))
    with pytest.raises(SetupError, match="language"):
        read_teacher(teacher_file(language="Klingon"))
    with pytest.raises(SetupError, match="budget_money needs price_read"):
        read_teacher(teacher_file(budget_money=3))
