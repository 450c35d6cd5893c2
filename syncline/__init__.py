"""Syncline: producers push media, consumers get one answer per moment.

    from syncline import MediaProducer, ResultConsumer

Names are imported on first use, which keeps `import syncline` fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncline.consumer import ConsumerProgress, Received, ResultConsumer
    from syncline.errors import (
        AbortedError,
        AccessError,
        BrokerError,
        BrokerTimeoutError,
        BrokerUnreachableError,
        ContractError,
        FencedError,
        MissingRightError,
        NewerVersionError,
        SettingsError,
        SynclineError,
        TopicError,
    )
    from syncline.kafka.security import SecuritySettings
    from syncline.producer import Delivery, MediaProducer, ProducerProgress
    from syncline.settings.secret import Secret
    from syncline.wire.arrays import Array
    from syncline.wire.converted import ConvertedAudio, ConvertedText
    from syncline.wire.deadletters import DeadLetter
    from syncline.wire.events import MediaEvent
    from syncline.wire.results import FusedResult, ResultMember, Unfused

__all__ = [
    "AbortedError",
    "AccessError",
    "Array",
    "BrokerError",
    "BrokerTimeoutError",
    "BrokerUnreachableError",
    "ConsumerProgress",
    "ContractError",
    "ConvertedAudio",
    "ConvertedText",
    "DeadLetter",
    "Delivery",
    "FencedError",
    "FusedResult",
    "MediaEvent",
    "MediaProducer",
    "MissingRightError",
    "NewerVersionError",
    "ProducerProgress",
    "Received",
    "ResultConsumer",
    "ResultMember",
    "Secret",
    "SecuritySettings",
    "SettingsError",
    "SynclineError",
    "TopicError",
    "Unfused",
]

_HOME = {
    "wire.arrays": ("Array",),
    "consumer": ("ConsumerProgress", "Received", "ResultConsumer"),
    "wire.converted": ("ConvertedAudio", "ConvertedText"),
    "wire.deadletters": ("DeadLetter",),
    "errors": (
        "AbortedError",
        "AccessError",
        "BrokerError",
        "BrokerTimeoutError",
        "BrokerUnreachableError",
        "ContractError",
        "FencedError",
        "MissingRightError",
        "NewerVersionError",
        "SettingsError",
        "SynclineError",
        "TopicError",
    ),
    "wire.events": ("MediaEvent",),
    "producer": ("Delivery", "MediaProducer", "ProducerProgress"),
    "wire.results": ("FusedResult", "ResultMember", "Unfused"),
    "settings.secret": ("Secret",),
    "kafka.security": ("SecuritySettings",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'syncline' has no attribute {name!r}")
    return getattr(importlib.import_module(f"syncline.{module}"), name)


def version() -> str:
    """Return the installed version, or `unknown` if the package is not installed."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        return version_of("syncline")
    except PackageNotFoundError:
        return "unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
