"""The page in a real browser: ``CHROMIUM=/usr/bin/chromium pytest tests/browser``.

Needs the Python package playwright; with SHOTS=folder it leaves pictures of the page there.
"""

import asyncio

import pytest

from llava_plus.agent import Agent, Decision, ScriptedPlanner
from llava_plus.agent.scripted import read_line
from llava_plus.skills import default_registry
from llava_plus.ui.examples import FOLDER

BOX = "#message textarea"


def thinking(thought, line):
    def decide(view):
        done = read_line(line, view)
        return Decision(thought=thought, calls=done.calls, answer=done.answer)

    return decide


class Scripts:
    """A planner with a script for each request, so that visitors can come in any order."""

    name = "scripted"
    scripts = {  # noqa: RUF012
        "Blur the face.": [
            thinking("I need to know where the face is.", "detect(img_1, 'face')"),
            thinking("Now I blur it.", "blur(img_1, region=boxes_1, strength=0.9)"),
            "I blurred {boxes_1}: see {img_2}. <b>bold?</b> ![x](http://example.com/x.png)",
        ],
        "erase this": [
            thinking("The box marks it.", "erase(img_2, boxes_2)"),
            "It is gone in {img_3}.",
        ],
        "/": [],
    }

    async def plan(self, view):
        turn = view.turns[-1]
        if turn.message == "wait":
            yield '{"thought":"Waiting for'
            await asyncio.sleep(60)
        async for piece in ScriptedPlanner([self.scripts[turn.message][len(turn.steps)]]).plan(
            view
        ):
            await asyncio.sleep(0.01)
            yield piece


@pytest.fixture(scope="module")
def address():
    from llava_plus.ui.serve import serve

    planner, skills = Scripts(), default_registry()
    server = serve(lambda: Agent(planner, skills))
    yield server.address
    server.close()


def pending(page, words):
    page.wait_for_function(
        "w => document.querySelector('.hint').textContent.startsWith(w)", arg=words
    )


def drag(page, start, end):
    box = page.locator(".stage .picture").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=8)
    page.mouse.up()


@pytest.fixture
def blurred(said):
    def blur(page):
        page.click("text=Blur the face.")
        page.wait_for_selector(".stage:not([hidden])")
        page.press(BOX, "Enter")
        said(page, "I blurred 1 face")

    return blur


def test_chat_drag_call_and_trace(page, send, said, shoot, blurred):
    page = page()
    shoot(page, "01_open")
    blurred(page)
    said(page, "<b>bold?</b> ![x](http://example.com/x.png)")
    assert page.locator("#chat b").count() == 0
    shoot(page, "02_blurred")
    page.wait_for_function("document.querySelector('.handle').textContent === 'img_2'")
    drag(page, (0.55, 0.1), (0.8, 0.4))
    pending(page, "boxes_2")
    shoot(page, "03_dragged")
    send(page, "erase this")
    said(page, "It is gone in img_3.")
    shoot(page, "04_erased")
    send(page, "/rotate degrees=90")
    said(page, "img_4")
    shoot(page, "05_slash")
    page.wait_for_selector("#gallery .caption-label:text('img_4')")
    page.click("#gallery button:has-text('img_1')")
    page.wait_for_function("document.querySelector('.handle').textContent === 'img_1'")
    with page.expect_download() as download:
        page.click("text=Download trace")
    assert download.value.suggested_filename.startswith("trace-")
    with page.expect_download() as download:
        page.click("text=Download picture")
    assert download.value.suggested_filename == "img_1.png"


def test_click_marks_keys_and_an_upload(page, send, said, shoot):
    page = page()
    page.set_input_files("input[type=file]", str(FOLDER / "coffee.jpg"))
    page.wait_for_selector(".stage:not([hidden])")
    page.locator(".stage .picture").click(position={"x": 40, "y": 40})
    pending(page, "points_1")
    page.focus(".stage")
    for key in ("ArrowLeft", "Shift+ArrowUp", "Enter"):
        page.keyboard.press(key)
    pending(page, "points_1, points_2")
    page.click("text=Clear marks")
    pending(page, "Click a place")
    page.click("label:has(input[value=box])")
    page.locator(".stage .picture").click(position={"x": 40, "y": 40})
    page.locator(".stage .picture").click(position={"x": 140, "y": 90})
    pending(page, "boxes_1")
    shoot(page, "06_two_clicks")
    send(page, "/crop boxes_1")
    said(page, "img_2")
    send(page, "/<b>nonsense</b>")
    page.wait_for_selector("text=No skill '<b>nonsense</b>'")
    assert page.input_value(BOX) == "/<b>nonsense</b>"
    shoot(page, "07_unknown")


def test_a_broken_upload_is_named(page, tmp_path):
    page = page()
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    page.set_input_files("input[type=file]", str(broken))
    page.wait_for_selector("text=broken.jpg")


def test_a_second_message_is_answered_stop_and_new_chat(page, send, said, shoot):
    page = page()
    send(page, "wait")
    said(page, "wait")
    page.wait_for_selector("button:has-text('Stop'):not([disabled])")
    send(page, "And this?")
    page.wait_for_selector("text=One request at a time")
    assert page.input_value(BOX) == "And this?"
    page.get_by_role("button", name="Stop", exact=True).click()
    said(page, "Stopped.")
    shoot(page, "08_stopped")
    page.click("text=New chat")
    page.wait_for_selector("text=Blur the face.")


def test_chinese_on_a_phone(page, said, shoot):
    page = page(locale="zh-CN")
    page.set_viewport_size({"width": 390, "height": 844})
    page.click("text=模糊人脸")
    page.wait_for_selector(".stage:not([hidden])")
    page.press(BOX, "Enter")
    said(page, "I blurred 1 face")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shoot(page, "09_chinese_phone")
    page.set_viewport_size({"width": 1280, "height": 1000})
    shoot(page, "10_chinese")
    page.emulate_media(color_scheme="dark")
    shoot(page, "11_dark")


def test_two_visitors_at_once_do_not_mix(page, send, said, blurred):
    one, two = page(), page()
    send(one, "wait")
    blurred(two)
    said(one, "wait")
    assert "Blur" not in one.inner_text("#chat .bubble-wrap")
    assert "wait" not in two.inner_text("#chat .bubble-wrap")
    one.get_by_role("button", name="Stop", exact=True).click()
    said(one, "Stopped.")
