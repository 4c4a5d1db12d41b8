"""What a service is told by its environment, and nothing else.

Names follow the twelve-factor habit: one variable a setting. Telemetry has no settings of its own here: the
OpenTelemetry SDK reads its ``OTEL_*`` variables itself.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prodintel_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "SHOP_"
_DEPENDENCY: Final = "SHOP_DEPENDENCY_"


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """One process's settings.

    Attributes
    ----------
    service, version, instance : str
        What runs: ``payment``, ``2.4.2``, ``payment-2.4.2-1``.
    listen_fd : int
        A listening socket that the parent opened. Two processes may share one: that is how a rolling deployment
        hands over without a refused connection.
    policy : str
        The build's policy for this service as JSON; empty for the service's defaults.
    dependencies : Mapping[str, str]
        Base URL by dependency; each leads through the fault layer.
    """

    service: str
    version: str
    instance: str
    listen_fd: int
    policy: str
    dependencies: Mapping[str, str]

    def to_environment(self) -> dict[str, str]:
        """Return the variables from which ``read_settings`` makes the same settings."""
        return {
            f"{PREFIX}SERVICE": self.service,
            f"{PREFIX}VERSION": self.version,
            f"{PREFIX}INSTANCE": self.instance,
            f"{PREFIX}LISTEN_FD": str(self.listen_fd),
            f"{PREFIX}POLICY": self.policy,
            **{f"{_DEPENDENCY}{_as_variable(name)}": url for name, url in self.dependencies.items()},
        }


def read_settings(environment: Mapping[str, str] = os.environ) -> ServiceSettings:
    """Read a service's settings.

    Raises
    ------
    ParameterError
        If a variable is missing.
    """

    def value(name: str) -> str:
        key = f"{PREFIX}{name}"
        if key not in environment:
            raise ParameterError(
                f"A service of the shop needs the environment variable {key}.",
                hint="start the shop with `python -m demo up`.",
            )
        return environment[key]

    return ServiceSettings(
        service=value("SERVICE"),
        version=value("VERSION"),
        instance=value("INSTANCE"),
        listen_fd=int(value("LISTEN_FD")),
        policy=environment.get(f"{PREFIX}POLICY", ""),
        dependencies={
            _as_name(key.removeprefix(_DEPENDENCY)): url
            for key, url in environment.items()
            if key.startswith(_DEPENDENCY)
        },
    )


def _as_variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _as_name(variable: str) -> str:
    return variable.lower().replace("_", "-")
