"""Manifests: which media to send, when, as a file of JSON lines; and sending them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from syncline.errors import AbortedError, BrokerError, ContractError, SettingsError
from syncline.producer import Delivery, EventFields, MediaProducer
from syncline.wire.contract import MAX_EVENT_BYTES
from syncline.wire.events import MediaEvent, build_headers, parse_headers
from syncline.wire.media import check_modality, sniff_content_type

_MAGIC_BYTES = 16


class ManifestEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line: an event to send.

    time_ms: event time, ms since 1970. path or text: the payload. after_ms: when to send it, in ms after the start
    at rate 1; default: by its time, the manifest's first event at once. content_type: needed only where the first
    bytes do not tell. id: unique within the source, default random.
    """

    stream: str
    modality: str
    time_ms: int
    path: str | None = None
    text: str | None = None
    lane: str = ""
    language: str = ""
    duration_ms: int = 0
    id: str = ""
    content_type: str = ""
    after_ms: int | None = None

    def fields(self) -> EventFields:
        """What `MediaProducer.send` wants beside stream, modality and data."""
        fields = EventFields(
            time_ms=self.time_ms,
            lane=self.lane,
            id=self.id,
            duration_ms=self.duration_ms,
            language=self.language,
            content_type=self.content_type,
        )
        if self.text is not None:
            fields["text"] = self.text
        return fields


class Step(msgspec.Struct, frozen=True):
    """An entry, when it is due (ms after the start at rate 1), and its file (None for a text)."""

    due_ms: int
    entry: ManifestEntry
    file: Path | None


def read_manifest(path: Path, max_event_bytes: int = MAX_EVENT_BYTES) -> list[Step]:
    """Read and check a manifest; steps come in the order in which they are due.

    Raises `SettingsError` for the first line that is wrong, or where there is no line at all.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("manifest", str(path), f"a file of JSON lines in UTF-8 ({error})") from error
    entries: list[tuple[ManifestEntry, Path | None]] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            entries.append(_read_line(line, f"{path}:{number}", path.parent, max_event_bytes))
    if not entries:
        raise SettingsError("manifest", str(path), "at least one line")
    first_ms = min(entry.time_ms for entry, _ in entries)
    steps = [Step(_due_ms(entry, first_ms), entry, file) for entry, file in entries]
    return sorted(steps, key=lambda step: step.due_ms)


def _due_ms(entry: ManifestEntry, first_ms: int) -> int:
    return entry.after_ms if entry.after_ms is not None else entry.time_ms - first_ms


def _read_line(line: str, where: str, folder: Path, max_event_bytes: int) -> tuple[ManifestEntry, Path | None]:
    try:
        entry = msgspec.json.decode(line, type=ManifestEntry)
    except msgspec.DecodeError as error:
        takes = f"JSON with {', '.join(ManifestEntry.__struct_fields__)} ({error})"
        raise SettingsError(where, line[:200], takes) from error
    if (entry.path is None) == (entry.text is None):
        raise SettingsError(where, line[:200], "either path or text")
    if entry.after_ms is not None and entry.after_ms < 0:
        raise SettingsError(f"{where} after_ms", entry.after_ms, "an integer of at least 0")
    if entry.text is not None and entry.modality in ("image", "audio"):
        raise SettingsError(f"{where} text", entry.text[:64], "a path, since the modality is not text")
    file = None if entry.path is None else folder / entry.path
    try:
        _check_event(entry, file, max_event_bytes)
    except OSError as error:
        raise SettingsError(f"{where} path", entry.path, f"a file that can be read ({error.strerror})") from error
    except ContractError as error:
        raise SettingsError(where, line[:200], f"an event of the contract ({error})") from error
    return entry, file


def _check_event(entry: ManifestEntry, file: Path | None, max_event_bytes: int) -> None:
    check_modality(entry.modality)
    if file is None:
        head, n_bytes = b"", len((entry.text or "").encode())
    else:
        with file.open("rb") as opened:
            head, n_bytes = opened.read(_MAGIC_BYTES), file.stat().st_size
    if not 0 < n_bytes <= max_event_bytes:
        raise ContractError("too_large" if n_bytes else "empty_value", f"{n_bytes} bytes, takes 1 to {max_event_bytes}")
    event = MediaEvent(
        stream=entry.stream,
        modality=entry.modality,
        source="urn:manifest",
        id=entry.id or "random",
        time_ms=entry.time_ms,
        content_type=entry.content_type or sniff_content_type(entry.modality, head),
        lane=entry.lane,
        duration_ms=entry.duration_ms,
        language=entry.language,
    )
    parse_headers(event.topic, entry.stream.encode(), build_headers(event), None)


_MAX_ON_THEIR_WAY = 2_000
"""Deliveries awaited at a time: bounds memory when the broker is slower than the disk."""


async def replay(producer: MediaProducer, steps: Sequence[Step], rate: float = 1.0, transaction_ms: int = 0) -> int:
    """Send all steps and wait until each is on the broker; returns how many were not taken.

    rate: 1 sends as the steps' times say, 2 twice as fast, 0 as fast as possible. transaction_ms: so much of the steps'
    time is one transaction, 0 sends without. A failed delivery does not stop the others, and fails all of its
    transaction; it is counted. Raises what `MediaProducer.send_soon` and `transaction` raise, and OSError where a file
    has gone.
    """
    start_s = asyncio.get_running_loop().time()
    if not transaction_ms:
        return await _send(producer, steps, rate, start_s)
    n_failed = 0
    for _, group in groupby(steps, lambda step: step.due_ms // transaction_ms):
        together = list(group)
        try:
            async with producer.transaction():
                await _send(producer, together, rate, start_s)
        except AbortedError:
            n_failed += len(together)
    return n_failed


async def _send(producer: MediaProducer, steps: Sequence[Step], rate: float, start_s: float) -> int:
    loop = asyncio.get_running_loop()
    waiting: set[asyncio.Future[Delivery]] = set()
    n_failed = 0
    for step in steps:
        if rate > 0:
            await asyncio.sleep(max(0.0, start_s + step.due_ms / 1000 / rate - loop.time()))
        data = None if step.file is None else await asyncio.to_thread(step.file.read_bytes)
        waiting.add(await producer.send_soon(step.entry.stream, step.entry.modality, data, **step.entry.fields()))
        if len(waiting) >= _MAX_ON_THEIR_WAY:
            n_failed += await _settle(waiting)
    return n_failed + await _settle(waiting)


async def _settle(waiting: set[asyncio.Future[Delivery]]) -> int:
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    waiting.clear()
    return sum(isinstance(outcome, BrokerError) for outcome in outcomes)
