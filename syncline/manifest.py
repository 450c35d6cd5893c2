"""Manifests: JSON lines that say which media to send and when; `replay` sends them."""

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
    """One line of a manifest: an event to send.

    Attributes:
        stream (str): what the event belongs to.
        modality (str): `image`, `text` or `audio`.
        time_ms (int): event time, ms since 1970.
        path (str | None): the payload's file, relative to the manifest. Default None: `text` is the payload.
        text (str | None): the payload of a text event. Default None.
        lane (str): which of several sources of one modality. Default: the modality.
        language (str): BCP 47 tag. Default: unknown.
        duration_ms (int): how long the event lasts, ms. Default 0.
        id (str): unique within the source. Default: random.
        content_type (str): needed only if the first bytes do not tell it. Default: found from them.
        after_ms (int | None): when to send it, ms after the start at rate 1. Default None: by its time, the earliest
            event first.
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
        """Return the keyword arguments for `MediaProducer.send`."""
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
    """An entry with its due time (ms after the start at rate 1) and its file (None for a text)."""

    due_ms: int
    entry: ManifestEntry
    file: Path | None


def read_manifest(path: Path, max_event_bytes: int = MAX_EVENT_BYTES) -> list[Step]:
    """Read and check a manifest.

    Args:
        path (Path): the file of JSON lines, one `ManifestEntry` each.
        max_event_bytes (int): largest payload, bytes. Default 1,000,000.

    Returns:
        list[Step]: the entries, sorted by due time.

    Raises:
        SettingsError: a line is wrong (the first such line is named), or there is none.

    Example:
        >>> from pathlib import Path
        >>> from syncline.manifest import read_manifest
        >>> _ = Path("chat.jsonl").write_text('{"stream": "lobby", "modality": "text", "time_ms": 1000, "text": "hi"}')
        >>> read_manifest(Path("chat.jsonl"))[0].entry.text
        'hi'
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
"""Deliveries awaited at a time; bounds memory when the broker is slower than the disk."""


async def replay(producer: MediaProducer, steps: Sequence[Step], rate: float = 1.0, transaction_ms: int = 0) -> int:
    """Send all steps and wait for their deliveries.

    A failed delivery does not stop the others; in a transaction it fails all of that transaction's.

    Args:
        producer (MediaProducer): an entered producer.
        steps (Sequence[Step]): what `read_manifest` returned.
        rate (float): 1 sends by the steps' times, 2 twice as fast, 0 as fast as possible. Default 1.0.
        transaction_ms (int): send the steps of each such span in one transaction, ms. Default 0: no transactions.

    Returns:
        int: the number of failed deliveries.

    Raises:
        BrokerError: as in `MediaProducer.send_soon` and `transaction`.
        OSError: a file cannot be read any more.
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
