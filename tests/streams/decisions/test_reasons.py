"""Each *why* of the decision log's design as a small case: what went wrong without the rule, and what happens now."""

from __future__ import annotations

from streams.join.settings import JoinSettings
from tests.support.driven import Driven
from tests.support.worlds import media_of, record

NO_TIMERS = JoinSettings(tolerance_ms=45, max_wait_ms=10**8)
IMAGE, TEXT, AUDIO = "media.image", "media.text", "media.audio"
HUNDRED = [("s", 1_000 + 100 * n) for n in range(100)]


def test_a_set_whose_members_are_committed_in_part_is_not_made_again() -> None:
    """{i, t, a} is published, i and a are committed, t stands behind an older open text: t is in no second set."""
    media = media_of(image=[("s", 2_000)], text=[("other", 2_000), ("s", 2_000)], audio=[("s", 2_000)])
    first = Driven(NO_TIMERS).feed(media).settle()
    assert first.fused == [((IMAGE, 0), (TEXT, 1), (AUDIO, 0))]
    assert first.committed == {IMAGE: 1, TEXT: 0, AUDIO: 1}

    second = first.successor().feed({TEXT: media[TEXT]}).settle()
    assert second.outputs == []

    # Only the older text is still open; when it is decided, both are committed.
    media = {TEXT: [*media[TEXT], record("other", "text", 2, 9_000)]}
    second.feed(media).wait(10**8 + 1, {IMAGE: 1, TEXT: 3, AUDIO: 1}).wait(10**8 + 1, {IMAGE: 1, TEXT: 3, AUDIO: 1})
    assert second.fused == [((TEXT, 0),), ((TEXT, 2),)]
    assert second.committed == {IMAGE: 1, TEXT: 3, AUDIO: 1}


def _hundred_committed(snapshot: bool) -> Driven:
    first = Driven(NO_TIMERS).feed(media_of(image=HUNDRED, text=HUNDRED, audio=HUNDRED)).settle()
    assert first.committed == {IMAGE: 100, TEXT: 100, AUDIO: 100}
    return first.snapshot() if snapshot else first


def test_an_image_below_the_committed_watermark_is_late_after_a_crash_too() -> None:
    """Image t=10,900 at offset 99 is committed; crash; offset 100 has t=500: it is late, as without the crash."""
    for snapshot in (False, True):
        second = _hundred_committed(snapshot).successor()
        second.feed({IMAGE: [record("s", "image", 100, 500)]}).settle()
        assert second.said("unfused") == [("late", (IMAGE, 100))]


def test_a_resend_of_the_last_committed_image_is_a_duplicate_after_a_crash_too() -> None:
    """A resend of offset 99 at offset 100 is not fused a second time."""
    for snapshot in (False, True):
        second = _hundred_committed(snapshot).successor()
        resent = [record("s", "image", 100, HUNDRED[99][1])]
        second.feed({IMAGE: resent, TEXT: [record("s", "text", 100, 20_000)]}).settle()
        assert second.said("unfused") == [("duplicate", (IMAGE, 100))]


def test_a_snapshot_leaves_undecided_items_in_time() -> None:
    """It holds the clocks at the committed offsets: at the newest item, images that still wait would be late when
    they are read again."""
    image = [("s", 1_000), ("s", 1_100), ("s", 1_200)]
    first = Driven(NO_TIMERS).feed(media_of(image=image, text=image[:1], audio=image[:1])).settle().snapshot()
    assert first.committed[IMAGE] == 1

    second = first.successor().feed(media_of(image=image, text=image, audio=image)).settle()
    assert second.fused == [((IMAGE, n), (TEXT, n), (AUDIO, n)) for n in (1, 2)]
    assert second.said("unfused") == []


