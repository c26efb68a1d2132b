"""BLIP-2's first stage: a Q-Former learns to read pictures by three losses (Li et al. 2023).

Contrast (ITC), matching (ITM) and captioning (ITG), each as the released training code has it; what
the batch of every process holds counts for contrast and for the choice of negatives.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from transformers import Blip2QFormerConfig, Blip2QFormerModel

SMOOTHING = 0.1  # of the labels of contrast and captioning
_NEVER = -10000.0


def contrast(queries: Tensor, texts: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
    """How like each picture is to each text, and each text to each picture.

    A picture's likeness is that of its best query.

    Args:
        queries: Unit vectors of pictures (picture, query, dim).
        texts: Unit vectors of texts (text, dim).
        temperature: Divides the likeness.

    Returns:
        (picture, text) and (text, picture).
    """
    likeness = torch.einsum("pqd,td->ptq", queries, texts).amax(-1) / temperature
    return likeness, likeness.T


def contrast_loss(to_texts: Tensor, to_pictures: Tensor, first: int = 0) -> Tensor:
    """ITC: both ways, the mean of cross-entropies with smoothed labels.

    Args:
        to_texts: Likeness of this process's pictures to all texts (picture, text).
        to_pictures: That of its texts to all pictures (text, picture).
        first: The number of its first pair among all.
    """
    wanted = torch.arange(len(to_texts), device=to_texts.device) + first
    losses = [
        functional.cross_entropy(one, wanted, label_smoothing=SMOOTHING)
        for one in (to_texts, to_pictures)
    ]
    return (losses[0] + losses[1]) / 2


def negatives(likeness: Tensor, first: int = 0) -> Tensor:
    """For each row one wrong column, drawn by likeness: hard ones come more often.

    Args:
        likeness: (row, column), where column ``first + row`` is the right one.
        first: The number of this process's first pair among all.
    """
    with torch.no_grad():
        chances = likeness.detach().clone()
        rows = torch.arange(len(chances), device=chances.device)
        chances[rows, rows + first] = _NEVER
        return torch.multinomial(chances.softmax(dim=1), 1).squeeze(1)


def matching_loss(logits: Tensor, pairs: int) -> Tensor:
    """ITM: the first ``pairs`` match, the others do not.

    Args:
        logits: (pair, 2), the second one that they match.
        pairs: How many do.
    """
    labels = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    labels[:pairs] = 1
    return functional.cross_entropy(logits, labels)


def caption_loss(logits: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """ITG: the next word of each caption, with smoothed labels.

    Args:
        logits: (caption, position, word).
        ids: Its words (caption, position).
        mask: 1 for words, 0 for padding (caption, position).
    """
    labels = ids.masked_fill(mask == 0, -100)[:, 1:]
    return functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(),
        labels.flatten(),
        ignore_index=-100,
        label_smoothing=SMOOTHING,
    )


def caption_mask(mask: Tensor, queries: int, dtype: torch.dtype) -> Tensor:
    """Who reads whom in captioning, added to attention (caption, 1, position, position).

    Queries read queries; a word reads queries and the words up to itself.

    Args:
        mask: 1 for words, 0 for padding (caption, word).
        queries: How many queries stand in front.
        dtype: Of the answer.
    """
    count, words = mask.shape
    size = queries + words
    reads = torch.zeros(count, size, size, dtype=torch.bool, device=mask.device)
    reads[:, :, :queries] = True
    causal = torch.ones(words, words, dtype=torch.bool, device=mask.device).tril()
    reads[:, queries:, queries:] = causal & (mask[:, None, :] == 1)
    lowest = torch.finfo(dtype).min
    return torch.zeros_like(reads, dtype=dtype).masked_fill(~reads, lowest).unsqueeze(1)


@dataclass
class PretrainOutput:
    """The sum of the losses, and each of them."""

    loss: Tensor
    itc: Tensor
    itm: Tensor
    itg: Tensor

    def __getitem__(self, name: str) -> Tensor:
        value: Tensor = getattr(self, name)
        return value


class Heads(nn.Module):
    """What only the first stage needs: words, and the heads of its losses."""

    def __init__(self, config: Blip2QFormerConfig, *, shared_dim: int = 256) -> None:
        super().__init__()
        width = config.hidden_size
        self.words = nn.Embedding(config.vocab_size, width)
        self.places = nn.Embedding(config.max_position_embeddings, width)
        self.to_shared_picture = nn.Linear(width, shared_dim)
        self.to_shared_text = nn.Linear(width, shared_dim)
        self.matches = nn.Linear(width, 2)
        self.transform = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width, eps=config.layer_norm_eps)
        )
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.temperature = nn.Parameter(torch.tensor(0.07))
        for table in (self.words, self.places):
            nn.init.normal_(table.weight, std=config.initializer_range)

    def embed(self, ids: Tensor) -> Tensor:
        """Words in their places (text, word, dim), before the Q-Former's own norm."""
        places = torch.arange(ids.shape[1], device=ids.device)
        embeds: Tensor = self.words(ids) + self.places(places)
        return embeds

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of all words (…, word); the last map is that of the word embeddings."""
        return functional.linear(self.transform(hidden), self.words.weight, self.bias)


class QFormerPretrainer(nn.Module):
    """A frozen tower, a Q-Former that also reads text, and the three losses.

    Args:
        tower: Gives features (picture, feature, dim).
        qformer: With weights for text (``use_qformer_text_input``).
        query_tokens: The learned queries (1, query, dim).
        begin_id: The word that begins a caption to write.
    """

    def __init__(
        self, tower: nn.Module, qformer: Blip2QFormerModel, query_tokens: Tensor, begin_id: int
    ) -> None:
        super().__init__()
        self.towers = nn.ModuleList([tower])
        self.connector = nn.ModuleDict({"qformer": qformer})
        self.connector.query_tokens = nn.Parameter(query_tokens.detach().clone())
        self.heads = Heads(qformer.config)
        self.begin_id = begin_id

    def forward(self, pixel_values: Tensor, text_ids: Tensor, text_mask: Tensor) -> PretrainOutput:
        """The losses of pairs.

        Args:
            pixel_values: Pictures (pair, 3, height, width).
            text_ids: Their captions, each beginning with its class token (pair, word).
            text_mask: 1 for words, 0 for padding (pair, word).
        """
        if len(pixel_values) < 2 and _world() == 1:
            raise ValueError("Matching needs negatives: a batch of one pair has none.")
        pictures = self.towers[0](pixel_values)
        heads = self.heads
        with torch.no_grad():
            heads.temperature.clamp_(0.001, 0.5)
        read = self._read(pictures, None, None)
        seen = functional.normalize(heads.to_shared_picture(read), dim=-1)
        text = self._qformer(heads.embed(text_ids), 0, text_mask, None)[:, 0]
        said = functional.normalize(heads.to_shared_text(text), dim=-1)
        first = _rank() * len(pictures)
        to_texts = contrast(seen, _gathered(said), heads.temperature)[0]
        to_pictures = contrast(_gathered(seen), said, heads.temperature)[1]
        itc = contrast_loss(to_texts, to_pictures, first)
        itm = self._matching(pictures, text_ids, text_mask, to_texts, to_pictures, first)
        itg = self._captioning(pictures, text_ids, text_mask)
        return PretrainOutput(loss=itc + itm + itg, itc=itc, itm=itm, itg=itg)

    def _matching(
        self,
        pictures: Tensor,
        ids: Tensor,
        mask: Tensor,
        to_texts: Tensor,
        to_pictures: Tensor,
        first: int,
    ) -> Tensor:
        """Each pair, each text with a wrong picture, each picture with a wrong text."""
        wrong_text = negatives(to_texts, first)
        wrong_picture = negatives(to_pictures, first)
        other_pictures = _gathered(pictures.detach())[wrong_picture]
        other_ids, other_mask = (_gathered(_wide(one))[wrong_text] for one in (ids, mask))
        width = max(ids.shape[1], other_ids.shape[1])
        ids, mask, other_ids, other_mask = (
            functional.pad(one, (0, width - one.shape[1]))
            for one in (ids, mask, other_ids, other_mask)
        )
        read = self._read(
            torch.cat([pictures, other_pictures, pictures]),
            torch.cat([ids, ids, other_ids]),
            torch.cat([mask, mask, other_mask]),
        )
        return matching_loss(self.heads.matches(read).mean(dim=1), len(pictures))

    def _captioning(self, pictures: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        ids = ids.clone()
        ids[:, 0] = self.begin_id
        queries = self._queries().expand(len(pictures), -1, -1)
        count = queries.shape[1]
        embeds = torch.cat([queries, self.heads.embed(ids)], dim=1)
        reads = caption_mask(mask, count, embeds.dtype)
        hidden = self._qformer(embeds, count, reads, pictures)[:, count:]
        return caption_loss(self.heads.logits(hidden), ids, mask)

    def _queries(self) -> Tensor:
        queries = self.connector.query_tokens
        assert isinstance(queries, Tensor)
        return queries

    def _read(self, pictures: Tensor, ids: Tensor | None, mask: Tensor | None) -> Tensor:
        """The queries' states (picture, query, dim), beside words that read them and are read."""
        embeds = self._queries().expand(len(pictures), -1, -1)
        count = embeds.shape[1]
        if ids is not None and mask is not None:
            embeds = torch.cat([embeds, self.heads.embed(ids)], dim=1)
            mask = functional.pad(mask, (count, 0), value=1)
        return self._qformer(embeds, count, mask, pictures)[:, :count]

    def _qformer(
        self, embeds: Tensor, queries: int, mask: Tensor | None, pictures: Tensor | None
    ) -> Tensor:
        qformer: Any = self.connector["qformer"]
        hidden: Tensor = qformer(
            query_embeds=embeds,
            query_length=queries,
            attention_mask=mask,
            encoder_hidden_states=pictures,
        ).last_hidden_state
        return hidden


def _world() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def _gathered(values: Tensor) -> Tensor:
    """Those of every process in order; gradients flow to this process's own."""
    if _world() == 1:
        return values
    all_values = [torch.zeros_like(values) for _ in range(_world())]
    dist.all_gather(all_values, values.detach().contiguous())
    all_values[_rank()] = values
    return torch.cat(all_values)


def _wide(ids: Tensor) -> Tensor:
    """As wide as on the process where they are widest."""
    if _world() == 1:
        return ids
    width = torch.tensor(ids.shape[1], device=ids.device)
    dist.all_reduce(width, dist.ReduceOp.MAX)
    return functional.pad(ids, (0, int(width) - ids.shape[1]))
