"""Preprocessing: pure functions from media bytes to arrays: `image.py`, `audio.py`, `text.py` and their helpers.

Models call `image.load_pixels` (uint8), `image.normalise`, `audio.load_log_mel`, `text.load_text`, `text.Tokens` and
`words.tag_words`. All raise `MediaError` with a reason of `processors.limits.REASONS`.
"""
