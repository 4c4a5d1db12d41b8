import csv
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from scipy.stats import binom

from prodintel_lib.errors import UnsafeValueError
from prodintel_lib.renderers.load_k6 import k6_files
from prodintel_lib.renderers.templates.load_plan import Behaviour, Setting
from prodintel_lib.scenarios.load_model.model import (
    EventMultiplier,
    LoadClass,
    LoadCurve,
    LoadState,
    Threshold,
    Variant,
)
from prodintel_lib.scenarios.model import Extract, Extracted, Replacement
from tests.conftest import lacking
from tests.renderers.hostile import broken_texts
from tests.renderers.load_models import BROWSERS, BUYERS, CART, ENDPOINTS, ORDER, SEARCH, SIGN_IN, LoadShop, make_model

NODE_MODULES = Path(__file__).parent / "ui_node" / "node_modules"
K6 = Path(__file__).parent / "load_k6"
CURVE = make_model().curve.model_copy(update={"sessions": (4.0, 2.0, 1.0, 1.0)})


@pytest.fixture(scope="module")
def node_packages():
    if not (NODE_MODULES / "@types" / "k6").is_dir() or not (NODE_MODULES / ".bin" / "esbuild").exists():
        lacking("the Node packages of tests/renderers/ui_node")
    return NODE_MODULES


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, node_packages):
    """Return the folder of the load test, of its plan and of its judgement, each bundled into one file."""
    folder = written(tmp_path_factory.mktemp("load_k6"), make_model())
    for name in ("load", "plan", "record"):
        command = [str(node_packages / ".bin" / "esbuild"), f"{name}.ts", "--bundle", "--format=esm"]
        outputs = ["--external:k6", "--external:k6/*", f"--outfile={name}.js", "--log-level=warning"]
        subprocess.run([*command, *outputs], cwd=folder / "k6", check=True)
    return folder / "k6"


@pytest.fixture
def call(tmp_path, needs_program, bundles):
    """Return a function that calls one of a module's functions with each of some lists of arguments."""

    def call(module, name, arguments):
        (tmp_path / "arguments.json").write_text(json.dumps(arguments))
        command = [needs_program("node"), K6 / "call.mjs", bundles / f"{module}.js", name, tmp_path / "arguments.json"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    return call


@pytest.fixture
def k6(tmp_path, needs_program, bundles):
    """Return a function that runs a load test under the stand-in for k6, its options written as for k6."""
    node = needs_program("node")

    def run(model, url, *arguments, **options):
        folder = tmp_path / "test"
        (folder / "k6").mkdir(parents=True, exist_ok=True)
        (folder / "load_model.json").write_text(model if isinstance(model, str) else as_json(model))
        shutil.copy(bundles / "load.js", folder / "k6")
        out = tmp_path / "load_run"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        given = {"BASE_URL": url, "OUT": str(out), **options}
        console = ["--log-format", "raw", "--console-output", str(out / "requests.csv")]
        named = [part for name, value in given.items() for part in ("-e", f"{name}={value}")]
        done = subprocess.run(
            [node, str(K6 / "run.mjs"), *console, *named, *arguments, str(folder / "k6" / "load.js")],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        return Done(done, out)

    return run


class Done:
    """A run that is over: its exit code, what it told, and its record."""

    def __init__(self, process, out):
        self.code, self.told, self.errors = process.returncode, process.stdout, process.stderr
        self._out = out

    @property
    def run(self):
        return json.loads((self._out / "run.json").read_text())

    @property
    def rows(self):
        with (self._out / "requests.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def planned(self):
        with (self._out / "planned.csv").open() as file:
            return [(int(row["session"]), float(row["t"])) for row in csv.DictReader(file)]

    def sent(self):
        """Return (endpoint, seconds) of each session's requests, in order, what only prepared others left out."""
        found = {}
        for row in self.rows:
            if row["setup"] == "0":
                found.setdefault(int(row["session"]), []).append((row["endpoint"], float(row["t"])))
        return {number: sorted(steps, key=lambda step: step[1]) for number, steps in found.items()}


class SlowShop(LoadShop):
    """A shop whose searches take so long in the time that the stand-in makes."""

    def __init__(self, took_ms, path="/api/search"):
        super().__init__()

        class Handler(self._server.RequestHandlerClass):
            def end_headers(self):
                self.send_header("took-ms", str(took_ms if self.path.startswith(path) else 0))
                super().end_headers()

        self._server.RequestHandlerClass = Handler


def as_json(model):
    return json.dumps(model.model_dump(mode="json", by_alias=True, exclude_none=True), ensure_ascii=True)


def small(**changed):
    """Return a load model of eight sessions."""
    return make_model(**{"curve": CURVE, **changed})


def written(folder, model):
    for path, text in k6_files(model).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "load_model.json").write_text(as_json(model))
    return folder


def planned_by_python(model, setting):
    """Return the sessions that load_plan.py plans: number, start, and (endpoint, gap, variant) of each step."""
    data = json.loads(as_json(model))
    behaviour = Behaviour(data)
    first = [sum(len(each["variants"]) for each in data["endpoints"][:place]) for place in range(len(ENDPOINTS))]
    sessions = []
    for number, start_s in behaviour.planned(data["curve"], setting):
        steps = []
        for step in behaviour.walk(setting.seed, number):
            variant = -1 if step.variant is None else first[step.endpoint] + step.variant
            steps.append((step.endpoint, step.gap_s, variant))
            if step.variant is None:
                break
        sessions.append((number, start_s, steps))
    return sessions


def setting_of(model, **changed):
    asked = model.defaults.model_dump(exclude={"seed"}) | {"seed": model.defaults.seed}
    return Setting(**{**asked, **changed})


def test_k6_files_makes_the_same_bytes_twice():
    assert k6_files(make_model()) == k6_files(make_model())


def test_k6_files_are_below_k6_and_name_their_origin():
    files = k6_files(make_model())
    assert {path.split("/")[0] for path in files} == {"k6"}
    first = files["k6/load.ts"].splitlines()[0]
    assert first == "// Generated by prodintel 0.0.0 from input 0123456789abcdef: make the model again, do not edit."
    assert "k6 itself was not run where this was made" in files["k6/README.md"]


@given(text=broken_texts)
def test_k6_files_hold_nothing_of_what_production_called_things(text):
    endpoint = SEARCH.model_copy(update={"label": text, "route": text})
    assert k6_files(make_model(endpoints=(SIGN_IN, endpoint, CART, ORDER))) == k6_files(make_model())


def test_k6_files_refuse_a_generator_that_would_end_a_comment():
    with pytest.raises(UnsafeValueError, match=r"A generator is named by letters, digits and spaces; got 'a\\nb'"):
        k6_files(make_model(generator="a\nb"))


def test_k6_readme_names_every_option_that_the_settings_read():
    files = k6_files(make_model())
    read = set(re.findall(r'environment\["([A-Z_]+)"\]|positive\("([A-Z_]+)"', files["k6/settings.ts"]))
    names = {one or other for one, other in read} | {"OUT"}
    assert names == set(re.findall(r"^\| `-e ([A-Z_]+)=", files["k6/README.md"], re.MULTILINE))


def test_k6_files_are_typechecked(tmp_path, needs_program, node_packages):
    folder = written(tmp_path, make_model()) / "k6"
    (folder / "node_modules").symlink_to(node_packages)
    command = [needs_program("node"), str(node_packages / "typescript" / "bin" / "tsc"), "--noEmit"]
    checked = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")
    # That the check sees k6's own types: its sleep takes a number.
    (folder / "wrong.ts").write_text('import { sleep } from "k6";\nsleep("1");\n')
    checked = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "wrong.ts(2,7): error TS2345" in checked.stdout


def test_k6_files_use_no_syntax_that_its_engine_lacks(tmp_path, node_packages):
    # Types are taken away, and nothing else changes: but for fields of classes, all is in the language since 2020.
    folder = written(tmp_path, make_model()) / "k6"
    esbuild = [str(node_packages / ".bin" / "esbuild"), *sorted(path.name for path in folder.glob("[a-z]*[a-z].ts"))]
    for year in ("es2020", "esnext"):
        options = ["--supported:class-field=true", f"--target={year}", f"--outdir={year}", "--log-level=warning"]
        raw = ["--tsconfig-raw={}"]
        subprocess.run([*esbuild, *options, *raw], cwd=folder, check=True)
    texts = [{path.name: path.read_text() for path in (folder / year).iterdir()} for year in ("es2020", "esnext")]
    assert "load.js" in texts[0]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"scale": 2.5, "compress": 3.0, "multiplier": 1.7, "start_s": 0.7, "length_s": 3.9, "seed": 2**40 + 5},
        {"scale": 0.3, "start_s": 1.9, "length_s": 0.2},
    ],
)
def test_k6_plans_what_load_plan_plans(call, changed):
    empty = LoadState(after=("<start>",), visits=1, end_logit=0.0, arcs=BUYERS.states[0].arcs)
    hesitant = BUYERS.model_copy(update={"id": "hesitant", "states": (empty, *BUYERS.states[1:])})
    unsendable = CART.model_copy(update={"variants": ()})
    for model in (
        make_model(),
        make_model(classes=(hesitant, BROWSERS), endpoints=(SIGN_IN, SEARCH, unsendable, ORDER)),
    ):
        setting = setting_of(model, **changed)
        asked = {"scale": setting.scale, "compress": setting.compress, "multiplier": setting.multiplier}
        asked |= {"startS": setting.start_s, "lengthS": setting.length_s, "seed": setting.seed}
        (ours,) = call("plan", "planned", [[json.loads(as_json(model)), asked]])
        theirs = planned_by_python(model, setting)
        assert [session["number"] for session in ours] == [number for number, _, _ in theirs]
        assert [session["startS"] for session in ours] == [start_s for _, start_s, _ in theirs]
        for session, (_, _, steps) in zip(ours, theirs, strict=True):
            assert [(place, variant) for place, _, variant in session["steps"]] == [
                (place, variant) for place, _, variant in steps
            ]
            assert [gap_s for _, gap_s, _ in session["steps"]] == pytest.approx([gap_s for _, gap_s, _ in steps])


