"""Syncline: producers push media, consumers get one answer per moment.

    from syncline import MediaProducer, ResultConsumer

Names are imported when first used, so that `import syncline` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncline.arrays import Array
    from syncline.consumer import ConsumerProgress, ResultConsumer
    from syncline.converted import ConvertedAudio, ConvertedText
    from syncline.deadletters import DeadLetter
    from syncline.errors import (
        AbortedError,
        BrokerError,
        ContractError,
        FencedError,
        NewerVersionError,
        SettingsError,
        SynclineError,
    )
    from syncline.events import MediaEvent
    from syncline.producer import Delivery, MediaProducer, ProducerProgress
    from syncline.received import Received
    from syncline.results import FusedResult, Member, Unfused
    from syncline.secret import Secret
    from syncline.security import SecuritySettings

__all__ = [
    "AbortedError",
    "Array",
    "BrokerError",
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
    "Member",
    "NewerVersionError",
    "ProducerProgress",
    "Received",
    "ResultConsumer",
    "Secret",
    "SecuritySettings",
    "SettingsError",
    "SynclineError",
    "Unfused",
]

_HOME = {
    "arrays": ("Array",),
    "consumer": ("ConsumerProgress", "ResultConsumer"),
    "converted": ("ConvertedAudio", "ConvertedText"),
    "deadletters": ("DeadLetter",),
    "errors": (
        "AbortedError",
        "BrokerError",
        "ContractError",
        "FencedError",
        "NewerVersionError",
        "SettingsError",
        "SynclineError",
    ),
    "events": ("MediaEvent",),
    "producer": ("Delivery", "MediaProducer", "ProducerProgress"),
    "received": ("Received",),
    "results": ("FusedResult", "Member", "Unfused"),
    "secret": ("Secret",),
    "security": ("SecuritySettings",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'syncline' has no attribute {name!r}")
    return getattr(importlib.import_module(f"syncline.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
