"""The settings of a training run. They are kept beside its weights."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from syncline.errors import SettingsError
from syncline.settings.definition import check_ranges

MAX_MINUTES = 24 * 60
_COUNTS = {2: "two", 4: "four"}


class PhaseSteps(msgspec.Struct, frozen=True):
    """The number of steps of each phase of the reference model. A run by steps repeats to the bit."""

    image: int
    text: int
    audio: int
    fusion: int


class VoiceSteps(msgspec.Struct, frozen=True):
    """The number of steps of each phase of the voice. A run by steps repeats to the bit."""

    spelling: int
    voice: int


Steps = TypeVar("Steps", PhaseSteps, VoiceSteps)


def parse_steps(text: str, steps: type[Steps]) -> Steps:
    """Read the value of `--steps`.

    Args:
        text (str): one integer a phase, with commas between, such as `100,50,200,30`.
        steps (type[Steps]): `PhaseSteps` or `VoiceSteps`.

    Raises:
        SettingsError: the text is not one integer a phase.

    Example:
        >>> parse_steps("3000,4000", VoiceSteps)
        VoiceSteps(spelling=3000, voice=4000)
    """
    names = steps.__struct_fields__
    try:
        return steps(*map(int, text.split(",")))
    except (TypeError, ValueError):
        takes = f"{_COUNTS[len(names)]} integers: {','.join(names).upper()}"
        raise SettingsError("--steps", text, takes) from None


class TrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every training run has.

    Attributes:
        seed (int): draws weights, batches and changes of media; at least 0. Default 1.
        minutes (float): wall time of all phases, unless `steps` is given; above 0, at most 1,440. Default 32.0.
        steps (PhaseSteps | VoiceSteps | None): the number of steps of each phase. Default: none, by the clock.
        learning_rate (float): the peak of the schedule. Default 0.002.
        weight_decay (float): of matrices only. Default 0.03.
        dropout (float): the share of values that are dropped. Default 0.2.
        average (float): the share of the averaged weights that stays in each step. The averaged weights are the result.
            Default 0.998.
        patience (int): a phase ends after so many looks at validation without a better one; 0: never. Default 0.

    Raises:
        SettingsError: a value is out of its range.
    """

    seed: Annotated[int, Meta(ge=0)] = 1
    minutes: Annotated[float, Meta(gt=0, le=MAX_MINUTES)] = 32.0
    steps: PhaseSteps | VoiceSteps | None = None
    learning_rate: float = 2e-3
    weight_decay: float = 0.03
    dropout: float = 0.2
    average: float = 0.998
    patience: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        check_ranges(self, "--")
        if self.steps is not None and min(steps := msgspec.structs.astuple(self.steps)) < 1:
            raise SettingsError("--steps", steps, "at least 1 of each")

    def seconds(self, phase: str) -> float:
        """The wall time of one phase."""
        raise NotImplementedError(phase)

    def n_steps(self, phase: str) -> int | None:
        """The number of steps of one phase; None: by the clock."""
        return None if self.steps is None else getattr(self.steps, phase)


class ReferenceSettings(TrainSettings, frozen=True, kw_only=True):
    """The settings of the reference model, beside those that every run has.

    Attributes:
        fusion_share (float): the fusion's share of the time. Default 0.235.
        text_share (float): the share of text in the time of the process that trains text, then speech. Default 0.08.
        image_batch (int): pictures a step. Default 32.
        audio_batch (int): clips a step. Default 48.
        text_batch (int): texts a step. Default 64.
        fusion_batch (int): sets a step. Default 128.
        fusion_draws (int): how many changed media of each concept and modality the fusion learns from. Default 8.
        label_smoothing (float): smoothing of the losses' labels. Default 0.1.
        ctc_weight (float): weight of the CTC loss. Default 0.5.
        spelling_weight (float): weight of the spelling loss. Default 0.5.
        contrast_weight (float): weight of the contrastive loss. Default 0.5.
        held_out (bool): leave the zero-shot concepts out. Default False.
    """

    fusion_share: float = 0.235
    text_share: float = 0.08
    image_batch: int = 32
    audio_batch: int = 48
    text_batch: int = 64
    fusion_batch: int = 128
    fusion_draws: int = 8
    label_smoothing: float = 0.1
    ctc_weight: float = 0.5
    spelling_weight: float = 0.5
    contrast_weight: float = 0.5
    held_out: bool = False

    def seconds(self, phase: str) -> float:
        """The wall time of `image`, `text`, `audio` or `fusion`. Pictures are trained beside text and speech."""
        encoders_s = self.minutes * 60 * (1 - self.fusion_share)
        shares = {"image": 1.0, "text": self.text_share, "audio": 1 - self.text_share}
        return self.minutes * 60 * self.fusion_share if phase == "fusion" else encoders_s * shares[phase]


class SynthesisSettings(TrainSettings, frozen=True, kw_only=True):
    """The settings of the voice, beside those that every run has.

    Attributes:
        spelling_share (float): the share of the time for the spelling network. Default 0.25.
        batch (int): sentences a step. Default 8.
        spelling_batch (int): words a step. Default 128.
        spelling_learning_rate (float): the peak of the schedule of the spelling network. Default 0.003.
        latent_noise (float): standard deviation of the noise on the latents. Default 0.1.
    """

    minutes: Annotated[float, Meta(gt=0, le=MAX_MINUTES)] = 48.0
    weight_decay: float = 0.01
    dropout: float = 0.1
    spelling_share: float = 0.25
    batch: int = 8
    spelling_batch: int = 128
    spelling_learning_rate: float = 3e-3
    latent_noise: float = 0.1

    def seconds(self, phase: str) -> float:
        """The wall time of `spelling` or `voice`."""
        share = self.spelling_share if phase == "spelling" else 1 - self.spelling_share
        return self.minutes * 60 * share

    def of_spelling(self) -> SynthesisSettings:
        """The same, with the learning rate of the spelling network."""
        return msgspec.structs.replace(self, learning_rate=self.spelling_learning_rate)
