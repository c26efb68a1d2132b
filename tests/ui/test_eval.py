"""`llava-plus eval`: a tiny random model, a server that plays replies, and stored answers."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

COLORS = ("red", "green", "blue", "white")
COUNT = 12


@pytest.fixture
def data(tmp_path):
    """A folder with a dozen drawn pictures and a question about each."""
    folder = tmp_path / "data"
    (folder / "drawn").mkdir(parents=True)
    rows = []
    for number in range(COUNT):
        color = COLORS[number % 4]
        picture = Pillow.new("RGB", (48, 40), "black")
        ImageDraw.Draw(picture).ellipse((8, 8, 20 + number, 32), fill=color)
        picture.save(folder / "drawn" / f"{number}.png")
        rows.append(
            {
                "id": number,
                "image": f"drawn/{number}.png",
                "question": "What color is the thing?",
                "answers": [color] * 9 + ["colorful"],
            }
        )
    write(folder / "questions.jsonl", rows)
    return folder


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def change(data, line, **fields):
    """Change a line of the questions; a field that becomes None goes."""
    rows = read(data / "questions.jsonl")
    changed = {**rows[line - 1], **fields}
    rows[line - 1] = {name: value for name, value in changed.items() if value is not None}
    write(data / "questions.jsonl", rows)


def sentence(words):
    return " ".join(words.split())


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A checkpoint of ours with random weights."""
    import torch

    from llava_plus.model import LMM, LMMProcessor, tiny_config, train_tokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny"
    processor = LMMProcessor(train_tokenizer(["What color is the thing?"] * 9))
    torch.manual_seed(0)
    config = tiny_config(len(processor.tokenizer), image_token_id=processor.image_token_id)
    model = LMM(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
        words = [id for token, id in processor.tokenizer.get_vocab().items() if token[:2] != "<|"]
        model.get_input_embeddings().weight[words] *= 30  # so that it says words
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def server():
    """Plays replies in order, the last one again and again; a number is an error's status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.asked.append(asked)
            script = self.server.script
            reply = script.pop(0) if len(script) > 1 else script[0]
            status = reply if isinstance(reply, int) else 200
            message = {"role": "assistant", "content": reply}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "tiny"}
            body = json.dumps({**whole, "choices": [choice]} if status == 200 else {}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.script, http.asked = ["red"], []
    http.name = f"openai:tiny@http://127.0.0.1:{http.server_port}/v1"
    threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
    yield http
    http.shutdown()
    http.server_close()


@pytest.mark.slow
def test_a_killed_run_goes_on_and_answers_as_an_unbroken_one(llava, data, tiny, monkeypatch):
    from llava_plus.model import LMM

    seen, encode = [], LMM.encode_images

    def noted(self, pixels):
        seen.append(len(pixels))
        return encode(self, pixels)

    monkeypatch.setattr(LMM, "encode_images", noted)
    ask = ("eval", "vqav2", "--data", data, "--model", tiny, "--tokens", 6, "--out")
    code, out, err = llava(*ask, "whole.jsonl")
    assert code == 0
    assert out.startswith("accuracy: ")
    assert "bootstrap, n = 12" in out
    assert f"answered {COUNT} of {COUNT}" in err
    whole = read("whole.jsonl")
    assert [row.get("id") for row in whole] == [None, *map(str, range(COUNT))]
    assert seen == [1] * COUNT  # it looked at each picture
    assert whole[1]["prompt"].endswith("single word or phrase.")

    assert llava(*ask, "broken.jsonl", "--limit", 5)[0] == 0
    with Path("broken.jsonl").open("a") as file:
        file.write('{"id": "5", "answer": "half a li')  # as a kill leaves it
    before = read_lines("broken.jsonl")[:6]
    code, again, err = llava(*ask, "broken.jsonl")
    assert (code, again) == (0, out)
    assert f"answered 5 of {COUNT}" in err
    assert seen == [1] * COUNT * 2
    assert read_lines("broken.jsonl")[:6] == before
    assert [row["answer"] for row in read("broken.jsonl")[1:]] == [
        row["answer"] for row in whole[1:]
    ]


def read_lines(path):
    return Path(path).read_text().splitlines()


def test_what_a_run_wrote_can_be_scored_again_under_another_rule(llava, data, server):
    code, out, _ = llava("eval", "vqav2", "--data", data, "--remote", server.name)
    assert code == 0
    assert "accuracy: 25.0 %" in out
    ask = ("eval", "vqav2-evalai", "--data", data, "--predictions", "vqav2-tiny.jsonl")
    assert "accuracy: 25.0 %" in llava(*ask)[1]
    told = json.loads(llava(*ask, "--json")[1])
    assert told["figures"][0]["value"] == 25
    assert (told["task"], told["questions"]) == ("vqav2-evalai", COUNT)


def test_a_server_gets_the_picture_and_the_prompt_and_is_asked_greedily(llava, data, server):
    server.script = [503, "red"]
    config = data / "server.yaml"
    config.write_text(
        f"model: tiny\naddress: http://127.0.0.1:{server.server_port}/v1\npause: 0.01\n"
    )
    assert llava("eval", "vqav2", "--data", data, "--remote", config, "--limit", 1)[0] == 0
    first, second = server.asked
    assert first == second  # after a failure that passes
    picture, words = second["messages"][0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert words["text"].startswith("What color is the thing?\nAnswer the question")
    assert (second["temperature"], second["max_tokens"]) == (0, 128)


def test_a_server_that_fails_loses_nothing_that_was_answered(llava, data, server):
    server.script = ["red", "green", 400]
    ask = ("eval", "vqav2", "--data", data, "--remote", server.name)
    code, out, err = llava(*ask)
    assert (code, out) == (1, "")
    assert "refuses the request" in sentence(err)
    assert len(read("vqav2-tiny.jsonl")) == 3
    with Path("vqav2-tiny.jsonl").open("a") as file:
        file.write('{"id": "2", "answer": "half a li')  # as a kill leaves it
    server.script = ["blue"]
    assert llava(*ask)[0] == 0
    assert len(server.asked) == 3 + COUNT - 2
    said = ["red", "green", *["blue"] * (COUNT - 2)]
    assert [row["answer"] for row in read("vqav2-tiny.jsonl")[1:]] == said


def test_ctrl_c_says_how_to_go_on(llava, data, server, monkeypatch):
    from llava_plus.evals.tasks.served import Server

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "ask", interrupted)
    code, _, err = llava("eval", "vqav2", "--data", data, "--remote", server.name)
    assert code == 130
    assert "The same command goes on" in err


def test_the_difference_that_the_pictures_make(llava, data, server):
    rows = read(data / "questions.jsonl")
    options = {"options": ["red", "green"], "answer": "A", "answers": None}
    for number in range(COUNT):
        change(data, number + 1, **options)
    assert len(rows) == COUNT
    server.script = ["A"] * 6 + ["B"]
    llava("eval", "choices", "--data", data, "--remote", server.name, "--blind")
    assert [part["type"] for part in server.asked[0]["messages"][0]["content"]] == ["text"]
    write(Path("seen.jsonl"), [{"question_id": n, "text": "A"} for n in range(COUNT)])
    blind = "choices-tiny-blind.jsonl"
    code, out, _ = llava(
        *("eval", "choices", "--data", data, "--predictions", "seen.jsonl", "--without", blind)
    )
    assert code == 0
    assert "accuracy: 100.0 % (95 %: 75.7 to 100.0, Wilson, n = 12)" in out
    assert "gained by seeing the pictures: 50.0 points" in out


def judged_data(data, **fields):
    for number in range(COUNT):
        change(data, number + 1, answers=None, answer="It is red.", **fields)


def test_a_judge_is_asked_again_warmer_until_it_gives_a_number(llava, data, server):
    judged_data(data, capabilities=["rec"])
    write(Path("said.jsonl"), [{"id": n, "answer": "red"} for n in range(COUNT)])
    server.script = ["Well", "Score 1", "0.5"]
    ask = ("eval", "mmvet", "--data", data, "--predictions", "said.jsonl", "--judge", server.name)
    code, out, _ = llava(*ask)
    assert code == 0
    assert "score: 50.0 %" in out
    assert [asked["temperature"] for asked in server.asked[:4]] == [0, 0.5, 1, 0]
    assert server.asked[0]["max_tokens"] == 3
    before = len(server.asked)
    assert llava(*ask)[1] == out
    assert len(server.asked) == before  # judgements are kept, too
    write(Path("said.jsonl"), [{"id": n, "answer": "blue"} for n in range(COUNT)])
    assert "judged another answer to question '0'" in sentence(llava(*ask)[2])


def test_stored_judgements_need_no_model_and_no_judge(llava, data):
    judged_data(data, category="conv", context="A red disk.")
    said = ["8 4\nworse", "4, 4", *["5 5"] * (COUNT - 2)]
    write(Path("judged.jsonl"), [{"id": n, "judgement": text} for n, text in enumerate(said)])
    code, out, _ = llava("eval", "llava-bench", "--data", data, "--judgements", "judged.jsonl")
    assert code == 0
    assert f"relative score: {100 * (4 - 1 + 50) / (8 - 1 + 50):.1f} %" in out
    assert "1 judgements could not be read and count (-1, -1)" in out


def test_answers_of_a_judged_task_wait_for_the_judge(llava, data, server):
    judged_data(data, capabilities=["rec"])
    code, out, err = llava("eval", "mmvet", "--data", data, "--remote", server.name)
    assert (code, out) == (0, "")
    assert "wait for a judge: --predictions mmvet-tiny.jsonl" in sentence(err)


@pytest.mark.parametrize(
    ("line", "fields", "said"),
    [
        (3, {"image": "drawn/none.png"}, "line 3: there is no picture 'drawn/none.png'"),
        (3, {"image": "../one.png"}, "line 3: the picture '../one.png' is not inside"),
        (3, {"image": "/etc/one.png"}, "line 3: the picture '/etc/one.png' is not inside"),
        (4, {"answers": None}, "line 4: no 'answers'"),
        (4, {"answers": ["red"] * 3}, "line 4: wanted 10 answers, got 3"),
        (4, {"answers": "red"}, "line 4: answers: "),
        (4, {"question": ""}, "line 4: question: "),
        (5, {"id": 1}, "line 5: the id '1' is that of line 2, too"),
        (5, {"id": None}, "line 5: id: Field required"),
        (6, {"colour": "red"}, "line 6: no field 'colour'"),
        (6, {"category": "odd"}, "line 6: unknown category 'odd'; known: yes/no, number"),
    ],
)
def test_bad_questions_are_named_by_line_before_a_model_is_loaded(llava, data, line, fields, said):
    for number in range(COUNT):
        change(data, number + 1, category="other")
    change(data, line, **fields)
    code, out, err = llava("eval", "vizwiz", "--data", data, "--model", "no-such-model")
    assert (code, out) == (1, "")
    assert f"questions.jsonl: {said}" in sentence(err)


def test_several_mistakes_are_told_at_once_and_not_too_many(llava, data):
    file = data / "questions.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:3], "{broken", "[1]", "", *["nothing"] * 20]))
    code, _, err = llava("eval", "vqav2", "--data", data, "--model", "no-such-model")
    assert code == 1
    assert "line 4: no JSON (Expecting property name enclosed in double quotes)" in sentence(err)
    assert "line 5: wanted an object, got list" in sentence(err)
    assert "and 12 more" in err


def test_questions_that_belong_together_are_counted(llava, data):
    for number in range(COUNT):
        change(data, number + 1, answers=None, answer="yes", category="existence")
    code, _, err = llava("eval", "mme", "--data", data, "--model", "no-such-model")
    assert code == 1
    assert "line 1: this picture has 1 questions; 2 are right together" in sentence(err)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": 0, "answer": "x"}], "has nothing for 11 of 12 questions: '1' (line 2)"),
        ([{"id": 0, "answer": "x"}] * 2, "line 2: the id '0' is that of line 1, too"),
        ([{"id": 99, "answer": "x"}], "line 1: there is no question '99'"),
        ([{"id": 0, "answer": 7}], 'line 1: wanted "id" and the words of "answer"'),
        ([{"id": 0}], 'line 1: wanted "id" and the words of "answer"'),
        ([[]], "line 1: wanted an object, got list"),
    ],
)
def test_bad_predictions_are_named_by_line(llava, data, rows, said):
    write(Path("said.jsonl"), rows)
    code, out, err = llava("eval", "vqav2", "--data", data, "--predictions", "said.jsonl")
    assert (code, out) == (1, "")
    assert f"said.jsonl{' ' if said.startswith('has') else ': '}{said}" in sentence(err)


def test_a_damaged_picture_stops_the_run_and_keeps_what_was_answered(llava, data, server):
    (data / "drawn" / "2.png").write_bytes(b"no picture")
    code, _, err = llava("eval", "vqav2", "--data", data, "--remote", server.name)
    assert code == 1
    assert "Question '2' (line 3): Cannot read '2.png'" in sentence(err)
    assert len(read("vqav2-tiny.jsonl")) == 3


def test_a_question_that_the_model_cannot_read_is_named(llava, data, tiny):
    change(data, 2, question="What color is the thing? " * 3000)
    ask = ("eval", "vqav2", "--data", data, "--model", tiny, "--tokens", 2, "--limit", 3)
    code, _, err = llava(*ask, "--out", "long.jsonl")
    assert code == 1
    assert "Question '1' (line 2): The conversation has grown to" in sentence(err)
    assert [row.get("id") for row in read("long.jsonl")] == [None, "0"]


def test_answers_to_something_else_are_not_gone_on_with(llava, data, server):
    Path("mine.txt").write_text("my diary")
    ask = ("eval", "vqav2", "--data", data, "--remote", server.name, "--out")
    assert "mine.txt is no file of answers" in sentence(llava(*ask, "mine.txt")[2])
    assert Path("mine.txt").read_text() == "my diary"
    assert llava(*ask, "one.jsonl")[0] == 0
    change(data, 1, question="What shape is it?")
    assert "one.jsonl was begun with questions" in sentence(llava(*ask, "one.jsonl")[2])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("vqav3", "--data", "data", "--model", "nano"), "Did you mean 'vqav2'?"),
        (("vqav2", "--model", "nano"), "No questions."),
        (("vqav2", "--data", "data"), "Name one of --model, --remote and --predictions"),
        (("vqav2", "--data", "none", "--model", "nano"), "Cannot read none"),
        (("vqav2", "--data", "data", "--judgements", "one.jsonl"), "vqav2 needs no judge"),
        (("vqav2", "--data", "data", "--images", "none", "--model", "nano"), "no folder 'none'"),
        (("vqav2", "--data", "data", "--remote", "openai:tiny"), "names no server"),
    ],
)
def test_an_evaluation_that_cannot_begin_is_one_sentence(llava, data, arguments, said):
    code, out, err = llava("eval", *arguments)
    assert (code, out) == (1, "")
    assert said in sentence(err)


def test_without_a_task_they_are_listed(llava):
    code, out, _ = llava("eval")
    assert code == 0
    assert "right in all rotations" in out


def test_pictures_may_lie_elsewhere(llava, data, server):
    write(Path("questions.jsonl"), read(data / "questions.jsonl"))
    ask = ("eval", "vqav2", "--data", "questions.jsonl", "--remote", server.name)
    assert "line 1: there is no picture" in sentence(llava(*ask)[2])
    assert llava(*ask, "--images", data, "--limit", 1)[0] == 0


def test_empty_answers_are_wrong_answers(llava, data, server):
    server.script = [""]
    code, out, _ = llava("eval", "vqav2", "--data", data, "--remote", server.name)
    assert code == 0
    assert "accuracy: 0.0 %" in out
    assert {row["answer"] for row in read("vqav2-tiny.jsonl")[1:]} == {""}
