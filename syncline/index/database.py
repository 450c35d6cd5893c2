"""The index's file: how it is opened, what tables it has, how it is written."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncline.errors import MissingExtraError, SettingsError, SynclineError

FILE = "results.sqlite"
FORMAT = 1
BUSY_MS = 30_000
"""So long one writer waits for another."""
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
    """Raise `MissingExtraError` unless what the index is made of is installed."""
    try:
        import apsw  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import sqlite_vec  # noqa: F401  # pyright: ignore[reportUnusedImport, reportMissingTypeStubs]
    except ImportError as error:
        raise MissingExtraError("the index of results", "search") from error


def connect(folder: Path, *, create: bool) -> Any:
    """Open the file in `folder` with sqlite-vec; raises `SettingsError` where that cannot be."""
    require_library()
    import apsw
    import sqlite_vec  # pyright: ignore[reportMissingTypeStubs]

    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    try:
        db: Any = apsw.Connection(str(folder / FILE), flags=flags)
        db.set_busy_timeout(BUSY_MS)
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "full")  # a commit is on the disk, not only on its way
    except apsw.Error as error:
        raise SettingsError("--index", str(folder), f"a folder whose {FILE} can be opened ({error})") from error
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    db.enable_load_extension(False)
    return db


def checked(db: Any, folder: Path) -> Any:
    """The connection, if it is to an index of this format."""
    found = db.pragma("user_version")
    if found != FORMAT:
        db.close()
        raise SettingsError("--index", str(folder), f"an index of format {FORMAT}, this is {found}: index anew")
    return db


@contextmanager
def transaction(db: Any) -> Generator[None]:
    """All within is written, to the disk, or nothing of it; raises `SynclineError` where it cannot be."""
    import apsw

    try:
        # Immediate: a read that became a write would fail where another had written in between; this waits.
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
    """Make the tables of an empty file."""
    db.execute(_SCHEMA)
    about = {"id": uuid.uuid4().hex[:12], "topic_prefix": topic_prefix}
    db.executemany("insert into about values (?, ?)", about.items())
    db.pragma("user_version", FORMAT)
