"""Make the bundled planner from its seed: data, tokenizer, training.

    make nano            # or: python -m llava_plus.data_gen.nano --recipe recipes/nano.yaml

Every step writes into ``runs/nano`` and is skipped when it is there, so a killed run goes on.
"""

import argparse
import logging
import random
import re
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Event
from zlib import crc32

from llava_plus.agent import PlanView
from llava_plus.agent.dialects import json as dialect
from llava_plus.errors import LlavaPlusError
from llava_plus.messages import Message
from llava_plus.skills import SkillRegistry
from llava_plus.skills.builtin.planned import PLANNED

from .continued import continued
from .grammar import Grammar
from .invented import added_requests
from .nouns import COMMON, Nouns
from .pictures import Picture, drawn_pictures, photographs, sign_picture
from .refill import named, refilled
from .requests import LABEL, SELECTED, Heldout, Request, apart, copied_labels, hand_requests
from .traces import make_trace, offline_skills

LOG = logging.getLogger(__name__)
EVALUATION = Path(__file__).parents[1] / "evals" / "requests.jsonl"
BOILERPLATE = (
    '{"thought":"', '","actions":[{"skill":"', '","args":{"image":"', '","args":{"region":"',
    '"}},{"skill":"', '"}}]}', '","answer":"', '"}', '","label":"', '","region":"', '","prompt":"',
    ',"strength":', ',"degrees":', ',"brightness":', ',"contrast":', ',"saturation":',
    ',"sharpness":', ',"grayscale":true', ',"outside":true', ',"invert":true', ',"margin":',
    '","by":"', ',"nth":', ',"count":', '","flip":"horizontal', '","flip":"vertical',
    ',"region":"', '","strength":', '","degrees":', '","brightness":', '","contrast":',
    '","saturation":', '","sharpness":', '","grayscale":true', '","outside":true',
    '","invert":true', '","margin":', '","nth":', '","count":', '","region":[', '}}]}',
    '}},{"skill":"', ',"label":"', ',"by":"',
    *(f"{kind}_{n}" for kind in ("img", "boxes", "masks", "lines", "points", "table")
      for n in range(1, 7)),
)  # fmt: skip

GRAMMAR, ADDED = "grammar", "added"  # folders of what no hand wrote
GRAMMAR_PARTS = 8
SLOW_CALLS = {"segment(": 8, "ocr(": 8, "erase(": 4}


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much of what the data holds; the recipe's ``data``."""

    refills: int = 8  # copies of a hand's conversation that names a thing, about other things
    repeats: int = 4  # copies of the others, typed differently
    grammar: int = 6000
    grammar_copies: int = 3
    added: int = 6  # copies of each request for an invented skill
    drawn: int = 24
    processes: int = 2
    seed: int = 0


def make_nouns(requests: Iterable[Request], heldout: Heldout) -> Nouns:
    """The list that ships and what the requests name, without the evaluation's nouns."""
    spoken = {label for request in requests for label in request.labels if len(label.split()) < 4}
    return Nouns.bundled(more=spoken, without=heldout.nouns)


def make_parts(sizes: Sizes) -> dict[str, list[Request]]:
    """The training requests, apart from what the evaluation asks, in parts that stand alone.

    A part is what one hand wrote, or a share of the grammar's requests; the same wish is always in
    the same share. No part depends on another, so a hand that is added changes no other part.
    """
    heldout = Heldout.read(EVALUATION)
    grammar = Grammar.bundled(make_nouns([], heldout)).requests(sizes.grammar, seed=sizes.seed + 1)
    parts: dict[str, list[Request]] = {}
    for request in apart(hand_requests(), heldout):
        hand = request.origin.partition(":")[0]
        parts.setdefault(hand, []).append(copied_labels(request))
    for requests in parts.values():
        requests += list(continued(requests, offline_skills(), seed=sizes.seed))
    for request in apart(grammar, heldout):
        share = f"{GRAMMAR}_{crc32(request.origin.encode()) % GRAMMAR_PARTS}"
        parts.setdefault(share, []).append(copied_labels(request))
    return parts


