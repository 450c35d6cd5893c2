"""The local vector index of fused results: `syncline index` writes it, `syncline search` reads it.

`store.py` is the index and its file (SQLite with sqlite-vec), `rows.py` what a row holds, `indexing.py` brings results
from Kafka.
"""
