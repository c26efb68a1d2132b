"""The example skills, as ``--skills`` loads them, and the photographs that come along."""

from pathlib import Path

import pytest

from llava_plus.skills import Artifacts, Runtime, load_image, load_skills

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
