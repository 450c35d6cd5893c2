"""Opens the models of a worker, each on its own thread, and has them closed when it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from models import registry
from models.converters import open_converter
from models.interface import Model
from streams.convert.conversions import Conversions
from streams.convert.runner import ConverterRunner
from streams.metrics.sources import Sources
from streams.model.fusing import ModelRunner
from streams.partition.parts import Fuse

NULL = "null"
"""The model without an opinion: its sets need no turn on the model's thread."""
Closers = list[Callable[[], Awaitable[None]]]


async def load_model(sources: Sources, closers: Closers) -> tuple[Model, Fuse | None]:
    """Load the model that fuses; raises what it raises."""
    settings = sources.settings
    sources.starting = f"loading model {settings.model}"
    if settings.model == NULL:
        return registry.load(NULL), None
    sources.runner = runner = ModelRunner(lambda: registry.load(settings.model), settings.runner)
    closers.append(runner.close)
    await runner.start()
    return runner.model, runner.fuse


async def load_converters(sources: Sources, closers: Closers) -> None:
    """Load the converters that the settings name; raises what they raise."""
    settings = sources.settings
    if not settings.converters:
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="prepare")
    runners = [
        ConverterRunner(spec.kind, partial(open_converter, spec), pool, settings.converter_runner)
        for spec in settings.converters
    ]
    sources.starting = f"loading {', '.join(settings.convert)}"
    sources.conversions = Conversions(runners, pool, settings.convert_streams)
    closers.append(sources.conversions.close)
    await sources.conversions.start()
