import pytest

from prodintel_lib.errors import ParameterError
from prodintel_lib.tables import SPANS
from prodintel_lib.workspace import RouteSlo, SourceConfig, open_workspace


@pytest.fixture
def configure(tmp_path):
    def write(text):
        (tmp_path / "prodintel.yaml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


FULL = """\
name: shop
sources:
  - path: traces.jsonl
  - path: more
    format: otlp
slos:
  - route: POST /api/orders
    latency_ms: 2500
    availability: 0.995
proxies:
  card-processor: card_proxy
owners:
  performance: team-pay
"""


def test_open_workspace_reads_the_whole_configuration(configure):
    root = configure(FULL)
    workspace = open_workspace(root)
    assert workspace.root == root.resolve()
    assert workspace.config.name == "shop"
    assert workspace.config.sources == (SourceConfig(path="traces.jsonl"), SourceConfig(path="more", format="otlp"))
    assert workspace.config.slos == (
        RouteSlo(route="POST /api/orders", latency_ms=2500, percentile=99, availability=0.995),
    )
    assert workspace.config.proxies == {"card-processor": "card_proxy"}
    assert workspace.config.owners == {"performance": "team-pay"}


def test_open_workspace_names_what_is_missing(tmp_path):
    with pytest.raises(ParameterError, match=r"is no workspace: it has no prodintel\.yaml\.\nHint: name a folder"):
        open_workspace(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nsorces: []\n", r"`sorces` in .*prodintel\.yaml, line 2; known: .*\nHint: did you mean `sources`"),
        ("name: x\nsources:\n  - path: a\n    fromat: f\n", r"`fromat` in .*, line 4; .*\nHint: did you mean `format`"),
        ("name: x\nslos:\n  - route: r\n    latncy_ms: 1\n", r"line 4; known: .*\nHint: did you mean `latency_ms`"),
        ("name: x\nslos:\n\n  - route: r\n    availability: 99\n", r"line 5: `slos\.0\.availability`: .* equal to 1; it is 99"),
        ("name: x\nslos:\n  - route: r\n", r"line 3: `slos\.0`: .*a promise needs `latency_ms` or `availability`"),
        (
            "name: x\nslos:\n  - {route: r, availability: 0.9, period_days: 0}\n",
            r"line 3: `slos\.0\.period_days`: .* greater than or equal to 1; it is 0",
        ),
        ("sources: []\n", r"line 1: `name`: Field required"),
        ("name: x\nsources: here\n", r"line 2: `sources`"),
        ("name: [\n", r"is not YAML: "),
        ("", r"holds no keys"),
        ("- a\n", r"holds no keys"),
        ("name: !!python/object:os.system x\n", r"is not YAML: "),
    ],
)  # fmt: skip
def test_open_workspace_names_the_line_and_the_nearest_key(configure, text, message):
    with pytest.raises(ParameterError, match=message):
        open_workspace(configure(text))


def sources(root, *specs):
    lines = "".join(f"  - path: {spec!r}\n" for spec in specs)
    (root / "prodintel.yaml").write_text(f"name: x\nsources:\n{lines}", encoding="utf-8")
    return open_workspace(root)


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "workspace"
    for name in ("a.json", "deep/b.json", "deep/er/c.json", "deep/.hidden", "lake/spans/x.parquet", ".git/config"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"{}")
    (tmp_path / "outside.json").write_bytes(b"{}")
    return root


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("a.json", ["a.json"]),
        ("deep", ["deep/b.json", "deep/er/c.json"]),
        ("deep/*", ["deep/b.json"]),
        ("**/*.json", ["a.json", "deep/b.json", "deep/er/c.json"]),
        ("d?ep/[ab].json", ["deep/b.json"]),
        (".", ["a.json", "deep/b.json", "deep/er/c.json"]),
    ],
)
def test_source_files_expands_files_folders_and_globs(tree, spec, expected):
    assert [file.key for file in sources(tree, spec).source_files()] == expected


def test_source_files_names_each_file_once(tree):
    assert [file.key for file in sources(tree, "deep/b.json", "deep", "a.json").source_files()] == [
        "deep/b.json",
        "deep/er/c.json",
        "a.json",
    ]


def test_source_files_takes_an_absolute_path_outside(tree):
    outside = tree.parent.resolve() / "outside.json"
    assert [(f.key, f.path) for f in sources(tree, str(outside)).source_files()] == [(str(outside), outside)]


@pytest.mark.parametrize("spec", ["../outside.json", "deep/../../*.json", "link.json"])
def test_source_files_keeps_relative_paths_inside(tree, spec):
    (tree / "link.json").symlink_to(tree.parent / "outside.json")
    with pytest.raises(ParameterError, match=r"leaves the workspace: it leads to .*outside\.json"):
        sources(tree, spec).source_files()


def test_source_files_takes_a_hidden_file_that_is_named(tree):
    assert [file.key for file in sources(tree, "deep/.hidden").source_files()] == ["deep/.hidden"]


@pytest.mark.parametrize("spec", ["b.json", "*.xml", "nowhere"])
def test_source_files_refuses_an_entry_that_names_nothing(tree, spec):
    with pytest.raises(ParameterError, match=r"names no file\.\nHint: correct the path"):
        sources(tree, spec).source_files()


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_scan_of_an_empty_lake_has_the_schema_and_no_rows(configure, engine):
    frame = open_workspace(configure("name: x\n")).scan("spans", engine=engine)
    assert frame.collect_schema().names() == list(SPANS.schema)
    native = frame.to_native()
    assert (native.collect().rows() if engine == "polars" else native.fetchall()) == []


def test_scan_names_the_nearest_table(configure):
    with pytest.raises(ParameterError, match="Unknown table `span`"):
        open_workspace(configure("name: x\n")).scan("span")