def test_k6_sends_the_plan_at_its_times(k6):
    model = make_model()
    with LoadShop() as shop:
        done = k6(model, shop.url)
    assert done.code == 0, done.told + done.errors
    expected, planned = {}, []
    for number, start_s, steps in planned_by_python(model, setting_of(model)):
        planned.append((number, pytest.approx(start_s, abs=1e-6)))
        at_s, expected[number] = start_s, []
        for place, gap_s, _ in steps:
            at_s += gap_s
            # The clock of scripts counts whole milliseconds, and each waits for the one after its time.
            expected[number].append((ENDPOINTS[place].label, pytest.approx(at_s + 0.001 * len(steps), abs=0.02)))
    assert done.sent() == expected
    assert done.planned == planned
    run = done.run
    assert (run["planned_sessions"], run["begun_sessions"], run["late_sessions"]) == (40, 40, 0)
    assert (
        run["requests"] == sum(len(steps) for steps in expected.values()) == sum(r["setup"] == "0" for r in done.rows)
    )
    assert (run["failed"], run["why"], run["errors"], run["cut_short"]) == (False, [], [], 0)
    assert done.told.startswith("The load test held.\n")


def test_k6_keeps_what_answers_give_and_logs_in_first_where_it_must(k6):
    with LoadShop() as shop:
        done = k6(make_model(), shop.url, SECRET_CARD="4111")
    orders = [request for request in shop.seen if request[1].startswith("/api/carts/")]
    assert len(orders) > 2
    assert all(re.fullmatch(r"/api/carts/cart_[0-9]+/orders", path) for _, path, *_ in orders)
    assert all(bearer.startswith("Bearer tok_") for *_, bearer, _ in orders)
    assert {body["card"] for _, _, body, *_ in orders} == {"4111"}
    keys = [body["key"] for _, _, body, *_ in orders]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", key) for key in keys)
    logins = Counter(row["session"] for row in done.rows if row["setup"] == "1")
    needed = {row["session"] for row in done.rows if row["endpoint"] in {CART.label, ORDER.label}}
    assert logins == dict.fromkeys(needed, 1)
    assert done.run["setup_requests"] == len(needed)


