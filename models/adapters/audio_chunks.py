"""Cuts sound into pieces for a recogniser: finds speech, and cuts where it pauses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RATE_HZ = 16_000
MAX_PIECE_MS = 29_000
"""Whisper hears 30 s at once; the rest is room for the padding."""
PAD_MS = 300
"""Padding around speech, which begins and ends softly."""
MAX_PAUSE_MS = 1_500
"""Whisper loses what follows a long pause, so pieces hold none."""
_FRAME = RATE_HZ // 50
_GATE_DB = 35.0
"""Frames so far below the loudest are pauses to the gate by energy."""
_SILENCE_RMS = 1e-4
"""-80 dB of full scale: silence."""


class SpeechSpan(NamedTuple):
    """A stretch of sound, in samples at 16 kHz; `end` is not part of it."""

    start: int
    end: int


class Piece(NamedTuple):
    """A piece of a clip, and where it begins in it."""

    start_ms: int
    samples: npt.NDArray[np.float32]


def speech_pieces(samples: npt.NDArray[np.float32], max_ms: int = MAX_PIECE_MS) -> list[Piece]:
    """Cut a clip into pieces that hold all its speech, at pauses; no pieces without speech.

    Speech is found by Silero's detector if faster-whisper is installed, else by energy.

    Args:
        samples (float32 (n_samples,)): at 16 kHz.
        max_ms (int): the length of a piece, ms. Default 29,000.
    """
    spans = _find(samples, max_ms)
    return [Piece(one.start * 1_000 // RATE_HZ, samples[one.start : one.end]) for one in join_spans(spans, max_ms)]


def join_spans(spans: Sequence[SpeechSpan], max_ms: int) -> list[SpeechSpan]:
    """Join spans with a short pause in between, while they fit into `max_ms`: fewer, longer pieces."""
    most, pause = max_ms * RATE_HZ // 1_000, MAX_PAUSE_MS * RATE_HZ // 1_000
    joined: list[SpeechSpan] = []
    for span in spans:
        if joined and span.start - joined[-1].end <= pause and span.end - joined[-1].start <= most:
            joined[-1] = SpeechSpan(joined[-1].start, span.end)
        else:
            joined += (SpeechSpan(at, min(at + most, span.end)) for at in range(span.start, span.end, most))
    return joined


def spans_by_energy(samples: npt.NDArray[np.float32], max_ms: int) -> list[SpeechSpan]:
    """Where the sound is within 35 dB of its loudest 20 ms; longer stretches are cut at their quietest frame."""
    n_frames = -(-len(samples) // _FRAME)
    padded = np.pad(samples, (0, n_frames * _FRAME - len(samples))).reshape(n_frames, _FRAME)
    rms = np.sqrt(np.square(padded, dtype=np.float64).mean(1))
    if n_frames == 0 or rms.max() < _SILENCE_RMS:
        return []
    loud = np.flatnonzero(rms > rms.max() * 10 ** (-_GATE_DB / 20))
    pad, most = PAD_MS // 20, max_ms // 20
    starts = np.concatenate([[0], np.flatnonzero(np.diff(loud) > 2 * pad) + 1])
    ends = np.concatenate([starts[1:], [len(loud)]])
    spans: list[SpeechSpan] = []
    for first, last in zip(loud[starts].tolist(), loud[ends - 1].tolist(), strict=True):
        start, end = max(0, first - pad), min(n_frames, last + 1 + pad)
        while end - start > most:
            cut = start + most // 2 + int(rms[start + most // 2 : start + most].argmin())
            spans.append(SpeechSpan(start * _FRAME, cut * _FRAME))
            start = cut
        spans.append(SpeechSpan(start * _FRAME, min(end * _FRAME, len(samples))))
    return spans


def _find(samples: npt.NDArray[np.float32], max_ms: int) -> list[SpeechSpan]:
    try:
        from faster_whisper.vad import VadOptions, get_speech_timestamps
    except ImportError:
        return spans_by_energy(samples, max_ms)
    options = VadOptions(max_speech_duration_s=max_ms / 1_000, min_silence_duration_ms=500, speech_pad_ms=PAD_MS)
    found = get_speech_timestamps(samples, options)
    return [SpeechSpan(int(one["start"]), int(one["end"])) for one in found]
