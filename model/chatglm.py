"""ChatGLM-6B's decoder, which transformers lacks: it reads its prompt both ways (VisualGLM-6B).

A sequence is a prefix, whose tokens all see each other, and what is written after it, each token
seeing what came before. A token has two places: one in the prefix (written tokens all share that
of the prefix's last token), and one among the written tokens (0 in the prefix). Half of every
head rotates by either (Du et al. 2022, as released). Weights have the names of that release.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    DynamicCache,
    GenerationMixin,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast


class ChatGLMConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Sizes; the defaults are those of ChatGLM-6B."""

    model_type = "lmm_chatglm"

    vocab_size: int = 130528
    hidden_size: int = 4096
    intermediate_size: int = 16384
    num_hidden_layers: int = 28
    num_attention_heads: int = 32
    layer_norm_eps: float = 1e-5
    max_position_embeddings: int = 2048
    tie_word_embeddings: bool = False


class ChatGLMAttention(nn.Module):
    """Attention whose heads rotate by two places, one in either half."""

    def __init__(self, config: ChatGLMConfig, layer: int) -> None:
        super().__init__()
        self.heads, self.layer = config.num_attention_heads, layer
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, states: Tensor, places: Tensor, mask: Tensor, cache: Cache | None) -> Tensor:
        by_head = self.query_key_value(states).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        query, key, value = by_head.chunk(3, dim=-1)  # (batch, head, position, dim)
        query, key = rotated(query, places), rotated(key, places)
        if cache is not None:
            key, value = cache.update(key, value, self.layer)
        read = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out: Tensor = self.dense(read.transpose(1, 2).flatten(2))
        return out


class ChatGLMMLP(nn.Module):
    """Two linear maps with GELU in its tanh form between them."""

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__()
        self.dense_h_to_4h = nn.Linear(config.hidden_size, config.intermediate_size)
        self.dense_4h_to_h = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, states: Tensor) -> Tensor:
        hidden = functional.gelu(self.dense_h_to_4h(states), approximate="tanh")
        out: Tensor = self.dense_4h_to_h(hidden)
        return out


class ChatGLMBlock(GradientCheckpointingLayer):  # type: ignore[no-untyped-call]
    """``y = a LN(x) + Attn(LN(x))``, ``a LN(y) + MLP(LN(y))`` with a = sqrt(2 layers)."""

    def __init__(self, config: ChatGLMConfig, layer: int) -> None:
        super().__init__()
        self.scale = (2 * config.num_hidden_layers) ** 0.5
        self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attention = ChatGLMAttention(config, layer)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = ChatGLMMLP(config)

    def forward(self, states: Tensor, places: Tensor, mask: Tensor, cache: Cache | None) -> Tensor:
        normed = self.input_layernorm(states)
        normed = self.post_attention_layernorm(
            normed * self.scale + self.attention(normed, places, mask, cache)
        )
        out: Tensor = normed * self.scale + self.mlp(normed)
        return out


class ChatGLMPreTrainedModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """What the two classes below share."""

    config: ChatGLMConfig
    config_class = ChatGLMConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["ChatGLMBlock"]  # noqa: RUF012


