"""Flite gets each text in a file: no text is an option, a mark or a command. Tested with a stand-in for the program."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from models.adapters.flite import FliteConverter, open_flite, plain_text
from models.interface import Speech
from syncline.errors import MediaError, SettingsError

STAND_IN = """#!{python} -I
import json, sys, wave
if sys.argv[1] == "-lv":
    print("Voices available: kal awb slt"); sys.exit(0)
if sys.argv[1] == "--version":
    print("  version: flite-2.2-test Sep 2018"); sys.exit(0)
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
text = open(options["-f"], encoding="ascii").read()
with open({calls!r}, "a") as file:
    print(json.dumps([sys.argv[1:], text]), file=file)
if "crash" in text:
    print("broken", file=sys.stderr); sys.exit(3)
with wave.open(options["-o"], "wb") as file:
    file.setnchannels(1); file.setsampwidth(2); file.setframerate(16000)
    file.writeframes(b"\\x00\\x40" * (1600 * len(text)))
"""
"""Speaks 100 ms a character; writes down how it was called and with what text."""


class StandIn:
    """A folder for the PATH that has a `flite`, and what that was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._calls = folder, folder / "calls"
        program = folder / "flite"
        program.write_text(STAND_IN.format(python=sys.executable, calls=str(self._calls)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def calls(self) -> list[tuple[list[str], str]]:
        return [tuple(json.loads(line)) for line in self._calls.read_text().splitlines()]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A `flite` on the PATH that is none."""
    made = StandIn(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    return made


def say(flite: FliteConverter, *texts: str) -> list[Speech | MediaError]:
    return flite.run([flite.prepare(text.encode(), "text/plain", None) for text in texts])


def test_speaks_each_text(stand_in: StandIn) -> None:
    """Each text gets its own speech, in order, as float32 at flite's rate."""
    first, second = say(open_flite("awb"), "one", "three")
    assert isinstance(first, Speech)
    assert isinstance(second, Speech)
    assert (len(first.samples), len(second.samples)) == (4 * 1_600, 6 * 1_600)
    assert (first.samples.dtype, first.sample_rate_hz, first.language) == (np.float32, 16_000, "en")
    np.testing.assert_allclose(first.samples, 0.5)


@pytest.mark.parametrize(
    "text", ["-h", "--help", "-o /tmp/x", "-voice kal", "$(reboot); `reboot` | reboot", "-ssml <a>"]
)
def test_no_text_is_an_option(stand_in: StandIn, text: str) -> None:
    """The command line is the same for every text, which stands in the file as it was."""
    say(open_flite(""), text)
    ((arguments, said),) = stand_in.calls()
    assert said == text + "\n"
    assert arguments[:3] == ["-voice", "slt", "-f"]
    assert arguments[4] == "-o"
    assert [Path(arguments[i]).name for i in (3, 5)] == ["text.txt", "speech.wav"]


def test_texts_leave_nothing_behind(stand_in: StandIn) -> None:
    """What was to be spoken is gone from the disk afterwards."""
    say(open_flite(""), "a secret")
    ((arguments, _),) = stand_in.calls()
    assert not Path(arguments[3]).parent.exists()


def test_what_flite_cannot_say_is_refused(stand_in: StandIn) -> None:
    """A text without a letter or digit of ASCII is that item's own error; the others are spoken."""
    chinese, english = say(open_flite(""), "你好", "hello")
    assert isinstance(chinese, MediaError)
    assert chinese.reason == "text_no_words"
    assert isinstance(english, Speech)


def test_too_long_speech_is_refused(stand_in: StandIn) -> None:
    """More than 60 s of sound are that item's own error."""
    (answer,) = say(open_flite(""), "a" * 700)
    assert isinstance(answer, MediaError)
    assert answer.reason == "audio_too_many_seconds"


def test_a_crash_is_told(stand_in: StandIn) -> None:
    """Where flite fails the batch fails, with what flite said."""
    with pytest.raises(RuntimeError, match="flite ended with 3: broken"):
        say(open_flite(""), "crash")


def test_without_flite_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No program, an error that names the package."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="no flite on the PATH', takes flite: apt-get install flite"):
        open_flite("")


def test_unknown_voices_are_refused_with_the_known_ones(stand_in: StandIn) -> None:
    """A voice is one of flite's own or a .flitevox file that is there."""
    with pytest.raises(SettingsError, match=r"got 'nobody', takes awb, kal, slt, or the path of a \.flitevox file"):
        open_flite("nobody")
    with pytest.raises(SettingsError, match=r"'gone\.flitevox'"):
        open_flite("gone.flitevox")
    voice = stand_in.folder / "mine.flitevox"
    voice.touch()
    assert open_flite(str(voice)).name == "flite/mine"
    assert (open_flite("").name, open_flite("").version) == ("flite/slt", "2.2-test")


def test_text_becomes_ascii() -> None:
    """Accents go, typographic signs become plain ones, all else a space."""
    assert plain_text("The café’s “naïve” owner…\t好") == 'The cafe\'s "naive" owner...  '


@pytest.mark.skipif(shutil.which("flite") is None, reason="needs Debian's flite")
def test_the_real_program_speaks() -> None:
    """Where flite is installed, a sentence that begins with a dash is spoken."""
    flite = open_flite("")
    (answer,) = say(flite, "-h the birch canoe slid on the smooth planks.")
    assert isinstance(answer, Speech)
    assert 2 < len(answer.samples) / answer.sample_rate_hz < 6
    assert np.abs(answer.samples).max() > 0.1
