"""Strategy `nearest`: each item of the pivot lane takes the nearest item of every other lane."""

from __future__ import annotations

from streams.join.items import Item
from streams.join.state import Entry, Head, LaneQueue, StreamState
from streams.join.strategy import Strategy, distance_ms


class Nearest(Strategy):
    """One answer for each item of the pivot lane, with the nearest item of every other lane.

        pivot text     ---------------P-------------------------Q---------------->
        image          --------a----------b--------c-----------------d----------->
                               |<-10->|-6-|                     |-8->|
        P takes b (6 < 10), Q takes d; a and c are in no set: unmatched. Equal distance: the earlier.

    Pivots are decided in (time, offset) order: when the pivot lane's watermark has reached the pivot, and each other
    lane's watermark has reached the pivot's end + best distance (>=: a later item at that distance is not earlier), or
    is past end + tolerance if the lane has no item in reach (>). An item of another lane is unmatched once the pivot
    lane's watermark is past its end + tolerance and every pivot that starts by then is decided.
    """

    def heads(self, stream: StreamState) -> list[Head]:
        pivots = self._pivot_lane(stream)
        lone = self._lone_heads(stream, pivots)
        if lone and not lone[0].unsettled:
            return lone
        if not pivots.held:
            return lone
        head = self._pivot_head(stream, pivots)
        return [head, *lone]

    def head_towards(self, stream: StreamState, target: Item) -> Head:
        pivots = self._pivot_lane(stream)
        reaches = any(distance_ms(pivot[2], target) <= self.settings.tolerance_ms for pivot in pivots.held)
        if target.lane == pivots.name or reaches:
            return self._pivot_head(stream, pivots)
        lane = next(lane for lane in stream.lanes if lane.name == target.lane)
        entry = next(entry for entry in lane.held if entry[2] is target)
        return self._lone(lane, entry, pivots)

    def take(self, stream: StreamState, head: Head) -> list[Item]:
        stays = self.settings.share and not head.lone
        members: list[Item] = []
        for lane, entry in head.picked:
            key = (entry[2].topic, entry[1])
            if stays and lane.name != self.settings.pivot:
                if not head.fused:
                    continue  # a later pivot may take it too
                stream.taken.add(key)
            else:
                lane.held.remove(entry)
                stream.n_held -= 1
                stream.taken.discard(key)
            members.append(entry[2])
        return members

    def is_in_a_set(self, stream: StreamState, item: Item) -> bool:
        return (item.topic, item.offset) in stream.taken

    def _pivot_lane(self, stream: StreamState) -> LaneQueue:
        return next(lane for lane in stream.lanes if lane.name == self.settings.pivot)

    def _pivot_head(self, stream: StreamState, pivots: LaneQueue) -> Head:
        pivot = pivots.held[0]
        head = Head(pivot[0], pivot[0], pivot[3], span_ms=pivot[2].end_ms - pivot[0])
        for lane in stream.lanes:
            if lane is pivots:
                best, need_ms = pivot, pivot[0]
            else:
                best, gap_ms = self._best(lane.held, pivot[2])
                need_ms = pivot[2].end_ms + gap_ms
            if best is None:
                head.missing.append(lane.name)
                need_ms += 1  # past it, not at it
            else:
                head.picked.append((lane, best))
                head.arrived_ms = min(head.arrived_ms, best[3])
            if lane.watermark_ms < need_ms:
                head.unsettled.append(lane)
        return head

    def _best(self, held: list[Entry], pivot: Item) -> tuple[Entry | None, int]:
        """Return the nearest held item within the tolerance and its distance; else None and the tolerance."""
        best, best_ms = None, self.settings.tolerance_ms
        limit_ms = pivot.end_ms + best_ms
        for entry in held:
            if entry[0] > limit_ms:
                break
            gap_ms = distance_ms(entry[2], pivot)
            if gap_ms < best_ms or (best is None and gap_ms == best_ms):
                best, best_ms = entry, gap_ms
        return best, best_ms

    def _lone_heads(self, stream: StreamState, pivots: LaneQueue) -> list[Head]:
        """Return items that no held pivot reaches: a settled one alone, else each lane's first waiting one."""
        waiting: list[Head] = []
        for lane in stream.lanes:
            if lane is pivots or not lane.held:
                continue
            head = self._first_lone(lane, pivots)
            if head is None:
                continue
            if not head.unsettled:
                return [head]
            waiting.append(head)
        return waiting

    def _first_lone(self, lane: LaneQueue, pivots: LaneQueue) -> Head | None:
        tolerance_ms, watermark_ms = self.settings.tolerance_ms, pivots.watermark_ms
        first = pivots.held[0][2] if pivots.held else None
        waiting: Head | None = None
        for entry in lane.held:
            if first is not None:
                if entry[0] + tolerance_ms >= first.time_ms:
                    break  # later ones have to wait too
                if entry[2].end_ms + tolerance_ms >= first.time_ms:
                    continue  # a held pivot may take it
            head = self._lone(lane, entry, pivots)
            if not head.unsettled:
                return head
            waiting = waiting or head
            if entry[0] + tolerance_ms >= watermark_ms:
                break  # later ones are not settled either
        return waiting

    def _lone(self, lane: LaneQueue, entry: Entry, pivots: LaneQueue) -> Head:
        head = Head(entry[0], None, entry[3], lone=True, span_ms=entry[2].end_ms - entry[0])
        head.picked.append((lane, entry))
        if pivots.watermark_ms <= entry[2].end_ms + self.settings.tolerance_ms:
            head.unsettled.append(pivots)
        return head
