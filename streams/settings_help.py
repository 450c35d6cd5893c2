"""A line for each setting of a worker: what it is, with its unit."""

from __future__ import annotations

from syncline.security import SECURITY_HELP

HELP = {
    "brokers": "Bootstrap addresses, host:port,host:port.",
    "group": "Consumer group; workers of one group share the streams.",
    "topic_prefix": "In front of every topic's name.",
    "model": "null, a name that `syncline model list` shows, or a folder.",
    "decode_threads": "Threads that decode media.",
    "max_event_bytes": "Largest value of a media record, bytes; larger ones are dead letters.",
    "max_fetch_bytes": "Fetched of one topic partition at a time, bytes.",
    "web_host": "Address at which /livez, /readyz and /metrics answer.",
    "web_port": "Their port; 0 is any free one, which the log names.",
    "commit_interval_ms": "Between two commits of offsets, ms.",
    "heartbeat_ms": "Between two heartbeats to the group, ms.",
    "session_timeout_ms": "Without a heartbeat for so long a worker's streams go to others, ms.",
    "stop_limit_ms": "At SIGTERM the process is gone after at most so long, ms.",
    "n_torch_threads": "Threads inside one forward; 0 is torch's own choice, for a worker alone on its machine.",
    "max_run_ms": "A batch that runs for longer hangs: the worker is not live, ms.",
    "max_stall_ms": "A part that has work and does none for longer makes the worker not live, ms.",
    "not_live_exit_ms": "A worker that is not live for so long ends, to be started anew, ms; 0 is never.",
    "ready_max_lag_records": "Not ready while a topic's partition is more records behind; 0 is no limit.",
    "ready_max_lag_ms": "Not ready while the oldest unread record of a partition is older, ms; 0 is no limit.",
    "batch_max_items": "Sets in one batch for the model.",
    "batch_max_cost": "Cost of one batch: pixels + audio ms + tokens.",
    "batch_max_wait_ms": "How long a batch waits for more sets, ms.",
    "log_level": "debug, info, warning, error.",
    "strategy": "How sets are formed: earliest, nearest, tumbling.",
    "lanes": "What a set waits for: LANE or LANE:MODALITY, with commas between.",
    "lanes_by_stream": "The same by stream-name pattern: lobby-*=image,text;hall-*=left:image,text.",
    "tolerance_ms": "How far apart members of one set may be, ms.",
    "out_of_order_ms": "By lane, how far events may be out of order, ms: image=100,text=50.",
    "offset_ms": "By lane, added to event time, ms: audio=-120.",
    "max_wait_ms": "How long a set waits for a silent lane, ms.",
    "pivot": "nearest: the lane that gets one set an item.",
    "share": "nearest: an item may serve several pivots.",
    "size_ms": "tumbling: the window's length, ms.",
    "require": "Lanes without which a set is not fused.",
    "stream_ttl_ms": "A silent lane of a stream is forgotten after so long, ms.",
    "max_ahead_ms": "An event further ahead of the broker's clock is a dead letter, ms.",
    "max_held_events": "Soft limit of records held for one partition number.",
    "max_held_bytes": "Soft limit of their bytes.",
    "hard_limit_factor": "Hard limits are the soft ones times this.",
    **SECURITY_HELP,
}
"""By setting's name; every one has its line: a test."""
