"""BLIP-2's first stage: its losses on cases computed by hand, and who reads whom."""

import math

import pytest
import torch
from transformers import Blip2QFormerConfig, Blip2QFormerModel

from llava_plus.model import LMM, PRESETS
from llava_plus.model.pretrain import (
    QFormerPretrainer,
    caption_loss,
    caption_mask,
    contrast,
    contrast_loss,
    matching_loss,
    negatives,
)


def made(words=40):
    torch.manual_seed(0)
    model = LMM(PRESETS["blip2-opt-2.7b-tiny"]())
    facts = model.connector.qformer.config.to_dict()
    facts |= {"use_qformer_text_input": True, "vocab_size": words}
    facts |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    qformer = Blip2QFormerModel(Blip2QFormerConfig(**facts))
    queries = torch.randn(1, 6, 16)
    with torch.no_grad():  # weights that tell pictures apart from the start
        for one in (*model.towers.parameters(), *qformer.parameters()):
            one.add_(torch.randn_like(one) * 0.1)
    return QFormerPretrainer(model.towers[0], qformer, queries, begin_id=3).train()


def pairs(count=4, width=7):
    torch.manual_seed(1)
    ids = torch.randint(4, 40, (count, width))
    mask = torch.ones_like(ids)
    mask[-1, 5:] = 0
    return {"pixel_values": torch.randn(count, 3, 8, 8), "text_ids": ids, "text_mask": mask}


def test_likeness_is_that_of_the_best_query():
    queries = torch.tensor([[[1.0, 0], [0, 1]], [[-1, 0], [0, -1]]])
    texts = torch.tensor([[1.0, 0], [0.6, 0.8]])
    to_texts, to_pictures = contrast(queries, texts, torch.tensor(0.5))
    torch.testing.assert_close(to_texts, torch.tensor([[2.0, 1.6], [0.0, -1.2]]))
    torch.testing.assert_close(to_pictures, to_texts.T)


def test_contrast_of_two_pairs_by_hand():
    # Smoothed labels .95 and .05; both rows and both columns are (a, 0) in some order.
    a = 3.0
    likeness = torch.tensor([[a, 0.0], [0.0, a]])
    log_right = a - math.log(math.exp(a) + 1)
    log_wrong = -math.log(math.exp(a) + 1)
    wanted = -(0.95 * log_right + 0.05 * log_wrong)
    assert float(contrast_loss(likeness, likeness.T)) == pytest.approx(wanted, abs=1e-6)
    second = contrast_loss(likeness[1:], likeness.T[1:], first=1)  # one process of two
    assert float(second) == pytest.approx(wanted, abs=1e-6)


def test_negatives_are_never_the_right_one_and_mostly_the_likest():
    torch.manual_seed(0)
    likeness = torch.tensor([[9.0, 5.0, 0.0], [0.0, 9.0, 5.0], [5.0, 0.0, 9.0]])
    drawn = torch.stack([negatives(likeness) for _ in range(300)])
    assert not (drawn == torch.arange(3)).any()
    share = (drawn == torch.tensor([1, 2, 0])).float().mean()
    assert float(share) == pytest.approx(1 / (1 + math.exp(-5)), abs=0.03)
    assert not (negatives(likeness[1:], first=1) == torch.tensor([1, 2])).any()


def test_matching_counts_the_first_pairs_as_right():
    logits = torch.tensor([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]])
    losses = [math.log(1 + math.exp(-2)), math.log(1 + math.exp(-1)), math.log(2)]
    assert float(matching_loss(logits, 1)) == pytest.approx(sum(losses) / 3, abs=1e-6)


def test_captions_learn_next_words_and_no_padding():
    logits = torch.zeros(1, 4, 5)
    logits[0, 0, 2] = logits[0, 1, 4] = 1.5
    ids, mask = torch.tensor([[3, 2, 4, 0]]), torch.tensor([[1, 1, 1, 0]])
    log_sum = math.log(math.exp(1.5) + 4)
    wanted = log_sum - 1.5 * (0.9 + 0.1 / 5)  # smoothing .1 over five words
    assert float(caption_loss(logits, ids, mask)) == pytest.approx(wanted, abs=1e-6)
    logits[0, 2] = torch.randn(5)  # what comes after the last word
    assert float(caption_loss(logits, ids, mask)) == pytest.approx(wanted, abs=1e-6)


def test_in_captioning_queries_read_queries_and_words_what_is_before_them():
    reads = caption_mask(torch.tensor([[1, 1, 0]]), 2, torch.float32)[0, 0] == 0
    assert reads.int().tolist() == [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
    ]


def test_words_never_reach_the_queries_nor_later_words_earlier_ones():
    stage, batch = made().eval(), pairs()
    features = stage.towers[0](batch["pixel_values"])
    ids = batch["text_ids"]

    def hidden(ids):
        queries = stage.connector.query_tokens.expand(len(ids), -1, -1)
        embeds = torch.cat([queries, stage.heads.embed(ids)], dim=1)
        mask = caption_mask(batch["text_mask"], 6, embeds.dtype)
        return stage._qformer(embeds, 6, mask, features)

    with torch.no_grad():
        alone = stage._read(features, None, None)
        before = hidden(ids)
        changed = ids.clone()
        changed[:, 4] = 9
        after = hidden(changed)
    torch.testing.assert_close(before[:, :6], alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(after[:, : 6 + 4], before[:, : 6 + 4], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(after[:, 6 + 4], before[:, 6 + 4], atol=1e-3)


def test_the_loss_is_the_sum_of_three_and_each_has_gradients_where_it_should():
    stage = made()
    stage.towers.requires_grad_(False)
    output = stage(**pairs())
    parts = output.itc + output.itm + output.itg
    torch.testing.assert_close(output.loss, parts)
    assert output["loss"] is output.loss
    output.loss.backward()
    still = {
        name
        for name, one in stage.named_parameters()
        if one.requires_grad and (one.grad is None or not one.grad.any())
    }
    assert still == set()
    heads = {"itc": "to_shared_text", "itm": "matches", "itg": "transform.0"}
    for name, head in heads.items():
        stage.zero_grad()
        getattr(stage(**pairs()), name).backward()
        others = set(heads.values()) - {head}
        assert stage.get_submodule(f"heads.{head}").weight.grad.any()
        for other in others:
            grad = stage.get_submodule(f"heads.{other}").weight.grad
            assert grad is None or not grad.any(), (name, other)


def test_learning_lowers_the_loss_and_tells_pairs_apart():
    stage, batch = made(), pairs(6)
    stage.towers.requires_grad_(False)
    optimizer = torch.optim.AdamW([p for p in stage.parameters() if p.requires_grad], lr=1e-2)
    first = float(stage(**batch).loss.detach())
    for _ in range(60):
        output = stage(**batch)
        output.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert float(output.loss.detach()) < 0.6 * first
    assert float(output.itc.detach()) < 1.2 < math.log(6)  # which is what guessing has
    assert 0.001 <= float(stage.heads.temperature.detach()) <= 0.5


def test_one_pair_alone_has_no_negatives():
    with pytest.raises(ValueError, match="a batch of one pair has none"):
        made()(**pairs(1))
