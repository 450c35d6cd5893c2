"""What was aborted has no outcome, and the checker knows it; what cannot be read yet is waited for."""

from __future__ import annotations

import json

import pytest

from streams.join.items import FailedDecision
from streams.join.settings import JoinSettings
from syncline.errors import BrokerError
from syncline.kafka.cluster import Cluster
from syncline.wire.contract import DEADLETTER, FUSED
from tests.guarantees.plants_endings import send as note_send
from tests.support.brokers import TestBroker
from tests.support.drafts import Draft, places_of
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.transactions import put, transactional
from tests.support.worker_process import WorkerProcess
from verify import check, read_history, smallest
from verify.explain import explain
from verify.explain_text import as_dict, in_words
from verify.history import Single

LIMIT_S = 300.0


@pytest.mark.parametrize(
    ("still_open", "row"),
    [(False, "aborted"), (True, "in an open transaction, or behind one")],
    ids=["aborted", "open"],
)
def test_what_no_worker_reads_needs_no_outcome(still_open: bool, row: str) -> None:
    """It is counted as what it is: neither without outcome, nor committed too early, nor unknown."""
    draft = Draft("earliest")
    topic, offset = draft.add_media(*next((t, r) for t, r in draft.media() if r.headers))
    draft.abort(topic, offset, still_open=still_open)
    report = draft.check()
    assert report.violations == []
    assert report.counts["records"]["in an open transaction, or behind one" if still_open else "aborted"] == 1


def test_a_set_of_an_old_log_whose_member_was_aborted_is_lost() -> None:
    """Its failure names the member, the others are dead letters, and the member itself needs none."""
    draft = Draft("earliest")
    decision = draft.sets()[2]
    result, (aborted, *others) = draft.fused_of(decision), places_of(decision)
    draft.history.commits.clear()
    draft.change_results(FUSED, lambda record: None if record == result else record)
    draft.abort(*aborted)
    draft.append(FailedDecision(tuple(places_of(decision)), "lost", (aborted,)))
    for topic, offset in others:
        draft.publish(DEADLETTER, Single(0, f"{topic}/0/{offset}", topic, 0, offset, "lost"))
    report = draft.check()
    assert report.violations == []
    assert (report.counts["records"]["aborted"], report.counts["records"]["deadletter lost"]) == (1, len(others))


def test_an_acknowledged_send_behind_an_open_transaction_is_there() -> None:
    """Other producers' records wait behind it, and are not lost."""
    draft = Draft("earliest")
    topic, offset = draft.add_media(*next((t, r) for t, r in draft.media() if r.headers))
    record = draft.abort(topic, offset, still_open=True)
    note_send(draft, record=record, topic=topic)
    report = draft.check()
    assert report.violations == []
    assert report.counts["sends"] == {"ok, and there, behind an open transaction": 1}


def test_the_smallest_history_of_an_aborted_member_has_that_member() -> None:
    """With the set that names it, and nothing else."""
    draft = Draft("earliest")
    places = places_of(draft.sets()[2])
    draft.abort(*places[1])
    (violation,) = draft.check().violations
    (partition,) = smallest(draft.history, violation, draft.settings).partitions
    assert [(topic, record.offset) for topic, records in partition.aborted.items() for record in records] == [places[1]]
    assert sum(map(len, partition.media.values())) == len(places) - 1


@pytest.mark.apache
async def test_a_run_beside_transactions_has_no_violation(broker: TestBroker, topic_prefix: str) -> None:
    """Read back from the broker: what was aborted is told from what is open, and both from what has its outcome."""
    await make_topics(broker.address, topic_prefix, 1)
    samples = moments(30, n_streams=3)
    async with (
        WorkerProcess(broker, topic_prefix) as worker,
        Reader(broker.address, topic_prefix, 1) as reader,
        transactional(broker, topic_prefix) as producer,
    ):
        await producer.begin_transaction()
        sent = await put(producer, topic_prefix, samples[:30], 1)
        await producer.commit_transaction()
        await producer.begin_transaction()
        aborted = await put(producer, topic_prefix, samples[30:60], 1)
        await producer.abort_transaction()
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert (await worker.terminate())[0] == 0
        await producer.begin_transaction()
        waiting = await put(producer, topic_prefix, samples[60:63], 1)
        waiting = await send(broker.address, topic_prefix, samples[63:66], 1, sent=waiting)
        history = await read_history(broker.address, topic_prefix=topic_prefix, group=topic_prefix + "workers")
        report = check(history, JoinSettings(), finished=True)
        assert report.violations == []
        rows = report.counts["records"]
        assert rows == {"fused": 30, "aborted": 30, "in an open transaction, or behind one": 6}
        told = [await _explained(broker, topic_prefix, min(part.records)) for part in (sent, aborted, waiting)]
        assert [one for one, _ in told] == ["", "aborted", "open"]
        assert "aborted records get no outcome" in told[1][1]
        assert "when that transaction is committed or aborted" in told[2][1]
        mark = max(offset for topic, _, offset in sent.records if topic == "media.image") + 1
        with pytest.raises(BrokerError, match="a transaction marker"):
            await _explained(broker, topic_prefix, ("media.image", 0, mark))


async def _explained(broker: TestBroker, prefix: str, key: tuple[str, int, int]) -> tuple[str, str]:
    topic, partition, offset = key
    cluster = Cluster.of(broker.address)
    explanation = await explain(cluster, topic=topic, partition=partition, offset=offset, topic_prefix=prefix)
    return json.loads(json.dumps(as_dict(explanation)))["withheld"], "\n".join(in_words(explanation))
