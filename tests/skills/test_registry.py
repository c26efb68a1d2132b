import dataclasses
import sys
from types import ModuleType

import pytest

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import (
    Image,
    Number,
    Region,
    SkillRegistry,
    Text,
    catalog_markdown,
    default_registry,
    skill,
)


@skill(aliases=["easy-read"])
def read(image: Image) -> Text:
    """Read the picture."""
    return Text("")


@skill
def segment(image: Image, region: Region | None = None) -> Text:
    """Cut the picture | into parts."""
    return Text("")


@skill
def count(image: Image, label: str, *, least: float = 0.3) -> Number:
    """Count things."""
    return Number(0)


def plain(image: Image) -> Text:
    """No skill."""
    return Text("")


@pytest.fixture
def registry():
    return SkillRegistry([segment, read, count])


def test_skills_come_in_alphabetical_order(registry):
    assert [spec.name for spec in registry] == ["count", "read", "segment"]
    assert len(registry) == 3


@pytest.mark.parametrize("name", ["read", "easy-read", " read "])
def test_a_skill_is_found_by_name_and_alias(registry, name):
    assert registry.find(name) is registry[name] is read.__skill__


def test_one_skill_takes_the_place_of_another_of_its_name(registry):
    other = dataclasses.replace(registry["read"], backend="other")
    changed = registry.having(other)
    assert [spec.name for spec in changed] == [spec.name for spec in registry]
    assert changed["easy-read"] is changed["read"] is other
    assert registry["read"] is not other


def test_contains_knows_names_and_aliases(registry):
    assert "read" in registry
    assert "easy-read" in registry
    assert "fly" not in registry


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "segmnt",
            "No skill 'segmnt'. Did you mean 'segment'? Known: count, read, segment.",
        ),
        ("easyread", "No skill 'easyread'. Did you mean 'easy-read'? Known: count, read, segment."),
        ("fly", "No skill 'fly'. Known: count, read, segment."),
        ("", "No skill ''. Known: count, read, segment."),
    ],
)
def test_an_unknown_skill_names_the_nearest_one(registry, name, words):
    with pytest.raises(SkillError) as caught:
        registry.find(name)
    assert str(caught.value) == words


def test_a_function_without_the_decorator_is_no_skill(registry):
    with pytest.raises(SetupError, match=r"plain is not a skill. Write @skill above it"):
        registry.add(plain)


def another():
    def other(image: Image) -> Text:
        """Do something else."""
        return Text("")

    return other


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({"name": "read"}, "read"),
        ({"aliases": ["read"]}, "read"),
        ({"aliases": ["easy-read"]}, "easy-read"),
    ],
)
def test_a_name_that_is_taken_is_never_replaced_in_silence(registry, options, taken):
    with pytest.raises(SetupError, match=f"two skills '{taken}'"):
        registry.add(skill(**options)(another()))
    assert registry["read"] is read.__skill__
    assert "other" not in registry


def test_adding_the_same_skill_again_changes_nothing(registry):
    registry.add(read)
    assert len(registry) == 3


def test_a_subset_holds_what_is_named(registry):
    assert [spec.name for spec in registry.subset("read", "count")] == ["count", "read"]
    with pytest.raises(SetupError, match="Did you mean 'read'"):
        registry.subset("reed")


def test_a_prefix_makes_room_for_a_second_skill_of_a_name(registry):
    merged = registry.merge(registry.with_prefix("my_"))
    assert "my_read" in merged
    assert len(merged) == 6
    assert len(registry) == 3
    assert merged["my_read"].signature() == "my_read(image: Image) -> Text"


def test_differences_name_what_is_new_changed_and_gone(registry):
    @skill(name="count")
    def other(image: Image) -> Number:
        """Count otherwise."""
        return Number(0)

    changed = SkillRegistry([other, segment, skill(another())])
    added, removed = changed.differences(registry)
    assert [spec.name for spec in added] == ["count", "other"]
    assert removed == ("read",)
    assert registry.differences(registry) == ((), ())


def test_a_prompt_has_one_line_for_each_skill(registry):
    assert registry.prompt().splitlines()[0] == (
        "count(image: Image, label: str, *, least: float = 0.3) -> Number: Count things."
    )
    assert len(registry.prompt().splitlines()) == 3


