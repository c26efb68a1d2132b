"""A browser, pages in it, and hands for them; see test_page.py."""

import os
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("CHROMIUM", "")
SHOTS = os.environ.get("SHOTS", "")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
BOX = "#message textarea"


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.filterwarnings("ignore"))  # of the threads
            if not Path(CHROMIUM).is_file():
                item.add_marker(pytest.mark.skip(reason="CHROMIUM names no browser"))


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """Open the page; in the end nothing may have been asked of other hosts, nothing gone wrong."""
    hosts, problems = set(), []

    def open_page(context=None, **options):
        size = {"width": 1280, "height": 1000}
        page = (context or browser.new_context(viewport=size, **options)).new_page()
        page.set_default_timeout(180_000)  # a machine may be busy
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        ready(page)
        return page

    yield open_page
    assert {host for host in hosts if host} == {address.split("/")[2]}
    assert not problems


def ready(page):
    page.wait_for_selector(f"{BOX}:not([disabled])")
    page.wait_for_timeout(500)


@pytest.fixture
def reload():
    def again(page):
        page.reload()
        ready(page)

    return again


@pytest.fixture
def shoot():
    def shot(page, name):
        if SHOTS:
            page.wait_for_timeout(700)
            page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)

    return shot


@pytest.fixture
def send():
    def write(page, text):
        page.fill(BOX, text)
        page.press(BOX, "Enter")

    return write


@pytest.fixture
def said():
    def wait(page, words):
        page.wait_for_function(
            "words => document.querySelector('#chat').innerText.includes(words)", arg=words
        )

    return wait
