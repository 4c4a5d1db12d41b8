"""A workspace in which everything that production can name is hostile: the demo's recording with other words in it.

Every name keeps its beginning and gets a hostile end, the same wherever it stands, so that the incident stays what it
was: the same requests, the same dependency, the same release. Strings that only people read are hostile as a whole.
"""

import json
import zlib
from pathlib import Path

import yaml
import zstandard

ROOT = Path(__file__).parents[2]
INCIDENT = "INC-2024-1301"
PWN = "window.__pwned=1"
FRAGMENTS = (
    '"', "'", '"""', "'''", "\\", '\\"', "\n", "\r\n", "\t", "\0", "\x1b[31m", "\x1b]0;x\x07", "\x7f", "\x85",
    "\u2028", "\u2029", "\u202e", "\u2066", "\u200b", "\ufeff", "\U000e0041", "😀", "ß", "中",
    "${x}", "${jndi:ldap://x}", "{{7*7}}", "{% raw %}", "{x!r}", "%s%n", "$(touch x)", "`touch x`", "; touch x;",
    "*/", "/*", "<!--", "-->", "]]>", "#", "|", "\\|", "@tag", "~~~", "```",
    "\nScenario: x\nGiven y", "\nExamples:\n| a |", '"); raise SystemExit("', "__import__('os').abort()",
    "</script><script>" + PWN + "</script>", f"<img src=x onerror={PWN}>", f'"><svg onload={PWN}>', f"' onmouseover='{PWN}",
    "</style><style>*{display:none}", "</textarea>", "<iframe src=//127.0.0.1:9>", "<a href=javascript:" + PWN + ">x</a>",
    f"[x](javascript:{PWN})", "![x](http://127.0.0.1:9/x.png)", "[x]: http://127.0.0.1:9", "<http://127.0.0.1:9>",
    "# x", "- x", "> x", "| a | b |", "&lt;b&gt;", "&#60;b&#62;", "=cmd|'/C calc'!A0", "@SUM(1)", "+1+1", "-1-1",
    "datum.x", "toString()", "[0].constructor", "__proto__", "constructor.constructor('" + PWN + "')()",
    "../../x", "..\\..\\x", "/etc/passwd", "C:\\x", "file:///etc/passwd", "javascript:" + PWN, "data:text/html,x",
    " ", "\u00a0", "  ", ".", "..", "--help", "-rf", "CON", "%00", "%2e%2e%2f", "%0d%0aX: y",
)  # fmt: skip
LONG = "A" * 1_000_000
HOSTILE_NAME = f"\n\x1b[31m\u202e<img src=x onerror={PWN}>'\"`$(touch x)|[x](javascript:1).jsonl".replace("/", "")
# What a path cannot hold as it is: a question mark or a hash ends it, a slash makes another segment.
PATH_FRAGMENTS = tuple(
    part for part in FRAGMENTS if not set("?#/\\\r\n\t\0 %") & set(part) and part.isprintable() and part.strip(". ")
)


def hostile(word: str) -> str:
    """Return a name with a hostile end, always the same one: no two fragments are far from any name."""
    first = zlib.crc32(word.encode())
    return word + "".join(FRAGMENTS[(first + step) % len(FRAGMENTS)] for step in range(0, 80, 16))


def hostile_path(path: str) -> str:
    """Return a path or route whose fixed words have hostile ends."""
    return "/".join(_hostile_segment(part) if part.isalpha() else part for part in path.split("/"))


def _hostile_segment(word: str) -> str:
    first = zlib.crc32(word.encode())
    return word + "".join(PATH_FRAGMENTS[(first + step) % len(PATH_FRAGMENTS)] for step in (0, 11, 23))


def everything(salt: str) -> str:
    """Return a text with every fragment in it."""
    return f"{salt} " + " ".join(FRAGMENTS)


_NAMES = {
    "service.name", "service.version", "service.instance.id", "deployment.environment.name", "peer.service",
    "db.namespace", "db.operation.name", "error.type", "shop.region", "exception.type",
}  # fmt: skip
_PATHS = {"http.route", "url.path", "http.target"}
_PROSE = {"exception.message", "exception.stacktrace", "user_agent.original", "http.user_agent", "db.query.text"}


def _hostile_body(text: str) -> str:
    try:
        body = json.loads(text)
    except ValueError:
        return text
    if isinstance(body, dict):
        first = zlib.crc32(text.encode()) % len(FRAGMENTS)
        chosen = (FRAGMENTS + FRAGMENTS)[first : first + 8]
        body |= {f"note{fragment}": fragment for fragment in chosen}
        body |= {"deep": [{fragment: [fragment]} for fragment in chosen]}
        if "locale" in body:
            body["long"] = LONG[:2000]
    return json.dumps(body)


