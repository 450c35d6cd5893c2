"""The index as a file: SQLite for the rows, with sqlite-vec for the embeddings.

    with Index.create(folder, topic_prefix) as index: index.add(entries)       # one transaction, on the disk
    with Index.open(folder) as index: index.search(model, query, stream="lobby", limit=10)

One writer and any number of readers at a time, in other processes too (SQLite's write-ahead log). Embeddings of
different models cannot be compared, so each model (name and version) has its own table of vectors.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from syncline.errors import MissingExtraError, SettingsError, SynclineError
from syncline.index.rows import IndexEntry, IndexRow
from syncline.wire.results import ModelInfo

FILE = "results.sqlite"
FORMAT = 1
BUSY_MS = 30_000
"""How long a writer waits for another."""
_SCHEMA = """
create table about (key text primary key, value text not null) without rowid;
create table model (
    n integer primary key, name text not null, version text not null, n_dimensions integer not null,
    unique (name, version)
);
create table result (
    n integer primary key, model integer not null references model, id text not null, row blob not null,
    unique (model, id)
);
"""


def require_library() -> None:
    """Raise `MissingExtraError` unless the index's libraries are installed."""
    try:
        import apsw  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import sqlite_vec  # noqa: F401  # pyright: ignore[reportUnusedImport, reportMissingTypeStubs]
    except ImportError as error:
        raise MissingExtraError("the index of results", "search") from error


def connect(folder: Path, *, create: bool) -> Any:
    """Open the file in `folder` with sqlite-vec. Raises `SettingsError`."""
    require_library()
    import apsw
    import sqlite_vec  # pyright: ignore[reportMissingTypeStubs]

    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    try:
        db: Any = apsw.Connection(str(folder / FILE), flags=flags)
        db.set_busy_timeout(BUSY_MS)
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "full")  # a commit is on the disk when it returns
    except apsw.Error as error:
        raise SettingsError("--index", str(folder), f"a folder whose {FILE} can be opened ({error})") from error
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    db.enable_load_extension(False)
    return db


def checked(db: Any, folder: Path) -> Any:
    """Return the connection if the index has this format. Raises `SettingsError`."""
    found = db.pragma("user_version")
    if found != FORMAT:
        db.close()
        raise SettingsError("--index", str(folder), f"an index of format {FORMAT}, this is {found}: index again")
    return db


@contextmanager
def transaction(db: Any) -> Generator[None]:
    """Write everything in the `with` block to disk, or nothing. Raises `SynclineError`."""
    import apsw

    try:
        # Immediate, which waits: a read that becomes a write fails if another writer came in between.
        db.execute("begin immediate")
        yield
        db.execute("commit")
    except BaseException as error:
        if db.in_transaction:
            db.execute("rollback")
        if isinstance(error, apsw.Error):
            raise SynclineError(f"the index cannot be written: {error}") from error
        raise


def make(db: Any, topic_prefix: str) -> None:
    """Create the tables of an empty file."""
    db.execute(_SCHEMA)
    about = {"id": uuid.uuid4().hex[:12], "topic_prefix": topic_prefix}
    db.executemany("insert into about values (?, ?)", about.items())
    db.pragma("user_version", FORMAT)


MAX_LIMIT = 1_000
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(IndexRow)


class Hit(NamedTuple):
    """A found result; `score` is the cosine between its embedding and the query's, -1 to 1."""

    score: float
    row: IndexRow


class IndexedModel(NamedTuple):
    """A model with results in the index, and their number."""

    model: ModelInfo
    n_dimensions: int
    n_results: int

    def __str__(self) -> str:
        return f"{self.model.name} {self.model.version} ({self.n_results} results)"


