"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON and nothing else.")]
BackendNames = Annotated[
    list[str] | None,
    typer.Option(
        "--backend",
        help="Which model does a skill: SKILL=BACKEND or SKILL=BACKEND:FOLDER_OR_ID, such as "
        "detect=grounding-dino; again for another skill.",
    ),
]
PictureFolder = Annotated[
    Path | None,
    typer.Option(
        "--pictures",
        envvar="LLAVA_PLUS_PICTURES",
        help="Your folder of pictures that may be searched; index it first.",
    ),
]
Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="A free one from 7860 on if left out."),
]
SkillFiles = Annotated[
    list[Path] | None, typer.Option("--skills", help="A Python file with skills of your own.")
]
