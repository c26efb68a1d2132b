"""Compare ours with a reference whose checkout is at hand, and keep its numbers if asked.

python tests/model/goldens/compare.py cambrian path/to/cambrian
python tests/model/goldens/compare.py cogvlm path/to/CogVLM path/to/SwissArmyTransformer --write
"""

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from ours import CASES
from safetensors.torch import save_file
from theirs import REFERENCES

# By the folder that a checkout lies in: its repository and licence.
REPOSITORIES = {
    "cambrian": ("cambrian-mllm/cambrian", "Apache-2.0"),
    "CogVLM": ("THUDM/CogVLM", "Apache-2.0"),
    "MiniGPT-4": ("Vision-CAIR/MiniGPT-4", "BSD-3-Clause"),
    "Monkey": ("Yuliang-Liu/Monkey", "MIT; the file's header names Alibaba Cloud's licence"),
    "open_flamingo": ("mlfoundations/open_flamingo", "MIT"),
    "SwissArmyTransformer": ("THUDM/SwissArmyTransformer", "Apache-2.0"),
    "VisualGLM-6B": ("THUDM/VisualGLM-6B", "Apache-2.0"),
    "visualGLM": ("samfunmula/visualGLM", "none given; a copy of THUDM's release, Apache-2.0"),
}


def commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=sorted(REFERENCES))
    parser.add_argument("checkouts", type=Path, nargs="+")
    parser.add_argument("--commit", nargs="*", help="of the checkouts, if git cannot say")
    parser.add_argument("--write", action="store_true", help="keep what the reference gave")
    given = parser.parse_args()
    checkouts = [one.resolve() for one in given.checkouts]
    commits = given.commit or [commit(one) for one in checkouts]
    with torch.no_grad():
        ours, theirs = CASES[given.case](), REFERENCES[given.case](*checkouts)
    worst = 0.0
    for name in sorted(ours | theirs):
        same = ours[name].shape == theirs[name].shape
        apart = (ours[name] - theirs[name]).abs().max().item() if same else float("inf")
        most = theirs[name].abs().max().item()
        sys.stdout.write(
            f"{given.case} {name} {tuple(theirs[name].shape)}: {apart:.1e} apart of {most:.2f}\n"
        )
        worst = max(worst, apart)
    if given.write:
        known = [REPOSITORIES.get(one.name, (one.name, "unknown")) for one in checkouts]
        pairs = zip(known, commits, strict=True)
        facts = {
            "source": "; ".join(f"{name} {version}" for (name, _), version in pairs),
            "licence": "; ".join(licence for _, licence in known),
        }
        file = Path(__file__).with_name(f"{given.case}.safetensors")
        save_file({name: one.contiguous() for name, one in theirs.items()}, file, facts)
        sys.stdout.write(f"kept {file.name}, {file.stat().st_size} bytes\n")
    sys.exit(worst > 1e-5)


if __name__ == "__main__":
    main()
