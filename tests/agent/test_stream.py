"""Reading thought and answer while they are being written."""

import pytest

from llava_plus.agent.dialects import StreamReader

JSON = (
    'Sure {boxes_1}: {"x":1} ```json\n'
    '{"thought" : " a\\u00e9\\ud83e\\udd14 \\"q\\" 真\\n\\/ \\ud800 b ",'
    '"actions":[{"skill":"a","args":{"answer":"no","b":[1,{"c":"}"}],"d":"\\\\"}}], "n": -1.5e3,'
    '"answer":"\\n hi {boxes_1}\\\\ "} {"thought":"again"}'
)
PLUS = '"thoughts🤔" hm "a thought"\n"actions🚀" []\n"value👉" Yes [0.1]\n'
ACTING = '"thoughts🤔" hm\n"actions🚀" [{"API_name": "a", "API_params": {}}]\n"value👉" Wait.\n'
CASES = [
    (JSON, 'aé🤔 "q" 真\n/ � b', "hi {boxes_1}\\"),
    ('{"thought":"","answer":""}', "", ""),
    ('{"answer":"\\ud83e', "", ""),
    ('{"answer":"a\\ud83eb\\udd14c"}', "", "a�b�c"),
    ('{"answer":"\\uzzzz!"}', "", "�!"),
    ('{"thought":["x"],"answer":"y"}', "", "y"),
    ('{{"thought":"x"}', "x", ""),
    ('{"thought" "x"} {"thought":"y"}', "y", ""),
    ("no JSON { at all", "", ""),
    (PLUS, 'hm "a thought"', "Yes [0.1]"),
    (ACTING, "hm", ""),
]


def fields(*pieces):
    reader = StreamReader()
    found = {"thought": "", "answer": ""}
    for piece in pieces:
        for field, text in reader.feed(piece):
            found[field] += text
    return found


@pytest.mark.parametrize(("text", "thought", "answer"), CASES)
def test_the_same_is_read_wherever_the_text_is_split(text, thought, answer):
    wanted = {"thought": thought, "answer": answer}
    assert fields(*text) == wanted
    for cut in range(len(text) + 1):
        assert fields(text[:cut], text[cut:]) == wanted


def test_text_comes_out_as_soon_as_it_can_be_read():
    reader = StreamReader()
    assert reader.feed('{"thought":"I lo') == [("thought", "I lo")]
    assert reader.feed("ok ") == [("thought", "ok")]
    assert reader.feed('up","answer":"N') == [("thought", " up"), ("answer", "N")]


def test_a_marker_that_has_only_begun_is_held_back():
    reader = StreamReader()
    assert reader.feed('"thoughts🤔" hm "act') == [("thought", "hm")]
    assert reader.feed(' it"') == [("thought", ' "act it')]
    assert reader.feed(" ...") == [("thought", '" ...')]
