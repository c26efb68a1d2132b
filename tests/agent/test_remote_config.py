"""Where a remote planner's settings come from, and what is said when they do not fit."""

import pytest

from llava_plus.agent import load_planner
from llava_plus.errors import SetupError

KEY = "sk-never-to-be-seen"


def test_planners_load_from_an_address_and_from_a_file(tmp_path, monkeypatch):
    short = load_planner("openai:qwen2.5vl:7b@http://127.0.0.1:11434/v1/")
    assert (short.config.model, short.config.address) == (
        "qwen2.5vl:7b",
        "http://127.0.0.1:11434/v1",
    )
    monkeypatch.setenv("MY_KEY", KEY)
    file = tmp_path / "hosted.yaml"
    file.write_text("model: big\naddress: https://host/v1\nkey_from: MY_KEY\nname: boss\n")
    assert load_planner(str(file)).name == "boss"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("model: m", "address: field required"),
        ("model: m\naddress: ftp://x/v1", "address: wanted an address such as http"),
        (f"model: m\naddress: http://me:{KEY}@x/v1", "address: wanted a plain address"),
        (f"model: m\naddress: http://x/v1?key={KEY}", "address: wanted a plain address"),
        (f"model: m\naddress: http://x/v1\napi_key: {KEY}", "name its environment variable with"),
        (f"model: m\naddress: http://x/v1\nkey_from: {KEY}", "not the key itself"),
        ("model: m\naddress: http://x/v1\nretries: -1", "retries: input should be greater"),
        ("model: m\naddress: http://x/v1\nbudget_money: 1", "budget_money needs price_read"),
        ("model: m\naddress: http://x/v1\ndialect: plus", "dialect: input should be 'native' or"),
        ("just words", "has no fields"),
        ("a: [1", "is no YAML"),
        ("", "has no fields"),
    ],
)
def test_a_file_that_does_not_fit_is_said_without_what_may_be_a_key(tmp_path, text, problem):
    file = tmp_path / "planner.yaml"
    file.write_text(text)
    with pytest.raises(SetupError) as error:
        load_planner(str(file))
    assert problem in str(error.value)
    assert "planner.yaml" in str(error.value)
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    "name", ["openai:", "openai:m", "openai:m@ftp://x", f"openai:m@http://a:{KEY}@x", "no.yaml"]
)
def test_a_name_that_names_no_server_is_said(name):
    with pytest.raises(SetupError, match="Use openai:MODEL@http") as error:
        load_planner(name)
    assert KEY not in str(error.value)
