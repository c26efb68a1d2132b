"""Skills of installed packages: real ones, written into a folder that Python imports from."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from llava_plus.errors import SetupError
from llava_plus.skills import (
    Artifacts,
    Runtime,
    default_registry,
    load_skills,
)

HEAD = "import os\nfrom llava_plus.skills import Image, Number, SkillRegistry, skill\n"
PIXELS = '''
@skill
def count_pixels(image: Image) -> Number:
    """Count the pixels."""
    return Number(image.width * image.height, "pixels")
'''
PROCESS = '''
@skill(cache=False)
def which_process(image: Image) -> Number:
    """Tell which process this is."""
    return Number(os.getpid())

@skill(cache=False, isolation="inline")
def own_process(image: Image) -> Number:
    """Tell which process this is."""
    return Number(os.getpid())
'''
TAKEN = '''
@skill
def count(image: Image) -> Number:
    """Count otherwise."""
    return Number(1)
'''


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package on the path, as an installer does it."""
    modules = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def put(name, body, entries=None, version="1.0"):
        module = name.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(HEAD + dedent(body))
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(about)
        entries = f"own = {module}" if entries is None else entries
        (info / "entry_points.txt").write_text(f"[llava_plus.skills]\n{entries}\n")
        return module

    yield put
    for name in set(sys.modules) - modules:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == tmp_path:
            del sys.modules[name]


def added(loaded):
    return [spec.name for spec in loaded.skills if spec.name not in default_registry()]


def test_an_installed_package_brings_its_skills(install):
    install("shape-skills", PIXELS)
    loaded = load_skills()
    assert added(loaded) == ["count_pixels"]
    assert loaded.problems == ()
    assert loaded.skills["count_pixels"].source == "shape-skills 1.0"
    assert loaded.skills["blur"].source == ""


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        ("one = shape_skills:count_pixels", ["count_pixels"]),
        ("one = shape_skills:count_pixels\ntwo = shape_skills:which_process", None),
        ("all = shape_skills:MINE", ["my_count_pixels"]),
        ("", []),
    ],
)
def test_an_entry_names_a_module_a_skill_or_a_registry(install, entries, names):
    mine = 'MINE = SkillRegistry([count_pixels]).with_prefix("my_")\n'
    install("shape-skills", PIXELS + PROCESS + mine, entries)
    loaded = load_skills()
    assert added(loaded) == (["count_pixels", "which_process"] if names is None else names)
    assert loaded.problems == ()


def test_an_installed_skill_runs_in_a_process_that_can_be_killed(install, pool, coffee, run):
    install("shape-skills", PROCESS)
    artifacts = Artifacts()
    artifacts.add(coffee)
    runtime = Runtime(load_skills().skills, artifacts, pool=pool)
    numbers = {}
    for name in ("which_process", "own_process"):
        observation = run(runtime, name)
        assert observation.ok, observation.text
        numbers[name] = int(artifacts[observation.handle].value.value)
    assert numbers["which_process"] != numbers["own_process"]


@pytest.mark.parametrize(
    ("body", "entries", "why"),
    [
        ("import no_such_module\n", None, "No module named 'no_such_module'"),
        ("raise SystemExit(3)\n", None, "SystemExit: 3"),
        ("def broken(:\n", None, "SyntaxError"),
        ("x = 1\n", None, "no skill found. Write @skill above a function in it"),
        ("x = 1\n", "own = broken_skills:x", "1 is not a skill. Write @skill above it"),
        ("", "own = broken_skills:missing", "has no attribute 'missing'"),
        ("", "own = gone_module", "No module named 'gone_module'"),
        ("", "own = not a module!", "own = not a module!"),
        ("", "a line without sense", "entry_points.txt"),
        (
            '@skill\ndef f(image: Image, x) -> Number:\n    """F."""\n',
            None,
            "parameter 'x' lacks a type",
        ),
    ],
)
def test_a_package_that_fails_is_named_and_stops_nothing(install, body, entries, why):
    install("broken-skills", body, entries, version="0.3")
    install("shape-skills", PIXELS)
    loaded = load_skills()
    assert added(loaded) == ["count_pixels"]
    (problem,) = loaded.problems
    assert problem.startswith("Package broken-skills 0.3 offers skills (")
    assert why in problem
    assert problem.endswith(
        "Update or uninstall it, or start with LLAVA_PLUS_INSTALLED_SKILLS=0. "
        "All other skills work."
    )


def test_a_name_that_is_built_in_stays_so_and_the_rest_comes_in(install):
    install("shape-skills", TAKEN + PIXELS)
    loaded = load_skills()
    assert added(loaded) == ["count_pixels"]
    assert loaded.skills["count"].backend == "builtin"
    assert loaded.problems == (
        "Package shape-skills 1.0: There are two skills 'count': the built-in 'count' and that in "
        "shape_skills.py:4. Give one another name, as in @skill(name='my_count'), or use "
        "with_prefix. The skill of shape-skills 1.0 is left out.",
    )


def test_of_two_packages_with_one_name_the_first_by_alphabet_has_it(install):
    install("b-skills", PIXELS)
    install("a-skills", PIXELS)
    loaded = load_skills()
    assert loaded.skills["count_pixels"].source == "a-skills 1.0"
    (problem,) = loaded.problems
    assert problem.startswith("Package b-skills 1.0: There are two skills 'count_pixels'")


def test_a_file_that_a_person_names_goes_before_packages(install, tmp_path):
    install("shape-skills", PIXELS)
    file = tmp_path / "mine.py"
    file.write_text(HEAD + PIXELS)
    loaded = load_skills([file, file])
    assert loaded.skills["count_pixels"].source == str(file)
    assert len(loaded.problems) == 1


def test_a_file_that_takes_a_built_in_name_is_refused_with_its_line(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(HEAD + TAKEN)
    with pytest.raises(SetupError) as caught:
        load_skills([file])
    assert str(caught.value) == (
        "There are two skills 'count': the built-in 'count' and that in mine.py:4. "
        "Give one another name, as in @skill(name='my_count'), or use with_prefix."
    )


@pytest.mark.parametrize(("value", "there"), [("0", False), ("1", True), ("", True)])
def test_a_switch_leaves_packages_out(install, monkeypatch, value, there):
    install("shape-skills", PIXELS)
    monkeypatch.setenv("LLAVA_PLUS_INSTALLED_SKILLS", value)
    assert ("count_pixels" in load_skills().skills) is there
    assert "count_pixels" not in load_skills(installed=False).skills
    assert "count_pixels" in load_skills(installed=True).skills


def test_the_default_registry_stays_what_planners_were_trained_with(install):
    install("shape-skills", PIXELS)
    assert "count_pixels" not in default_registry()


def test_a_damaged_package_that_offers_no_skills_does_no_harm(install, tmp_path):
    install("shape-skills", PIXELS)
    other = tmp_path / "other-1.0.dist-info"
    other.mkdir()
    (other / "entry_points.txt").write_bytes(b"\xff\xfe\x00[")
    assert added(load_skills()) == ["count_pixels"]
