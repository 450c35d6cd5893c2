"""The settings of a training of the voice, kept beside its weights."""

from __future__ import annotations

import msgspec

from models.training.settings import TrainSettings
from syncline.errors import SettingsError


class VoiceSteps(msgspec.Struct, frozen=True):
    """How many steps each part takes: with them a run repeats to the bit, whatever else the machine does."""

    spelling: int
    voice: int


def parse_steps(text: str) -> VoiceSteps:
    """`3000,4000` to steps of spelling and voice. Raises SettingsError."""
    try:
        return VoiceSteps(*map(int, text.split(",")))
    except (TypeError, ValueError):
        raise SettingsError("--steps", text, "two integers: SPELLING,VOICE") from None


class SynthesisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is made of.

    `minutes`: wall time of both parts, unless `steps` says how far to go; `spelling_share` is the spelling's part.
    `batch`: sentences in a step, `spelling_batch`: words. `average`: how much of the slow copy of the weights, which
    is the one that is kept, stays in each step. `patience`: how many looks at validation without a better one end a
    part early, 0 none do.
    """

    seed: int = 1
    minutes: float = 48.0
    steps: VoiceSteps | None = None
    spelling_share: float = 0.25
    batch: int = 8
    spelling_batch: int = 128
    learning_rate: float = 2e-3
    spelling_learning_rate: float = 3e-3
    weight_decay: float = 0.01
    dropout: float = 0.1
    latent_noise: float = 0.1
    average: float = 0.998
    patience: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= 24 * 60:
            raise SettingsError("--minutes", self.minutes, "more than 0, at most 1440")
        if self.steps is not None and min(self.steps.spelling, self.steps.voice) < 1:
            raise SettingsError("--steps", msgspec.structs.astuple(self.steps), "at least 1 of each")
        if self.patience < 0:
            raise SettingsError("--patience", self.patience, "an integer of at least 0")
        if self.seed < 0:
            raise SettingsError("--seed", self.seed, "an integer of at least 0")

    def seconds(self, part: str) -> float:
        """The wall time of `spelling` or `voice`."""
        share = self.spelling_share if part == "spelling" else 1 - self.spelling_share
        return self.minutes * 60 * share

    def of_phase(self, part: str) -> TrainSettings:
        """What `models.training.loop.Phase` reads."""
        return TrainSettings(
            seed=self.seed,
            learning_rate=self.spelling_learning_rate if part == "spelling" else self.learning_rate,
            weight_decay=self.weight_decay,
            average=self.average,
            patience=self.patience,
        )
