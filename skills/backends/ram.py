"""Tags by RAM (Zhang et al. 2023, arXiv 2306.03514), from the one file that its authors published.

Wanted are ``ram_swin_large_14m.pth`` and, beside it or in the package ``ram`` of its authors where
that is installed, the two lists that belong to it: its words, and how sure of each it must be. The
package itself is not imported: it does not work with today's transformers.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Image, Tags

from .checkpoint import AGAIN, placed
from .finds import Floats, check_picture
from .matching import MOST, PICTURES, Tagger, best_tags, wanted_words
from .pickled import read_weights, tensors_of
from .wording import pillow

if TYPE_CHECKING:
    from .ram_network import Sizes

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
WORDS, SURE = "ram_tag_list.txt", "ram_tag_list_threshold.txt"
LIE = (
    "lie in ram/data of its authors' repository xinyu1205/recognize-anything on GitHub, which can "
    "also be installed without what it asks for (pip install --no-deps)"
)
_EYE = "visual_encoder."
_HEAD = "tagging_head.encoder.layer."
_OTHERS = {"reweight_scale": "RAM++", "label_embed.weight": "Tag2Text"}  # told by one weight


def check_ram(file: Path) -> None:
    """Refuse a file that does not hold a RAM, or that lacks the lists that belong to it.

    Raises:
        SetupError: See above.
    """
    tensors = _tensors(file, only_shapes=True)
    _lists(file, sizes_of(file, tensors).words)


def load_ram(file: Path, device: str) -> RamTagger:
    """Load the model of a ``.pth`` file; its sizes are read off it."""
    from .ram_network import Ram

    tensors = _tensors(file)
    sizes = sizes_of(file, tensors)
    words, sure = _lists(file, sizes.words)
    model = Ram(sizes)
    wanted = model.state_dict()
    try:
        lack = model.load_state_dict(
            {name: tensor for name, tensor in tensors.items() if name in wanted}, strict=False
        ).missing_keys
    except RuntimeError as error:
        told = " ".join(str(error).split())[:200]
        raise SetupError(f"The weights in {file} are no whole RAM: {told}. {AGAIN}") from error
    if lack:
        shown = ", ".join(lack[:3]) + (" …" if len(lack) > 3 else "")
        raise SetupError(f"The weights in {file} lack {len(lack)} parts: {shown}. {AGAIN}")
    at_once = 1 if device == "cpu" else PICTURES
    return RamTagger(placed(model, device), words, sure, side=sizes.side, at_once=at_once)


class RamTagger(Tagger):
    """Says which of its words fit a picture.

    Some of its words that are named come back whether they fit or not; if none are, all that fit,
    each judged by its own threshold.

    Args:
        model: The network.
        words: Its words.
        sure: How sure of each it must be, in 0..1: (word,).
        side: Pixels of the square picture that it sees.
        at_once: How many calls it may do together; a processor gains nothing from several.
    """

    def __init__(
        self, model: Any, words: tuple[str, ...], sure: Floats, *, side: int, at_once: int = 1
    ) -> None:
        self.at_once = at_once
        self._model = model
        self._words = words
        self._sure = sure
        self._side = side
        self._numbers = {word.lower(): number for number, word in enumerate(words)}

    def together(self, calls: Sequence[Mapping[str, Any]]) -> list[Tags]:
        """Do several calls at once: the model looks at all pictures in one go."""
        for call in calls:
            check_picture("tag", call["image"])
        lists = [call.get("words") for call in calls]
        named = [
            None if words is None else [self._number(word) for word in wanted_words(words)]
            for words in lists
        ]
        seen = self.scores([call["image"] for call in calls])
        return [
            self._tags(scores, numbers, call.get("most", MOST))
            for scores, numbers, call in zip(seen, named, calls, strict=True)
        ]

    def scores(self, images: Sequence[Image]) -> Floats:
        """Return how sure it is of each of its words, in 0..1: (picture, word)."""
        import torch

        tensor = torch.from_numpy(np.stack([self._pixels(image) for image in images]))
        with torch.inference_mode():
            logits = self._model(tensor.to(next(self._model.parameters()).device))
        scores: Floats = logits.float().sigmoid().cpu().numpy()
        return scores

    def _pixels(self, image: Image) -> Floats:
        """Return a picture as it is seen: (3, side, side)."""
        from PIL import Image as Pillow

        square = (self._side, self._side)
        small = pillow(image).resize(square, Pillow.Resampling.BILINEAR)
        pixels = (np.asarray(small, np.float32) / 255 - MEAN) / SPREAD  # (side, side, 3)
        return pixels.astype(np.float32).transpose(2, 0, 1)

    def _tags(self, scores: Floats, named: Sequence[int] | None, most: int) -> Tags:
        numbers = np.flatnonzero(scores > self._sure) if named is None else np.array(named)
        return best_tags(scores[numbers], [self._words[number] for number in numbers], most)

    def _number(self, word: str) -> int:
        if (number := self._numbers.get(word)) is not None:
            return number
        near = difflib.get_close_matches(word, self._numbers, n=3)
        told = f" The nearest are {', '.join(near)}." if near else ""
        raise SkillError(
            f"tag: ram knows {len(self._words)} words, and {word!r} is none of them.{told} Leave "
            "words out, or choose a backend that reads any word, such as siglip."
        )


def sizes_of(file: Path, tensors: Mapping[str, Any]) -> Sizes:
    """Read the sizes of a RAM off its weights.

    Raises:
        SetupError: The weights are of another model.
    """
    from .ram_network import Sizes

    other = next((name for key, name in _OTHERS.items() if key in tensors), "")
    if other:
        raise _wrong(file, other)
    try:
        stages = range(_count(tensors, f"{_EYE}layers."))
        tables = [
            tensors[f"{_EYE}layers.{n}.blocks.0.attn.relative_position_bias_table"].shape
            for n in stages
        ]
        inner, hidden = tensors[f"{_HEAD}0.intermediate.dense.weight"].shape
        words, width = tensors["label_embed"].shape
        return Sizes(
            channels=len(tensors[f"{_EYE}patch_embed.proj.weight"]),
            depths=tuple(_count(tensors, f"{_EYE}layers.{n}.blocks.") for n in stages),
            heads=tuple(heads for _, heads in tables),
            window=(round(tables[0][0] ** 0.5) + 1) // 2,
            width=width,
            hidden=hidden,
            inner=inner,
            layers=_count(tensors, _HEAD),
            words=words,
        )
    except (KeyError, IndexError, ValueError) as error:
        raise _wrong(file, "another model") from error


def _wrong(file: Path, other: str) -> SetupError:
    return SetupError(
        f"{file} holds weights of {other}; wanted is RAM, ram_swin_large_14m.pth. Name that."
    )


def _tensors(file: Path, *, only_shapes: bool = False) -> dict[str, Any]:
    """Return the tensors by the names that RAM has for them; some files call its head otherwise."""
    found = tensors_of(file, read_weights(file, only_shapes=only_shapes))
    return {name.replace("vision_multi", "tagging_head"): part for name, part in found.items()}


def _count(tensors: Mapping[str, Any], start: str) -> int:
    """Count the parts whose weights' names begin so."""
    return len({key[len(start) :].split(".")[0] for key in tensors if key.startswith(start)})


