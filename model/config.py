"""What an LMM is made of, as plain data."""

from typing import Any, ClassVar

from transformers import AutoConfig, PretrainedConfig

from . import chatglm  # noqa: F401 (registers its config with transformers)


class LMMConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Towers, connector, decoder and layout of one LMM; `docs/models.md` shows whole ones.

    Args:
        towers: One dict per picture encoder, the options of `towers.Tower`: ``vision`` (an HF
            vision config with its ``model_type``), ``select_layer`` ("last" for the normed output,
            or an index into the hidden states), ``select_feature`` ("patch" drops the class token,
            "full" keeps it), ``grid``, ``size``.
        connector: ``type`` (a name in `connectors.CONNECTORS`) and that connector's options.
        text_config: The HF config of the decoder, as a dict with its ``model_type``.
        layout: ``image_token_id``, ``video_token_id`` and ``state_token_id``, the placeholders;
            ``embed_scale`` multiplies the token embeddings; ``previous_token_mix`` adds a learned
            share of the previous position's embedding; ``prefix_end_id`` is the token before which
            a `chatglm` decoder reads both ways; and the fields of `layout.Layout`, of which those
            that follow from the towers and the connector may be left out.
        injections: One dict per kind of layer that sees pictures inside the decoder.
        states: The options of `states.StateEncoder`, for a model that reads state vectors.
    """

    model_type = "llava_plus_lmm"
    has_no_defaults_at_init = True
    sub_configs: ClassVar[dict[str, Any]] = {"text_config": AutoConfig}

    towers: list[dict[str, Any]] | None = None
    connector: dict[str, Any] | None = None
    text_config: dict[str, Any] | PretrainedConfig | None = None
    layout: dict[str, Any] | None = None
    injections: list[dict[str, Any]] | None = None
    states: dict[str, Any] | None = None
    tie_word_embeddings: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        text = self.text_config if self.text_config is not None else {"model_type": "qwen3"}
        self.text_config = AutoConfig.for_model(**text) if isinstance(text, dict) else text
        self.towers = list(self.towers or [])
        mlp = {"type": "mlp", "depth": 2, "activation": "gelu"}
        given = self.connector or {}
        self.connector = {**mlp, **given} if given.get("type", "mlp") == "mlp" else dict(given)
        defaults = {"image_token_id": None, "embed_scale": 1.0, "previous_token_mix": False}
        self.layout = {**defaults, **(self.layout or {})}
        self.injections = list(self.injections or [])
        self.tie_word_embeddings = self.text_config.tie_word_embeddings
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]
