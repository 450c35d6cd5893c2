"""For each rule of the decision log a small case: True where all goes well, False where the rule is broken."""

from __future__ import annotations

from collections.abc import Callable

from streams.decisions.proposer import BatchBuilder
from streams.decisions.records import Append, Record, Rejected
from streams.decisions.recovery import AnotherGroupError
from streams.join.items import UnfusedDecision
from streams.join.settings import JoinSettings
from tests.support.broken_rules import broken
from tests.support.driven import Driven, records_of
from tests.support.paced import Paced
from tests.support.runs import problems
from tests.support.worlds import make_holds, media_of

IMAGE, TEXT, AUDIO = "media.image", "media.text", "media.audio"
ONE = media_of(image=[("s", 1_000)], text=[("s", 1_000)], audio=[("s", 1_000)])
WHOLE = ((IMAGE, 0), (TEXT, 0), (AUDIO, 0))
SETTINGS = JoinSettings(tolerance_ms=45, max_wait_ms=2_000)
CASES: dict[str, Callable[[str | None], bool]] = {}
"""By the name of a rule, its case; that is told which rule is broken in it, if any."""


def case(function: Callable[[], bool]) -> Callable[[], bool]:
    """The case of the rule that is named as the function."""
    CASES[function.__name__] = _with_a_broken_rule(function)
    return function


def _with_a_broken_rule(function: Callable[[], bool]) -> Callable[[str | None], bool]:
    def run(broken_rule: str | None) -> bool:
        with broken(broken_rule):
            return function()

    return run


def _timed_out_alone() -> tuple[Driven, Append]:
    """A worker whose image waited in vain: its batch {image} is on its way to the log and not there."""
    first = Driven(SETTINGS).feed({IMAGE: ONE[IMAGE]}).settle().snapshot()
    first.now_ms += 2_500
    first.owner.on_heartbeat(first.now_ms)
    first.owner.tick(first.now_ms)
    for topic in sorted(first.owner.topics_to_ask()):
        first.owner.on_high_water(topic, 0, first.now_ms, first.now_ms)
    first.owner.tick(first.now_ms)
    commands = first.owner.take_commands()
    first.models += commands.fuse
    assert commands.append is not None
    return first, commands.append


@case
def void_behind_other_claim() -> bool:
    """B decides {image, text, audio}; A's late {image} lands behind B's claim."""
    first, late = _timed_out_alone()
    second = first.successor()
    second.publishes = False
    second.feed(ONE).settle()
    first.log.append(late.data)
    second.publishes = True
    return second.settle().fused == [WHOLE]


@case
def ignore_lower_claims() -> bool:
    """A late claim of an older generation does not interrupt the owner."""
    first = Driven(SETTINGS)
    second = first.successor()
    second.log.append(second.log[0])
    second.owner.on_log(records_of(second.log), second.now_ms)
    return second.owner.state == "owning"


@case
def one_group_a_log() -> bool:
    """A worker of another group comes by mistake: it is told so, and the owner goes on undisturbed."""
    first = Driven(SETTINGS, group="one")
    try:
        Driven(SETTINGS, first.log, worker="b", generation=9, group="two")
    except AnotherGroupError:
        first.settle()
        return first.owner.state == "owning"
    return False


@case
def ignore_copies() -> bool:
    """A batch that lands twice is carried out once."""
    first = Driven(SETTINGS)
    first.publishes = first.has_model = False
    first.feed(ONE).settle()
    first.log.append(first.log[-1])
    first.settle()
    first.publishes = first.has_model = True
    return first.settle().fused == [WHOLE]


@case
def act_on_read_back() -> bool:
    """B's claim lands before A's {image}, which is void: A must not have published it."""
    first, late = _timed_out_alone()
    second = first.successor()
    first.log.append(late.data)
    first.reads_log = False
    first.settle()
    return [*first.fused, *second.feed(ONE).settle().fused] == [WHOLE]


@case
def obey_the_log() -> bool:
    """{image} was decided and published, its offset not committed: whoever reads the image again repeats that."""
    first, batch = _timed_out_alone()
    first.log.append(batch.data)
    second = Driven(SETTINGS, first.log, worker="b", generation=2).feed(ONE)
    return second.settle().fused[:1] == [((IMAGE, 0),)]


@case
def propose_with_a_fresh_heartbeat() -> bool:
    """Six seconds after the last heartbeat nothing is proposed: it would be void if somebody else owns by now."""
    first = Driven(SETTINGS).feed(ONE)
    first.owner.tick(first.now_ms + 6_000)
    return first.owner.take_commands().append is None


@case
def one_batch_in_flight() -> bool:
    """The first batch fails and is sent again: it must not land behind the second, where it looks like a copy."""
    two = [("s", 1_000), ("s", 2_000)]
    media = media_of(image=two, text=two, audio=two)
    first = Driven(SETTINGS).feed(ONE)
    first.owner.tick(first.now_ms)
    one = first.owner.take_commands().append
    first.feed(media)
    first.owner.tick(first.now_ms)
    other = first.owner.take_commands().append
    assert one is not None
    if other is not None:
        first.log.append(other.data)
        first.owner.on_appended(other.number, ok=True, now_ms=first.now_ms)
    first.owner.on_appended(one.number, ok=False, now_ms=first.now_ms)
    return len(first.settle().fused) == 2


