import pytest
import yaml

from prodintel_lib.yaml_bounds import MAX_YAML_DEPTH, MAX_YAML_NODES, unfolds_too_far, yaml_depth


def doubled(times):
    """Return a text in which each list holds the one before twice."""
    return "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, times))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("a: [1, {b: 2}]", False),
        (doubled(14), False),
        (doubled(20), True),
        ("a: &a [*a]", True),
        ("[" + "x, " * MAX_YAML_NODES + "x]", True),
    ],
    ids=["nothing", "plain", "twice fourteen times", "twice twenty times", "holds itself", "long"],
)
def test_unfolds_too_far_counts_what_aliases_write_out(text, expected):
    assert unfolds_too_far(yaml.compose(text, Loader=yaml.CSafeLoader)) is expected


@pytest.mark.parametrize(
    ("content", "expected"), [(b"", 0), (b"x", 0), (b"a: [1]\nb: {c: [2]}", 3), (b"a: [1", 2), (b"[" * 9000, MAX_YAML_DEPTH + 1)]
)  # fmt: skip
def test_yaml_depth_goes_as_far_as_it_can_be_read(content, expected):
    assert yaml_depth(content) == expected
