"""Start a kernel of this very interpreter, early, and without touching the user's Jupyter set-up."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any, Final

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

import prodintel_lib

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNEL_NAME: Final = "python3"
_REPLY_POLL_S: Final = 0.2


class _OwnInterpreter(KernelSpecManager):
    """Answers every name with this interpreter: a spec named python3 elsewhere may belong to another one."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [
            sys.executable,
            "-m",
            "prodintel_lib.notebooks.kernel_process",
            "-f",
            "{connection_file}",
            "--HistoryManager.enabled=False",
            "--IPKernelApp.log_level=ERROR",
        ]
        return KernelSpec(argv=argv, display_name="Python 3 (ipykernel)", language="python", name=kernel_name)


class _PromptClient(AsyncKernelClient):  # type: ignore[misc, unused-ignore]
    """Is ready once the kernel has answered and its output channel is connected.

    The stock client then waits until the output channel has been silent for 0.2 s; nbclient goes by message ids and
    does not need that silence.
    """

    async def wait_for_ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 (the overridden signature)
        deadline_s = time.monotonic() + (timeout or 60.0)
        while time.monotonic() < deadline_s:
            self.kernel_info()
            try:
                reply = await self.shell_channel.get_msg(timeout=1)
                await self.iopub_channel.get_msg(timeout=_REPLY_POLL_S)
            except Empty:
                if not await self._async_is_alive():
                    raise RuntimeError("the kernel ended before it was ready") from None
                continue
            if reply["msg_type"] == "kernel_info_reply":
                self._handle_kernel_info_reply(reply)
                return
        raise RuntimeError(f"the kernel did not answer within {timeout} s")


class _Manager(AsyncKernelManager):
    """Remembers its clients: nbclient closes the sockets only of kernels that it has started itself."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 (traits)
        super().__init__(**options)
        self.clients: list[AsyncKernelClient] = []

    def client(self, **options: Any) -> Any:  # noqa: ANN401 (jupyter_client types it as the blocking client)
        client: AsyncKernelClient = super().client(**options)
        self.clients.append(client)
        return client


@contextmanager
def started_kernel(cwd: Path) -> Iterator[AsyncKernelManager]:
    """Start a kernel and end it on leaving; it boots while the caller goes on.

    Parameters
    ----------
    cwd : Path
        The folder the notebook works in.

    Notes
    -----
    Connection file, sockets and IPython's own folder live in a private temporary folder: no profile or start-up file of
    the user changes a run, and nothing is left behind. Sockets of the file system (``ipc``) are out of other users'
    reach, which the default, loopback TCP without encryption, is not.
    """
    private = Path(tempfile.mkdtemp(prefix="prodintel-"))
    manager = _Manager(
        kernel_name=KERNEL_NAME,
        kernel_spec_manager=_OwnInterpreter(),
        connection_file=str(private / "k.json"),
        client_class=f"{__name__}.{_PromptClient.__name__}",
        transport="tcp" if os.name == "nt" else "ipc",
    )
    try:
        _run(manager.start_kernel, cwd=str(cwd), env=_environment(private))
        yield manager
    finally:
        for client in manager.clients:
            client.stop_channels()
        # Cells have ended and their outputs are here: a polite shutdown would only cost time.
        if manager.has_kernel:
            _run(manager.shutdown_kernel, now=True)
        shutil.rmtree(private, ignore_errors=True)


def _environment(private: Path) -> dict[str, str]:
    library = str(Path(prodintel_lib.__file__).parents[1])
    inherited = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "IPYTHONDIR": str(private),
        "PYTHONPATH": os.pathsep.join([library, inherited] if inherited else [library]),
        "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"),
    }


def _run(call: Any, **options: Any) -> None:  # noqa: ANN401 (jupyter_client annotates none of these)
    async def wait() -> None:
        found = call(**options)
        if asyncio.iscoroutine(found) or isinstance(found, asyncio.Future):
            await found

    run_sync(wait)()
