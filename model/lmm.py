"""The LMM: picture towers, a connector and a decoder, put together from an `LMMConfig`."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    DynamicCache,
    PreTrainedModel,
)
from transformers.cache_utils import Cache
from transformers.modeling_outputs import CausalLMOutputWithPast

from .build import build_connector, build_injections, build_states, build_towers, layout_of
from .config import LMMConfig
from .generating import ShownGenerationMixin
from .layout import Size
from .losses import labelled_loss, next_token_loss
from .previous import embedding_before, remember
from .reading import Pixels, Reader
from .sight import Seen, fall_behind, make_sight, rewind
from .splice import filled, positions


class LMM(PreTrainedModel, ShownGenerationMixin):  # type: ignore[no-untyped-call]
    """A decoder that reads pictures where its prompt holds image placeholders.

    Every picture takes as many placeholder tokens (``layout["image_token_id"]``) as its layout
    counts; what the towers, the connector and the layout make of it replaces them in order.

    Not covered: decoders with an encoder of their own (T5), static caches, and assisted decoding
    when ``previous_token_mix`` is on.
    """

    config: LMMConfig
    config_class = LMMConfig
    main_input_name = "input_ids"
    input_modalities = ["image", "text"]  # noqa: RUF012
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012

    def __init__(self, config: LMMConfig) -> None:
        super().__init__(config)
        self.decoder = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config.text_config
        )
        towers = build_towers(config)
        self.towers = nn.ModuleList(towers)
        text_dim = self.decoder.get_input_embeddings().embedding_dim
        self.connector = build_connector(config, towers, text_dim)
        self.states = build_states(config, text_dim)
        media_dim = getattr(self.connector, "dim", text_dim)
        build_injections(config, self.decoder, text_dim, media_dim)
        self.injected = {injection["type"] for injection in config.injections or []}
        self.layout = layout_of(config)
        facts = config.layout or {}
        self.image_token_id: int | None = facts["image_token_id"]
        self.video_token_id: int | None = facts.get("video_token_id")
        self.embed_scale = float(facts["embed_scale"])
        self.shares_positions = bool(facts.get("shared_positions"))
        self.state_token_id: int | None = facts.get("state_token_id")
        self.prefix_end_id: int | None = facts.get("prefix_end_id")
        # Each channel's share of the embedding one position back.
        self.previous_share = (
            nn.Parameter(torch.zeros(text_dim)) if facts["previous_token_mix"] else None
        )
        # The token that ends rows of a picture.
        ends = self.layout is not None and self.layout.newline
        self.newline = nn.Parameter(torch.randn(text_dim) * text_dim**-0.5) if ends else None
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        return cast("nn.Module", self.decoder.get_input_embeddings())

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.decoder.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        return cast("nn.Module", self.decoder.get_output_embeddings())

    def _reader(self) -> Reader:
        if self.connector is None or self.layout is None:
            raise ValueError("This model has no tower: it cannot read pictures.")
        return Reader(
            towers=list(self.towers),
            connector=self.connector,
            layout=self.layout,
            newline=self.newline,
        )

    def encode_images(self, pixel_values: Pixels) -> Tensor:
        """Turn views (view, 3, height, width) into embeddings (view, token, dim)."""
        return self._reader().encode(pixel_values)

    def read_pictures(
        self,
        pixel_values: Pixels,
        image_sizes: Tensor | Sequence[Size] | None = None,
        batch_num_images: Tensor | Sequence[int] | None = None,
    ) -> Tensor:
        """The embeddings of pictures in order, one row (dim) per placeholder.

        Args:
            pixel_values: Their views (view, 3, height, width), or those of each picture
                (picture, view, 3, height, width), padded with empty ones; where towers read
                pictures of different sizes, one tensor of pictures for each tower.
            image_sizes: Their heights and widths; needed where the layout depends on them.
            batch_num_images: How many pictures each conversation has; absent, each is on its own.
        """
        return self._reader().see(pixel_values, image_sizes, batch_num_images).rows

    def embed(
        self,
        input_ids: Tensor,
        image_features: Tensor | None = None,
        video_features: Tensor | None = None,
        state_features: Tensor | None = None,
    ) -> Tensor:
        """Token embeddings (batch, position, dim), with features in place of the placeholders."""
        embeds: Tensor = self.get_input_embeddings()(input_ids) * self.embed_scale
        if self.layout is None or self.layout.splice:
            embeds = filled(embeds, input_ids, self.image_token_id, image_features, "image")
        embeds = filled(embeds, input_ids, self.state_token_id, state_features, "state")
        return filled(embeds, input_ids, self.video_token_id, video_features, "video")

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Pixels | None = None,
        image_features: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        labelled_only: bool = False,
        loss_weights: Tensor | None = None,
        image_sizes: Tensor | None = None,
        batch_num_images: Tensor | None = None,
        pixel_values_videos: Pixels | None = None,
        state_values: Tensor | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits of the next token, and the loss where labels are given.

        Args:
            input_ids: Tokens (batch, position) with one placeholder per picture token.
            pixel_values: The pictures of the whole batch in order, as `read_pictures` takes them.
            image_features: What it gave for them, instead of ``pixel_values``.
            attention_mask: 1 for tokens, 0 for padding (batch, position), as in transformers.
            position_ids: Counts from 0 in each sequence; starting again at 0 packs sequences.
            inputs_embeds: Embeddings instead of ``input_ids``, before the previous-token mix.
            labels: ``input_ids`` where a token is learned, -100 elsewhere.
            past_key_values: The cache of an earlier call of this model.
            use_cache: Whether to return a cache; by default only where nothing is trained.
            logits_to_keep: How many last positions get logits (0: all), or which positions.
            labelled_only: Give the loss alone, from the positions that have a label; for decoders
                whose logits are the plain product with the output embeddings.
            loss_weights: What the loss of each label is multiplied by (batch, position), with
                ``labelled_only``.
            image_sizes: Heights and widths (image, 2) of the pictures, as they came.
            batch_num_images: How many pictures each conversation has; absent, each is on its own.
            pixel_values_videos: Videos (video, frame, 3, height, width) in order; a list of them
                where they have different numbers of frames.
            state_values: State vectors (state, dim) in order, for models that read such.
            **kwargs: Handed to the decoder.
        """
        seen = None
        if inputs_embeds is None:
            if input_ids is None:
                raise ValueError("forward needs input_ids or inputs_embeds, got neither.")
            seen = None if image_features is None else Seen(rows=image_features)
            if pixel_values is not None and seen is None:
                seen = self._reader().see(pixel_values, image_sizes, batch_num_images)
            rows = None if seen is None else seen.rows
            videos = (
                None
                if pixel_values_videos is None
                else self._reader().see_videos(pixel_values_videos)
            )
            states = None if state_values is None else self._encode_states(state_values)
            inputs_embeds = self.embed(input_ids, rows, videos, states)
        if use_cache is None:
            use_cache = not self.training and labels is None
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config.get_text_config(decoder=True))
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        if position_ids is None:
            position_ids = positions(inputs_embeds, attention_mask, past)
        if self.previous_share is not None:
            before = embedding_before(inputs_embeds, past_key_values, past)
            shifted = torch.cat([before, inputs_embeds[:, :-1]], dim=1)
            share = (position_ids != 0).unsqueeze(-1) * self.previous_share
            inputs_embeds = inputs_embeds + shifted * share.to(inputs_embeds.dtype)
        context = {
            "inputs_embeds": inputs_embeds,
            "attention_mask": attention_mask,
            "position_ids": position_ids,
        }
        if input_ids is not None and (self.injected or self.shares_positions):
            context |= self._sight(self._holes(input_ids), seen, past_key_values, context)
        if self.prefix_end_id is not None and input_ids is not None and not past:
            context["prefix"] = torch.eq(input_ids, self.prefix_end_id).cumsum(-1) == 0
        if labelled_only and labels is not None:
            hidden = self.decoder.base_model(**context, use_cache=False).last_hidden_state
            return labelled_loss(hidden, labels, self.get_output_embeddings(), loss_weights)
        output = self.decoder(
            **context,
            past_key_values=past_key_values,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            **kwargs,
        )
        if labels is not None:
            output.loss = next_token_loss(output.logits, labels, kwargs.get("num_items_in_batch"))
        return cast("CausalLMOutputWithPast", output)

    def _encode_states(self, state_values: Tensor) -> Tensor:
        if self.states is None:
            raise ValueError("This model has no state encoder: it cannot read state_values.")
        return cast("Tensor", self.states(state_values))

    def _holes(self, input_ids: Tensor) -> Tensor:
        """Where pictures stand (batch, position)."""
        return torch.eq(input_ids, -1 if self.image_token_id is None else self.image_token_id)

    def _sight(
        self, holes: Tensor, seen: Seen | None, cache: Cache | None, context: dict[str, Any]
    ) -> dict[str, Any]:
        """What the decoder gets besides: the sight of injected layers, shared positions."""
        per_picture = 1 if self.layout is None else self.layout.view_tokens
        extra: dict[str, Any] = {}
        if self.injected:
            extra["sight"] = make_sight(self.injected, holes, seen, per_picture, cache)
        if self.shares_positions:
            behind = fall_behind(holes, per_picture, cache)
            extra["position_ids"] = context["position_ids"] - behind
            if cache is None and context["attention_mask"] is None:
                # Without a mask, equal positions would read as packed sequences.
                extra["attention_mask"] = torch.ones_like(holes, dtype=torch.long)
        return extra

    def rewind(self, cache: Cache, kept: Tensor) -> None:
        """Shorten a cache to the tokens ``kept`` (batch, position), its own first ones.

        The last token kept must not be an image placeholder: its embedding is no longer known.
        """
        surplus = cache.get_seq_length() - kept.shape[1]
        if surplus < 0:
            raise ValueError(f"rewind: the cache is {-surplus} tokens shorter than what to keep.")
        if surplus == 0:
            return
        cache.crop(-surplus)
        if self.previous_share is not None and kept.shape[1]:
            remember(cache, kept.shape[1], self.embed(kept[:, -1:]))
        if self.layout is not None:
            rewind(cache, self._holes(kept), self.layout.view_tokens)

    def _init_weights(self, module: nn.Module) -> None:
        if module is self:
            if self.previous_share is not None:
                nn.init.constant_(self.previous_share, 0.5)
            if self.newline is not None:
                nn.init.normal_(self.newline, std=len(self.newline) ** -0.5)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


AutoConfig.register(LMMConfig.model_type, LMMConfig, exist_ok=True)
AutoModelForImageTextToText.register(LMMConfig, LMM, exist_ok=True)
