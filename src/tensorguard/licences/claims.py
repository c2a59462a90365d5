"""What a model claims of itself: card, configuration, adapter and merge configuration, GGUF keys. All of it untrusted."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tensorguard.errors import InputError, NotFoundError, utf8
from tensorguard.fingerprint.file import SUFFIX as FINGERPRINT
from tensorguard.formats import adapter, hub_cache, index
from tensorguard.formats.json_text import read_object
from tensorguard.formats.model_folder import choose_model, list_files
from tensorguard.formats.opening import checkpoint_name, open_checkpoint
from tensorguard.licences import claim_sources
from tensorguard.licences.claim import Claim
from tensorguard.licences.front_matter import read_front_matter, read_mapping
from tensorguard.limits import MAX_CARD_BYTES, MAX_CLAIMS, MAX_CONFIG_BYTES, MAX_LICENCE_BYTES, MAX_YAML_BYTES
from tensorguard.sources.remote import Location, source_at

__all__ = ["Claim", "Claims", "read_claims"]

CARD = "README.md"
MERGE = "mergekit_config.yml"
CONFIG = "config.json"

_TERMS = re.compile(r"licen[cs]e|notice|policy|copying|copyright|terms", re.IGNORECASE)
_TEXT = ("", ".md", ".txt", ".rst", ".html", ".pdf")
_MOST_TERMS = 20
_SNAPSHOTS = "snapshots"


@dataclass(frozen=True, slots=True)
class Claims:
    """All that a model claims.

    Attributes:
        claims: In the order of the files that were read.
        card: Text of the model card below its front matter; empty without one.
        files: Names of the files beside the weights that licences ask for (LICENSE, NOTICE, USE_POLICY.md ...), as they are spelt.
        texts: Beginning of each licence or notice file, by name.
        notices: Things to know: what was not read and why.
        damaged: (file, what is wrong with it) of each file that is malformed, or says a thing twice.
    """

    claims: tuple[Claim, ...] = ()
    card: str = ""
    files: tuple[str, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
    damaged: tuple[tuple[str, str], ...] = ()

    def of(self, field: str) -> tuple[Claim, ...]:
        """Return the claims of one field, in order."""
        return tuple(each for each in self.claims if each.field == field)

    def values(self, field: str) -> tuple[str, ...]:
        """Return what is claimed of one field, without repeats, in order."""
        return tuple(dict.fromkeys(each.value for each in self.of(field)))


def read_claims(model: Location) -> Claims:
    """Read what a model's own files claim.

    Args:
        model: A folder, a file (its folder's files count where it is the folder's model), an adapter, or a `.tgfp` (which claims
            nothing but its name).

    Raises:
        NotFoundError: There is no such model.
        InputError: The folder cannot be read.
    """
    if not model.exists():
        raise NotFoundError("no such file or folder", where=model)
    if model.suffix == FINGERPRINT:
        return Claims((Claim("name", model.stem, "file name"),), notices=("a fingerprint says nothing of card and licence",))
    reader = _Reader(hub_cache.snapshot(model) if model.is_dir() else model.parent)
    if adapter.is_adapter(model):
        reader.name(hub_cache.model_name(reader.folder))
        reader.adapter()
        reader.beside()
    else:
        reader.name(checkpoint_name(model))
        reader.header(model)
        if model.is_dir() or _is_the_model(model):
            reader.beside()
        else:
            reader.notices.append("the folder holds other models: the card and the other files beside this one were not read")
    return reader.claims()


def _is_the_model(path: Location) -> bool:
    """Say whether a file is the one model of its folder, or a part of it."""
    try:
        chosen, _ = choose_model(path.parent)
    except InputError:
        return False
    return path.name in {each.name for each in chosen} or chosen[0].name.endswith(index.SUFFIXES)


class _Reader:
    """Collects what a folder's files claim; a damaged file is noted, and the others are read."""

    def __init__(self, folder: Location) -> None:
        self.folder = folder
        self.notices: list[str] = []
        self._root = folder.parent.parent if folder.parent.name == _SNAPSHOTS else folder
        self._claims: list[Claim] = []
        self._damaged: list[tuple[str, str]] = []
        self._card = ""
        self._texts: list[tuple[str, str]] = []

    def claims(self) -> Claims:
        """Return all of it."""
        files = tuple(name for name, _ in self._texts)
        return Claims(tuple(self._claims), self._card, files, tuple(self._texts), tuple(self.notices), tuple(self._damaged))

    def name(self, name: str) -> None:
        """Take the name under which the model lies on disk; `org/name` in the hub's cache."""
        self._take(claim_sources.of_name(utf8(name)))

    def header(self, model: Location) -> None:
        """Read what the container's header says."""
        try:
            opened = open_checkpoint(model)
        except InputError as error:
            self.notices.append(f"the weights' header was not read: {error.message}")
            return
        self._take(claim_sources.of_metadata(opened.metadata))
        if opened.container == "gguf":
            self._take(claim_sources.of_gguf(opened.config))

    def adapter(self) -> None:
        """Read an adapter's configuration."""
        self._json(adapter.CONFIG, claim_sources.of_adapter)

    def beside(self) -> None:
        """Read the files beside the weights."""
        for path in list_files(self.folder):
            name = path.name.lower()
            if name == CARD.lower():
                front = read_front_matter(self._text(path, MAX_CARD_BYTES))
                self._card = front.body
                self._damaged += [(utf8(path.name), notice) for notice in front.notices]
                self._take(claim_sources.of_card(front.fields, front.body))
            elif name == MERGE:
                fields, notices = read_mapping(self._text(path, MAX_YAML_BYTES), "the merge configuration")
                self._damaged += [(utf8(path.name), notice) for notice in notices]
                self._take(claim_sources.of_merge(fields))
            elif name == CONFIG:
                self._json(path.name, claim_sources.of_config)
            elif _TERMS.search(name) and path.suffix.lower() in _TEXT and len(self._texts) < _MOST_TERMS:
                text = "" if path.suffix.lower() == ".pdf" else self._text(path, MAX_LICENCE_BYTES)
                self._texts.append((utf8(path.name), text))

    def _json(self, name: str, read: claim_sources.Reading) -> None:
        path = self.folder / name
        try:
            self._take(read(read_object(path, MAX_CONFIG_BYTES)))
        except InputError as error:
            self._damaged.append((name, error.message))

    def _take(self, found: Iterator[Claim]) -> None:
        self._claims += itertools.islice(found, max(0, MAX_CLAIMS - len(self._claims)))

    def _text(self, path: Location, longest: int) -> str:
        """Return the beginning of a file as text; empty, and noted, if it cannot be read or is a link out of the model's folder."""
        if isinstance(path, Path) and not path.resolve().is_relative_to(Path(str(self._root)).resolve()):
            self._damaged.append((utf8(path.name), "the file is a link out of the model's folder, which is not followed"))
            return ""
        try:
            source = source_at(path)
            raw = source.read_at(0, min(source.size, longest)).tobytes()
        except (InputError, NotFoundError) as error:
            self._damaged.append((utf8(path.name), error.message))
            return ""
        if source.size > longest:
            self.notices.append(f"of {utf8(path.name)} only the first {longest} bytes were read")
        try:
            return raw.decode("utf-8", "strict" if source.size <= longest else "ignore")
        except UnicodeDecodeError as error:
            self._damaged.append((utf8(path.name), f"the file is not UTF-8 (byte {error.start})"))
            return raw.decode("utf-8", "replace")
