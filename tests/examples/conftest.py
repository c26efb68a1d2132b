"""The example skills, as ``--skills`` loads them, and the photographs that come along."""

from pathlib import Path

import pytest

from llava_plus.skills import Artifacts, Runtime, load_image, load_skills
from llava_plus.skills.origin import import_file

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def photo():
    """Read one of the photographs that come along."""
    return lambda name: load_image(ROOT / "ui" / "examples" / f"{name}.jpg")


@pytest.fixture(scope="session")
def example():
    """Return the functions of an example's skills by name."""

    def load(file):
        skills = load_skills([ROOT / "examples" / file], installed=False).skills
        return {spec.name: spec.function for spec in skills if spec.source}

    return load


@pytest.fixture
def runtime():
    """Make a runtime of the built-in skills and an example's, with pictures."""

    def make(file, *images):
        artifacts = Artifacts()
        for image in images:
            artifacts.add(image)
        skills = load_skills([ROOT / "examples" / file], installed=False).skills
        return Runtime(skills, artifacts)

    return make


@pytest.fixture(scope="session")
def module():
    """The example with a model, as a module."""
    return import_file(ROOT / "examples" / "in_focus.py")


@pytest.fixture(scope="session")
def trained(module, photo, tmp_path_factory):
    """Its weights, trained for half as long as it would, and the share of cells told right."""
    path = tmp_path_factory.mktemp("weights") / "in_focus.safetensors"
    return path, module.train([photo("coffee"), photo("chelsea")], path, steps=150)


@pytest.fixture
def weights(trained):
    return trained[0]
