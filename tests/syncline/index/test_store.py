"""Laws of the index as a file."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncline.errors import SettingsError, SynclineError
from syncline.index.rows import pack
from syncline.index.store import FILE, Index
from syncline.wire.results import ModelInfo
from tests.support.index import entry_at

REFERENCE = ModelInfo("reference", "1")
EAST = pack([1.0, 0.0])
ROOT = Path(__file__).parents[3]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An empty index."""
    with Index.create(tmp_path, "p.") as opened:
        yield opened


def ids(index: Index, query: bytes = EAST, model: ModelInfo = REFERENCE, **filters: object) -> list[str]:
    return [hit.row.id for hit in index.search(model, query, **filters)]  # type: ignore[arg-type]


def test_scores_are_cosines_and_fall(index: Index) -> None:
    """The same direction is 1 whatever its length, the opposite one -1, in falling order."""
    index.add(
        [entry_at("west", -2, 0), entry_at("north", 0, 5), entry_at("east", 1e20, 0), entry_at("small", 1e-30, 0)]
    )
    hits = index.search(REFERENCE, EAST)
    assert [hit.score for hit in hits] == pytest.approx([1, 1, 0, -1], abs=1e-6)
    assert {hit.row.id for hit in hits[:2]} == {"east", "small"}


def test_what_is_found_is_what_was_put_in(index: Index) -> None:
    """Stream, times, labels, members and model come back."""
    entry = entry_at("a", 1, 0)
    index.add([entry])
    assert index.search(REFERENCE, EAST)[0].row == entry.row


def test_a_repeat_is_held_once_and_the_newest_counts(index: Index) -> None:
    """The same id again adds nothing, and what differs in it replaces what was there."""
    assert index.add([entry_at("a", 1, 0), entry_at("b", 0, 1)]) == 2
    assert index.add([entry_at("a", 1, 0)]) == 0
    assert index.add([entry_at("a", -1, 0, stream="other")]) == 0
    assert [(hit.row.id, hit.row.stream) for hit in index.search(REFERENCE, EAST)] == [("b", "lobby"), ("a", "other")]


def test_filters_hold_before_the_nearest_are_taken(index: Index) -> None:
    """The nearest of one stream and time are found though many others are nearer."""
    near = [entry_at(f"n{i}", 1, 0, start_ms=i) for i in range(50)]
    index.add([*near, entry_at("far", -1, 0.1, stream="yard", start_ms=10_000)])
    assert ids(index, stream="yard", limit=3) == ["far"]
    assert ids(index, since_ms=10_000, limit=3) == ["far"]
    assert ids(index, since_ms=7, until_ms=8) == ["n7"]
    assert ids(index, stream="yard", until_ms=10_000) == []


@pytest.mark.parametrize("stream", ["it's", '"', "a' or '1'='1", "门口\N{FISH}", "x" * 256, "%", "\\"])
def test_a_stream_may_have_any_name(index: Index, stream: str) -> None:
    """No name is read as anything but itself."""
    index.add([entry_at("a", 1, 0, stream=stream), entry_at("b", 1, 0)])
    assert ids(index, stream=stream) == ["a"]


def test_models_are_never_compared_with_each_other(index: Index) -> None:
    """Each name and version is searched alone, of whatever size, and both may hold the same id."""
    index.add([entry_at("a", 1, 0), entry_at("a", 1, 0, version="2"), entry_at("c", 1, 0, 0, model="clip")])
    index.add([entry_at("d", 1, 0, version="2")])
    assert ids(index) == ["a"]
    assert sorted(ids(index, model=ModelInfo("reference", "2"))) == ["a", "d"]
    assert ids(index, pack([1.0, 0.0, 0.0]), ModelInfo("clip", "1")) == ["c"]
    assert [str(held) for held in index.models()] == [
        "reference 2 (2 results)", "clip 1 (1 results)", "reference 1 (1 results)",
    ]  # fmt: skip


def test_a_model_that_is_not_held_is_named_beside_those_that_are(index: Index) -> None:
    """So that a person sees which model to give."""
    index.add([entry_at("a", 1, 0)])
    with pytest.raises(SettingsError, match=r"'reference 2'.*it holds reference 1 \(1 results\)"):
        ids(index, model=ModelInfo("reference", "2"))
    with pytest.raises(SettingsError, match="embeddings of 2 numbers, as indexed; it gives 3"):
        ids(index, pack([1.0, 0.0, 0.0]))


def test_a_batch_is_written_whole_or_not_at_all(index: Index) -> None:
    """An embedding that does not fit its model's others is refused with all that came with it."""
    index.add([entry_at("a", 1, 0)])
    with pytest.raises(SynclineError, match="result c: embedding of 3 numbers, others of reference 1 have 2"):
        index.add([entry_at("b", 1, 0), entry_at("c", 1, 0, 0)])
    assert ids(index) == ["a"]


def test_readers_and_the_writer_do_not_wait_for_each_other(tmp_path: Path, index: Index) -> None:
    """What one process writes another finds at its next search, while the first goes on."""
    with Index.open(tmp_path) as reader:
        index.add([entry_at("a", 1, 0)])
        assert ids(reader) == ["a"]
        index.add([entry_at("b", 1, 0)])
        assert sorted(ids(reader)) == ["a", "b"]


CHILD = """
import os, sys
from pathlib import Path
from syncline.index.store import Index
from tests.support.index import entry_at
index = Index.create(Path(sys.argv[1]), "p.")
index.add([entry_at("before", 1, 0)])
def entries():
    yield entry_at("within", 1, 0)
    os.kill(os.getpid(), 9)
index.add(entries())
"""


def test_kill_9_within_a_write_leaves_what_was_written_before(tmp_path: Path) -> None:
    """A batch that was returned from is there, half a batch is not, and the index can be written again."""
    ran = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], cwd=ROOT, capture_output=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    with Index.create(tmp_path, "p.") as index:
        assert ids(index) == ["before"]
        assert index.add([entry_at("within", 1, 0)]) == 1


def test_an_index_keeps_its_name_and_its_deployment(tmp_path: Path) -> None:
    """Opened again it has the id it had; results of another prefix are refused, for ids would meet."""
    with Index.create(tmp_path, "p.") as first, Index.create(tmp_path, "p.") as second:
        assert first.id == second.id
    with pytest.raises(SettingsError, match=r"--topic-prefix: got 'q.', takes 'p\.'"):
        Index.create(tmp_path, "q.")


def test_repeats_and_many_small_batches_leave_no_holes(tmp_path: Path, index: Index) -> None:
    """The file grows with what it holds, not with how often or in how many pieces it was written."""
    entries = [entry_at(f"r{i}", 1, i) for i in range(300)]
    for entry in entries:
        index.add([entry])
    size = (tmp_path / FILE).stat().st_size + (tmp_path / f"{FILE}-wal").stat().st_size
    for _ in range(3):
        index.add(entries)
    assert (tmp_path / FILE).stat().st_size + (tmp_path / f"{FILE}-wal").stat().st_size == size
    assert [held.n_results for held in index.models()] == [300]


@pytest.mark.parametrize("content", [b"no database at all" * 100, None])
def test_a_folder_without_an_index_is_named(tmp_path: Path, content: bytes | None) -> None:
    """Nothing there, or something else: exit code 2 and the folder."""
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(SettingsError, match=str(tmp_path)):
        Index.open(tmp_path)


@pytest.mark.parametrize("limit", [0, 1_001])
def test_limits_have_limits(index: Index, limit: int) -> None:
    """From 1 to 1,000."""
    with pytest.raises(SettingsError, match="--limit"):
        ids(index, limit=limit)
