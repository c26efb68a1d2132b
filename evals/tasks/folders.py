"""A folder with questions: ours, or a benchmark's files as they were published.

Published files become questions on the way: they are written beside them, as NAME.questions.jsonl.
"""

from dataclasses import dataclass
from pathlib import Path

from llava_plus.errors import SetupError

from .convert import write_questions
from .official import READERS
from .questions import FILE, LAYOUT
from .summaries import COGNITION, PERCEPTION


@dataclass(frozen=True, kw_only=True)
class Published:
    """How a benchmark's files are called, in the order that its reader takes them.

    Args:
        files: Patterns of names; a file that a pattern names may be missing where the reader takes
            fewer, but for those of the first.
        pictures: The folder beside them that has the pictures, if there is one.
    """

    files: tuple[str, ...]
    pictures: str = ""


PUBLISHED: dict[str, Published] = {
    "vqav2": Published(files=("*_questions.json", "*_annotations.json"), pictures="val2014"),
    "textvqa": Published(
        files=("TextVQA_[0-9]*_val.json", "TextVQA_Rosetta_OCR_*_val.json"),
        pictures="train_images",
    ),
    "vizwiz": Published(files=("val.json",), pictures="val"),
    "gqa": Published(files=("*_balanced_questions.json",), pictures="images"),
    "scienceqa": Published(files=("problems.json", "pid_splits.json"), pictures="images"),
    "pope": Published(files=("coco_pope_*.json",), pictures="val2014"),
    "mmbench": Published(files=("*.tsv",)),
    "seed": Published(files=("SEED-Bench.json",), pictures="SEED-Bench-image"),
    "mmvet": Published(files=("mm-vet.json",), pictures="images"),
    "llava-bench": Published(
        files=(FILE, "context.jsonl", "answers_gpt4.jsonl"), pictures="images"
    ),
    "cvbench": Published(files=("test_[23]d.jsonl",)),
    "mmvp": Published(files=("Questions.csv",), pictures="MMVP Images"),
    "refcoco": Published(files=("finetune_refcoco*.json",), pictures="train2014"),
}
MME = "mme"  # is a folder, not a file
_READ_AS = {"vqav2-evalai": "vqav2", "mmbench-cn": "mmbench", "seed-first": "seed"}


def questions_in(task: str, folder: Path) -> tuple[Path, Path]:
    """The file of a folder's questions, and the folder of their pictures.

    Args:
        task: By whose rules they will be asked.
        folder: With ``questions.jsonl``, or with files as they were published.
    """
    name = _reader_of(task)
    if name is None:
        return folder / FILE, folder
    files = _found(name, folder)
    own = (folder / FILE).is_file() and FILE not in {file.name for file in files}
    if own or not files:
        if not (folder / FILE).is_file():
            raise SetupError(f"There is neither {FILE} nor {_wanted(name)} in {folder}. {LAYOUT}")
        return folder / FILE, folder
    made = folder / f"{name}.{FILE}"
    if not made.is_file() or made.stat().st_mtime < max(one.stat().st_mtime for one in files):
        try:
            write_questions(name, files, folder, made)
        except OSError as error:
            raise SetupError(
                f"Cannot write {made} ({error.strerror}): write the questions elsewhere with"
                " python -m llava_plus.evals.tasks.convert … --out FOLDER."
            ) from error
    pictures = folder / (PUBLISHED[name].pictures if name in PUBLISHED else "")
    return made, pictures if pictures.is_dir() else folder


def _reader_of(task: str) -> str | None:
    """Which published files a task's questions come from; any multiple choice comes from none."""
    if task.startswith("grounding"):
        return "refcoco"
    name = _READ_AS.get(task) or task.removesuffix("-strict").removesuffix("-cambrian")
    return name if name in READERS else None


def _found(name: str, folder: Path) -> list[Path]:
    """The published files that lie in a folder, or none where some are missing."""
    if name == MME:
        there = any((folder / kind).is_dir() for kind in (*PERCEPTION, *COGNITION))
        return [folder] if there else []
    groups = [sorted(folder.glob(pattern)) for pattern in PUBLISHED[name].files]
    files = [file for group in groups for file in group]
    _, fewest, most = READERS[name]
    if len(files) > most:
        names = ", ".join(file.name for file in files)
        raise SetupError(
            f"{name}: {folder} holds {len(files)} files ({names}), wanted {most} at most:"
            " keep each set in a folder of its own."
        )
    return files if groups[0] and len(files) >= fewest else []


def _wanted(name: str) -> str:
    return "a subtask's folder" if name == MME else " with ".join(PUBLISHED[name].files)
