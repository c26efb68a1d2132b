"""The requests that nano is trained on, as a file that others can read.

python -m llava_plus.data_gen.request_file requests.jsonl
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from .nano import Sizes, make_parts
from .requests import Request


def write_requests(path: Path, requests: Iterable[Request]) -> None:
    """Write a line of JSON for each: context, request and plan, as the evaluation has them."""
    with path.open("w", encoding="utf-8") as lines:
        for request in requests:
            said = {"context": request.context, "request": request.text, "plan": request.plan}
            lines.write(json.dumps(said, ensure_ascii=False) + "\n")


def main() -> None:
    """Write what a recipe asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/nano.yaml"))
    options = parser.parse_args()
    from llava_plus.model.recipe import Recipe

    settings = Recipe.read(options.recipe).data
    settings.pop("vocab_size", None)
    requests = [r for part in make_parts(Sizes(**settings)).values() for r in part]
    write_requests(options.file, requests)
    print(f"{len(requests)} requests in {options.file}")  # noqa: T201


if __name__ == "__main__":
    main()
