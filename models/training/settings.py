"""The settings of a training run, kept beside its weights."""

from __future__ import annotations

import msgspec

from syncline.errors import SettingsError


class PhaseSteps(msgspec.Struct, frozen=True):
    """How many steps each part of a run takes: with them a run repeats to the bit, whatever else the machine does."""

    image: int
    text: int
    audio: int
    fusion: int


def parse_steps(text: str) -> PhaseSteps:
    """`100,50,200,30` to steps of image, text, audio and fusion. Raises SettingsError."""
    try:
        return PhaseSteps(*map(int, text.split(",")))
    except (TypeError, ValueError):
        raise SettingsError("--steps", text, "four integers: IMAGE,TEXT,AUDIO,FUSION") from None


class TrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is made of.

    `minutes`: wall time of all parts, unless `steps` says how far to go. `fusion_share`, `text_share`: the parts of
    the time for the fusion, and for text before audio in the second process. `average`: how much of the slow copy of
    the weights, which is the one that is kept, stays in each step. `held_out`: leave the zero-shot concepts out.
    `patience`: how many looks at validation without a better one end a part early, 0 none do.
    """

    seed: int = 1
    minutes: float = 32.0
    steps: PhaseSteps | None = None
    fusion_share: float = 0.235
    text_share: float = 0.08
    image_batch: int = 32
    audio_batch: int = 48
    text_batch: int = 64
    fusion_batch: int = 128
    fusion_draws: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 0.03
    label_smoothing: float = 0.1
    ctc_weight: float = 0.5
    spelling_weight: float = 0.5
    contrast_weight: float = 0.5
    dropout: float = 0.2
    average: float = 0.998
    held_out: bool = False
    patience: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= 24 * 60:
            raise SettingsError("--minutes", self.minutes, "more than 0, at most 1440")
        if self.steps is not None and min(msgspec.structs.astuple(self.steps)) < 1:
            raise SettingsError("--steps", msgspec.structs.astuple(self.steps), "at least 1 of each")
        if self.patience < 0:
            raise SettingsError("--patience", self.patience, "an integer of at least 0")
        if self.seed < 0:
            raise SettingsError("--seed", self.seed, "an integer of at least 0")

    def seconds(self, part: str) -> float:
        """The wall time of one part."""
        encoders_s = self.minutes * 60 * (1 - self.fusion_share)
        shares = {"image": 1.0, "text": self.text_share, "audio": 1 - self.text_share}
        return self.minutes * 60 * self.fusion_share if part == "fusion" else encoders_s * shares[part]