def _hostile_attributes(attributes, *, bodies: bool) -> None:
    for attribute in attributes:
        key, value = attribute["key"], attribute["value"]
        text = value.get("stringValue")
        if text is None:
            continue
        if key in _NAMES:
            value["stringValue"] = hostile(text)
        elif key in _PATHS:
            value["stringValue"] = hostile_path(text)
        elif key in _PROSE:
            value["stringValue"] = text + FRAGMENTS[zlib.crc32(text.encode()) % len(FRAGMENTS)]
        elif bodies and key.endswith("body.content"):
            value["stringValue"] = _hostile_body(text)


def _records(document, outer, inner, kind):
    for resource in document.get(outer, []):
        for scope in resource[inner]:
            scope["scope"]["name"] = hostile(scope["scope"].get("name", ""))
            yield from scope[kind]


def hostile_line(document, number: int):
    """Make every name in an OTLP line hostile."""
    for outer in ("resourceSpans", "resourceLogs", "resourceMetrics"):
        for resource in document.get(outer, []):
            _hostile_attributes(resource["resource"]["attributes"], bodies=False)
    for place, span in enumerate(_records(document, "resourceSpans", "scopeSpans", "spans")):
        if number == place == 0:
            span.setdefault("attributes", []).append({"key": LONG, "value": {"stringValue": LONG}})
        fragment = FRAGMENTS[(number + place) % len(FRAGMENTS)]
        span["name"] = hostile(span["name"])
        attributes = span.setdefault("attributes", [])
        _hostile_attributes(attributes, bodies=True)
        attributes.append({"key": f"shop.{fragment}", "value": {"stringValue": fragment}})
        if place == 0 and number % 7 == 0:
            attributes.append({"key": fragment, "value": {"stringValue": everything("attribute")}})
        for event in span.get("events", []):
            _hostile_attributes(event.get("attributes", []), bodies=False)
        if span.get("status", {}).get("message"):
            span["status"]["message"] = everything(span["status"]["message"])
    for record in _records(document, "resourceLogs", "scopeLogs", "logRecords"):
        told = record["body"].get("stringValue", "")
        record["body"] = {"stringValue": everything(told + LONG if number == 0 else told)}
        record.setdefault("attributes", []).append(
            {"key": FRAGMENTS[number % len(FRAGMENTS)], "value": {"stringValue": "x"}}
        )
    for metric in _records(document, "resourceMetrics", "scopeMetrics", "metrics"):
        metric["unit"] = hostile(metric.get("unit", ""))
        metric["description"] = everything("metric")
    return document


def _hostile_strings(value, keep=()):
    """Return a JSON value with every string hostile but those under the keys to keep."""
    if isinstance(value, dict):
        return {key: inner if key in keep else _hostile_strings(inner, keep) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hostile_strings(inner, keep) for inner in value]
    return everything(value) if isinstance(value, str) else value


_TIMES = (
    "created_at", "updated_at", "resolved_at", "last_status_change_at", "at", "status", "state", "type", "action", "id",
    "incident_number", "incident_key", "environment", "sha", "html_url", "url",
)  # fmt: skip


def _hostile_changes(events):
    made = []
    for event in events:
        service = event["deployment"]["payload"] if event.get("deployment") else {}
        changed = _hostile_strings(event, _TIMES)
        if service:
            changed["deployment"]["payload"] = {
                name: hostile(text) if isinstance(text, str) else text for name, text in service.items()
            }
            changed["deployment"]["ref"] = event["deployment"]["ref"]
        changed["repository"]["name"] = hostile(event["repository"]["name"])
        made.append(changed)
    return made


def build_hostile_workspace(folder: Path) -> Path:
    """Write the workspace; the ids of its incidents stay what a person can type."""
    source, target = ROOT / "demo" / "workspace" / INCIDENT, folder / "exports"
    target.mkdir(parents=True)
    for path in source.glob("*.jsonl.zst"):
        lines = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines()
        made = [json.dumps(hostile_line(json.loads(line), number)) for number, line in enumerate(lines)]
        name = path.name.replace(".jsonl", HOSTILE_NAME)
        (target / name).write_bytes(zstandard.ZstdCompressor().compress("\n".join(made).encode()))
    (target / f"no format{HOSTILE_NAME}").write_text("<script>" + PWN + "</script>\n\x1b[31m")
    (target / "broken\x1b]0;x\x07.json").write_text('{"resourceSpans": [{"\\ud800": "\\udfff"}]}\n{' + LONG)
    alert = json.loads((source / "pagerduty.json").read_text())
    (target / "pagerduty.json").write_text(json.dumps(_hostile_strings(alert, _TIMES)))
    changes = json.loads((source / "deployments.json").read_text())
    (target / "deployments.json").write_text(json.dumps(_hostile_changes(changes)))
    config = yaml.safe_load((ROOT / "demo" / "workspace" / "prodintel.yaml").read_text())
    config["name"] = everything("workspace")
    config["sources"] = [{"path": "exports/*"}]
    for slo in config["slos"]:
        method, _, route = slo["route"].partition(" ")
        slo["route"] = f"{method} {hostile_path(route)}"
    method, _, route = config["auth"]["route"].partition(" ")
    config["auth"]["route"] = f"{method} {hostile_path(route)}"
    (folder / "prodintel.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder
