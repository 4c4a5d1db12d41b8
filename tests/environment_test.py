"""environment.yml names what pyproject.toml names, with the same bounds; the lock names no host and no path."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-spark.lock")


def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return {*project["dependencies"], *extras["lab"], *extras["demo"], *extras["test"]}, project["requires-python"]


def test_environment_holds_the_same_requirements_as_pyproject():
    requirements, python = declared()
    content = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    plain = {entry for entry in content if isinstance(entry, str)}
    by_pip = {entry for part in content if isinstance(part, dict) for entry in part["pip"]}
    assert (plain | by_pip) - {"pip", f"python{python}"} == requirements
    assert f"python{python}" in plain


def test_lock_pins_every_requirement_with_hashes():
    requirements, _ = declared()
    names = {re.match(r"[A-Za-z0-9-]+", entry)[0].lower() for entry in requirements}
    pins = re.findall(
        r"^([a-z0-9.-]+)==[^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", (ROOT / LOCKS[0]).read_text(), re.MULTILINE
    )
    assert names - set(pins) == set()


def test_lock_names_no_index_host_or_path():
    for name in LOCKS:
        text = (ROOT / name).read_text()
        assert not re.findall(r"://|--index|--extra-index|--find-links|file:|(?<![\w.])/[a-z]+/", text), name


def test_spark_lock_agrees_with_the_lock():
    pins = [dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)) for name in LOCKS]
    assert {name: pins[1].get(name) for name in pins[0]} == pins[0]
    assert set(pins[1]) - set(pins[0]) == {"pyspark", "py4j"}
