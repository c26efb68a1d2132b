"""Make the pictures of the chain in docs/vision-models.md, with weights that were trained here.

CHROMIUM=… python docs/make_chain_pictures.py OUT detect=owlv2:OUT/owlv2 segment=sam:OUT/sam

OUT is the folder that examples/train_detector.py wrote, with scene.png in it.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from make_screenshots import FLAGS, PATIENCE, idle, said, shoot, visited
from playwright.sync_api import Page, sync_playwright

from llava_plus.agent import Agent, Limits, ScriptedPlanner, SessionStore
from llava_plus.errors import SetupError
from llava_plus.skills import load_skills
from llava_plus.ui.serve import serve

BOX = "#message textarea"
REQUEST = "Find the red triangle, segment it, erase it."
SCRIPT = (
    'detect(img_1, "red triangle")',
    "segment(img_1, boxes_1)",
    "erase(img_1, masks_1)",
    "The red triangle is gone: see {img_2}.",
)


def main() -> None:
    """Play the request with the detector and the segmenter that the command line names."""
    if len(sys.argv) != 4:
        raise SetupError((__doc__ or "").splitlines()[2])
    if not Path(chromium := os.environ.get("CHROMIUM", "")).is_file():
        raise SetupError(f"CHROMIUM is {chromium!r}, no browser. Set it to the path of one.")
    scene, wanted = Path(sys.argv[1]) / "scene.png", sys.argv[2:]
    with (
        tempfile.TemporaryDirectory() as home,
        opened(Path(home), wanted) as address,
        sync_playwright() as browsers,
    ):
        browser = browsers.chromium.launch(executable_path=chromium, args=FLAGS)
        page = visited(browser, address, size=(1180, 1180))
        page.set_input_files("input[type=file]", str(scene))
        page.wait_for_selector(".stage:not([hidden])")
        page.fill(BOX, REQUEST)
        page.press(BOX, "Enter")
        said(page, "The red triangle is gone")
        idle(page)
        unfold(page)
        shoot(page, "chain")
        browser.close()


@contextmanager
def opened(home: Path, wanted: Sequence[str]) -> Iterator[str]:
    """Open the page with the wanted backends, and give its address."""
    skills = load_skills(backends=wanted).skills
    server = serve(
        lambda: Agent(ScriptedPlanner(SCRIPT), skills, limits=Limits(seconds=PATIENCE), home=home),
        host="127.0.0.1",
        store=SessionStore(home),
    )
    try:
        yield server.address
    finally:
        server.close()


def unfold(page: Page) -> None:
    """Show what each step has found."""
    for button in page.locator("#chat button:has-text('Step ')").all():
        button.click()
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()
