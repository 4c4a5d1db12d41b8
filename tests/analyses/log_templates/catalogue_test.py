import json

import pytest

from prodintel_lib.analyses.log_templates.catalogue import OTHER_ID, Catalogue, KnownPattern, make_pattern_id
from prodintel_lib.errors import SourceFormatError

OLD = KnownPattern("LP-0000000001", ("paid", " <*>"), (), 5, 10, 20, merged_into="LP-0000000002")
NEW = KnownPattern("LP-0000000002", ("paid", " <*>"), (1,), 7, 10, 30, split_from="LP-0000000009")


def test_catalogue_comes_back_from_json():
    catalogue = Catalogue({known.pattern_id: known for known in (NEW, OLD)})
    assert Catalogue.from_json(json.loads(json.dumps(catalogue.to_json()))) == catalogue


def test_catalogue_to_json_does_not_depend_on_the_order():
    one, other = ({known.pattern_id: known for known in order} for order in ((NEW, OLD), (OLD, NEW)))
    assert json.dumps(Catalogue(one).to_json()) == json.dumps(Catalogue(other).to_json())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"version": 99}, "version 99; version 1 was expected"),
        ({"version": 1, "rules_version": 1}, "KeyError: 'patterns'"),
        ([], "cannot be read: TypeError"),
        ({"version": 1, "rules_version": 1, "patterns": [{"pattern_id": "x"}]}, "KeyError: 'tokens'"),
    ],
)
def test_catalogue_from_json_names_what_is_wrong(data, said):
    with pytest.raises(SourceFormatError, match=said):
        Catalogue.from_json(data)


def test_catalogue_resolve_follows_merges():
    catalogue = Catalogue({known.pattern_id: known for known in (NEW, OLD)})
    assert catalogue.resolve(OLD.pattern_id) == NEW.pattern_id
    assert catalogue.resolve("LP-unknown") == "LP-unknown"
    assert [known.pattern_id for known in catalogue.living] == [NEW.pattern_id]


def test_make_pattern_id_is_the_same_for_the_same_text():
    assert make_pattern_id("order <*> not paid") == "LP-a592d8db1f"
    assert make_pattern_id("order <*> paid") != make_pattern_id("order <*> not paid")


def test_make_pattern_id_gives_way_where_the_id_is_taken():
    first = make_pattern_id("x")
    second = make_pattern_id("x", taken=[first])
    assert second not in {first, OTHER_ID}
    assert make_pattern_id("x", taken=[first]) == second
