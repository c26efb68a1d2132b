"""From marks to the figures that a benchmark reports."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from llava_plus.errors import SetupError

from .figures import Figure, Values, mean, resampled, share
from .questions import Question
from .yes_no import f1

PERCEPTION = (
    *("existence", "count", "position", "color", "posters"),
    *("celebrity", "scene", "landmark", "artwork", "OCR"),
)
COGNITION = (
    "commonsense_reasoning",
    "numerical_calculation",
    "text_translation",
    "code_reasoning",
)
POPE = ("random", "popular", "adversarial")
CVBENCH = {"ADE20K": 0.25, "COCO": 0.25, "Omni3D": 0.5}  # each source's weight in the figure
ROTATION = 1_000_000  # the index of a question's k-th rotation is k times that further on


@dataclass(frozen=True, kw_only=True)
class Marked:
    """An answer's worth: a share of 1, or what a judge gave the reference and the model."""

    question: Question
    values: tuple[float, ...]
    unread: bool = False  # a judgement that could not be read

    @property
    def right(self) -> bool:
        return self.values[0] == 1


def accuracy(marked: Sequence[Marked]) -> list[Figure]:
    """The share that is right, in all and by category."""
    parts = _by_category(marked)
    return [
        _right("accuracy", marked),
        *(_right(name, part) for name, part in parts.items() if len(parts) > 1),
    ]


def soft_accuracy(marked: Sequence[Marked]) -> list[Figure]:
    """The mean of marks between 0 and 1, in all and by category."""
    parts = _by_category(marked)
    return [
        _mean("accuracy", marked),
        *(_mean(name, part) for name, part in parts.items() if len(parts) > 1),
    ]


def science_accuracy(marked: Sequence[Marked]) -> list[Figure]:
    """ScienceQA's accuracy, and that of the questions with a picture."""
    seen = [one for one in marked if one.question.image]
    return [_right("accuracy", marked), *([_right("IMG-Acc", seen)] if seen else [])]


def pope_figures(marked: Sequence[Marked]) -> list[Figure]:
    """The mean of the sets' F1, then F1, accuracy and the share of yes of each."""
    sets = _by_category(marked)
    counts = {name: [_confusion(one) for one in part] for name, part in sets.items()}
    note = "" if len(sets) == len(POPE) else f"{len(sets)} of {len(POPE)} sets"

    def mean_f1(means: Sequence[Values]) -> float:
        return 100 * sum(map(f1, means)) / len(means)

    figures = [resampled("mean F1", list(counts.values()), mean_f1, note=note)]
    for name, part in sets.items():
        said_yes = sum((one.question.answer == "yes") == one.right for one in part)
        figures += [
            resampled(f"{name}, F1", [counts[name]], mean_f1),
            _right(f"{name}, accuracy", part),
            share(f"{name}, answered yes", said_yes, len(part)),
        ]
    return figures


def mme_figures(marked: Sequence[Marked]) -> list[Figure]:
    """The sums over perception and cognition, then 100 (acc + acc+) of each subtask."""
    found = _by_category(marked)
    strata = {name: [_acc_and_plus(pair) for pair in _pairs(part)] for name, part in found.items()}

    def points(means: Sequence[Values]) -> float:
        return 100 * float(sum(part.sum() for part in means))

    figures = []
    for title, names in (("perception", PERCEPTION), ("cognition", COGNITION)):
        there = [name for name in names if name in strata]
        note = "" if len(there) == len(names) else f"{len(there)} of {len(names)} subtasks"
        if there:
            chosen = [strata[name] for name in there]
            figures.append(resampled(title, chosen, points, unit="points", note=note))
    return figures + [
        resampled(name, [strata[name]], points, unit="points")
        for name in (*PERCEPTION, *COGNITION)
        if name in strata
    ]


def mmbench_figures(marked: Sequence[Marked]) -> list[Figure]:
    """CircularEval: right in all rotations; then by category, and without the rotations."""
    groups = _groups(marked, lambda one: rotation_group(one.question))
    turned = any(len(group) > 1 for group in groups)
    note = "" if turned else "the file has no rotations: plain accuracy"
    wholes = [(group[0].question.category, all(one.right for one in group)) for group in groups]
    figures = [share("circular accuracy", sum(right for _, right in wholes), len(groups), note)]
    for category in dict.fromkeys(category for category, _ in wholes):
        part = [right for name, right in wholes if name == category]
        if category:
            figures.append(share(category, sum(part), len(part)))
    first = [one for one in marked if int(one.question.id) < ROTATION]
    return [*figures, _right("accuracy without rotations", first)] if turned and first else figures


def pair_figures(marked: Sequence[Marked]) -> list[Figure]:
    """MMVP: both questions of a pair right; then the single questions."""
    pairs = _groups(marked, lambda one: mmvp_pair(one.question))
    both = sum(all(one.right for one in pair) for pair in pairs)
    return [share("pairs right", both, len(pairs)), _right("questions right", marked)]


