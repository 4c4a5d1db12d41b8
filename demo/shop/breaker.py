"""A circuit breaker: after repeated failures it answers at once, and it tries again with one call at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.shop.policies import BreakerPolicy

logger = logging.getLogger(__name__)

State = Literal["closed", "open", "half_open"]


class BreakerOpenError(Exception):
    """The call was not made, since the dependency has been failing."""


class CircuitBreaker:
    """Guards calls to one dependency.

    Parameters
    ----------
    dependency : str
        Its name, for the log.
    policy : BreakerPolicy
    failures : tuple of exception types
        What counts as a failure of the dependency; any other exception is an answer of it, if not a welcome one.
    now_s : callable, optional
        A clock that never goes back.

    Examples
    --------
    ``with breaker.guard(): processor.post(...)``
    """

    def __init__(
        self,
        dependency: str,
        policy: BreakerPolicy,
        *,
        failures: tuple[type[Exception], ...],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dependency = dependency
        self._policy = policy
        self._failures = failures
        self._now_s = now_s
        self._lock = threading.Lock()
        self._outcomes: deque[bool] = deque(maxlen=policy.window_calls)
        self._opened_at_s: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        """Whether calls pass, are refused, or one may probe."""
        with self._lock:
            if self._opened_at_s is None:
                return "closed"
            return "half_open" if self._may_probe(self._opened_at_s) else "open"

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Let a call pass and learn from it.

        Raises
        ------
        BreakerOpenError
            Instead of the call, while the breaker is open.
        """
        self._admit()
        try:
            yield
        except self._failures:
            self._learn(succeeded=False)
            raise
        except Exception:
            self._learn(succeeded=True)
            raise
        except BaseException:
            self._forget()
            raise
        else:
            self._learn(succeeded=True)

    def _may_probe(self, opened_at_s: float) -> bool:
        return self._now_s() - opened_at_s >= self._policy.open_s

    def _admit(self) -> None:
        with self._lock:
            if self._opened_at_s is None:
                return
            if self._probing or not self._may_probe(self._opened_at_s):
                raise BreakerOpenError(f"{self._dependency} has been failing; not asked")
            self._probing = True

    def _learn(self, *, succeeded: bool) -> None:
        with self._lock:
            if self._opened_at_s is not None:
                # A call that was already under way when the breaker opened says nothing new.
                if self._probing:
                    self._probing = False
                    self._close() if succeeded else self._open()
                return
            self._outcomes.append(succeeded)
            judged = len(self._outcomes)
            share = self._outcomes.count(False) / judged
            if judged >= self._policy.min_calls and share >= self._policy.failure_share:
                self._open()

    def _forget(self) -> None:
        with self._lock:
            self._probing = False

    def _open(self) -> None:
        logger.warning("Circuit breaker for %s opens for %.1f s", self._dependency, self._policy.open_s)
        self._opened_at_s = self._now_s()
        self._outcomes.clear()

    def _close(self) -> None:
        logger.warning("Circuit breaker for %s closes", self._dependency)
        self._opened_at_s = None
        self._outcomes.clear()