class Wordings:
    """How people word a plan: to give the earlier turns of a follow-up their words."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self.by_shape: dict[str, list[tuple[str, str]]] = {}
        for request in requests:
            if request.context == "1" and len(request.labels) <= 1:
                label = request.labels[0] if request.labels else ""
                if label in request.text:
                    self.by_shape.setdefault(_shape(request.plan), []).append((request.text, label))

    def draw(self, plan: str, rng: random.Random) -> str:
        """Words that ask for the plan."""
        known = self.by_shape.get(_shape(plan))
        found = LABEL.search(plan)
        if not known:
            return f"{plan.partition('(')[0].replace('_', ' ')} {found[2] if found else 'it'}"
        text, label = rng.choice(known)
        return text.replace(label, found[2]) if label and found else text


def make_conversations(
    requests: Iterable[Request | tuple[Request, SkillRegistry]],
    pictures: list[Picture],
    wordings: Wordings,
    *,
    seed: int,
) -> Iterator[list[Message]]:
    """Follow each request's plan on a picture that suits it; what cannot be followed is left out.

    Args:
        requests: What is asked, some of it with skills that a person added.
        pictures: What it may be asked about.
        wordings: Words for the earlier turns of follow-ups.
        seed: Chooses pictures.
    """
    for index, given in enumerate(requests):
        request, added = given if isinstance(given, tuple) else (given, None)
        rng = random.Random(f"{seed}:{index}:{request.text}")
        # Wordings of one wish share a few pictures, so that what is slow is worked out once.
        first, *more = _suiting(
            request, pictures, random.Random(f"{seed}:{request.origin}:{rng.randrange(2)}")
        )
        if "ocr(" in request.context + request.plan and (said := SELECTED.search(request.plan)):
            first = sign_picture(said[1], seed=seed)
        earlier = [wordings.draw(plan, rng) for plan in request.context.split(" > ")[1:]]
        try:
            trace = make_trace(
                request, first, more=more, earlier=earlier, named=rng.random() < 0.85,
                added=added, seed=seed,
            )  # fmt: skip
        except LlavaPlusError as error:
            LOG.warning("left out %r: %s", request.text, error)
            continue
        if any(
            "No handle" in o.text
            for t in trace.turns
            for step in t.steps
            for o in step.observations
        ):
            continue  # an earlier turn found nothing to go on with
        skills = offline_skills() if added is None else offline_skills().merge(added)
        view = PlanView(turns=trace.turns, artifacts=trace.artifacts, skills=skills, cancel=Event())
        yield dialect.render(view, known=offline_skills())


def write_data(folder: Path, sizes: Sizes, *, image_size: int) -> None:
    """Make all conversations, in several processes, and write a folder for each part."""
    parts = make_parts(sizes)
    grammar = [r for name in sorted(parts) if name.startswith(GRAMMAR) for r in parts[name]]
    LOG.info("%d requests in %d parts", sum(map(len, parts.values())), len(parts))
    with ProcessPoolExecutor(sizes.processes, mp_context=get_context("spawn")) as pool:
        work = partial(_write, folder, grammar, sizes, image_size)
        largest_first = sorted(parts, key=lambda name: -len(parts[name]))
        jobs = [pool.submit(work, name, parts[name]) for name in largest_first]
        if sizes.added:
            jobs.append(pool.submit(work, ADDED, None))
        for job in jobs:
            job.result()


def _write(
    folder: Path, grammar: list[Request], sizes: Sizes, image_size: int, name: str,
    requests: list[Request] | None,
) -> None:  # fmt: skip
    """Write a part, or the conversations in which a person added skills."""
    from llava_plus.model.dataset import PIXELS, ConversationWriter

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("llava_plus.skills").setLevel(logging.CRITICAL)
    if (folder / name / PIXELS).exists():
        return
    pictures = [*photographs(), *drawn_pictures(sizes.drawn, seed=sizes.seed)]
    writer = ConversationWriter(folder / name, image_size=image_size)
    rng = random.Random(f"{sizes.seed}:{name}")
    if requests is None:
        builtin = [r for r in grammar if "erase(" not in r.plan and r.context == "1"]
        wishes = list(added_requests(builtin, copies=sizes.added, seed=sizes.seed))
        rng.shuffle(wishes)
        for talk in make_conversations(wishes, pictures, Wordings(builtin), seed=sizes.seed):
            writer.add(talk)
    else:
        nouns = make_nouns(requests, Heldout.read(EVALUATION))
        wordings = Wordings([*grammar, *requests])
        for talk in make_conversations(requests, pictures, wordings, seed=sizes.seed):
            writer.add(talk)
            copies = sizes.refills if named(talk) else sizes.repeats
            for _ in range(sizes.grammar_copies if name.startswith(GRAMMAR) else copies):
                writer.add(refilled(talk, nouns, rng))
    writer.close()
    LOG.info("%s is written", name)


def _suiting(request: Request, pictures: list[Picture], rng: random.Random) -> list[Picture]:
    """Three pictures; mostly ones that hold what the plan looks for."""
    plan = request.context + request.plan
    needs = {label for label in COMMON if f'"{label}"' in plan}
    needs |= {"text"} if "ocr(" in plan else set()
    needs |= {"code"} if "read_codes(" in plan else set()
    suiting = [p for p in pictures if needs <= p.holds]
    if not suiting or rng.random() < 0.12:
        suiting = pictures
    for call, most in SLOW_CALLS.items():  # few pictures, so that results are met again
        if call in plan:
            suiting = suiting[:most]
    return [rng.choice(suiting) for _ in range(3)]


def _shape(plan: str) -> str:
    return re.sub(r'\(img_1, "[^"]+"\)', '(img_1, "{x}")', plan.strip())


def make_tokenizer(folders: list[Path], out: Path, *, vocab_size: int) -> None:
    """Learn the vocabulary from the conversations; save the processor, which names their skills."""
    from llava_plus.model.dataset import read_conversations
    from llava_plus.model.processing import LMMProcessor
    from llava_plus.model.tokenizer import train_tokenizer

    texts = (m.text for folder in folders for c in read_conversations(folder) for m in c)
    tokenizer = train_tokenizer(texts, vocab_size=vocab_size, boilerplate=BOILERPLATE)
    LMMProcessor(tokenizer, skills=PLANNED).save_pretrained(out)


def main() -> None:
    """Make data, tokenizer and model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/nano.yaml"))
    parser.add_argument("--out", type=Path, default=Path("runs/nano"))
    parser.add_argument("--install", action="store_true", help="copy the model into the package")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from llava_plus.model.dataset import PIXELS
    from llava_plus.model.training import Recipe, train

    recipe = Recipe.read(options.recipe)
    settings = dict(recipe.data)
    vocab_size = int(settings.pop("vocab_size", 4096))
    sizes = Sizes(**settings)
    data = options.out / "data"
    write_data(data, sizes, image_size=64)
    folders = [path.parent for path in sorted(data.glob(f"*/{PIXELS}"))]
    processor = options.out / "processor"
    if not (processor / "processor.json").exists():
        make_tokenizer(folders, processor, vocab_size=vocab_size)
    train(recipe, folders, processor, options.out)
    if options.install:
        install(options.out / "model")


def install(model: Path) -> None:
    """Copy a trained model into the package, in half precision."""
    from llava_plus.model.lmm import LMM

    target = Path(__file__).parents[1] / "model" / "weights" / "nano"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(model, target)
    LMM.from_pretrained(model).bfloat16().save_pretrained(target)
    LOG.info("installed into %s", target)


if __name__ == "__main__":
    main()
