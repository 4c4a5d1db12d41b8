"""How much a YAML text unfolds to, asked before it is loaded: aliases and merges make endless documents."""

from __future__ import annotations

from typing import Final

import yaml

MAX_YAML_DEPTH: Final = 50
MAX_YAML_NODES: Final = 200_000


def yaml_depth(content: bytes) -> int:
    """Return how deep a YAML text nests, as far as it can be read.

    libyaml's composer goes down a level of its stack for each level of the text, and ends the process where that is
    used up: whoever loads a text of others asks here first.
    """
    depth = deepest = 0
    try:
        for event in yaml.parse(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                deepest = max(deepest, depth)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if deepest > MAX_YAML_DEPTH:
                break
    except yaml.YAMLError:
        # Whoever loads it meets the same error, and says where.
        return deepest
    return deepest


def unfolds_too_far(root: yaml.Node | None) -> bool:
    """Say whether a composed document has more than MAX_YAML_NODES nodes once its aliases are written out.

    An alias is the same node met again, so a walk over the tree unfolds it; the walk ends at the bound, also where an
    anchor holds itself.
    """
    waiting = [root] if root is not None else []
    met = 0
    while waiting:
        node = waiting.pop()
        met += 1
        if met > MAX_YAML_NODES:
            return True
        if isinstance(node, yaml.MappingNode):
            for pair in node.value:
                waiting.extend(pair)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
    return False
