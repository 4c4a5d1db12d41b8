"""All the files of a load test: the model as JSON, and what Locust and k6 need to run it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from prodintel_lib.renderers.code import load
from prodintel_lib.renderers.load_k6 import k6_files
from prodintel_lib.renderers.suite import RenderedFile, fence_for

if TYPE_CHECKING:
    from prodintel_lib.scenarios.load_model import LoadModel

LOAD_RUNTIME: Final = {
    "locustfile.py": "load_locustfile.py",
    "load_conducting.py": "load_conducting.py",
    "load_options.py": "load_options.py",
    "load_plan.py": "load_plan.py",
    "load_record.py": "load_record.py",
    "load_sending.py": "load_sending.py",
    "replay_requests.py": "replay_requests.py",
    "target.py": "target.py",
}
"""The files that are the same for every load test, and the templates they come from."""


def render_load_test(model: LoadModel) -> tuple[RenderedFile, ...]:
    """Render a load test: Locust and k6 with all they need to run, and the model as JSON.

    Parameters
    ----------
    model : LoadModel

    Returns
    -------
    tuple of RenderedFile
        The files, by path. The same model gives the same bytes.

    Raises
    ------
    UnsafeValueError
        If the generator's name cannot stand in a comment.

    Notes
    -----
    Whatever production holds stands in ``load_model.json`` alone: the code is the same for every model.
    """
    files = {
        "load_model.json": render_model(model),
        "README.md": _readme(model),
        **{path: load(template) for path, template in LOAD_RUNTIME.items()},
        **k6_files(model),
    }
    return tuple(RenderedFile(path, text) for path, text in sorted(files.items()))


def render_model(model: LoadModel) -> str:
    """Render a load model as JSON: plain ASCII, its keys in the order in which the model declares them.

    Parameters
    ----------
    model : LoadModel
    """
    data = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(data, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _readme(model: LoadModel) -> str:
    defaults = model.defaults
    told = [f"{one.id}: {one.name} ({100 * one.weight:.1f} % of sessions)" for one in model.classes]
    sentences = [json.dumps(sentence) for sentence in (*told, *model.left_out)]
    return _README.format(
        fence=fence_for(sentences),
        sentences="\n".join(sentences),
        sessions=model.sessions,
        requests=model.requests,
        scale=defaults.scale,
        compress=defaults.compress,
        hours=defaults.length_s / 3600,
        seed=defaults.seed,
        generator=json.dumps(model.generator),
        digest=model.input_digest,
    )


_README: Final = """\
# Load test

Sessions begin when production's did, do what those of their class did, and think as long. The model rests on
{sessions:,} sessions ({requests:,} requests); its classes, and what production did and this load does not:

{fence}text
{sentences}
{fence}

```sh
locust -f locustfile.py --headless --host http://127.0.0.1:8080 --compress 24h=10m --out load_run
```

It needs Python 3.11 and Locust 2.40 or later. `k6/README.md` says how to run the same load by k6. With the same seed
both send the same sessions at the same times.

| option | what it does |
|---|---|
| `--scale 2` | twice as many sessions a second (default: {scale:g}) |
| `--compress 24h=10m`, `--compress 144` | the curve goes by 144 times faster, and as many times fewer sessions begin: \
the rate stays. Users think no faster (default: {compress:g}) |
| `--start 08:30` | begins at that hour of the business's clock, and goes on from the curve's beginning after its end |
| `--length 24h` | how much of the curve is run, before compression (default: {hours:g} h) |
| `--event black-friday`, `--event 2.5` | so many times the sessions a named event had, or just so many times |
| `--seed 1` | the same seed plans the same sessions, by any number of processes (default: {seed}) |
| `--latency-factor 2` | doubles every limit of a latency, for slower machines |
| `--allow-writes` | a target beyond loopback is written to only with this |
| `--out load_run` | folder of the run's record |

`SECRET_<NAME>` in the environment gives a value that was masked in the recording.

## What it sends

- An open load: nobody waits for anybody. A session is a greenlet with its own cookies, and its next request goes out so
  long after the start of the one before; where the answer took longer, at once.
- Sessions go on after the curve's end until each has ended: the last may take as long as production's longest. Locust's
  `--run-time` ends a run earlier, which makes it fail.
- Ids and tokens come from earlier answers to the same session; a session that lacks one is cut short, and counted. One
  that lacks its authorisation signs in first, which is counted apart.

## Exit codes

- 0: no threshold is broken, and the load was sent as planned.
- 1: a threshold is broken (failed: no answer in the patience of the endpoint, a refused connection, a status that
  production did not give when it was healthy); or an error was thrown in the load test itself; or more than 1 % of the
  planned sessions never began or began more than 1 s late; or more than 5 % were cut short; or nothing was sent; or the
  run was stopped early or lost a worker.
- 2: an option cannot be followed; nothing was sent.

A threshold is broken where its limit is exceeded and chance is no explanation: a system just at the limit would come
out so in less than 1 % of runs (binomial). Where it may be chance, for the requests were few, it is not judged and said
to be so; a longer run tells.

A process that cannot keep up begins its sessions late, and finds answers slower than they are: what is said at the
end tells by how much, and beyond the 1 % above the run fails.

## More processes, more machines

```sh
locust -f locustfile.py --headless --processes 4 --host http://127.0.0.1:8080
```

```sh
locust -f locustfile.py --headless --master --expect-workers 2 --host http://127.0.0.1:8080
locust -f locustfile.py --worker --master-host 127.0.0.1
```

Each machine needs this folder; options are given to the master, which shares the planned sessions out, has all workers
begin together, gathers what they sent, judges, and writes the record. The sessions of a worker that is lost are missed.
The number of Locust's users (`-u`) means nothing here. Without `--headless` the run is started in Locust's web page,
where the options can be changed; it is judged at its end, and the exit code is the last run's.

## The record

- `requests.csv`: `session,endpoint,t,status,elapsed_ms,setup`: what was sent, `t` seconds after the run's beginning; no
  status where no answer came; `setup` is 1 for a request that only signed in.
- `planned.csv`: `session,t`: when each session was to begin.
- `run.json`: the setting, the thresholds with value, number of requests and whether they were held (null: not judged),
  what was missed, and why the run failed.

`prodintel load-score load_run RECORDING` says how faithful the load was to what production did.

Generated by {generator} from input {digest}. Do not edit: make the load test again from production.
"""
