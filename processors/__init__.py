"""Preprocessing of one modality a file: pure functions from bytes to arrays.

What a model calls: `image.load_pixels` (uint8) and `image.normalise`, `audio.load_log_mel`, `text.load_text`,
`words.tag_words`, `tokens.Tokens`. All raise `MediaError` with a reason of `processors.limits.REASONS`.
"""
