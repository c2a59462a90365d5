"""The models below a prefix in object storage, found by one listing: nothing of them is read."""

from collections import defaultdict
from collections.abc import Iterator

from tensorguard.errors import InputError, TensorGuardError
from tensorguard.formats.adapter import is_adapter
from tensorguard.formats.model_folder import choose_model, holds_model, list_files
from tensorguard.formats.sharded import group_shards
from tensorguard.limits import MAX_LISTED_OBJECTS
from tensorguard.sources.object_files import ObjectFolder
from tensorguard.sources.object_names import Address
from tensorguard.sources.object_stores import objects_at
from tensorguard.sources.objects import Listed
from tensorguard.sources.remote import RemotePath

_SIDE_BY_SIDE = (".safetensors", ".gguf")


def models_below(address: Address) -> Iterator[tuple[str, str]]:
    """Yield each model's address and what to call it, by its place: `ORG/NAME` of what lies in `PREFIX/ORG/NAME`.

    What is below a model is not looked at, unless the model is the prefix itself.

    Raises:
        NotFoundError: There is no such bucket, or it is not for this user to read.
        InputError: It holds too many objects, or keys that are no paths.
    """
    inside: defaultdict[str, list[Listed]] = defaultdict(list)
    for each in objects_at(address).list(most=MAX_LISTED_OBJECTS):
        inside[each.path.rpartition("/")[0]].append(each)
    above = ""
    for folder in sorted(inside, key=lambda folder: folder.split("/")):
        if above and folder.startswith(above):
            continue
        place = address._replace(key="/".join(part for part in (address.key, folder) if part))
        found = list(_models(RemotePath(ObjectFolder(place, [_within(folder, each) for each in inside[folder]]))))
        yield from ((f"{place}/{name}" if name else str(place), _called(place, folder, name)) for name in found)
        above = f"{folder}/" if found and folder else above


def _models(place: RemotePath) -> Iterator[str]:
    """Yield an empty name for a folder's one model, or the name of a file of each if there are several side by side."""
    try:
        if is_adapter(place):
            yield ""
        elif holds_model(place):
            choose_model(place)
            yield ""
    except InputError:
        groups = group_shards(path for path in list_files(place) if path.suffix in _SIDE_BY_SIDE)
        names = [group[0].name for group in groups]
        yield from names if len(names) > 1 else [""]
    except TensorGuardError:
        return  # what cannot be looked into holds no model for us


def _within(folder: str, each: Listed) -> Listed:
    return Listed(each.path.removeprefix(f"{folder}/" if folder else ""), each.size, each.tag, each.modified)


def _called(place: Address, folder: str, name: str) -> str:
    title = folder or place.key.rpartition("/")[2] or place.bucket
    return f"{title}/{name.rpartition('.')[0]}" if name else title