@case
def timers_rest_while_appends_fail() -> bool:
    """The log cannot be written for 2.5 s; then the text comes: its image has waited for it, not for the log."""
    first = Driven(SETTINGS)
    first.appends = False
    broken = Record(0, None, Rejected("no_key"), 10, None)
    first.feed({IMAGE: ONE[IMAGE], AUDIO: [broken]}).settle()
    first.wait(2_500, {IMAGE: 1, AUDIO: 1})
    first.appends = True
    first.settle().wait(100, {IMAGE: 1, AUDIO: 1})
    first.feed({TEXT: ONE[TEXT]}).wait(5_000, {IMAGE: 1, TEXT: 1, AUDIO: 1})
    return first.fused == [((IMAGE, 0), (TEXT, 0))]


@case
def keep_the_place_of_a_lost_member() -> bool:
    """The image was deleted; crash before the dead letters of the others are out: a successor still sends them."""
    first = Driven(SETTINGS)
    first.publishes = False
    first.feed(ONE).settle()
    second = first.successor()
    second.publishes = False
    second.feed(ONE | {IMAGE: [None]}).settle()
    third = second.successor("c").feed(ONE | {IMAGE: [None]}).settle()
    return [key for _, key in third.said("deadletter")] == [(TEXT, 0), (AUDIO, 0)]


@case
def given_up_sets_stay_whole() -> bool:
    """The set of an image and of the one behind it, at the edge of a batch, lacks a required lane: both go together."""
    outbox = BatchBuilder(make_holds())
    items = [record.item for record in media_of(image=[("s", n) for n in range(501)])[IMAGE] if record is not None]
    outbox.start({(IMAGE, 499)})
    outbox.extend(UnfusedDecision(item, "unmatched") for item in items if item is not None)
    return len(outbox.take_batch()) == 501


@case
def failure_is_a_decision() -> bool:
    """Dead letters of a set are out only once a successor would read the failure in the log."""
    first = Driven(SETTINGS)
    first.has_model = False
    first.feed(ONE).settle()
    first.reads_log = False
    first.owner.on_failed(first.models[0], "model_failed")
    return first.settle().said("deadletter") == []


def _hundred(*, snapshot: bool) -> Driven:
    times = [("s", 1_000 + 100 * n) for n in range(100)]
    first = Driven(SETTINGS).feed(media_of(image=times, text=times, audio=times)).settle()
    return first.snapshot() if snapshot else first


@case
def restore_clocks() -> bool:
    """Offset 99 is committed with t=10,900; a successor finds t=500 at offset 100: late."""
    times = [("s", 1_000 + 100 * n) for n in range(100)]
    second = _hundred(snapshot=True).successor()
    second.feed({IMAGE: media_of(image=[*times, ("s", 500)])[IMAGE][100:]}).settle()
    return second.said("unfused") == [("late", (IMAGE, 100))]


@case
def remember_what_is_resolved() -> bool:
    """Three streams wait, one in each topic; what was published behind them is not published by a successor."""
    first = {lane: [(lane, 1_000), ("s", 2_000)] for lane in ("image", "text", "audio")}
    second = Driven(SETTINGS).feed(media_of(**first)).settle().snapshot().successor()
    return second.feed(media_of(**first)).settle().fused == []


@case
def snapshot_at_acknowledged() -> bool:
    """Images that wait for their texts while a snapshot is written are in time when they are read again."""
    image = [("s", 1_000), ("s", 1_100), ("s", 1_200)]
    first = Driven(SETTINGS).feed(media_of(image=image, text=image[:1], audio=image[:1])).settle()
    second = first.snapshot().successor().feed(media_of(image=image, text=image, audio=image)).settle()
    return len(second.fused) == 2


@case
def read_what_is_awaited() -> bool:
    """After a crash nine images stand behind a set that waits for its text: the text's topic is read."""
    settings = JoinSettings(tolerance_ms=45, max_wait_ms=2_000, lanes=("image", "text"), max_held_events=4)
    images = [("s", 1_000 * n) for n in range(1, 10)]
    media = media_of(image=images, text=[("s", 1_000), ("s", 20_000)])
    first = Driven(settings)
    first.publishes = False
    first.feed(media).settle()
    second = first.successor().feed({IMAGE: media[IMAGE]}).settle()
    return TEXT in second.read


@case
def read_what_is_wanted() -> bool:
    """A backlog of images beside texts that trickle in does not fill the room up to the hard limit."""
    times = [("s", 1_000 + 100 * k) for k in range(600)]
    media = media_of(image=times, text=times)
    settings = JoinSettings(lanes=("image", "text"), max_held_events=50)

    def available(topic: str, now_ms: int) -> int:
        return 600 if topic == IMAGE else now_ms // 20

    paced = Paced(settings, media, fetch=10, round_ms=5, available=available).run(5_000)
    return paced.reasons == {"complete": 600}


@case
def spare_what_frees_itself() -> bool:
    """A model slower than the reader tears no set."""
    times = [("s", 1_000 + 100 * k) for k in range(1_500)]
    media = media_of(image=times, text=times, audio=times)
    return Paced(JoinSettings(max_held_events=100), media, fuses=5).run(3_000).reasons == {"complete": 1_500}


def _simulated() -> bool:
    return not any(problems("logs", "crash", seed) for seed in range(6))


for _name in ("resolve_together", "acknowledge_in_order", "publish_in_log_order"):
    CASES[_name] = _with_a_broken_rule(_simulated)
