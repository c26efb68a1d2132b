"""Every task by its exact name: what it asks, what is right, and which figures it ends with."""

from dataclasses import replace
from difflib import get_close_matches

from llava_plus.errors import SetupError

from . import boxes, judged, rules, summaries
from .task import Judge, Task

YES_NO = ("yes", "no")
OPTIONS = ("image", "answer", "options")


def find_task(name: str) -> Task:
    """Return the task of a name."""
    if name in TASKS:
        return TASKS[name]
    near = get_close_matches(name, TASKS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SetupError(f"No task {name!r}.{hint} Known: {', '.join(TASKS)}.")


VQAV2 = Task(
    name="vqav2",
    about="VQA accuracy, official: nothing is normalized where all ten people agree",
    prompt=rules.ask_short,
    mark=rules.mark_official,
    sum_up=summaries.soft_accuracy,
    needs=("image", "answers"),
)
SCIENCEQA = Task(
    name="scienceqa",
    about="LLaVA's letter rules; IMG-Acc on questions with a picture",
    prompt=rules.ask_letter,
    mark=rules.mark_science,
    sum_up=summaries.science_accuracy,
    needs=("answer", "options"),
)
POPE = Task(
    name="pope",
    about="yes unless the first sentence holds No, no or not; F1 of yes, mean of three sets",
    prompt=rules.ask_short,
    mark=rules.mark_pope,
    sum_up=summaries.pope_figures,
    needs=("image", "answer", "category"),
    answers=YES_NO,
    categories=summaries.POPE,
)
MMBENCH = Task(
    name="mmbench",
    about="right in all rotations; option letter, then option text",
    prompt=rules.ask_letter,
    mark=rules.mark_mmbench,
    sum_up=summaries.mmbench_figures,
    needs=OPTIONS,
    group=summaries.rotation_group,
    numbered=True,
)
SEED = Task(
    name="seed",
    about="the answer is the letter and nothing else (LLaVA)",
    prompt=rules.ask_letter,
    mark=rules.mark_equal,
    sum_up=summaries.accuracy,
    needs=OPTIONS,
    categories=("image", "video"),
)
CVBENCH = Task(
    name="cvbench",
    about="Cambrian's fuzzy matcher; half of (ADE20K + COCO) / 2 + Omni3D",
    prompt=rules.ask_letter,
    mark=rules.mark_cambrian,
    sum_up=summaries.cvbench_figures,
    needs=(*OPTIONS, "category"),
    categories=tuple(summaries.CVBENCH),
    weights=summaries.CVBENCH,
)
MMVP = Task(
    name="mmvp",
    about="Cambrian's fuzzy matcher; both questions of a pair right",
    prompt=rules.ask_letter,
    mark=rules.mark_cambrian,
    sum_up=summaries.pair_figures,
    needs=OPTIONS,
    group=summaries.mmvp_pair,
    together=2,
    grouped="this pair",
    numbered=True,
)
CHOICES = Task(
    name="choices",
    about="any multiple choice, Cambrian's fuzzy matcher, by category",
    prompt=rules.ask_letter,
    mark=rules.mark_cambrian,
    sum_up=summaries.accuracy,
    needs=OPTIONS,
)
GROUNDING = Task(
    name="grounding",
    about="P@1 at IoU 0.5, boxes as [x0, y0, x1, y1] in 0..1",
    prompt=rules.ask_as_it_stands,
    mark=rules.mark_boxed(boxes.plain),
    sum_up=summaries.accuracy,
    needs=("image", "box"),
)
ALL = (
    VQAV2,
    replace(
        VQAV2,
        name="vqav2-evalai",
        about="VQA accuracy, always normalized (M4C)",
        mark=rules.mark_evalai,
    ),
    replace(
        VQAV2,
        name="textvqa",
        about="as vqav2-evalai, the prompt with OCR tokens",
        mark=rules.mark_evalai,
        prompt=rules.ask_short_with_ocr,
    ),
    replace(
        VQAV2,
        name="vizwiz",
        about="as vqav2-evalai, by type of answer, unanswerable among them",
        mark=rules.mark_evalai,
        prompt=rules.ask_short_or_unanswerable,
        needs=("image", "answers", "category"),
        categories=("yes/no", "number", "other", "unanswerable"),
    ),
    Task(
        name="gqa",
        about="equal without periods at the end and in lower case",
        prompt=rules.ask_short,
        mark=rules.mark_gqa,
        sum_up=summaries.accuracy,
    ),
    SCIENCEQA,
    POPE,
    replace(
        POPE,
        name="pope-cambrian",
        about="accuracy of the first word",
        mark=rules.mark_first_word,
        sum_up=summaries.accuracy,
    ),
    Task(
        name="mme",
        about="yes or no in the first four letters; 100 (acc + acc+) of each subtask, and sums",
        prompt=rules.ask_short,
        mark=rules.mark_mme,
        sum_up=summaries.mme_figures,
        needs=("image", "answer", "category"),
        answers=YES_NO,
        categories=(*summaries.PERCEPTION, *summaries.COGNITION),
        group=summaries.mme_picture,
        together=2,
        grouped="this picture",
    ),
    MMBENCH,
    replace(
        MMBENCH, name="mmbench-cn", about="as mmbench, asked in Chinese", prompt=rules.ask_letter_cn
    ),
    SEED,
    replace(
        SEED,
        name="seed-first",
        about="the first letter counts (lmms-eval)",
        mark=rules.mark_first_letter,
    ),
    Task(
        name="mmvet",
        about="a judge's score, mean in percent, by capability",
        prompt=rules.ask_as_it_stands,
        sum_up=summaries.mmvet_figures,
        needs=("image", "answer", "capabilities"),
        capabilities=("rec", "ocr", "know", "gen", "spat", "math"),
        tokens=1024,
        judge=Judge(
            ask=judged.ask_mmvet,
            read=rules.mmvet_score,
            failed=(0.0,),
            tokens=3,
            temperature=0.0,
            tries=5,
        ),
    ),
    Task(
        name="llava-bench",
        about="a judge's scores, mean of the model over mean of the reference",
        prompt=rules.ask_as_it_stands,
        sum_up=summaries.llava_bench_figures,
        needs=("image", "answer", "category", "context"),
        categories=("conv", "detail", "complex"),
        tokens=1024,
        judge=Judge(
            ask=judged.ask_pair,
            read=judged.pair,
            failed=judged.FAILED,
            tokens=1024,
            temperature=0.2,
            tries=1,
        ),
    ),
    CVBENCH,
    replace(
        CVBENCH,
        name="cvbench-strict",
        about="as cvbench, only clear letters count",
        mark=rules.mark_strict,
    ),
    MMVP,
    replace(
        MMVP, name="mmvp-strict", about="as mmvp, only clear letters count", mark=rules.mark_strict
    ),
    CHOICES,
    replace(
        CHOICES,
        name="choices-strict",
        about="as choices, only clear letters count",
        mark=rules.mark_strict,
    ),
    GROUNDING,
    replace(
        GROUNDING,
        name="grounding-qwen",
        about="P@1 at IoU 0.5, (x0,y0),(x1,y1) by 999",
        mark=rules.mark_boxed(boxes.qwen),
    ),
    replace(
        GROUNDING,
        name="grounding-minigpt",
        about="P@1 at IoU 0.5, {<x0><y0><x1><y1>} by 100",
        mark=rules.mark_boxed(boxes.minigpt),
    ),
    replace(
        GROUNDING,
        name="grounding-cogvlm",
        about="P@1 at IoU 0.5, [[x0,y0,x1,y1]] by 1000",
        mark=rules.mark_boxed(boxes.cogvlm),
    ),
)
TASKS: dict[str, Task] = {task.name: task for task in ALL}
