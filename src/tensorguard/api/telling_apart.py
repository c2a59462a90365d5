"""Names for models that are called alike: `run1/model` and `run2/model`."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tensorguard.api.elsewhere import absolute


def told_apart(named: Sequence[tuple[str, Path | str]]) -> list[str]:
    """Return the names of models; before those that several have come as many of the folders above as tell all of them apart.

    Args:
        named: Each model's name, and where it is.

    Returns:
        A name for each, in the same order. What was given twice keeps its name twice.
    """
    found = [name for name, _ in named]
    taken, called = set(found), defaultdict[str, list[int]](list)
    for at, name in enumerate(found):
        called[name].append(at)
    for name, alike in called.items():
        if len(alike) == 1:
            continue
        above = [_folders(named[at][1]) for at in alike]
        # A file's model may be called after its folder, which then need not be said twice.
        without = [parts[:-1] if parts[-1:] == (name,) else parts for parts in above]
        for folders, depth in itertools.product((without, above), range(1, 1 + max(map(len, above)))):
            longer = ["/".join((*parts[-depth:], name)) for parts in folders]
            if len(set(longer)) == len(alike) and not taken.intersection(longer):
                for at, each in zip(alike, longer, strict=True):
                    found[at] = each
                taken.update(longer)
                break
    return found


def _folders(place: Path | str) -> tuple[str, ...]:
    """Return the folders above a model, the nearest last."""
    where = str(absolute(place))
    return tuple(part for part in PurePosixPath(where.partition("://")[2] or where).parts[:-1] if part != "/")
