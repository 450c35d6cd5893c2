"""A converter of one's own: the one on docs/conversions.md, as it stands there, opened by its spec and run."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.interface import Text
from models.registry import ENGINES, open_converter, parse_spec
from streams.convert.runner import ConverterRunner

PAGE = Path(__file__).parents[2] / "docs" / "conversions.md"


async def test_the_page_keeps_its_promise(tmp_path: Path) -> None:
    """Written to a file, named in `--convert`, and it answers."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    (tmp_path / "shout.py").write_text(found[1], encoding="utf-8")
    spec = parse_spec(f"transcript=python:{tmp_path / 'shout.py'}:Shout")
    with ThreadPoolExecutor(1) as pool:
        runner = ConverterRunner(spec.kind, lambda: open_converter(spec), pool)
        await runner.start()
        assert await runner.convert(b"four", "audio/wav", None) == Text("4 BYTES!", 1.0, "en")
        await runner.close()


@pytest.mark.parametrize("engine", [(kind, name) for kind, engines in ENGINES.items() for name in engines], ids=str)
def test_every_engine_is_on_the_page(engine: tuple[str, str]) -> None:
    """With how it is asked for; the first of a kind by the kind alone."""
    kind, name = engine
    assert re.search(rf"`{kind}={name}[:`]", PAGE.read_text(encoding="utf-8"))