def test_k6_sessions_have_cookies_of_their_own(k6):
    with LoadShop() as shop:
        done = k6(small(), shop.url)
    cookies = [cookie for *_, cookie in shop.seen]
    sessions = {row["session"] for row in done.rows}
    assert cookies.count(None) == len(sessions)
    assert {cookie for cookie in cookies if cookie} == {"basket=b1"}


def test_k6_breaks_no_guard(k6):
    with LoadShop() as shop:
        done = k6(make_model(), shop.url, SEED="5")
    made = Counter()
    for steps in done.sent().values():
        carts = 0
        for endpoint, _ in steps:
            carts += (endpoint == CART.label) - (endpoint == ORDER.label)
            assert carts >= 0
            made[endpoint] += 1
    assert made[ORDER.label] > 10


def test_k6_sends_at_once_after_an_answer_that_took_longer_than_the_gap(k6):
    model = make_model(classes=(BROWSERS,))
    with SlowShop(55) as shop:
        done = k6(model, shop.url)
    gaps_s = {
        number: [gap for _, gap, _ in steps[1:]] for number, _, steps in planned_by_python(model, setting_of(model))
    }
    waited = 0
    for number, steps in done.sent().items():
        for (_, before_s), (_, after_s), gap_s in zip(steps, steps[1:], gaps_s[number], strict=False):
            assert after_s - before_s == pytest.approx(max(gap_s, 0.055), abs=0.0025)
            waited += gap_s < 0.05
    assert waited > 2
    assert {row["elapsed_ms"] for row in done.rows} == {"55.000"}


def test_k6_is_open_where_answers_are_slow(k6):
    model = small(classes=(BROWSERS,))
    with SlowShop(1_900) as shop:
        done = k6(model, shop.url, LATENCY_FACTOR="2")
    assert done.code == 0, done.told + done.errors
    starts = {number: steps[0][1] for number, steps in done.sent().items()}
    assert starts == {number: pytest.approx(at_s, abs=0.002) for number, at_s in done.planned}


def test_k6_waits_as_long_as_a_client_does_and_counts_it_as_failed(k6):
    with SlowShop(2_500) as shop:
        done = k6(small(), shop.url)
    searches = [row for row in done.rows if row["endpoint"] == SEARCH.label]
    assert {(row["status"], row["elapsed_ms"]) for row in searches} == {("", "2000.000")}
    assert done.code == 99
    failures = next(one for one in done.run["thresholds"] if one["kind"] == "failures")
    assert (failures["value"], failures["held"], failures["n"]) == (1.0, False, len(searches))
    wanted = f"broken: {SEARCH.label}: failures 100.00 % of {len(searches)}, limit 5.00 %"
    assert wanted in done.run["why"]
    assert done.told.startswith("The load test failed: ")


def test_k6_counts_refused_connections_as_failures_without_a_latency(k6):
    with LoadShop() as shop:
        url = shop.url
    done = k6(make_model(), url)
    latency, failures = done.run["thresholds"]
    assert (latency["n"], latency["value"], latency["held"]) == (0, None, None)
    assert (failures["value"], failures["held"]) == (1.0, False)
    assert done.code == 99


@pytest.mark.parametrize(("factor", "code", "held"), [("1", 99, False), ("2", 0, True)])
def test_k6_fails_where_a_latency_threshold_is_broken(k6, factor, code, held):
    limit = Threshold(endpoint=1, kind="latency", percentile=95, limit=40, origin="slo", seen=30, n=900)
    with SlowShop(50) as shop:
        done = k6(make_model(thresholds=(limit,)), shop.url, LATENCY_FACTOR=factor)
    assert done.code == code
    (judged,) = done.run["thresholds"]
    assert judged == {
        "endpoint": SEARCH.label,
        "kind": "latency",
        "percentile": 95,
        "limit": 40 * float(factor),
        "value": 50,
        "n": judged["n"],
        "held": held,
    }
    assert done.run["failed"] is not held


