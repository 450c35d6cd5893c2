"""Whisper hears what is said and when, many clips at once, and nothing where nobody speaks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.adapters import resources as memory
from models.adapters import weight_files as places
from models.adapters import whisper as whisper_decoder
from models.adapters import whisper as whisper_module
from models.adapters.audio_chunks import MAX_PIECE_MS
from models.adapters.transcripts import HeardPiece
from models.adapters.whisper import WhisperConverter, WhisperFeatures, open_whisper
from models.interface import Prepared, Speech, Text
from models.registry import open_converter, parse_spec
from syncline.errors import MediaError, SettingsError
from tests.models.adapters.conftest import wav

SUN = "The boy was there when the sun rose."
BALL = "Kick the ball straight and follow through."

Speak = Callable[[str], Speech]


def words(text: str) -> list[str]:
    return "".join(char if char.isalnum() or char.isspace() else " " for char in text.lower()).split()


def heard(whisper: WhisperConverter, *clips: bytes, language: str | None = None) -> list[Text]:
    return whisper.run([whisper.prepare(clip, "audio/wav", language) for clip in clips])


def clip(speech: Speech) -> bytes:
    return wav(speech.samples, speech.sample_rate_hz)


def test_hears_what_is_said(whisper: WhisperConverter, spoken: Speak) -> None:
    """A plain sentence is written down word for word, with its language and a score."""
    (text,) = heard(whisper, clip(spoken(SUN)))
    assert (words(text.text), text.language) == (words(SUN), "en")
    assert 0.5 < text.score <= 1


def test_answers_in_order_and_alike_in_a_batch(whisper: WhisperConverter, spoken: Speak) -> None:
    """Clips of one batch get the texts that each gets alone, in their order."""
    clips = [clip(spoken(SUN)), wav(np.zeros(16_000)), clip(spoken(BALL))]
    together = heard(whisper, *clips)
    assert [one.text for one in together] == [heard(whisper, one)[0].text for one in clips]
    assert words(together[2].text) == words(BALL)


def test_short_clips_are_one_batch(whisper: WhisperConverter, spoken: Speak, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several short clips go through the network at once, in a window shorter than Whisper's 30 s."""
    seen: list[tuple[int, int]] = []
    decode = whisper._decoder.decode

    def watched(sounds: Any, window: int, no_repeat: int = 0) -> Any:
        seen.append((len(sounds), window))
        return decode(sounds, window, no_repeat)

    monkeypatch.setattr(whisper._decoder, "decode", watched)
    heard(whisper, clip(spoken(SUN)), clip(spoken(BALL)), clip(spoken(SUN)))
    assert seen == [(3, whisper_decoder.SHORT_WINDOW)]


def test_words_have_times_from_the_start_of_the_clip(whisper: WhisperConverter, spoken: Speak) -> None:
    """Words come in order, the first ones after the leading silence, the last one before the end."""
    speech = spoken(BALL)
    silence = np.zeros(2 * speech.sample_rate_hz, np.float32)
    whole = np.concatenate([silence, speech.samples, silence])
    (text,) = heard(whisper, wav(whole, speech.sample_rate_hz))
    speech_ms = len(speech.samples) * 1_000 // speech.sample_rate_hz
    assert words(" ".join(word.text for word in text.words)) == words(BALL)
    assert 1_600 <= text.words[0].start_ms <= 2_400
    assert 2_000 + speech_ms - 900 <= text.words[-1].end_ms <= 2_000 + speech_ms + 400
    starts = [word.start_ms for word in text.words]
    assert starts == sorted(starts)
    assert all(word.start_ms <= word.end_ms and 0 <= word.score <= 1 for word in text.words)


def test_long_sound_is_cut_where_it_pauses(whisper: WhisperConverter, spoken: Speak) -> None:
    """More than 30 s come as pieces that fit, none of which cuts a word, and the text is one."""
    speech = spoken(SUN)
    pause = np.zeros(12 * speech.sample_rate_hz, np.float32)
    whole = np.concatenate([speech.samples, pause, speech.samples, pause, spoken(BALL).samples])
    prepared = whisper.prepare(wav(whole, speech.sample_rate_hz), "audio/wav", None)
    assert len(prepared.value) >= 2
    assert all(sound.n_ms <= MAX_PIECE_MS for sound in prepared.value)
    (text,) = whisper.run([prepared])
    assert words(text.text) == words(f"{SUN} {SUN} {BALL}")
    n_words = len(words(SUN))
    second_ms = (len(speech.samples) + len(pause)) * 1_000 // speech.sample_rate_hz
    assert abs(text.words[n_words].start_ms - second_ms) < 500


@pytest.mark.parametrize("kind", ["silence", "noise", "hum", "clicks"])
def test_says_nothing_where_nobody_speaks(whisper: WhisperConverter, kind: str) -> None:
    """Silence, noise, a hum and clicks give an empty text with score 0, not what Whisper makes up."""
    time_s = np.arange(6 * 16_000) / 16_000
    sounds = {
        "silence": np.zeros(len(time_s)),
        "noise": np.random.default_rng(1).normal(0, 0.2, len(time_s)).clip(-1, 1),
        "hum": 0.5 * np.sin(2 * np.pi * 50 * time_s),
        "clicks": 0.9 * (np.arange(len(time_s)) % 8_000 == 0),
    }
    assert heard(whisper, wav(sounds[kind])) == [Text("", 0.0)]


def test_a_language_that_the_model_lacks_changes_nothing(whisper: WhisperConverter, spoken: Speak) -> None:
    """An English model writes English, whatever the event says."""
    (text,) = heard(whisper, clip(spoken(BALL)), language="zh-Hans")
    assert (words(text.text), text.language) == (words(BALL), "en")


