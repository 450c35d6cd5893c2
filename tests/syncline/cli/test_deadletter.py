"""`syncline deadletter list|show|retry`, as a person or a program runs them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from syncline.cli import main
from syncline.wire.deadletters import encode_dead_letter
from syncline.wire.events import build_headers, parse_headers
from syncline.wire.placement import partition_for
from tests.support.brokers import TestBroker
from tests.support.contract import example_event
from tests.support.letters import dead_record, write_letters
from tests.support.topics import N_PARTITIONS, make_topics, read_records

HERE = partition_for(b"lobby", N_PARTITIONS)


class Deadletter:
    """Runs `syncline deadletter` against the topics of one test."""

    def __init__(self, broker: TestBroker, prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.brokers, self.prefix, self._capsys = broker.address, prefix, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(["deadletter", *arguments, "--brokers", self.brokers, "--topic-prefix", self.prefix])
        out, err = self._capsys.readouterr()
        return int(end.value.code or 0), out, err

    def json(self, *arguments: str) -> dict[str, Any]:
        """What it prints for a program."""
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    def write(self, *letters: Any) -> None:
        """Write dead letters to the partition of their stream."""
        asyncio.run(write_letters(self.brokers, self.prefix, *((HERE, record) for record in letters)))

    def media(self, topic: str, n_records: int) -> list[Any]:
        """The records of a media topic."""
        return asyncio.run(read_records(self.brokers, self.prefix + topic, n_records))


@pytest.fixture
def deadletter(
    broker: TestBroker, topic_prefix: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Deadletter:
    """The command on topics of its own."""
    monkeypatch.setenv("NO_COLOR", "1")
    asyncio.run(make_topics(broker.address, topic_prefix))
    return Deadletter(broker, topic_prefix, capsys)


def test_list_counts_by_reason_and_stream_and_prints_the_newest(deadletter: Deadletter) -> None:
    """Repeats count once; what is no dead letter is counted apart; control characters are shown as such."""
    deadletter.write(
        dead_record(offset=1),
        dead_record(offset=1),
        dead_record(offset=2, detail="\x1b[31mred"),
        dead_record(offset=3, reason="clock", key=b"hall"),
        dead_record(offset=4)._replace(headers=[]),
    )
    code, out, err = deadletter("list", "--newest", "2")
    assert code == 0, err
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[:4] == [
        "letters reason stream",
        "2 image_header lobby",
        "1 clock hall",
        "3 dead letters, 1 repeats not counted",
    ]
    assert [line.split()[1:6] for line in lines[4:]] == [
        [str(HERE), "3", "hall", "media.image/0/3", "clock"],
        [str(HERE), "2", "lobby", "media.image/0/2", "image_header"],
    ]
    assert "\x1b" not in out
    assert err == "1 records of the topic are no dead letters\n"
    found = deadletter.json("list", "--reason", "clock")
    assert (found["n_letters"], found["counts"]) == (1, [{"reason": "clock", "stream": "hall", "n": 1}])
    assert found["newest"][0]["id"] == "media.image/0/3"


def test_list_takes_all_filters_together(deadletter: Deadletter) -> None:
    """Of times both ways to say them; none that matches is no error."""
    deadletter.write(dead_record(offset=1), dead_record(offset=2, key=b"hall"), dead_record(offset=3, reason="clock"))
    filters = ("--reason", "image_header", "--stream", "hall", "--since", "1h", "--until", "2999-01-01T00:00:00Z")
    assert [one["origin_offset"] for one in deadletter.json("list", *filters)["newest"]] == [2]
    for none in (("--until", "1h"), ("--since", "2999-01-01T00:00:00Z"), ("--stream", "lob")):
        assert deadletter.json("list", *none)["n_letters"] == 0
    assert deadletter("list", "--stream", "lob")[1] == "0 dead letters\n"


def test_show_tells_everything_and_saves_the_bytes(deadletter: Deadletter, tmp_path: Path) -> None:
    """The reason in words, the origin, headers and first bytes; the file holds the original's bytes."""
    value = b"\xff\xd8\xff" + bytes(range(256)) * 2
    deadletter.write(dead_record(value=value, set_id="abc", headers=[("ce_id", b"frame-1"), ("ce_retries", b"2")]))
    saved = tmp_path / "original"
    code, out, err = deadletter("show", str(HERE), "0", "--save", str(saved))
    assert code == 0, err
    assert saved.read_bytes() == value
    for what in (
        "image_header: the picture's header is cut short",
        "image/jpeg: the header is cut short",
        "abc, which failed",
        "media.image, partition 0, offset 7",
        "syncline explain media.image 0 7",
        "ce_id  frame-1",
        "2; it was a retry of",
        f"syncline deadletter retry {HERE} 0",
        "515 bytes, the first 256:",
        "ff d8 ff 00 01",
    ):
        assert what in out, what
    found = deadletter.json("show", str(HERE), "0")
    assert (found["reason"], found["retries"], found["n_bytes"]) == ("image_header", 2, 515)


