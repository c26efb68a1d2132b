"""Make the picture of docs/teacher.md: ``CHROMIUM=… python docs/make_show_picture.py DIR SKILL``.

DIR holds traces; the first one in which SKILL was called is opened on the page of
``llava-plus data show``. Needs what docs/make_screenshots.py needs.
"""

import os
import sys

from make_screenshots import FLAGS, shoot
from playwright.sync_api import sync_playwright

from llava_plus.data_gen.browsing import TraceIndex
from llava_plus.ui.showing import show_traces


def main(folder: str, skill: str) -> None:
    """Open the page, filter by the skill, choose the first trace."""
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=os.environ["CHROMIUM"], args=FLAGS)
        index = TraceIndex(folder)
        server = show_traces(index)
        page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        page.goto(server.address)
        while not index.whole:
            page.wait_for_timeout(500)
        page.wait_for_timeout(5000)  # until the page has looked again
        page.click("input[aria-label='skill']")
        page.locator("ul[role=listbox] li", has_text=skill).first.click()
        page.wait_for_function(
            "w => document.querySelector('#place')?.innerText.includes(w)", arg="1 to "
        )
        page.wait_for_timeout(4000)
        page.locator("#list [data-row='0'][data-col='0']").last.click()
        page.wait_for_selector("#trace img")
        shoot(page, "show")
        server.close()
        index.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