def cvbench_figures(marked: Sequence[Marked]) -> list[Figure]:
    """Half of (ADE20K + COCO) / 2 + Omni3D; then each source."""
    sources = _by_category(marked)
    singles = [_right(name, part) for name, part in sources.items()]
    if set(sources) != set(CVBENCH):
        return singles
    values = {name: [one.values for one in part] for name, part in sources.items()}
    return [_weighted("CV-Bench", values, CVBENCH), *singles]


def mmvet_figures(marked: Sequence[Marked]) -> list[Figure]:
    """The mean score in percent, then that of each capability's questions."""
    names = dict.fromkeys(name for one in marked for name in one.question.capabilities)
    unread = sum(one.unread for one in marked)
    note = f"{unread} judgements could not be read and count 0" if unread else ""
    parts = {name: [one for one in marked if name in one.question.capabilities] for name in names}
    return [_mean("score", marked, note), *(_mean(name, part) for name, part in parts.items())]


def llava_bench_figures(marked: Sequence[Marked]) -> list[Figure]:
    """100 times the mean of the model's scores over the mean of the reference's."""
    parts = _by_category(marked)
    return [
        _relative("relative score", marked),
        *(_relative(name, part) for name, part in parts.items() if len(parts) > 1),
    ]


def difference(
    marked: Sequence[Marked], blind: Sequence[Marked], weights: Mapping[str, float]
) -> Figure:
    """How much better the answers with pictures are, question by question, in percent points.

    Args:
        marked: With pictures.
        blind: The same questions in the same order, answered without pictures.
        weights: Of the categories, where they are not weighed by their size.
    """
    pairs = zip(marked, blind, strict=True)
    gains = [(one.question.category, (one.values[0] - other.values[0],)) for one, other in pairs]
    name = "gained by seeing the pictures"
    if not weights or {category for category, _ in gains} != set(weights):
        weights, gains = {"": 1.0}, [("", gain) for _, gain in gains]
    parts = {key: [gain for category, gain in gains if category == key] for key in weights}
    return _weighted(name, parts, weights, unit="points")


def rotation_group(question: Question) -> str:
    """What the rotations of one MMBench question have in common."""
    return str(int(question.id) % ROTATION)


def mmvp_pair(question: Question) -> str:
    """MMVP's questions 1 and 2 are a pair, 3 and 4, and so on."""
    return str((int(question.id) + 1) // 2)


def mme_picture(question: Question) -> str:
    """The two MME questions about one picture."""
    return f"{question.category}/{question.image}"


def _weighted(
    name: str,
    parts: Mapping[str, Sequence[Sequence[float]]],
    weights: Mapping[str, float],
    unit: str = "%",
) -> Figure:
    shares = [weights[key] for key in parts]

    def figure(means: Sequence[Values]) -> float:
        pairs = zip(shares, means, strict=True)
        return 100 * float(sum(weight * part[0] for weight, part in pairs))

    return resampled(name, list(parts.values()), figure, unit=unit)


def _relative(name: str, marked: Sequence[Marked]) -> Figure:
    unread = sum(one.unread for one in marked)
    note = f"{unread} judgements could not be read and count (-1, -1)" if unread else ""

    if not sum(one.values[0] for one in marked):
        raise SetupError(f"The judge gave the reference 0 in {name}: there is no ratio to that.")

    def ratio(means: Sequence[Values]) -> float:
        reference, model = map(float, means[0])
        return 100 * model / reference if reference else float("nan")

    return resampled(name, [[one.values for one in marked]], ratio, note=note)


def _right(name: str, marked: Sequence[Marked]) -> Figure:
    return share(name, sum(one.right for one in marked), len(marked))


def _mean(name: str, marked: Sequence[Marked], note: str = "") -> Figure:
    return mean(name, [one.values[0] for one in marked], note)


def _confusion(one: Marked) -> tuple[bool, bool, bool]:
    """Whether it is a hit, a false yes, a false no."""
    yes = one.question.answer == "yes"
    return yes and one.right, not yes and not one.right, yes and not one.right


def _acc_and_plus(pair: Sequence[Marked]) -> tuple[float, float]:
    rights = [one.right for one in pair]
    return sum(rights) / len(rights), float(all(rights))


def _pairs(marked: Sequence[Marked]) -> list[list[Marked]]:
    return _groups(marked, lambda one: mme_picture(one.question))


def _by_category(marked: Sequence[Marked]) -> dict[str, list[Marked]]:
    parts = _groups(marked, lambda one: one.question.category)
    return {part[0].question.category: part for part in parts}


def _groups(marked: Iterable[Marked], key: Callable[[Marked], str]) -> list[list[Marked]]:
    found: dict[str, list[Marked]] = defaultdict(list)
    for one in marked:
        found[key(one)].append(one)
    return list(found.values())