def test_show_of_what_is_not_there_is_a_clear_error(deadletter: Deadletter, tmp_path: Path) -> None:
    """No such letter, no such partition, no bytes to save: exit code 1 and one line."""
    deadletter.write(dead_record(value=None))
    for place in ((str(HERE), "1"), ("99", "0")):
        code, _, err = deadletter("show", *place)
        assert (code, err.count("\n")) == (1, 1)
        assert f"no dead letter in partition {place[0]} at offset {place[1]}" in err
    code, out, err = deadletter("show", str(HERE), "0", "--save", str(tmp_path / "none"))
    assert code == 1
    assert "null" in out
    assert "holds no bytes to save" in err


def test_a_retry_is_the_original_where_its_key_belongs(deadletter: Deadletter) -> None:
    """Key, bytes, headers and time; a misrouted one goes to the right partition, and the letter stays."""
    deadletter.write(dead_record(reason="misrouted", partition=(HERE + 1) % N_PARTITIONS, value=b"\xff\xd8\xff!"))
    code, out, err = deadletter("retry", str(HERE), "0")
    assert code == 0, err
    assert out.splitlines()[0] == "1 dead letters to send again: 1 misrouted"
    assert out.splitlines()[-1] == "1 sent, 0 failed"
    (record,) = deadletter.media("media.image", 1)
    assert (record.partition, record.key, record.value) == (HERE, b"lobby", b"\xff\xd8\xff!")
    event = parse_headers("media.image", record.key, record.headers, record.timestamp)
    assert event == example_event(retries=1)
    assert dict(record.headers)["ce_retryof"] == f"media.image/{(HERE + 1) % N_PARTITIONS}/7".encode()
    assert deadletter.json("list")["n_letters"] == 1


def test_each_is_sent_once_unless_asked_for_again(deadletter: Deadletter) -> None:
    """A second retry of the same selection says which were sent before; so does a dry run, which sends nothing."""
    deadletter.write(*(dead_record(offset=n) for n in range(5)), dead_record(offset=2))
    assert deadletter.json("retry", "--reason", "image_header", "--dry-run")["sent"] == 0
    first = deadletter.json("retry", str(HERE), "3")
    assert (first["sent"], first["retried_before"]) == (1, [])
    all_of_them = deadletter.json("retry", "--reason", "image_header")
    assert (all_of_them["sent"], all_of_them["retried_before"], all_of_them["repeats"]) == (4, ["media.image/0/3"], 1)
    code, out, _ = deadletter("retry", "--reason", "image_header")
    assert code == 0
    assert out.splitlines()[1].startswith("5 were sent again before and are left out, --again sends them too: ")
    assert out.splitlines()[-1] == "nothing was sent"
    code, out, _ = deadletter("retry", str(HERE), "3")
    assert (code, out.splitlines()[-1]) == (1, "nothing was sent")
    assert deadletter.json("retry", str(HERE), "3", "--again")["sent"] == 1
    ids = [dict(record.headers)["ce_retryof"] for record in deadletter.media("media.image", 6)]
    assert sorted(ids) == [b"media.image/0/%d" % n for n in (0, 1, 2, 3, 3, 4)]


