"""A path to what it takes to build a model: a whole checkpoint, or an adapter and its base."""

from collections.abc import Sequence
from pathlib import Path

from tensorguard.adapters.finding import find_base
from tensorguard.errors import UsageError
from tensorguard.formats.adapter import AdapterFiles, is_adapter, read_adapter
from tensorguard.formats.base import Checkpoint
from tensorguard.formats.opening import open_checkpoint
from tensorguard.sources.remote import Location


def open_base_and_adapter(
    path: Location, *, base: Location | None = None, search: Sequence[Path] = ()
) -> tuple[Checkpoint, AdapterFiles | None]:
    """Open a checkpoint, or an adapter with the base it goes on; headers only.

    Args:
        path: A checkpoint or an adapter.
        base: The adapter's base; else it is looked for in `search`.
        search: Folders that may hold the base; see `find_base`.

    Raises:
        NotFoundError: The model or the base is not there.
        InputError: A file is malformed.
        UsageError: A base was given for a model that is no adapter.
    """
    if is_adapter(path):
        adapter = read_adapter(path)
        return open_checkpoint(base or find_base(adapter, search)), adapter
    if base is not None:
        raise UsageError("a base goes with an adapter, and this is a whole model", where=path, hint="leave --base out")
    return open_checkpoint(path), None
