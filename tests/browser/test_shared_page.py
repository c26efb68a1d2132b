"""A page that several people reach, in a real browser; see test_page.py."""

import pytest

from llava_plus.agent import Agent, ScriptedPlanner, SessionStore
from llava_plus.skills import default_registry


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    from llava_plus.ui.serve import serve

    home, skills = tmp_path_factory.mktemp("home"), default_registry()
    planner = ScriptedPlanner(["Only Alice knows."])
    server = serve(
        lambda: Agent(planner, skills, home=home), host="0.0.0.0", store=SessionStore(home)
    )
    yield server.address
    server.close()


def test_a_second_visitor_finds_nothing_of_the_first(page, send, said, shoot, reload):
    alice = page()
    send(alice, "Keep a secret.")
    said(alice, "Only Alice knows.")
    reload(alice)
    said(alice, "Only Alice knows.")
    bob = page()
    for visitor in (alice, bob):
        visitor.click("#shelf button:has-text('Kept chats')")
    alice.wait_for_selector("#chats label:has-text('Keep a secret.')")
    bob.wait_for_selector("text=No chat is kept yet.")
    place = alice.evaluate("sessionStorage.getItem('llava-plus-chat')")
    bob.evaluate("id => sessionStorage.setItem('llava-plus-chat', id)", place)
    reload(bob)
    bob.wait_for_selector("text=Try one of these")
    shoot(alice, "27_first_visitor")
    shoot(bob, "28_second_visitor")
    assert "secret" not in bob.inner_text("body")
