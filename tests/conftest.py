"""What holds for all tests: nothing is kept in the data folder of whoever runs them.

Nor does it matter which weights they have.
"""

import importlib.util

import pytest
from huggingface_hub import constants

EXTRAS = {  # what each brings that its tests import
    "detectors": ("torchvision", "groundingdino", "segment_anything"),
    "qlora": ("bitsandbytes",),
    "yolo": ("torchvision", "ultralytics"),
}


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=5, help="how often to kill running sessions")
    parser.addoption("--extras", action="store_true", help="fail where an extra is missing")


def pytest_runtest_setup(item):
    for mark in item.iter_markers("extra"):
        missing = [name for name in EXTRAS[mark.args[0]] if importlib.util.find_spec(name) is None]
        if missing:
            told = f"needs the extra {mark.args[0]}: {', '.join(missing)} not installed"
            (pytest.fail if item.config.getoption("extras") else pytest.skip)(told)


@pytest.fixture(scope="session", autouse=True)
def _own_data_folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLAVA_PLUS_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("LLAVA_PLUS_CACHE_MB", "0")
        patch.setenv("LLAVA_PLUS_BACKENDS", "detect=builtin,segment=builtin")
        hub = str(tmp_path_factory.mktemp("hub"))
        patch.setenv("HF_HUB_CACHE", hub)  # of processes that tests start
        patch.setattr(constants, "HF_HUB_CACHE", hub)
        yield