def test_the_late_batch_of_a_thawed_worker_is_void() -> None:
    """A freezes with a batch on its way; B claims, decides and publishes; A's batch lands behind B's claim."""
    media = media_of(image=[("s", 1_000)], text=[("s", 1_000)], audio=[("s", 1_000)])
    frozen = Driven(NO_TIMERS).feed(media)
    frozen.owner.on_heartbeat(frozen.now_ms)
    frozen.owner.tick(frozen.now_ms)
    batch = frozen.owner.take_commands().append
    assert batch is not None

    second = frozen.successor().feed(media).settle()
    frozen.log.append(batch.data)
    frozen.owner.on_appended(batch.number, ok=True, now_ms=frozen.now_ms)
    frozen.settle()
    second.settle()
    assert second.fused == [((IMAGE, 0), (TEXT, 0), (AUDIO, 0))]
    assert frozen.fused == []
    assert frozen.owner.state != "owning"

    third = second.successor("c").settle()
    assert third.outputs == []


def test_items_of_a_void_batch_come_back_before_later_sets() -> None:
    """A claim that was lost for a moment and won again: the void proposals are made again, together and in order."""
    times = [("s", 1_000 + 100 * n) for n in range(3)]
    media = media_of(image=times, text=times, audio=times)
    first = Driven(NO_TIMERS)
    first.reads_log = False
    first.feed(media).settle()  # its batch is in the log, and not read back
    batch = first.log.pop()
    stranger = Driven(NO_TIMERS, first.log, worker="z", generation=1)
    first.log.append(batch)
    first.reads_log = True
    first.now_ms += 1
    first.settle()
    first.now_ms += 1
    first.settle()
    assert first.fused == [((IMAGE, n), (TEXT, n), (AUDIO, n)) for n in range(3)]
    assert stranger.settle().fused == []


def test_a_failure_stands_for_whoever_redoes_the_set() -> None:
    """`failed` is in the log before the dead letters: a successor whose model would succeed obeys it."""
    media = media_of(image=[("s", 1_000)], text=[("s", 1_000)], audio=[("s", 1_000)])
    first = Driven(NO_TIMERS)
    first.has_model = first.publishes = False
    first.feed(media).settle()
    first.owner.on_failed(first.models[0], "model_failed")
    first.settle()
    assert first.outputs == []

    second = first.successor().feed(media).settle()
    assert second.fused == []
    assert second.said("deadletter") == [("model_failed", key) for key in ((IMAGE, 0), (TEXT, 0), (AUDIO, 0))]


def test_a_failure_that_was_not_read_back_binds_nobody() -> None:
    """The worker crashed before the failure was in the log: a successor's model succeeds, and that counts."""
    media = media_of(image=[("s", 1_000)], text=[("s", 1_000)], audio=[("s", 1_000)])
    first = Driven(NO_TIMERS)
    first.has_model = False
    first.feed(media).settle()
    first.appends = False
    first.owner.on_failed(first.models[0], "model_failed")
    first.settle()
    assert first.outputs == []
    assert len(first.successor().feed(media).settle().fused) == 1


def test_a_member_that_was_deleted_makes_its_set_fail() -> None:
    """Decided, not published, crash, the image is deleted: `lost`, and the others go to the dead letters."""
    media = media_of(image=[("s", 1_000)], text=[("s", 1_000)], audio=[("s", 1_000)])
    first = Driven(NO_TIMERS)
    first.publishes = False
    first.feed(media).settle()

    second = first.successor().feed(media | {IMAGE: [None]}).settle()
    assert second.fused == []
    assert second.said("deadletter") == [("lost", (TEXT, 0)), ("lost", (AUDIO, 0))]
    assert second.committed == {IMAGE: 1, TEXT: 1, AUDIO: 1}


def test_a_deleted_member_is_not_committed_before_the_others_have_their_outcome() -> None:
    """Else the next successor, who finds one member below the committed offsets, would take the set for published."""
    media = media_of(image=[("s", 1_000)], text=[("s", 1_000)], audio=[("s", 1_000)])
    first = Driven(NO_TIMERS)
    first.publishes = False
    first.feed(media).settle()
    second = first.successor()
    second.publishes = False
    second.feed(media | {IMAGE: [None]}).settle()
    assert second.committed == {IMAGE: 0, TEXT: 0, AUDIO: 0}

    third = second.successor("c").feed(media | {IMAGE: [None]}).settle()
    assert [key for _, key in third.said("deadletter")] == [(TEXT, 0), (AUDIO, 0)]
