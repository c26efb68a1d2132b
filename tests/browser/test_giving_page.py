"""Consent, thumbs and corrections in a real browser; see test_page.py."""

import pytest

from llava_plus.agent import Agent
from llava_plus.data_gen.feedback import Collection, opinions_of
from llava_plus.data_gen.folders import TraceFolder
from llava_plus.skills import default_registry
from llava_plus.ui.examples import FOLDER


class Scripts:
    """A planner that turns the picture, each time further."""

    name = "scripted"

    async def plan(self, view):
        from llava_plus.agent import Decision
        from llava_plus.agent.scripted import read_line

        if view.turns[-1].steps:
            yield Decision(thought="Done.", answer="It is turned: {img_2}.")
        else:
            yield read_line("rotate(img_1, degrees=90)", view)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("given")


@pytest.fixture(scope="module")
def address(folder):
    from llava_plus.ui.serve import serve

    skills = default_registry()
    server = serve(lambda: Agent(Scripts(), skills), collection=Collection(folder))
    yield server.address
    server.close()


def given(folder):
    return list(TraceFolder(folder).read())


def test_a_visitor_agrees_judges_corrects_asks_again_and_takes_it_back(
    page, send, said, shoot, folder
):
    page = page()
    page.set_input_files("input[type=file]", str(FOLDER / "coffee.jpg"))
    page.wait_for_selector(".stage:not([hidden])")
    send(page, "Turn it.")
    said(page, "It is turned: img_2")
    page.wait_for_timeout(1500)
    assert not list(folder.glob("*.jsonl"))
    page.check("#giving input[type=checkbox]")
    page.wait_for_selector("#giving button:has-text('Ask again')")
    assert len(given(folder)) == 1
    page.locator("#chat button[aria-label='dislike' i]").last.click()
    page.wait_for_selector("#giving :text('Noted')")
    shoot(page, "20_disliked")
    page.fill("#giving textarea", "It lies on its side: {img_2}.")
    page.click("#giving button:has-text('Keep the correction')")
    page.wait_for_selector("#giving :text('Your correction is kept')")
    (trace,) = given(folder)
    (opinion,) = opinions_of(trace)
    assert (opinion.turn, opinion.liked) == (1, False)
    assert opinion.better == "It lies on its side: {img_2}."
    page.click("#giving button:has-text('Ask again')")
    page.wait_for_function(
        "document.querySelector('#giving').innerText.indexOf('Your correction') < 0"
    )
    said(page, "It is turned: img_2")
    page.wait_for_timeout(1500)
    page.locator("#chat button[aria-label='like' i]").last.click()
    page.wait_for_selector("#giving :text('👍')")
    shoot(page, "21_again")
    assert sorted(one.liked for trace in given(folder) for one in opinions_of(trace)) == [
        False,
        True,
    ]
    page.uncheck("#giving input[type=checkbox]")
    page.wait_for_timeout(2000)
    assert len(given(folder)) == 1
