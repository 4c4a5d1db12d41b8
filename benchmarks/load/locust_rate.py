"""How many sessions a second one process of the generated Locust test begins in time.

`python -m benchmarks.load.locust_rate`. The server answers at once and does nothing else, so that what is late is the
generator's. A session is four requests of a shop's, one with a body, 0.2 to 0.4 s apart. Of each rate: CPU of all of
Locust's processes a request, how late sessions began (99 %), and whether the run says of itself that it kept up.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from prodintel_lib.renderers import write_files
from prodintel_lib.renderers.load_tests import render_load_test
from prodintel_lib.scenarios.load_model.model import (
    GAP_LEVELS,
    GapLaw,
    LoadArc,
    LoadClass,
    LoadCurve,
    LoadDefaults,
    LoadEndpoint,
    LoadModel,
    LoadState,
    Variant,
)

STEPS = 4
BODY = b'{"id": "x1"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nSet-Cookie: basket=b; Path=/\r\n\r\n" % len(BODY) + BODY


class Answers(asyncio.Protocol):
    """Answer every request at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._read = transport, b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].lower()
            _, _, after = head.partition(b"content-length:")
            whole = end + 4 + (int(after.split(b"\r\n", 1)[0]) if after else 0)
            if len(self._read) < whole:
                return
            self._read = self._read[whole:]
            self._transport.write(ANSWER)  # type: ignore[attr-defined]


def serve(listener: socket.socket) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Answers, sock=listener)
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())


def make_model(sessions_per_s: float, seconds: float) -> LoadModel:
    pages = [
        LoadEndpoint(
            label=f"{method} /api/{name}",
            method=method,
            route=f"/api/{name}",
            variants=tuple(
                Variant(path=f"/api/{name}", body=body, n=1) for body in ({"n": 1} if method == "POST" else None,)
            ),
            statuses=(200,),
            patience_ms=10_000,
            requests=100,
        )
        for method, name in (("GET", "home"), ("GET", "search"), ("POST", "cart"), ("GET", "cart"))
    ]
    states = [
        LoadState(
            after=("<start>" if step == 0 else pages[step - 1].label,),
            visits=100,
            end_logit=-40.0,
            arcs=(LoadArc(endpoint=step, weight=1, state=step + 1, gap=0 if step else None),) if step < STEPS else (),
        )
        for step in range(STEPS + 1)
    ]
    walkers = LoadClass(id="walkers", name="walkers", weight=1, sessions=100, session_correlation=0,
                        step_bounds=(), end_shift=(0.0,), states=tuple(states))  # fmt: skip
    return LoadModel(
        generator="prodintel benchmark",
        input_digest="0123456789ab",
        curve=LoadCurve(start_us=0, end_us=int(seconds) * 1_000_000, time_zone="UTC", local_start_s=0, bucket_s=1.0,
                        sessions=(sessions_per_s,) * int(seconds), source="spans"),
        endpoints=tuple(pages),
        gaps=(GapLaw(family="quantiles", seconds=tuple(0.2 + 0.2 * level for level in GAP_LEVELS), n=100),),
        classes=(walkers,),
        longest=STEPS,
        defaults=LoadDefaults(length_s=seconds),
        sessions=100,
        requests=400,
    )  # fmt: skip


def measure(sessions_per_s: float, *, seconds: float, processes: int) -> dict[str, float | str]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    several = (
        ["--processes", str(processes), "--master-bind-port", port, "--master-port", port] if processes > 1 else []
    )
    with tempfile.TemporaryDirectory() as folder:
        write_files(render_load_test(make_model(sessions_per_s, seconds)), Path(folder))
        locust = [sys.executable, "-m", "locust", "-f", "locustfile.py", "--headless", "--only-summary", "--host", url]
        before = os.times()
        done = subprocess.run([*locust, *several], cwd=folder, capture_output=True, text=True, check=False)
        after = os.times()
        run = json.loads((Path(folder) / "load_run" / "run.json").read_text(encoding="utf-8"))
    server.terminate()
    server.join()
    listener.close()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return {
        "sessions_per_s": sessions_per_s,
        "requests": run["requests"],
        "cpu_ms_per_request": 1000 * cpu_s / run["requests"],
        "late_p99_ms": 1000 * run["delay_p99_s"],
        "late_sessions": run["late_sessions"],
        "said": "kept up" if done.returncode == 0 else run["why"][0].split(":")[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="*", default=[25, 50, 100, 200, 400])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    for rate in options.rates:
        found = measure(rate, seconds=options.seconds, processes=options.processes)
        cells = [
            f"{name} {value:,.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in found.items()
        ]
        print(" | ".join(cells), f"| load average {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