def test_k6_does_not_judge_what_may_be_chance(k6):
    limit = Threshold(endpoint=1, kind="latency", percentile=99, limit=40, origin="slo", seen=1, n=900)
    rare = SEARCH.model_copy(update={"variants": (SEARCH.variants[0].model_copy(update={"n": 40}), SEARCH.variants[1])})
    model = make_model(thresholds=(limit,), endpoints=(SIGN_IN, rare, CART, ORDER))
    with SlowShop(50, path="/api/search/rot") as shop:
        done = k6(model, shop.url, SEED="8")
    (judged,) = done.run["thresholds"]
    slow = sum(float(row["elapsed_ms"]) > 40 for row in done.rows)
    assert (slow, judged["value"]) == (2, 50)
    # So many may be: more than two of them come in more than one run of a hundred.
    assert binom.sf(2, judged["n"], 0.01) > 0.01
    assert (done.code, judged["held"]) == (0, None)
    assert f"not judged, may be chance: {SEARCH.label}: p99 50.0 ms of {judged['n']}, limit 40.0 ms" in done.told


def test_k6_allows_as_many_bad_requests_as_chance_may_bring(call):
    asked = [
        (n, share) for n in (0, 1, 2, 16, 59, 134, 5_000, 1_000_000) for share in (0.0, 0.001, 0.01, 0.05, 0.5, 1.0)
    ]
    expected = [int(binom.ppf(0.99, n, share)) if n else 0 for n, share in asked]
    # The smallest number that more than which come in fewer than one run of a hundred.
    expected = [k + (binom.sf(k, n, share) >= 0.01) for k, (n, share) in zip(expected, asked, strict=True)]
    assert call("record", "allowedBad", [list(pair) for pair in asked]) == expected


def test_k6_fails_where_its_own_code_throws(k6):
    data = json.loads(as_json(small()))
    data["endpoints"][2]["statuses"] = None
    with LoadShop() as shop:
        done = k6(json.dumps(data), shop.url)
    (error,) = done.run["errors"]
    assert error["count"] > 0
    assert f"{error['count']} errors were thrown in the load test itself" in done.run["why"][0]
    assert "TypeError" in done.errors
    assert done.code == 99
    # The others went on.
    assert any(row["endpoint"] == SEARCH.label for row in done.rows)


def test_k6_fails_where_arrivals_are_missed(k6):
    with SlowShop(1_500) as shop:
        done = k6(small(), shop.url, MAX_VUS="1")
    run = done.run
    assert (run["planned_sessions"], run["begun_sessions"]) == (8, 8)
    assert run["late_sessions"] > 0
    assert f"arrivals were missed: {run['late_sessions']} of 8 planned sessions" in run["why"][-1]
    assert done.code == 99
    assert "load_sessions_on_time count>=8" in done.errors


def test_k6_fails_where_it_is_stopped_early(k6):
    with LoadShop() as shop:
        done = k6(small(), shop.url, "--stop-after-s", "0.3")
    assert 0 < done.run["begun_sessions"] < 8
    assert re.match(r"the run was stopped early: [1-8] of 8 planned sessions did not come", done.run["why"][0])
    assert done.code == 99


def test_k6_fails_where_sessions_that_began_are_stopped(k6):
    model = make_model()
    plan = planned_by_python(model, setting_of(model, seed=11))
    last_start_s = max(start_s for _, start_s, _ in plan)
    open_then = sum(start_s + sum(gap_s for _, gap_s, _ in steps) > last_start_s + 0.1 for _, start_s, steps in plan)
    with LoadShop() as shop:
        done = k6(model, shop.url, "--stop-after-s", str(last_start_s + 0.1), SEED="11")
    assert (done.run["begun_sessions"], done.run["late_sessions"], open_then > 0) == (len(plan), 0, True)
    wanted = f"the run was stopped early: {open_then} of {len(plan)} planned sessions did not come to their end"
    assert done.run["why"] == [wanted]
    assert done.code == 99


def test_k6_fails_where_too_many_sessions_are_cut_short(k6):
    with LoadShop("garbage") as shop:
        done = k6(make_model(), shop.url)
    run = done.run
    assert run["cut_short"] == len({row["session"] for row in done.rows if row["setup"] == "1"}) > 2
    assert f"{run['cut_short']} of 40 sessions were cut short" in run["why"][0]
    assert run["errors"] == []
    assert done.code == 99


