"""The page of `llava-plus data show` in a real browser; see test_page.py."""

import pytest

from llava_plus.agent import Agent, ScriptedPlanner
from llava_plus.data_gen.browsing import TraceIndex
from llava_plus.data_gen.folders import TraceFolder
from llava_plus.data_gen.verify import sift_folder, standard_verifiers
from llava_plus.skills import default_registry
from llava_plus.ui.examples import FOLDER

SAID = (
    ("Where is the face?", "detect(img_1, 'face')", "I found {boxes_1}."),
    ("Blur the face.", "detect(img_1, 'face')", "blur(img_1, boxes_1)", "Done: {img_2}."),
    ("What does it say?", "ocr(img_1)", 'It says "NOTHING OF THE KIND".'),
)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    from llava_plus.ui.showing import show_traces

    place, skills = tmp_path_factory.mktemp("show"), default_registry()
    for number in range(30):
        message, *script = SAID[number % 3]
        agent = Agent(ScriptedPlanner(script), skills)
        trace = agent.session().run_sync(f"{message} ({number})", [FOLDER / "grace_hopper.jpg"])
        (place / "in" / str(number)).mkdir(parents=True)
        trace = trace.model_copy(update={"id": f"trace-{number:02d}", "licence": "CC0-1.0"})
        trace.save(place / "in" / str(number) / "trace.json")
    (place / "in" / "odd.jsonl").write_text("{odd\n")
    verifiers = standard_verifiers(skills, replay=False)[:-1]
    sift_folder(TraceFolder(place / "in"), place / "out", verifiers)
    index = TraceIndex(place / "out")
    server = show_traces(index)
    yield server.address
    server.close()
    index.close()


@pytest.fixture
def opened(browser, address):
    hosts, problems = set(), []
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.set_default_timeout(180_000)
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(address)
    place(page, "1 to 20 of 31")
    yield page
    assert {host for host in hosts if host} == {address.split("/")[2]}
    assert not problems


def place(page, words):
    page.wait_for_function(
        "w => document.querySelector('#place')?.innerText.includes(w)", arg=words
    )


def choose(page, label, value):
    page.click(f"input[aria-label='{label}']")
    page.click(f"ul[role=listbox] li:has-text('{value}')")


def test_traces_are_listed_paged_filtered_and_shown_with_pictures(opened, shoot):
    page = opened
    page.click("#on")
    place(page, "21 to 31 of 31")
    page.click("#back")
    place(page, "1 to 20 of 31")
    choose(page, "dropped by", "grounded")
    place(page, "1 to 10 of 10")
    page.locator("#list [data-row='0'][data-col='0']").last.click()
    page.wait_for_function(
        "document.querySelector('#facts').innerText.includes('nobody said and nothing showed')"
    )
    shoot(page, "30_dropped")
    choose(page, "dropped by", "any")
    place(page, "of 31")
    choose(page, "skill", "blur")
    place(page, "1 to 10 of 10")
    page.locator("#list [data-row='0'][data-col='0']").last.click()
    page.wait_for_function("document.querySelectorAll('#trace img').length === 3")
    shoot(page, "31_blurred")
    choose(page, "skill", "any")
    page.fill("label:has-text('text') textarea, label:has-text('text') input", "(17)")
    place(page, "1 to 1 of 1")