def _lists(file: Path, count: int) -> tuple[tuple[str, ...], Floats]:
    """Return the words of a RAM and how sure of each it must be: (word,).

    Raises:
        SetupError: A list is missing, damaged or of another model.
    """
    folder = next((each for each in (file.parent, *_packaged()) if (each / WORDS).is_file()), None)
    if folder is None or not (folder / SURE).is_file():
        missing = WORDS if folder is None else SURE
        raise SetupError(
            f"{missing} is missing, which belongs to {file.name}. Put {WORDS} and {SURE} into "
            f"{file.parent}: they {LIE}."
        )
    try:
        words = tuple((folder / WORDS).read_text(encoding="utf-8").splitlines())
        sure = [float(line) for line in (folder / SURE).read_text(encoding="utf-8").split()]
    except (OSError, ValueError) as error:
        raise SetupError(f"The lists of words in {folder} cannot be read: {error}.") from error
    if not len(words) == len(sure) == count:
        raise SetupError(
            f"{file.name} has {count} words, but {WORDS} in {folder} has {len(words)} and {SURE} "
            f"{len(sure)}. Take the lists that belong to it."
        )
    return words, np.array(sure, np.float32)


def wants_lists() -> str:
    """Say that the lists have to be brought, where the authors' package does not hold them."""
    if any((each / WORDS).is_file() and (each / SURE).is_file() for each in _packaged()):
        return ""
    return f"Besides, it needs {WORDS} and {SURE}, which cannot be pulled: they {LIE}."


def _packaged() -> tuple[Path, ...]:
    """Return where the authors' package keeps its lists, if it is installed; it is not imported."""
    spec = find_spec("ram")
    places = spec.submodule_search_locations if spec else None
    return tuple(Path(place) / "data" for place in places or ())