def test_k6_ends_a_session_before_an_endpoint_of_which_nothing_can_be_sent(k6):
    unsendable = CART.model_copy(update={"variants": ()})
    with LoadShop() as shop:
        done = k6(make_model(endpoints=(SIGN_IN, SEARCH, unsendable, ORDER)), shop.url)
    assert {row["endpoint"] for row in done.rows} == {SEARCH.label}
    assert done.run["cut_short"] > 0


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({"SCALE": "2", "SEED": "3"}, {"scale": 2.0, "seed": 3}),
        ({"COMPRESS": "2s=1s", "EVENT": "black_friday"}, {"compress": 2.0, "multiplier": 3.5}),
        ({"COMPRESS": "4", "EVENT": "1.5"}, {"compress": 4.0, "multiplier": 1.5}),
        ({"LENGTH": "90m", "COMPRESS": "3600", "SCALE": "0.5"}, {"length_s": 5400, "compress": 3600, "scale": 0.5}),
    ],
)
def test_k6_options_change_the_plan(k6, options, changed):
    event = EventMultiplier(name="black_friday", title="Black Friday", ratio=3.5, n=24)
    model = make_model(curve=CURVE, classes=(BROWSERS,), events=(event,))
    with LoadShop() as shop:
        done = k6(model, shop.url, **options, MAX_VUS="30")
    setting = setting_of(model, **changed)
    expected = planned_by_python(model, setting)
    assert done.planned == [(number, pytest.approx(at_s, abs=1e-6)) for number, at_s, _ in expected]
    assert {name: done.run[name] for name in changed} == changed
    assert done.run["planned_sessions"] == len(expected) > 1


def test_k6_starts_at_an_hour_of_the_business(k6):
    # The curve begins at eight; half an hour a bucket, of which the third is run.
    curve = LoadCurve(**{**CURVE.model_dump(), "bucket_s": 1_800.0, "sessions": (1.0, 2.0, 8.0, 1.0)})
    model = make_model(curve=curve, classes=(BROWSERS,))
    with LoadShop() as shop:
        done = k6(model, shop.url, START="9:00", LENGTH="30m", COMPRESS="3600", SCALE="3600")
    assert (done.run["start_s"], done.run["length_s"], done.run["planned_sessions"]) == (3_600, 1_800, 8)
    assert all(0 <= at_s < 0.5 for _, at_s in done.planned)
    refused = k6(model, "http://127.0.0.1:9", START="12:00")
    assert refused.code == 107
    assert "START is within the model's curve, which does not reach 12:00." in refused.errors


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"BASE_URL": "http://staging.invalid"}, "is beyond loopback: name its host again, with -e ALLOW_HOST=staging"),
        ({"BASE_URL": "http://staging.invalid", "ALLOW_HOST": "staging.invalid"}, "writes: add -e ALLOW_WRITES=1."),
        ({"BASE_URL": "http://127.1"}, "A target names its host or its whole address"),
        ({"BASE_URL": "http://2130706433", "ALLOW_HOST": "2130706433"}, "A target names its host or its whole address"),
        ({"BASE_URL": "http://127.0.0.1.staging.invalid"}, "is beyond loopback"),
        ({"BASE_URL": "http://user@127.0.0.1"}, "A target is http(s)://host[:port][/path] and nothing else"),
        ({"BASE_URL": "http://127.0.0.1/?x=1"}, "A target is http(s)://host[:port][/path] and nothing else"),
        ({"BASE_URL": "ftp://127.0.0.1"}, "A target is http(s)://host[:port][/path] and nothing else"),
        ({"SCALE": "0"}, 'SCALE is a positive number, for instance 2; got "0".'),
        ({"COMPRESS": "24h=0m"}, 'COMPRESS is a time such as 24h, 90m or 600s; got "0m".'),
        ({"COMPRESS": "24h=10m=1"}, "COMPRESS is how many times faster"),
        ({"EVENT": "no_such"}, "EVENT is one of the model's events (none is known) or a factor"),
        ({"START": "25:00"}, "START is a time of day"),
        ({"LENGTH": "long"}, "LENGTH is a time such as"),
        ({"SEED": "-1"}, "SEED is a whole number from 0"),
        ({"SCALE": "0.0001", "SEED": "1"}, "no session is planned"),
    ],
)
def test_k6_refuses_what_it_cannot_follow_before_anything_is_sent(k6, options, wanted):
    options = dict(options)
    with LoadShop() as shop:
        done = k6(small(), options.pop("BASE_URL", shop.url), **options)
    assert wanted in done.errors
    assert done.code == 107
    assert shop.seen == []


