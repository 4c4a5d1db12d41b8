"""docs/faults.md does what it says: its console examples are sent, its Python is run."""

import json
import re
import shlex
from pathlib import Path

from prodintel_lib.faults.toxics import TYPES, Toxic, show_attributes

PAGE = Path(__file__).parents[2].joinpath("docs", "faults.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def examples() -> list[tuple[str, str]]:
    """Return every curl command of the page with the output below it."""
    lines = "".join(blocks("console")).split("$ ")[1:]
    pairs = [line.partition("\n")[::2] for line in lines]
    return [(command, output.strip()) for command, output in pairs if command.startswith("curl ")]


def send(faults, command: str) -> str:
    words = shlex.split(command.removeprefix("curl -s ").replace("$TOXIPROXY_URL", ""))
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    body = words[words.index("-d") + 1] if "-d" in words else None
    path = next(word for word in words if word.startswith("/"))
    return faults.ask(method, path, body)[1]


def without_port(text: str) -> str:
    return re.sub(r'("listen": "127\.0\.0\.1:)\d+', r"\1PORT", text)


def test_console_examples_answer_what_the_page_shows(faults):
    shown = examples()
    assert len(shown) == 13

    assert [(command, without_port(send(faults, command))) for command, _ in shown] == [
        (command, without_port(output)) for command, output in shown
    ]


def test_python_examples_run(faults, monkeypatch):
    monkeypatch.setenv("TOXIPROXY_URL", faults.url)
    faults.client.populate([{"name": "card-processor", "upstream": "127.0.0.1:9001"}])
    (source,) = blocks("python")

    exec(compile(source, "docs/faults.md", "exec"), {})


def test_the_proxies_file_of_the_page_is_one(faults):
    (document,) = blocks("json")
    assert [proxy["name"] for proxy in faults.client.populate(json.loads(document))] == ["card-processor"]


def test_every_toxic_and_attribute_is_in_its_table():
    rows = {
        row[0]: set(re.findall(r"`(\w+)`", row[1]))
        for row in re.findall(r"^\| `(\w+)` \| ([^|]*)\|", PAGE, re.MULTILINE)
    }

    required = {"bandwidth": {"rate_kb_per_s": 1}, "http_latency": {"latency_ms": 1}, "http_status": {"status": 500}}
    toxics = {name: Toxic(name, name, "upstream", 1.0, kind(**required.get(name, {}))) for name, kind in TYPES.items()}
    assert {name: rows.get(name) for name in TYPES} == {
        name: set(show_attributes(toxic.attributes)) for name, toxic in toxics.items()
    }