def test_what_runs_in_a_circle_is_heard_again(
    whisper: WhisperConverter, spoken: Speak, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that runs in a circle in a short window is heard once more in the full one, and that counts."""
    windows: list[int] = []
    decode = whisper._decoder.decode

    def circling(sounds: Any, window: int, no_repeat: int = 0) -> Any:
        windows.append(window)
        answers = decode(sounds, window, no_repeat)
        return [(one._replace(text="taxi taxi taxi"), True) for one, _ in answers] if len(windows) == 1 else answers

    monkeypatch.setattr(whisper._decoder, "decode", circling)
    (text,) = heard(whisper, clip(spoken(BALL)))
    assert windows == [whisper_decoder.SHORT_WINDOW, whisper_decoder.FULL_WINDOW]
    assert words(text.text) == words(BALL)


def test_broken_sound_is_refused_with_its_reason(whisper: WhisperConverter) -> None:
    """What cannot be decoded is a MediaError of the preprocessing."""
    with pytest.raises(MediaError, match="content_type_mismatch"):
        whisper.prepare(b"no sound", "audio/wav", None)


def test_clips_cost_what_the_network_hears(whisper: WhisperConverter, spoken: Speak) -> None:
    """The cost is the window in ms, at least 1; the bytes are those of the features."""
    prepared = whisper.prepare(clip(spoken(BALL)), "audio/wav", None)
    assert (prepared.cost, prepared.n_bytes) == (15_000, prepared.value[0].features.nbytes)
    assert whisper.prepare(wav(np.zeros(16_000)), "audio/wav", None) == Prepared([], 1, 0)


def test_warm_up_runs_the_network(whisper: WhisperConverter) -> None:
    """Warming up is a run like any other, which a worker asks for again where the model was down."""
    whisper.warm_up()


def test_alone_it_takes_the_package(whisper: WhisperConverter) -> None:
    """`transcript` alone is whisper tiny.en; its version is a digest of its weights."""
    assert (whisper.name, len(whisper.version)) == ("whisper/tiny.en", 12)


def test_without_the_package_it_says_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no model comes with a package, the error names a folder, the hub and the extra."""
    monkeypatch.setattr(whisper_module, "package_folder", lambda _: None)
    with pytest.raises(SettingsError, match=r"whisper:FOLDER or whisper:hub:NAME.*syncline\[transcribe\]"):
        open_whisper("")


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    """A folder that is not there, holds no model or a broken one is refused before anything is heard."""
    with pytest.raises(SettingsError, match=r"got '.*nowhere', takes a folder with model\.bin"):
        open_converter(parse_spec(f"transcript=whisper:{tmp_path / 'nowhere'}"))
    with pytest.raises(SettingsError, match="this one has none"):
        open_whisper(str(tmp_path))
    (tmp_path / "model.bin").write_bytes(b"no weights")
    with pytest.raises(SettingsError, match="a Whisper of CTranslate2"):
        open_whisper(str(tmp_path))


def test_the_hub_is_asked_only_where_its_name_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """`hub:` goes to the hub's client; a hub that cannot be reached is an error of the setting."""

    def unreachable(name: str, revision: str | None) -> str:
        raise OSError(f"no way to {name} at {revision}")

    monkeypatch.setattr(whisper_module, "download_model", unreachable)
    with pytest.raises(SettingsError, match=r"'hub:tiny@1a2b', takes a Whisper of the hub .* \(no way to tiny at 1a2b"):
        open_whisper("hub:tiny@1a2b")
    with pytest.raises(SettingsError, match="a folder with"):
        open_whisper("tiny")


def test_a_wrong_checkpoint_is_refused_by_its_digest(tmp_path: Path) -> None:
    """A `model.json` beside the weights says which they must be."""
    package = places.package_folder(whisper_module.PACKAGE)
    assert package is not None
    folder = Path(shutil.copytree(package / "model", tmp_path / "copy"))
    (folder / "model.json").write_text(json.dumps({"sha256": {"model.bin": "0" * 64}}))
    with pytest.raises(SettingsError, match=r"model\.bin: got 'sha256 \w{64}', takes sha256 0{64}"):
        open_whisper(str(folder))


def test_a_model_that_does_not_fit_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory is short, the error has what is needed and what is free, before anything is loaded."""
    monkeypatch.setattr(memory, "free_bytes", lambda _: 100 * 2**20)
    with pytest.raises(SettingsError, match=r"needs about 0\.\d GiB of memory, 0\.1 GiB are free"):
        open_whisper("")


def test_the_longest_piece_says_the_language_of_its_clip(
    whisper: WhisperConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip's longest piece is heard first, its language holds for the others; a given one is never detected."""
    asked: list[list[tuple[int, str | None]]] = []

    def answer(sounds: Any, window: int, no_repeat: int = 0) -> Any:
        asked.append([(sound.n_ms, sound.language) for sound in sounds])
        return [(HeardPiece(f"{sound.n_ms}", -0.1, 1, sound.language or "de"), False) for sound in sounds]

    monkeypatch.setattr(whisper._decoder, "decode", answer)
    features = np.zeros((80, 100), np.float32)
    open_clip = [
        WhisperFeatures(0, 700, features),
        WhisperFeatures(1_000, 900, features),
        WhisperFeatures(2_000, 800, features),
    ]
    given = [WhisperFeatures(0, 600, features, "zh")]
    first, second = whisper.run([Prepared(open_clip), Prepared(given)])
    assert asked == [[(600, "zh"), (900, None)], [(700, "de"), (800, "de")]]
    assert (first.text, first.language, second.language) == ("700 900 800", "de", "zh")