HOSTILE = "\"'`${x}\\</script>*/\r\n\u2028\x1b[31m,\x00é中{{y}}"


def test_k6_sends_hostile_texts_as_they_were_and_shows_none_of_them(k6):
    variant = Variant(
        path="/api/search/" + HOSTILE.replace("/", "_").replace("\x00", ""),
        query=(("q", HOSTILE), ("{x}", "&=+ %")),
        headers=(("X-Note", "é'\"${x}"),),
        body={HOSTILE: [HOSTILE, None, {"a": 1.5}]},
        n=1,
    )
    label = f"POST {HOSTILE}"
    endpoint = SEARCH.model_copy(update={"label": label, "route": HOSTILE, "method": "POST", "variants": (variant,)})
    with LoadShop() as shop:
        done = k6(small(classes=(BROWSERS,), endpoints=(SIGN_IN, endpoint, CART, ORDER)), shop.url)
    assert done.code == 0, done.told + done.errors
    assert {row["endpoint"] for row in done.rows} == {label}
    assert all(body == {HOSTILE: [HOSTILE, None, {"a": 1.5}]} for _, _, body, *_ in shop.seen)
    for _, path, *_ in shop.seen:
        assert unquote(urlsplit(path).path) == variant.path
        assert parse_qsl(urlsplit(path).query) == list(variant.query)
    assert all(" " <= char <= "~" or char == "\n" for char in done.told)


def test_k6_keeps_ids_of_many_digits_exact(k6):
    long = 2**63 - 25

    class IdShop(LoadShop):
        def answer(self, method, path, headers, body):
            super().answer(method, path, headers, body)
            return 200, json.dumps({"text": f'"{long}, ', "id": long, "share": 0.12345678901234567890}).encode()

    give = SEARCH.model_copy(
        update={"extracts": (Extract(name="id", pointer="/id"), Extract(name="share", pointer="/share"))}
    )
    take = CART.model_copy(
        update={
            "statuses": (200,),
            "variants": (
                Variant(
                    path="/api/cart/0",
                    body={"id": 0, "text": "", "share": 0},
                    replacements=tuple(
                        Replacement(into=into, at=at, value=Extracted(name=name))
                        for into, at, name in (
                            ("path", "2", "id"),
                            ("body", "/id", "id"),
                            ("body", "/text", "id"),
                            ("body", "/share", "share"),
                        )
                    ),
                    n=1,
                ),
            ),
        }
    )
    first, second = BUYERS.states[0], BUYERS.states[1].model_copy(update={"arcs": (BUYERS.states[1].arcs[1],)})
    last = LoadState(after=("end",), visits=1, end_logit=0.0, arcs=())
    straight = LoadClass(**{**BUYERS.model_dump(), "states": (first, second, last)})
    model = small(classes=(straight,), endpoints=(SIGN_IN, give, take, ORDER), login=None)
    with IdShop() as shop:
        done = k6(model, shop.url)
    assert done.code == 0, done.told + done.errors
    carts = [(path, body) for method, path, body, *_ in shop.seen if method == "POST"]
    assert len(carts) > 2
    assert all(
        sent == (f"/api/cart/{long}", {"id": long, "text": str(long), "share": 0.12345678901234568}) for sent in carts
    )


def test_k6_records_nothing_where_no_folder_is_named(k6):
    with LoadShop() as shop:
        done = k6(small(), shop.url, OUT="")
    assert done.code == 0
    assert done.told.startswith("The load test held.\n")
    with pytest.raises(FileNotFoundError, match=r"requests\.csv"):
        _ = done.rows


def test_k6_rows_of_a_session_follow_each_other(k6):
    with LoadShop() as shop:
        done = k6(make_model(), shop.url)
    for steps in done.sent().values():
        assert all(before <= after for (_, before), (_, after) in pairwise(steps))