class Index:
    """An open index; a context manager. Made by `create` or `open`."""

    def __init__(self, connection: Any) -> None:
        self._db = connection

    @classmethod
    def create(cls, folder: Path, topic_prefix: str) -> Self:
        """Open a deployment's index for writing; create it if there is none.

        Raises `SettingsError` if the folder has results of another `topic_prefix`, whose ids could collide.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError("--index", str(folder), f"a folder to write ({error.strerror})") from error
        db = connect(folder, create=True)
        with transaction(db):
            if not db.pragma("user_version"):
                make(db, topic_prefix)
        index = cls(checked(db, folder))
        if (held := index.topic_prefix) != topic_prefix:
            index.close()
            takes = f"{held!r}, whose results {folder} holds; or another --index"
            raise SettingsError("--topic-prefix", topic_prefix, takes)
        return index

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an index for searching. Raises `SettingsError` if there is none."""
        if not (folder / FILE).is_file():
            raise SettingsError("--index", str(folder), f"a folder with {FILE}, as `syncline index` makes it")
        return cls(checked(connect(folder, create=False), folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def id(self) -> str:
        """The index's unique name, used as its consumer group."""
        return self._about("id")

    @property
    def topic_prefix(self) -> str:
        """The topic prefix of its results."""
        return self._about("topic_prefix")

    def models(self) -> list[IndexedModel]:
        """Return the models with results in it, most results first."""
        rows = self._db.execute(
            "select name, version, n_dimensions, count(*) as n_results from result join model on model.n = result.model"
            " group by model.n order by n_results desc, name, version"
        )
        return [IndexedModel(ModelInfo(name, version), size, count) for name, version, size, count in rows]

    def add(self, entries: Iterable[IndexEntry]) -> int:
        """Write entries to disk, all or none; an entry replaces one with its id. Return how many were new.

        Raises `SynclineError` if an embedding's size differs from its model's.
        """
        n_new = 0
        with transaction(self._db):
            for entry in entries:
                n_new += self._put(entry, self._model(entry))
        return n_new

    def search(
        self,
        model: ModelInfo,
        query: bytes,
        *,
        stream: str = "",
        since_ms: int | None = None,
        until_ms: int | None = None,
        limit: int = 10,
    ) -> list[Hit]:
        """Return results of one model, best score first; filters apply before the comparison.

        query: from `rows.pack`. stream: "" is all. since_ms, until_ms: moments that begin at or after, and before.
        Raises `SettingsError` if the index has no results of this model and size, or for a wrong limit.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise SettingsError("--limit", limit, f"a whole number from 1 to {MAX_LIMIT}")
        number = self._comparable(model, len(query) // 4)
        filters = {"stream = ?": stream or None, "start_ms >= ?": since_ms, "start_ms < ?": until_ms}
        given = {text: value for text, value in filters.items() if value is not None}
        where = "".join(f" and {text}" for text in given)
        rows = self._db.execute(
            f"with near as (select rowid, distance from vectors_{number} where embedding match ? and k = ?{where})"  # noqa: S608  # nosec B608
            " select near.distance, result.row from near join result on result.n = near.rowid order by near.distance",
            (query, limit, *given.values()),
        )
        return [Hit(1 - distance, _DECODER.decode(row)) for distance, row in rows]

    def _about(self, key: str) -> str:
        return self._db.execute("select value from about where key = ?", (key,)).fetchall()[0][0]

    def _find(self, model: ModelInfo) -> tuple[int, int] | None:
        """Return a model's number and embedding size."""
        rows = self._db.execute(
            "select n, n_dimensions from model where name = ? and version = ?", (model.name, model.version)
        ).fetchall()
        return rows[0] if rows else None

    def _comparable(self, model: ModelInfo, n_dimensions: int) -> int:
        found = self._find(model)
        name = f"{model.name} {model.version}"
        if found is None:
            held = ", ".join(map(str, self.models())) or "nothing"
            raise SettingsError("--model", name, f"a model whose results the index holds, and it holds {held}")
        if found[1] != n_dimensions:
            raise SettingsError(
                "--model", name, f"embeddings of {found[1]} numbers, as indexed; it gives {n_dimensions}"
            )
        return found[0]

    def _model(self, entry: IndexEntry) -> int:
        """Return the number of an entry's model; create its table of vectors if it is new."""
        model, size = entry.row.model, entry.n_dimensions
        found = self._find(model)
        if found is None:
            self._db.execute(
                "insert into model (name, version, n_dimensions) values (?, ?, ?)", (model.name, model.version, size)
            )
            number: int = self._db.last_insert_rowid()
            self._db.execute(
                f"create virtual table vectors_{number} using vec0"
                f"(embedding float[{size}] distance_metric=cosine, stream text, start_ms integer)"
            )
            return number
        if found[1] != size:
            raise SynclineError(
                f"result {entry.row.id}: embedding of {size} numbers, others of {model.name} {model.version} have"
                f" {found[1]}; two models may share name and version"
            )
        return found[0]

    def _put(self, entry: IndexEntry, model: int) -> bool:
        row, body = entry.row, _ENCODER.encode(entry.row)
        held = self._db.execute("select n, row from result where model = ? and id = ?", (model, row.id)).fetchall()
        if held and held[0][1] == body:
            return False
        number = held[0][0] if held else None
        if held:
            self._db.execute(f"delete from vectors_{model} where rowid = ?", (number,))  # noqa: S608  # nosec B608
        self._db.execute(
            "insert or replace into result (n, model, id, row) values (?, ?, ?, ?)", (number, model, row.id, body)
        )
        self._db.execute(
            f"insert into vectors_{model} (rowid, embedding, stream, start_ms) values (?, ?, ?, ?)",  # noqa: S608  # nosec B608
            (number or self._db.last_insert_rowid(), entry.embedding, row.stream, row.start_ms),
        )
        return not held
