"""Published layouts, a question or two of each, as questions that can be evaluated."""

import base64
import io
import json
import os

import pytest
from PIL import Image as Pillow

from llava_plus.errors import SetupError
from llava_plus.evals.tasks import find_task, read_questions
from llava_plus.evals.tasks.convert import convert, main
from llava_plus.evals.tasks.evaluation import prepare

PEOPLE = [{"answer": "red", "answer_id": n} for n in range(10)]


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.new("RGB", (8, 8), "red").save(path)


def dump(path, content):
    path.write_text(json.dumps(content))
    return path


def vqav2(folder):
    picture(folder / "COCO_val2014_000000000042.jpg")
    question = {"question_id": 42000, "image_id": 42, "question": "What color?"}
    return [
        dump(folder / "q.json", {"questions": [question]}),
        dump(folder / "a.json", {"annotations": [{"question_id": 42000, "answers": PEOPLE}]}),
    ]


def textvqa(folder):
    picture(folder / "ab.jpg")
    row = {"question_id": 3, "image_id": "ab", "question": "Which word?", "answers": ["a"] * 10}
    return [
        dump(folder / "t.json", {"data": [row]}),
        dump(folder / "o.json", {"data": [{"image_id": "ab", "ocr_tokens": ["STOP", "4"]}]}),
    ]


def pope(folder):
    picture(folder / "COCO_1.jpg")
    files = []
    for name in ("random", "popular"):
        row = {"question_id": 1, "image": "COCO_1.jpg", "text": "Is there a dog?", "label": "no"}
        files.append(folder / f"coco_pope_{name}.json")
        files[-1].write_text(json.dumps(row) + "\n")
    return files


def mme(folder):
    picture(folder / "existence" / "1.jpg")
    picture(folder / "posters" / "images" / "2.png")
    texts = folder / "posters" / "questions_answers_YN"
    texts.mkdir()
    for file in (folder / "existence" / "1.txt", texts / "2.txt"):
        file.write_text("Is it red? Please answer yes or no.\tYes\nIs it blue?\tNo\n")
    return [folder]


def mmbench(folder):
    file = io.BytesIO()
    Pillow.new("RGB", (8, 8), "red").save(file, "JPEG")
    pixels = base64.b64encode(file.getvalue()).decode()
    rows = [
        ["index", "question", "hint", "A", "B", "C", "D", "answer", "category", "image"],
        ["7", 'Which "one"?', "nan", "cat", "dog", "", "", "A", "pets", pixels],
        ["1000007", "Which one?", "Look.", "dog", "cat", "", "", "B", "pets", "7"],
    ]
    table = folder / "mmbench.tsv"
    table.write_text("".join("\t".join(row) + "\n" for row in rows))
    return [table]


def seed(folder):
    picture(folder / "1_2.png")
    (folder / "1_2.png").rename(folder / "1_2")
    row = {"question_id": "9_1", "data_id": "1_2", "data_type": "image", "question": "Which?"}
    row |= {f"choice_{letter}": f"the {letter}" for letter in "abcd"} | {"answer": "C"}
    video = {**row, "question_id": "9_2", "data_type": "video", "data_id": "v.mp4"}
    return [dump(folder / "SEED-Bench.json", {"questions": [row, video]})]


def scienceqa(folder):
    picture(folder / "test" / "5" / "image.png")
    problem = {"question": "Which?", "choices": ["x", "y"], "answer": 1, "hint": "", "image": None}
    problems = {"5": {**problem, "image": "image.png", "hint": "Look."}, "6": problem, "7": {}}
    return [
        dump(folder / "problems.json", problems),
        dump(folder / "pid_splits.json", {"train": ["7"], "test": ["5", "6"]}),
    ]


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def vizwiz(folder):
    picture(folder / "VizWiz_val_00000000.jpg")
    row = {"image": "VizWiz_val_00000000.jpg", "question": "What is this?", "answers": PEOPLE}
    row["answers"] = [{**one, "answer_confidence": "yes"} for one in PEOPLE]
    return [dump(folder / "val.json", [row | {"answer_type": "other", "answerable": 1}])]


def gqa(folder):
    picture(folder / "n161313.jpg")
    row = {"imageId": "n161313", "question": "Is it overcast?", "answer": "no", "isBalanced": True}
    return [dump(folder / "testdev_balanced_questions.json", {"201307251": row})]


