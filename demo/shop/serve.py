"""The process of one service: ``python -m demo.shop.serve``, told what it is by its environment."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from demo.shop.settings import ServiceSettings, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

TELEMETRY_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"


def main() -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished, telemetry is sent."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=LOG_FORMAT)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    settings = read_settings()
    stop_telemetry = _start_telemetry(settings)
    # The instrumentation replaces what Flask and SQLAlchemy hand out, so they may only be imported from here on.
    from demo.shop.hosting import host  # noqa: PLC0415

    try:
        host(settings)
    finally:
        stop_telemetry()


def _start_telemetry(settings: ServiceSettings) -> Callable[[], None]:
    if not os.environ.get(TELEMETRY_ENDPOINT):
        return lambda: None
    # Without a collector the SDK is not even imported.
    from demo.shop.telemetry import start_telemetry  # noqa: PLC0415

    return start_telemetry(settings.dependencies)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Until requests are served there is nothing to finish.
    raise SystemExit(0)


if __name__ == "__main__":
    main()
