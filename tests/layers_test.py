"""Imports go one way: each layer knows only the ones before it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "prodintel_lib"

# A module may import modules of its own rank's entry and of every earlier entry, except where PEERS says otherwise.
LAYERS = (
    {"errors", "lean_imports", "palette", "markup", "headline", "yaml_bounds"},
    {"tables", "windows"},
    {"engines", "lake", "lake_notes", "workspace", "privacy", "chart_theme"},
    {"sources", "rollups", "faults"},
    {"analyses"},
    {"scenarios"},
    {"renderers", "charts"},
    {"certify", "minimise", "reports", "notebooks", "terminal"},
    {"report_run", "run_outputs"},
    {"incident_replay", "rum_journeys", "error_correlation", "anomalies", "load_patterns"},
    {"production_health"},
    {
        "replay_command",
        "journeys_command",
        "errors_command",
        "anomalies_command",
        "health_command",
        "load_command",
        "load_score_command",
        "monitors_command",
        "prove_command",
        "certify_command",
        "minimise_command",
        "init_command",
    },
    {"cli"},
)
STRANGERS = ({"sources", "rollups"}, {"sources", "analyses"}, {"faults", "analyses"}, {"faults", "scenarios"})
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def imported_rooms(path: Path) -> set[str]:
    """Return the rooms of prodintel_lib (and `demo`) that a file imports, type-checking imports included."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "prodintel_lib" else [f"prodintel_lib.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "demo":
                rooms.add("demo")
            if parts[0] == "prodintel_lib" and len(parts) > 1 and parts[1] in RANK:
                rooms.add(parts[1])
    return rooms


def room_of(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def test_layers_every_module_has_a_place():
    rooms = {room_of(path) for path in LIBRARY.rglob("*.py")} - {"__init__", "__main__"}
    assert rooms - set(RANK) == set()


def test_layers_imports_go_one_way():
    wrong = []
    for path in sorted(LIBRARY.rglob("*.py")):
        room = room_of(path)
        if room not in RANK:
            continue
        wrong += [
            f"{path.relative_to(ROOT)} imports {other}"
            for other in imported_rooms(path) - {room}
            if other == "demo" or RANK[other] > RANK[room] or {room, other} in STRANGERS
        ]
    assert wrong == []


def test_layers_demo_knows_only_faults_and_errors():
    wrong = [
        f"{path.relative_to(ROOT)} imports {room}"
        for path in sorted((ROOT / "demo").rglob("*.py"))
        for room in imported_rooms(path) - {"demo", "faults", "errors"}
    ]
    assert wrong == []
