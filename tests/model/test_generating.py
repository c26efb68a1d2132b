"""Several conversations at once, beams and samples: each sees what stands in its own prompt."""

import pytest
import torch

from llava_plus.model import LMM, PRESETS
from llava_plus.model.generating import repeated

IMAGE, STATE, VIDEO = 5, 6, 7
SYSTEMS = [
    "llava-1.5-7b", "llava-next-mistral-7b", "llava-onevision-7b", "blip2", "minigpt-v2",
    "visualglm-6b", "flamingo", "cogvlm-17b", "qwen-vl-7b", "cambrian-8b", "cambrian-8b-plain",
    "palm-e",
]  # fmt: skip
SHOWN = [[(8, 20)], [(20, 9), (9, 9), (8, 30)]]  # the pictures of two conversations


@pytest.fixture(scope="module", params=SYSTEMS)
def asked(request):
    """A model, and what it takes of some conversations, by their numbers."""
    torch.manual_seed(0)
    config = PRESETS[f"{request.param}-tiny"](
        100, image_token_id=IMAGE, state_token_id=STATE, video_token_id=VIDEO
    )
    model = LMM(config).eval()
    model.generation_config.eos_token_id = None  # a default that means another word here
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return model, lambda numbers: inputs_of(model, numbers)


def inputs_of(model, numbers):
    layout, rows, views, states, videos = model.layout, [], [], [], []
    for number in numbers:
        torch.manual_seed(number)
        row = [8, 12 + number]
        for size in SHOWN[number]:
            alone = layout.tile_several or len(SHOWN[number]) == 1
            row += [*[IMAGE] * layout.count_tokens(size, alone=alone), 9 + number]
            count = layout.views(size, alone=alone)
            views.append([torch.randn(count, 3, tower.size, tower.size) for tower in model.towers])
        if model.states is not None:
            row += [STATE] * (number + 1)
            states.append(torch.randn(number + 1, model.states.dim))
        if layout.videos and len({tower.size for tower in model.towers}) == 1:
            row += [VIDEO] * layout.count_video_tokens(number + 1)
            videos.append(torch.randn(number + 1, 3, layout.tile, layout.tile))
        rows.append([*row, 4, 17, 18])
    width = max(map(len, rows))
    pixels = [torch.cat(side) for side in zip(*views, strict=True)]
    sizes = [size for number in numbers for size in SHOWN[number]]
    given = {
        "input_ids": torch.tensor([[0] * (width - len(row)) + row for row in rows]),
        "attention_mask": torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows]),
        "pixel_values": pixels if len(pixels) > 1 else pixels[0],
        "image_sizes": torch.tensor(sizes),
        "batch_num_images": torch.tensor([len(SHOWN[number]) for number in numbers]),
    }
    given |= {"state_values": torch.cat(states)} if states else {}
    return given | ({"pixel_values_videos": videos} if videos else {})


def written(model, given, **options):
    options = {"max_new_tokens": 3, "do_sample": False, "pad_token_id": 0, **options}
    options["suppress_tokens"] = [IMAGE, STATE, VIDEO]
    whole = model.generate(**given, **options)
    return whole[:, given["input_ids"].shape[1] :].tolist()


def test_conversations_written_at_once_with_beams_are_those_written_alone(asked):
    model, inputs = asked
    alone = [written(model, inputs([number]), num_beams=3)[0] for number in (0, 1)]
    assert written(model, inputs([0, 1]), num_beams=3) == alone


def test_logits_of_conversations_read_at_once_are_those_read_alone(asked):
    model, inputs = asked
    with torch.no_grad():
        alone = torch.stack([model(**inputs([number])).logits[0, -1] for number in (0, 1)])
        both = model(**inputs([0, 1])).logits[:, -1]
    torch.testing.assert_close(both, alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(alone[0], alone[1], atol=1e-2)


def test_rows_without_pictures_need_no_number_of_them(asked):
    model, inputs = asked
    given = inputs([0])
    alone = written(model, given, num_beams=2)
    for name in ("input_ids", "attention_mask"):
        words = torch.ones_like(given[name])
        given[name] = torch.cat([words, given[name]])
    assert written(model, given, num_beams=2)[1:] == alone


def test_beams_with_a_cache_are_those_without(asked):
    model, inputs = asked
    given = inputs([1, 0])
    assert written(model, given, num_beams=2) == written(model, given, num_beams=2, use_cache=False)


def test_each_rows_entries_come_again_behind_each_other():
    entries = torch.arange(4)
    assert repeated(entries, [1, 3], 2).tolist() == [0, 0, 1, 2, 3, 1, 2, 3]
    assert repeated(list(entries), [0, 4], 1) == [0, 1, 2, 3]


def test_placeholders_that_do_not_fit_are_counted(asked):
    model, inputs = asked
    given = inputs([0])
    given["input_ids"] = torch.cat([given["input_ids"], torch.tensor([[IMAGE]])], dim=1)
    given["attention_mask"] = torch.ones_like(given["input_ids"])
    with pytest.raises(ValueError, match="placeholder"):
        written(model, given, num_beams=2)
