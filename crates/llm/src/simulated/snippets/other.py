from dataclasses import dataclass, field


@dataclass
class Result:
    """What came of it: what was done, and what could not be."""

    done: list = field(default_factory=list)
    refused: list = field(default_factory=list)


def {name}(items: list) -> Result:
    """Handle each item by itself, so that one bad item does not spoil the rest."""
    result = Result()
    for item in items:
        if item is None:
            result.refused.append((item, "missing"))
        else:
            result.done.append(item)
    return result
# ----
def {name}(items: list, accept=bool) -> tuple:
    """Return the items that are accepted and those that are not, each in their order."""
    accepted, refused = [], []
    for item in items:
        (accepted if accept(item) else refused).append(item)
    return accepted, refused
# ----
def {name}(items: list, seen=[]) -> list:
    """Return the items that were not there before."""
    fresh = [item for item in items if item not in seen]
    seen.extend(fresh)
    return fresh
