"""``llava-plus skills``: written, listed with where they come from, also when some are broken."""

import sys

import pytest

BODY = '''from llava_plus.skills import Image, Number, skill

@skill
def count_pixels(image: Image) -> Number:
    """Count the pixels."""
    return Number(image.width * image.height, "pixels")
'''


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Install two packages, one of which is broken."""
    monkeypatch.syspath_prepend(tmp_path)
    for name, body in (("pixel_skills", BODY), ("broken_skills", "import no_such_module\n")):
        (tmp_path / f"{name}.py").write_text(body)
        info = tmp_path / f"{name}-2.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\n")
        (info / "entry_points.txt").write_text(f"[llava_plus.skills]\nown = {name}\n")
    yield
    sys.modules.pop("pixel_skills", None)


def test_a_new_skill_is_written_listed_and_works(llava, tmp_path):
    code, out, err = llava("skills", "new", "dim_it", "--folder", "mine")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "wrote mine/dim_it.py and mine/test_dim_it.py",
        "Try it: llava-plus run dim_it --image PICTURE --skills mine/dim_it.py",
        "Test it: pytest mine/test_dim_it.py",
    ]
    listed = llava("skills", "--skills", "mine/dim_it.py")[1].splitlines()
    line = next(n for n, line in enumerate(listed) if line.startswith("dim_it("))
    assert listed[line + 1 : line + 3] == [
        "    Darken the picture, or a region of it.",
        "    from mine/dim_it.py",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("flip", "There is a skill 'flip' already, of LLaVA-Plus itself. Take another name"),
        ("Two Words", "'Two Words' cannot be the name of a skill."),
    ],
)
def test_a_new_skill_needs_a_name_of_its_own(llava, tmp_path, name, words):
    code, out, err = llava("skills", "new", name)
    assert (code, out) == (1, "")
    assert words in err
    assert not list(tmp_path.iterdir())


def test_the_name_of_an_installed_skill_is_taken_too(llava, packages):
    _, _, err = llava("skills", "new", "count_pixels")
    assert "There is a skill 'count_pixels' already, of pixel_skills 2.1." in err


def test_a_second_time_nothing_is_overwritten(llava, tmp_path):
    llava("skills", "new", "dim_it")
    (tmp_path / "dim_it.py").write_text("mine")
    code, _, err = llava("skills", "new", "dim_it")
    assert code == 1
    assert "dim_it.py is there already, and is not overwritten" in err
    assert (tmp_path / "dim_it.py").read_text() == "mine"


def test_installed_skills_are_listed_with_their_package_and_broken_ones_named(llava, packages):
    code, out, err = llava("skills")
    assert code == 0
    assert "    from pixel_skills 2.1" in out.splitlines()
    assert "crop(image: Image" in out
    assert err.startswith("Package broken_skills 2.1 offers skills (own = broken_skills) that")
    code, out, _ = llava("skills", "show", "count_pixels")
    assert (code, "  from pixel_skills 2.1" in out.splitlines()) == (0, True)


def test_the_switch_leaves_packages_out(llava, packages, monkeypatch):
    monkeypatch.setenv("LLAVA_PLUS_INSTALLED_SKILLS", "0")
    _, out, err = llava("skills")
    assert "count_pixels" not in out
    assert err == ""
