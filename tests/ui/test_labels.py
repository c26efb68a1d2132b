import re

from llava_plus.ui.labels import CHINESE, ENGLISH, language_of


def test_both_languages_have_the_same_words():
    assert list(ENGLISH) == list(CHINESE) == sorted(ENGLISH)


def test_both_languages_take_the_same_values():
    def fields(labels):
        return {key: re.findall(r"\{\w*\}", text) for key, text in labels.items()}

    assert fields(ENGLISH) == fields(CHINESE)


def test_every_chinese_label_is_chinese():
    assert all(re.search(r"[\u4e00-\u9fff]", text) for text in CHINESE.values())


def test_the_page_opens_in_the_browsers_language():
    assert language_of("zh-CN,zh;q=0.9") == "中文"
    assert language_of("de,en;q=0.9") == language_of("") == "English"