def mmvet(folder):
    picture(folder / "v1_0.png")
    row = {"imagename": "v1_0.png", "question": "What is x?", "answer": "-1<AND>-5"}
    return [dump(folder / "mm-vet.json", {"v1_0": row | {"capability": ["ocr", "math"]}})]


def llava_bench(folder):
    picture(folder / "001.jpg")
    row = {"question_id": 0, "image": "001.jpg", "text": "Which volcano?", "category": "conv"}
    context = {"id": "001", "image": "001.jpg", "caption": "A crater with snow."}
    return [
        lines(folder / "questions.jsonl", row),
        lines(folder / "context.jsonl", context),
        lines(folder / "answers_gpt4.jsonl", {"question_id": 0, "text": "Fuji.", "model_id": "g"}),
    ]


def cvbench(folder):
    picture(folder / "img" / "2D" / "count" / "ade20k_10.png")
    row = {"idx": 0, "type": "2D", "task": "Count", "question": "How many organs?"}
    row |= {"choices": ["3", "2"], "answer": "(B)", "source": "ADE20K", "prompt": "How many? (A)"}
    row["filename"] = "img/2D/count/ade20k_10.png"
    return [lines(folder / "test_2d.jsonl", row)]


def mmvp(folder):
    for number in "12":
        picture(folder / f"{number}.jpg")
    table = folder / "Questions.csv"
    table.write_text(
        "lndex,Question,Options,Correct Answer\n"
        '1,"Open or closed?",(a) Open (b) Half (closed),(b)\n2,Which?,(a) Left. (b) Right.,(a)\n'
    )
    return [table]


def refcoco(folder):
    picture(folder / "COCO_train2014_000000581857.jpg")
    image = {"id": 3, "file_name": "COCO_train2014_000000581857.jpg", "caption": "left woman"}
    image |= {"width": 640, "height": 400}
    box = {"image_id": 3, "bbox": [64.0, 40.0, 320.0, 400.0], "id": 9}
    return [dump(folder / "finetune_refcoco_val.json", {"images": [image], "annotations": [box]})]


@pytest.mark.parametrize(
    ("make", "facts"),
    [
        (vqav2, [("42000", "")]),
        (textvqa, [("3", "")]),
        (pope, [("random/1", "no"), ("popular/1", "no")]),
        (
            mme,
            [
                ("existence/1/1", "yes"),
                ("existence/1/2", "no"),
                ("posters/2/1", "yes"),
                ("posters/2/2", "no"),
            ],
        ),
        (mmbench, [("7", "A"), ("1000007", "B")]),
        (seed, [("9_1", "C")]),
        (scienceqa, [("5", "B"), ("6", "B")]),
        (vizwiz, [("VizWiz_val_00000000.jpg", "")]),
        (gqa, [("201307251", "no")]),
        (mmvet, [("v1_0", "-1<AND>-5")]),
        (llava_bench, [("0", "Fuji.")]),
        (cvbench, [("0", "B")]),
        (mmvp, [("1", "B"), ("2", "A")]),
        (refcoco, [("3", "")]),
    ],
)
def test_a_published_layout_becomes_questions_of_its_task(tmp_path, make, facts):
    published = tmp_path / "published"
    published.mkdir()
    out = tmp_path / "out"
    name = make.__name__.replace("_", "-")
    assert convert(name, make(published), out) == len(facts)
    pictures = out if make is mmbench else published
    task = find_task("grounding" if make is refcoco else name)
    questions = read_questions(task, out / "questions.jsonl", pictures)
    assert [(one.id, one.answer) for one in questions] == facts
    if make is textvqa:
        assert questions[0].ocr == ("STOP", "4")
    if make is mmbench:
        assert [one.hint for one in questions] == ["", "Look."]
        assert questions[1].options == ("dog", "cat")
        assert Pillow.open(out / questions[1].image).size == (8, 8)
    if make is mmvp:
        assert [one.options for one in questions] == [
            ("Open", "Half (closed)"),
            ("Left.", "Right."),
        ]
    if make is refcoco:
        assert questions[0].box == (0.1, 0.1, 0.6, 1.0)  # the part outside is cut off
    if make is llava_bench:
        assert questions[0].context == "A crater with snow."
    if make is scienceqa:
        assert [bool(one.image) for one in questions] == [True, False]


