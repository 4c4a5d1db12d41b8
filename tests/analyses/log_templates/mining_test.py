import json
import random
import sys

import narwhals as nw
import polars as pl
import pytest

from prodintel_lib.analyses.log_templates import (
    OTHER_ID,
    TEMPLATES_SCHEMA,
    Catalogue,
    KnownPattern,
    assign_shapes,
    learning,
    make_pattern_id,
    mine_templates,
)
from prodintel_lib.analyses.log_templates.settling import split_tokens
from prodintel_lib.engines import collect
from prodintel_lib.errors import MissingColumnsError
from prodintel_lib.rollups.log_masks import mask_message
from prodintel_lib.rollups.log_shapes import LOG_SHAPES_KEYS, LOG_SHAPES_SCHEMA, build_log_shapes

NAMES = [f"{a}{b}" for a in ("al", "bo", "cy", "di", "ed", "flo") for b in ("ana", "bert", "cora", "dan", "eva")]


def shapes(*messages, service="pay"):
    rows = {"time_us": list(range(len(messages))), "service_name": [service] * len(messages), "message": messages}
    lazy = nw.from_native(pl.LazyFrame(rows, schema_overrides={"message": pl.String(), "time_us": pl.Int64()}))
    return collect(build_log_shapes(lazy), schema=LOG_SHAPES_SCHEMA, sort_by=LOG_SHAPES_KEYS)


def labels(templates, *messages):
    """Return the pattern of each message."""
    frame = nw.from_native(pl.DataFrame({"message": messages}, schema={"message": pl.String()}))
    masked = frame.select(mask_message(nw.col("message")).alias("shape")).to_native()
    found = masked.join(templates.assignments, on="shape", how="left", maintain_order="left")
    return found["pattern_id"].to_list()


def by_key(templates):
    return {row["key"]: row for row in templates.frame.iter_rows(named=True)}


SAID = [
    *(f"session opened for user {name} from 10.0.0.{n}" for n, name in enumerate(NAMES)),
    *(f"order {n} not paid: card declined" for n in range(20)),
    "health check ok",
    "",
]


def test_mine_templates_gives_every_shape_one_pattern():
    given = shapes(*SAID)
    templates = mine_templates(given)
    assert templates.assignments["shape"].to_list() == sorted(given["shape"].to_list())
    assert set(templates.assignments["pattern_id"]) == set(templates.frame["pattern_id"])
    assert templates.frame.schema == pl.Schema(TEMPLATES_SCHEMA)
    assert templates.rows == len(SAID)
    assert templates.other_rows == 0


