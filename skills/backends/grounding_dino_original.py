"""Detection by GroundingDINO (Liu et al. 2023, arXiv 2303.05499), as its authors published it.

Wanted are the ``.pth`` file, its config, which groundingdino-py also brings, and the tokenizer and
config of the BERT in it: a folder ``bert-base-uncased`` beside the file, or what was pulled of it.
"""

from __future__ import annotations

import ast
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from llava_plus.errors import SetupError
from llava_plus.syntax import steadily

from .checkpoint import AGAIN, placed
from .grounding_dino import GroundingDino
from .pickled import read_weights, tensors_of
from .weights import find_weights

SHORT, LONG = 800, 1333  # pixels of the sides that the model sees, at most
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
BERT = "google-bert/bert-base-uncased"
BERT_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
_PATCHES = "backbone.0.patch_embed.proj.weight"
_PACKAGED = {96: "GroundingDINO_SwinT_OGC.py", 128: "GroundingDINO_SwinB_cfg.py"}
_TRAINING = {"use_checkpoint": False, "use_transformer_ckpt": False}  # saves memory in training


def check_grounding_dino_original(file: Path) -> None:
    """Refuse a file that does not hold a GroundingDINO, or that lacks its tokenizer.

    Raises:
        SetupError: See above.
    """
    _weights(file, only_shapes=True)
    _bert_folder(file)


def load_grounding_dino_original(file: Path, device: str) -> GroundingDino:
    """Load the detector of a ``.pth`` file."""
    from transformers import AutoTokenizer

    from .grounding_dino_bert import build

    tensors = _weights(file)
    folder = _bert_folder(file)
    config = SimpleNamespace(**read_config(_config_file(file, tensors)), **_TRAINING)
    model = build(config, folder)
    _fill(model, tensors, file)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return GroundingDino(_Model(placed(model, device), device), _Processor(tokenizer))


def read_config(file: Path) -> dict[str, Any]:
    """Read a config in Python's notation, of which nothing is run: names and plain values only.

    Raises:
        SetupError: It cannot be read, or holds more than that.
    """
    config: dict[str, Any] = {}
    try:
        for line in steadily(lambda: ast.parse(file.read_text())).body:
            if not isinstance(line, ast.Assign) or not isinstance(line.targets[0], ast.Name):
                raise ValueError(f"line {line.lineno} is no 'name = value'")
            config[line.targets[0].id] = ast.literal_eval(line.value)
    except (OSError, SyntaxError, ValueError) as error:
        raise SetupError(
            f"{file} cannot be read as the config of a GroundingDINO: {error}. Take the one that "
            "was published with the weights."
        ) from error
    return {name: value for name, value in config.items() if name not in _TRAINING}


def _weights(file: Path, *, only_shapes: bool = False) -> dict[str, Any]:
    """Return the tensors of a GroundingDINO by their names, or refuse those of another model."""
    found = tensors_of(file, read_weights(file, only_shapes=only_shapes))
    tensors = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    if not {_PATCHES, "feat_map.weight", "bert.embeddings.word_embeddings.weight"} <= set(tensors):
        raise SetupError(
            f"{file} holds weights of another model than the original GroundingDINO "
            "(groundingdino_swint_ogc.pth or groundingdino_swinb_cogcoor.pth). Name one of these."
        )
    return tensors


def _fill(model: Any, tensors: dict[str, Any], file: Path) -> None:
    """Put weights into a model; surplus ones are left out, since published files hold some."""
    try:
        lack = model.load_state_dict(tensors, strict=False).missing_keys
    except RuntimeError as error:
        told = " ".join(str(error).split())[:200]
        raise SetupError(
            f"The weights in {file} do not fit their config: {told}. {AGAIN}"
        ) from error
    if lack:
        shown = ", ".join(lack[:3]) + (" …" if len(lack) > 3 else "")
        raise SetupError(f"The weights in {file} lack {len(lack)} parts: {shown}. {AGAIN}")


def _config_file(file: Path, tensors: dict[str, Any]) -> Path:
    """Return the config beside the weights that has their name or its beginning.

    Published are groundingdino_swint_ogc.pth with GroundingDINO_SwinT_OGC.cfg.py, and so on; where
    there is none, the same comes with groundingdino-py.
    """
    names = {path: path.name.split(".")[0].lower() for path in file.parent.glob("*.py")}
    fitting = [path for path, name in names.items() if file.stem.lower().startswith(name)]
    if fitting:
        return max(fitting, key=lambda path: len(names[path]))
    import groundingdino

    if (width := len(tensors[_PATCHES])) not in _PACKAGED:
        raise SetupError(f"{file} needs its config beside it, {file.stem}.cfg.py.")
    return Path(groundingdino.__file__).parent / "config" / _PACKAGED[width]


def _bert_folder(file: Path) -> Path:
    beside = file.parent / "bert-base-uncased"
    folder = beside if beside.is_dir() else find_weights(BERT)
    wanted = ("config.json", "vocab.txt")
    if folder is None or not all((folder / name).is_file() for name in wanted):
        raise SetupError(
            f"{' and '.join(wanted)} of {BERT} are missing. Pull the weights, or put the two into "
            f"{beside}."
        )
    return folder


class _Processor:
    """Makes of a picture and a caption what the original model takes."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def __call__(self, images: list[Any], text: list[str], **options: Any) -> Any:
        """Return the one picture as ``samples`` (1, 3, height, width), and its caption."""
        from groundingdino.datasets import transforms
        from transformers import BatchFeature

        steps = [
            transforms.RandomResize([SHORT], max_size=LONG),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, SPREAD),
        ]
        pixels, _ = transforms.Compose(steps)(images[0], None)
        return BatchFeature({"samples": pixels[None], "captions": text})


class _Model:
    """Answers as the GroundingDINO of transformers does."""

    def __init__(self, model: Any, device: str) -> None:
        self._model = model
        self.device = device
        self.config = SimpleNamespace(max_text_len=model.max_text_len)

    def __call__(self, samples: Any, captions: list[str]) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # it names things as PyTorch once did
            output = self._model(samples, captions=captions)
        return SimpleNamespace(logits=output["pred_logits"], pred_boxes=output["pred_boxes"])