def test_what_cannot_be_sent_whole_is_said_and_left_out(deadletter: Deadletter) -> None:
    """The others go."""
    deadletter.write(
        dead_record(offset=1, headers=[*build_headers(example_event()), ("x", bytes(20_000))]),
        dead_record(offset=2, key=None),
        dead_record(offset=3),
    )
    code, out, err = deadletter("retry", "--reason", "image_header")
    assert code == 0, err
    assert "1 cannot be sent again: not all of the original is here (headers); it may still be at its origin" in out
    assert "1 cannot be sent again: it has no key, so it belongs to no partition" in out
    assert out.splitlines()[-1] == "1 sent, 0 failed"


def test_a_retry_that_failed_again_can_be_retried_and_counts_on(deadletter: Deadletter) -> None:
    """Its new dead letter is another one, and the plan says that it is not the first attempt."""
    deadletter.write(dead_record(offset=1))
    deadletter.json("retry", "--reason", "image_header")
    (record,) = deadletter.media("media.image", 1)
    again = encode_dead_letter(
        reason="image_header", detail="", topic="media.image", partition=HERE, offset=record.offset, key=record.key,
        value=record.value, headers=record.headers, timestamp_ms=record.timestamp,
    )  # fmt: skip
    deadletter.write(again)
    code, out, err = deadletter("retry", "--reason", "image_header")
    assert code == 0, err
    assert "1 of them are retries that failed again, up to 1 times" in out
    records = deadletter.media("media.image", 2)
    assert [dict(one.headers)["ce_retries"] for one in records] == [b"1", b"2"]


@pytest.mark.parametrize(("answer", "n_sent"), [("n\n", 0), ("y\n", 2)])
def test_on_a_terminal_it_asks_before_it_sends_more_than_one(
    deadletter: Deadletter, monkeypatch: pytest.MonkeyPatch, answer: str, n_sent: int
) -> None:
    """--yes does not ask, and neither does a single one."""
    import io
    import sys

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    deadletter.write(*(dead_record(offset=n) for n in range(3)))
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert deadletter("retry", str(HERE), "0")[0] == 0
    code, out, _ = deadletter("retry", "--reason", "image_header")
    assert code == (0 if n_sent else 1)
    assert "Send 2 records?" in out
    assert deadletter.json("retry", "--reason", "image_header", "--yes")["sent"] == 2 - n_sent


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["list", "--since", "yesterday"], "--since"),
        (["retry", "--since", "1h", "--until", "2h"], "--until"),
        (["retry", "1"], "PARTITION OFFSET"),
        (["retry", "1", "2", "3"], "PARTITION OFFSET"),
        (["retry", "1", "2", "--reason", "clock"], "PARTITION OFFSET"),
    ],
)
def test_wrong_use_is_code_2_before_any_connection(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str], unused_tcp_port: int
) -> None:
    """What is wrong is named in one line."""
    with pytest.raises(SystemExit) as end:
        main(["deadletter", *arguments, "--brokers", f"127.0.0.1:{unused_tcp_port}"])
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"syncline: {named}: got ")
    assert err.count("\n") == 1


@pytest.mark.apache
def test_what_the_broker_does_not_take_is_said_and_the_others_go(deadletter: Deadletter) -> None:
    """A record larger than the media topic takes fails alone: exit code 1, with its letter."""
    deadletter.write(dead_record(offset=1), dead_record(offset=2, value=bytes(1_050_000)), dead_record(offset=3))
    code, out, err = deadletter("retry", "--reason", "image_header")
    assert (code, out.splitlines()[-1]) == (1, "2 sent, 1 failed")
    assert err.startswith(f"{HERE} 1: broker ")