def test_mine_templates_describes_each_pattern():
    frame = by_key(mine_templates(shapes(*SAID)))
    assert set(frame) == {
        "session opened for user <*> from <*>",
        "order <*> not paid: card declined",
        "health check ok",
        "",
    }
    opened = frame["session opened for user <*> from <*>"]
    assert opened["template"] == "session opened for user <word> from <ip>"
    assert (opened["rows"], opened["shapes"], opened["first_us"], opened["last_us"]) == (30, 30, 0, 29)
    assert opened["pattern_id"] == make_pattern_id("session opened for user <*> from <*>")
    assert json.loads(opened["slots"]) == [
        {"position": 0, "type": "word", "examples": ["alana", "albert", "alcora", "aldan", "aleva"]},
        {"position": 1, "type": "ip", "examples": ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.20", "10.0.0.21"]},
    ]
    assert frame["order <*> not paid: card declined"]["template"] == "order <number> not paid: card declined"


def test_mine_templates_tells_no_services_apart():
    given = pl.concat([shapes("paid 1", "paid 2"), shapes("paid 3", service="shop")])
    assert mine_templates(given).frame.select("key", "rows", "shapes").rows() == [("paid <*>", 3, 1)]


def test_mine_templates_does_not_depend_on_the_order_of_the_lines():
    given = shapes(*SAID)
    shuffled = given.sample(fraction=1, shuffle=True, seed=3)
    one, other = mine_templates(given), mine_templates(shuffled)
    assert one.frame.rows() == other.frame.rows()
    assert one.assignments.rows() == other.assignments.rows()
    assert one.catalogue == other.catalogue


def test_mine_templates_gives_half_the_lines_the_same_ids():
    half = random.Random(1).sample(SAID, len(SAID) // 2)
    whole = mine_templates(shapes(*SAID))
    assert labels(mine_templates(shapes(*half)), *half) == labels(whole, *half)


def test_mine_templates_finds_nothing_in_nothing():
    templates = mine_templates(shapes())
    assert templates.frame.is_empty()
    assert templates.assignments.is_empty()
    assert "no log line" in templates._repr_html_()


def test_mine_templates_names_the_columns_it_lacks():
    with pytest.raises(MissingColumnsError, match="needs column `shape`"):
        mine_templates(shapes("x").drop("shape"))


def test_mine_templates_escapes_what_was_logged():
    assert "<script>" not in mine_templates(shapes("<script>alert()</script>"))._repr_html_()


def test_mine_templates_with_what_is_known_keeps_ids_of_words_seen_once():
    first = mine_templates(shapes(*SAID))
    later = ["session opened for user zoe from 10.0.0.1", "session opened for user yan from 10.0.0.1", "new words here"]
    second = mine_templates(shapes(*later), known=first.catalogue)
    opened = by_key(first)["session opened for user <*> from <*>"]["pattern_id"]
    assert labels(second, *later)[:2] == [opened, opened]
    assert by_key(second)["session opened for user <*> from <*>"]["is_known"]
    assert not by_key(second)["new words here"]["is_known"]
    assert set(second.catalogue.patterns) > set(first.catalogue.patterns)


def test_mine_templates_keeps_first_and_last_of_all_time():
    first = mine_templates(shapes("health check ok", "health check ok"))
    later = shapes("health check ok").with_columns(
        pl.lit(90).cast(pl.Int64).alias("first_us"), pl.lit(95).cast(pl.Int64).alias("last_us")
    )
    known = mine_templates(later, known=first.catalogue).catalogue.patterns[make_pattern_id("health check ok")]
    assert (known.first_us, known.last_us, known.rows) == (0, 95, 1)


def test_mine_templates_widens_a_known_template_under_its_id():
    first = mine_templates(shapes("login chdir(/home/x/y) failed"))
    second = mine_templates(shapes("login chdir(pwd) failed"), known=first.catalogue)
    assert second.frame["pattern_id"].to_list() == first.frame["pattern_id"].to_list()


def test_mine_templates_merges_known_patterns_into_the_one_with_most_lines():
    three = ["coupon alana applied"] * 3 + ["coupon boris applied"] * 9
    first = mine_templates(shapes(*three))
    assert first.frame["rows"].to_list() == [9, 3]
    most, fewer = first.frame["pattern_id"].to_list()
    many = [f"coupon {name} applied" for name in NAMES]
    second = mine_templates(shapes(*many), known=first.catalogue)
    assert set(labels(second, *many)) == {most}
    assert second.frame["merged"].to_list() == [json.dumps([fewer])]
    assert second.catalogue.resolve(fewer) == most
    third = mine_templates(shapes(*three), known=second.catalogue)
    assert set(labels(third, *three)) == {most}
    assert third.frame["merged"].to_list() == [json.dumps([fewer])]


def test_mine_templates_anew_leaves_the_id_to_the_part_with_most_lines():
    wide = KnownPattern("LP-00000000aa", split_tokens("coupon <*> applied"), (1,), 12, 0, 5)
    lines = ["coupon alana applied"] * 3 + ["coupon boris applied"] * 9
    templates = mine_templates(shapes(*lines), known=Catalogue({wide.pattern_id: wide}), remine=True)
    rows = by_key(templates)
    assert rows["coupon boris applied"]["pattern_id"] == "LP-00000000aa"
    part = rows["coupon alana applied"]
    assert part["pattern_id"] == make_pattern_id("coupon alana applied")
    assert part["split_from"] == "LP-00000000aa"
    assert templates.catalogue.patterns[part["pattern_id"]].split_from == "LP-00000000aa"
    again = mine_templates(shapes(*lines), known=templates.catalogue)
    assert by_key(again)["coupon alana applied"]["split_from"] == "LP-00000000aa"


def test_mine_templates_anew_counts_the_lines_of_a_part_and_not_its_largest_line():
    wide = KnownPattern("LP-00000000aa", split_tokens("told <*> that <*> ended"), (1, 3), 12, 0, 5)
    lines = ["told nobody that rain ended"] * 5 + [f"told user that {name} ended" for name in NAMES]
    rows = by_key(mine_templates(shapes(*lines), known=Catalogue({wide.pattern_id: wide}), remine=True))
    assert rows["told user that <*> ended"]["pattern_id"] == "LP-00000000aa"
    assert rows["told nobody that rain ended"]["split_from"] == "LP-00000000aa"


def test_mine_templates_lets_no_template_lie_within_another():
    lines = [f"file {a} sent by {b} in time" for a, b in zip(NAMES, reversed(NAMES), strict=True)]
    # With the line above, `alana` is no rare word any more; and three senders are too few to be an open set.
    templates = mine_templates(shapes(*lines, "file alana sent by zoe in time", "file alana sent by yan in time"))
    assert templates.frame["key"].to_list() == ["file <*> sent by <*> in time"]


def test_mine_templates_mines_anew_where_the_rules_were_others():
    wide = KnownPattern("LP-00000000aa", split_tokens("coupon <*> applied"), (1,), 12, 0, 5)
    old = Catalogue({wide.pattern_id: wide}, rules_version=0)
    templates = mine_templates(shapes("coupon alana applied", "coupon boris applied"), known=old)
    assert sorted(by_key(templates)) == ["coupon alana applied", "coupon boris applied"]
    assert templates.catalogue.rules_version == 1


def test_mine_templates_counts_lines_beyond_the_bounds_as_other(monkeypatch):
    monkeypatch.setattr(learning, "FIRST_LINES", 3)
    monkeypatch.setattr(learning, "MAX_ROUNDS", 1)
    lines = (
        ["one thing said"] * 4 + ["two things said"] * 3 + ["three were said"] * 2 + ["four of them", "five of those"]
    )
    templates = mine_templates(shapes(*lines))
    assert templates.other_rows == 2
    assert templates.rows == len(lines)
    assert labels(templates, "four of them", "five of those") == [OTHER_ID, OTHER_ID]
    assert OTHER_ID not in templates.catalogue.patterns


def test_mine_templates_looks_up_lines_beyond_the_first_round(monkeypatch):
    monkeypatch.setattr(learning, "FIRST_LINES", 12)
    lines = [f"coupon {name} applied" for name in NAMES]
    templates = mine_templates(shapes(*lines))
    assert templates.frame.select("key", "rows").rows() == [("coupon <*> applied", len(NAMES))]


def test_mine_templates_bears_hostile_lines():
    hostile = [
        "(" * 3000,
        "a" * 100_000,
        "\x00\x01",
        "<*> <*>",
        "= = =",
        "\ue000 \ue001",
        '"""',
        "\U0001f600 7",
        "[" * 400 + "]" * 400,
    ]
    templates = mine_templates(shapes(*hostile))
    assert templates.rows == len(hostile)
    assert sys.getsizeof(templates.frame["slots"].max()) < 10_000


def test_assign_shapes_finds_known_patterns_without_mining():
    known = mine_templates(shapes(*SAID)).catalogue
    found = assign_shapes(pl.Series(["session opened for user zoe from <*>", "unheard of", "unheard of"]), known)
    opened = make_pattern_id("session opened for user <*> from <*>")
    assert found.rows() == [("session opened for user zoe from <*>", opened), ("unheard of", OTHER_ID)]


@pytest.mark.parametrize("system", ["Android", "Apache", "BGL", "HDFS", "HPC", "Hadoop", "OpenStack", "Proxifier"])
def test_mine_templates_groups_lines_of_real_systems(shared_data, system):
    lines = pl.read_csv(shared_data / "loghub" / system / f"{system}_2k.log_structured.csv", infer_schema=False)
    said = lines["Content"].fill_null("").to_list()
    templates = mine_templates(shapes(*said))
    found = pl.DataFrame({"true": lines["EventId"], "found": labels(templates, *said)})
    exact = (pl.len().over("true", "found") == pl.len().over("true")) & (
        pl.len().over("true", "found") == pl.len().over("found")
    )
    assert found.select(exact.mean()).item() >= 0.92
