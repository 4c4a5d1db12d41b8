import re

import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.init_command import init_workspace
from prodintel_lib.sources.ingest import ingest
from prodintel_lib.workspace import open_workspace

TRACES = b"TraceID,SpanID,ParentID,PodName,StartTimeUnixNano,Duration\nab,c1,,pod,1759155600000000000,12\n"
LOGS = (
    b'{"timestamp": "2025-09-29T14:20:00Z", "msg": "hi", "odd name": 1}\n{"timestamp": "x", "msg": "y", "level": "w"}\n'
)
ZIPKIN = b'[{"traceId": "ab", "id": "c1", "timestamp": 1759155600000000, "duration": 1}]'


class Told:
    """A terminal that remembers."""

    def __init__(self):
        self.lines = []

    def say(self, text=""):
        self.lines.append(text)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "incident: 7"
    (made / "deep").mkdir(parents=True)
    (made / "traces.csv").write_bytes(TRACES)
    (made / "deep" / "logs #1.ndjson").write_bytes(LOGS)
    (made / "[zip]*.json").write_bytes(ZIPKIN)
    (made / "inc.csv").write_bytes(b"id,title,started\nINC-1,down,2025-09-29T14:20:00Z\n")
    (made / "notes\n- path: evil").write_bytes(b"call Ada")
    (made / "empty").write_bytes(b"")
    (made / ".hidden").write_bytes(ZIPKIN)
    return made


def test_init_workspace_writes_what_it_recognises_and_says_so(folder):
    told = Told()
    found = init_workspace(folder, terminal=told)
    assert [(file.path, file.format, bool(file.proposal), file.problem) for file in found] == [
        ("[zip]*.json", "zipkin", False, ""),
        ("empty", "", False, "empty"),
        ("inc.csv", "plain", False, ""),
        ("notes\n- path: evil", "", False, "not recognised"),
        ("traces.csv", "csv", True, ""),
        ("deep/logs #1.ndjson", "ndjson", True, ""),
    ]
    workspace = open_workspace(folder)
    assert workspace.config.name == "incident: 7"
    assert [source.path for source in workspace.config.sources] == ["[zip]*.json", "inc.csv"]
    assert ingest(workspace).kept == {"spans": 1, "incidents": 1}
    assert told.lines[:4] == [
        "  plain: 1 file",
        "  zipkin: 1 file",
        "  traces.csv: looks like spans; a mapping is proposed, to be confirmed",
        "  deep/logs #1.ndjson: looks like logs; a mapping is proposed, to be confirmed",
    ]
    assert told.lines[-1] == f"  prodintel ingest --workspace {folder}"


def test_init_workspace_proposes_mappings_that_read_the_file_once_confirmed(folder):
    init_workspace(folder, terminal=Told())
    config = folder / "prodintel.yaml"
    text = config.read_text(encoding="utf-8")
    assert "duration_ms: ms(Duration)    # which unit?" in text
    guesses = re.compile(r"^# ((?:  - path| {4,6}[a-z#]).*)$", re.MULTILINE)
    config.write_text(guesses.sub(r"\1", text.partition("# What is promised")[0]), encoding="utf-8")
    workspace = open_workspace(folder)
    report = ingest(workspace)
    assert (report.kept, report.quarantined) == ({"spans": 2, "incidents": 1, "logs": 1}, 1)
    row = workspace.scan("logs").collect("polars").to_native().row(0, named=True)
    assert (row["body"], row["attributes"]) == ("hi", '{"odd name":1}')


def test_init_workspace_never_overwrites(folder):
    (folder / "prodintel.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(ParameterError, match=r"is there already, and is not overwritten\.\nHint: edit it"):
        init_workspace(folder, terminal=Told())
    assert (folder / "prodintel.yaml").read_text(encoding="utf-8") == "mine"


def test_init_workspace_says_when_there_is_nothing(tmp_path):
    told = Told()
    init_workspace(tmp_path, terminal=told)
    assert told.lines[-1].startswith("Next: nothing was recognised")
    assert open_workspace(tmp_path).config.sources == ()
    with pytest.raises(ParameterError, match="is no folder"):
        init_workspace(tmp_path / "absent", terminal=Told())


def test_init_workspace_does_not_follow_links_out_of_the_folder(folder, tmp_path):
    (tmp_path / "outside.json").write_bytes(ZIPKIN)
    (folder / "link.json").symlink_to(tmp_path / "outside.json")
    (folder / "loop").symlink_to("loop")
    found = {file.path: file.problem for file in init_workspace(folder, terminal=Told())}
    assert found["link.json"] == "a link that leaves the folder"
    assert ingest(open_workspace(folder)).kept == {"spans": 1, "incidents": 1}