def test_tools_and_schema_agree_on_names_and_arguments(registry):
    tools = [tool["function"] for tool in registry.openai_tools()]
    calls = [choice["properties"] for choice in registry.json_schema()["anyOf"]]
    assert [tool["name"] for tool in tools] == ["count", "read", "segment"]
    assert [call["skill"]["const"] for call in calls] == ["count", "read", "segment"]
    assert [tool["parameters"] for tool in tools] == [call["args"] for call in calls]


def test_the_catalog_is_a_table_that_survives_vertical_bars(registry):
    lines = catalog_markdown(registry).splitlines()
    assert lines[0] == "| Skill | Signature | What it does |"
    assert lines[-1] == (
        "| `segment` | `segment(image: Image, region: Region = None) -> Text` "
        "| Cut the picture \\| into parts. |"
    )
    assert len(lines) == 5


def written(tmp_path, body, name="my_skills.py"):
    path = tmp_path / name
    path.write_text("from llava_plus.skills import Image, Text, skill\n" + body)
    return path


GOOD = '''
from llava_plus.skills import load_image

@skill
def shout(image: Image) -> Text:
    """Shout."""
    return Text("HEY")
'''


def test_skills_come_from_a_file_of_a_person(tmp_path):
    registry = SkillRegistry.from_file(written(tmp_path, GOOD))
    assert [spec.name for spec in registry] == ["shout"]
    assert registry["shout"].backend.startswith("my_skills")


def test_two_files_of_one_name_do_not_meet(tmp_path):
    (tmp_path / "b").mkdir()
    one = SkillRegistry.from_file(written(tmp_path, GOOD))
    two = SkillRegistry.from_file(written(tmp_path / "b", GOOD.replace("shout", "whisper")))
    assert len(one.merge(two)) == 2


def test_a_file_may_use_other_skills_without_offering_them(tmp_path):
    written(tmp_path, GOOD, "other_skills_of_mine.py")
    body = GOOD.replace("shout", "whisper") + "from other_skills_of_mine import shout\n"
    sys.path.insert(0, str(tmp_path))
    try:
        registry = SkillRegistry.from_file(written(tmp_path, body))
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("other_skills_of_mine", None)
    assert [spec.name for spec in registry] == ["whisper"]


def test_a_module_offers_what_it_defines_or_lists():
    face = ModuleType("face")
    vars(face).update(read=read, count=count, segment=segment, __all__=["count", "read"])
    assert [spec.name for spec in SkillRegistry.from_module(face)] == ["count", "read"]


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("def broken(:\n", 2, "SyntaxError"),
        ("\nx = 1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("import no_such_module_here\n", 2, "ModuleNotFoundError"),
        ("raise SystemExit(3)\n", 2, "SystemExit"),
        ("def inner():\n    return nothing\n\ninner()\n", 3, "NameError"),
        (
            '\n@skill\ndef f(image: Image, x) -> Text:\n    """F."""\n',
            3,
            "parameter 'x' lacks a type",
        ),
    ],
)
def test_a_file_that_fails_is_named_with_its_line(tmp_path, body, line, words):
    path = written(tmp_path, body)
    before = set(sys.modules)
    with pytest.raises(SetupError, match=words) as caught:
        SkillRegistry.from_file(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert not {name for name in set(sys.modules) - before if name.startswith("my_skills")}


@pytest.mark.parametrize("name", ["none.py", "folder.py", "notes.txt"])
def test_what_is_no_python_file_is_refused(tmp_path, name):
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SetupError, match="no such Python file"):
        SkillRegistry.from_file(tmp_path / name)


def test_a_file_without_skills_is_a_mistake(tmp_path):
    path = written(tmp_path, "x = 1\n")
    with pytest.raises(SetupError, match=r"no skill found. Write @skill above") as caught:
        SkillRegistry.from_file(path)
    assert str(path) in str(caught.value)


def test_two_skills_of_one_name_in_a_file_are_a_mistake(tmp_path):
    twice = GOOD + GOOD.replace("@skill", '@skill(name="shout")').replace("def shout", "def cry")
    with pytest.raises(SetupError, match="two skills 'shout'"):
        SkillRegistry.from_file(written(tmp_path, twice))


def test_every_default_registry_is_a_new_one():
    first, second = default_registry(), default_registry()
    first.add(read)
    assert "read" in first
    assert "read" not in second