class ChatGLMModel(ChatGLMPreTrainedModel):
    """Embeddings, blocks and a last norm."""

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__(config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            ChatGLMBlock(config, layer) for layer in range(config.num_hidden_layers)
        )
        self.final_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        return self.word_embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.word_embeddings = cast("nn.Embedding", value)

    def forward(
        self,
        inputs_embeds: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        prefix: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """States (batch, position, dim).

        Args:
            inputs_embeds: Embeddings of the new tokens.
            attention_mask: 1 for tokens, 0 for padding (batch, all positions).
            position_ids: How many tokens came before each (batch, position).
            past_key_values: The cache of an earlier call, which remembers how long the prefix is.
            prefix: Of the first call's tokens, which are read both ways (batch, position).
            **kwargs: Not heeded.
        """
        length = inputs_embeds.shape[1]
        past = 0 if past_key_values is None else past_key_values.get_seq_length()
        if prefix is None:
            prefix = torch.zeros_like(inputs_embeds[..., 0], dtype=torch.bool)
        if position_ids is None:
            position_ids = torch.arange(past, past + length, device=prefix.device)[None]
        real = prefix.new_ones(len(prefix), past + length)
        if attention_mask is not None:
            real = attention_mask.bool()
        whole = (prefix & real[:, -length:]).sum(
            -1, keepdim=True
        )  # tokens of the prefix (batch, 1)
        if past:
            whole = getattr(past_key_values, "prefix", whole)
        elif past_key_values is not None:
            past_key_values.prefix = whole  # type: ignore[attr-defined]
        written = (position_ids - whole + 1).clamp(min=0)
        places = torch.stack([position_ids - written, written], dim=1)  # (batch, 2, position)
        mask = _visible(real, prefix, past)
        states = inputs_embeds
        for layer in self.layers:
            states = layer(states, places, mask, past_key_values)
        return BaseModelOutputWithPast(
            last_hidden_state=self.final_layernorm(states), past_key_values=past_key_values
        )


class ChatGLMForCausalLM(ChatGLMPreTrainedModel, GenerationMixin):
    """The decoder with its output embeddings."""

    _tied_weights_keys = {"lm_head.weight": "model.word_embeddings.weight"}  # noqa: RUF012

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__(config)
        self.model = ChatGLMModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (batch, position, vocabulary); other arguments are those of `ChatGLMModel`."""
        if inputs_embeds is None:
            inputs_embeds = self.model.word_embeddings(input_ids)
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        output = self.model(inputs_embeds, past_key_values=past_key_values, **kwargs)
        states = output.last_hidden_state
        if isinstance(logits_to_keep, int):
            states = states[:, -logits_to_keep:] if logits_to_keep else states
        else:
            states = states[:, logits_to_keep]
        return CausalLMOutputWithPast(
            logits=self.lm_head(states), past_key_values=output.past_key_values
        )


def rotated(states: Tensor, places: Tensor) -> Tensor:
    """Heads (batch, head, position, dim), each half turned by its places (batch, 2, position)."""
    dim = states.shape[-1] // 2
    rates = 10000.0 ** (-torch.arange(0, dim, 2, device=states.device).float() / dim)
    angles = places.unsqueeze(-1) * rates  # (batch, 2, position, dim / 4 of a head)
    turned = []
    for half, angle in zip(states.chunk(2, dim=-1), angles.unbind(1), strict=True):
        cos, sin = (one.unsqueeze(1).to(states.dtype) for one in (angle.cos(), angle.sin()))
        first, second = half.chunk(2, dim=-1)
        turned += [first * cos - second * sin, second * cos + first * sin]
    return torch.cat(turned, dim=-1)


def _visible(real: Tensor, prefix: Tensor, past: int) -> Tensor:
    """Which keys each new token sees (batch, 1, position, all positions).

    Args:
        real: Tokens that are no padding (batch, all positions).
        prefix: New tokens that all see each other (batch, position).
        past: How many tokens came in earlier calls, which all may be seen.
    """
    length = prefix.shape[1]
    before = torch.ones(length, past + length, dtype=torch.bool, device=real.device).tril(past)
    both_ways = functional.pad(prefix, (past, 0)).unsqueeze(1)
    itself = torch.eye(length, dtype=torch.bool, device=real.device)  # padding sees itself
    seen = (before | both_ways) & real.unsqueeze(1)
    return (seen | functional.pad(itself, (past, 0))).unsqueeze(1)


AutoConfig.register(ChatGLMConfig.model_type, ChatGLMConfig, exist_ok=True)
AutoModelForCausalLM.register(ChatGLMConfig, ChatGLMForCausalLM, exist_ok=True)