def test_what_is_not_as_published_is_named_by_file_and_entry(tmp_path):
    questions, annotations = vqav2(tmp_path)
    dump(annotations, {"annotations": [{"question_id": 42000}]})
    with pytest.raises(SetupError, match=r"a.json: entry 1 is not as published \(KeyError"):
        convert("vqav2", [questions, annotations], tmp_path / "out")
    with pytest.raises(SetupError, match="wanted 2 paths, got 1"):
        convert("vqav2", [questions], tmp_path / "out")
    table = tmp_path / "Questions.csv"
    table.write_text("lndex,Question,Options,Correct Answer\n1,Open?,yes or no,(a)\n")
    with pytest.raises(SetupError, match=r"Questions.csv: entry 2 .* options 'yes or no'"):
        convert("mmvp", [table], tmp_path / "out")
    with pytest.raises(SetupError, match="no question in"):
        convert("mme", [tmp_path], tmp_path / "out")
    assert not (tmp_path / "out" / "questions.jsonl").exists()


def test_the_command_line_says_what_it_wrote_and_writes_over_nothing(tmp_path, capsys):
    arguments = ["seed", *map(str, seed(tmp_path)), "--out", str(tmp_path / "out")]
    main(arguments)
    assert capsys.readouterr().out.startswith("1 questions in")
    with pytest.raises(SystemExit, match="is there already"):
        main(arguments)


NAMES = {  # where the files above have shorter names than the published ones
    "q.json": "v2_OpenEnded_mscoco_val2014_questions.json",
    "a.json": "v2_mscoco_val2014_annotations.json",
    "t.json": "TextVQA_0.5.1_val.json",
    "o.json": "TextVQA_Rosetta_OCR_v0.2_val.json",
}
MAKERS = (vqav2, textvqa, pope, mme, mmbench, seed, scienceqa, vizwiz, gqa, mmvet, llava_bench)
MAKERS += (cvbench, mmvp, refcoco)


def published(folder, make):
    """A folder with files as published, under their own names."""
    folder.mkdir()
    for file in make(folder):
        if file.name in NAMES:
            file.rename(folder / NAMES[file.name])
    return folder


@pytest.mark.parametrize("make", MAKERS)
def test_a_folder_of_published_files_is_evaluated_as_it_is(tmp_path, make):
    folder = published(tmp_path / "data", make)
    name = "grounding-qwen" if make is refcoco else make.__name__.replace("_", "-")
    work = prepare(name, folder)
    assert work.questions
    assert work.file.parent == folder
    written = work.file.read_bytes()
    assert prepare(name, folder).file.read_bytes() == written
    known = {path.name: path for path in folder.glob("*.json*")}
    if make is gqa:  # a file that changed is read again
        source = known["testdev_balanced_questions.json"]
        source.write_text(source.read_text().replace("overcast", "sunny"))
        later = work.file.stat().st_mtime + 5
        os.utime(source, (later, later))
        assert "sunny" in prepare(name, folder).questions[0].question
        (folder / "questions.jsonl").write_text("{}\n")  # one of ours goes first
        with pytest.raises(SetupError, match=r"questions\.jsonl: line 1"):
            prepare(name, folder)


def test_pictures_in_the_folder_that_the_benchmark_has_for_them_are_found(tmp_path):
    folder = published(tmp_path / "data", mmvp)
    (folder / "MMVP Images").mkdir()
    for picture in folder.glob("*.jpg"):
        picture.rename(folder / "MMVP Images" / picture.name)
    assert prepare("mmvp-strict", folder).pictures == folder / "MMVP Images"


def test_a_folder_without_questions_says_what_was_looked_for(tmp_path):
    with pytest.raises(SetupError, match=r"neither questions\.jsonl nor coco_pope_\*\.json in"):
        prepare("pope-cambrian", tmp_path)
    with pytest.raises(SetupError, match=r"neither questions\.jsonl nor a subtask's folder in"):
        prepare("mme", tmp_path)
    with pytest.raises(SetupError, match=r"Cannot read .*questions\.jsonl"):
        prepare("choices", tmp_path)
    for name in ("en.tsv", "cn.tsv"):
        (tmp_path / name).write_text("index\n")
    with pytest.raises(SetupError, match=r"holds 2 files \(cn\.tsv, en\.tsv\), wanted 1"):
        prepare("mmbench", tmp_path)
