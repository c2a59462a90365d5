"""Facts about the open models that others are derived from most: who made them of what, when, and under which licence.

The facts are a table of tab-separated text, `data/catalogue.tsv`; a user's own file of the same columns is read by the same parser.
They are what publishers say. Nothing here is evidence: that comes from weights.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from tensorguard.errors import InputError, NotFoundError, quote, quote_some
from tensorguard.limits import MAX_CATALOGUE_BYTES, MAX_CATALOGUE_FIELD, MAX_CATALOGUE_ROWS
from tensorguard.registry.entry import Facts
from tensorguard.sources.local import LocalFile
from tensorguard.sources.names import SCHEME, hub_name, page_name

RELATIONS = ("finetune", "merge", "quantized", "adapter", "pruned", "upscaled", "distilled")
"""What a model is of its parents. The first four are the hub's words, and `finetune` includes continued pretraining, as there."""

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_RELEASED = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?")
_PARAMETERS = re.compile(r"[0-9]+(\.[0-9]+)?[MBT]")


@dataclass(frozen=True, slots=True)
class Known:
    """A model that is known, as its publisher describes it. Every field but the first may be empty.

    Attributes:
        repository: `org/name` on the Hugging Face hub.
        family: Such as `Llama 3.1`; what the publisher calls the generation that the model belongs to.
        publisher: Who published it.
        licence: Id as model cards give it, such as `llama3.1`; see `licences.licence`.
        released: `YYYY-MM-DD` or `YYYY-MM`.
        parents: Repositories of the models that its weights were made of.
        relation: What it is of its parents, one of `RELATIONS`.
        parameters: Size as published, such as `8B`; of mixtures of experts, all experts counted.
        model_type: The architecture's name in `config.json`.
        aliases: Other repositories with the same weights: former names and well-known mirrors.
        source: Where the facts can be looked up.
        checked: Which of the facts were checked, and against what.
        revision: Branch, tag or commit that is meant; empty for the newest.
    """

    repository: str
    family: str = ""
    publisher: str = ""
    licence: str = ""
    released: str = ""
    parents: tuple[str, ...] = ()
    relation: str = ""
    parameters: str = ""
    model_type: str = ""
    aliases: tuple[str, ...] = ()
    source: str = ""
    checked: str = ""
    revision: str = ""

    @property
    def facts(self) -> Facts:
        """The same, as a registry's entry keeps it."""
        return Facts(
            repository=self.repository,
            revision=self.revision,
            family=self.family,
            publisher=self.publisher,
            licence=self.licence,
            parents=self.parents,
            relation=self.relation,
            released=self.released,
        )


COLUMNS = tuple(field.name for field in fields(Known))


@cache
def catalogue() -> tuple[Known, ...]:
    """Return the known models that come with TensorGuard, by family in the order of the table."""
    table = files("tensorguard.registry").joinpath("data/catalogue.tsv")
    return _parse(table.read_text(encoding="utf-8"), "catalogue.tsv")


def known(repository: str) -> Known | None:
    """Return what the catalogue says of a repository, by its name or an alias, whatever the case; None if it is not in it."""
    return _by_name().get(repository.casefold())


def read_catalogue(path: Path | str) -> tuple[Known, ...]:
    """Read a user's own catalogue: UTF-8, tab-separated, the first line naming its columns; or a plain list of models, one a line.

    `repository` must be among the columns and the others may be; names in `parents` and `aliases` are parted by commas. A list's first
    line is a model, `ORG/NAME[@REVISION]` or the address of its page on the hub. Empty lines and lines that begin with `#` are passed over.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is over a limit, or a line is malformed; the message says which line and why.
    """
    file = LocalFile(Path(path))
    try:
        if file.size > MAX_CATALOGUE_BYTES:
            raise InputError(f"the catalogue is larger than {MAX_CATALOGUE_BYTES} bytes", where=path)
        text = file.read_at(0, file.size).tobytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"the catalogue is not UTF-8 (byte {error.start})", where=path) from error
    finally:
        file.close()
    return _parse(text, path)


@cache
def _by_name() -> Mapping[str, Known]:
    return {name.casefold(): each for each in catalogue() for name in (each.repository, *each.aliases)}


def _parse(text: str, where: Path | str) -> tuple[Known, ...]:
    rows: list[Known] = []
    columns: tuple[str, ...] = ()
    seen: dict[str, int] = {}
    known: set[Known] = set()
    lines = [(number, line.removesuffix("\r")) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, line) for number, line in lines if line.strip() and not line.startswith("#")]
    is_list = bool(lines) and "/" in lines[0][1] and "\t" not in lines[0][1]
    for number, line in lines:
        try:
            if not columns and not is_list:
                columns = _header(line)
                continue
            row = _listed(line.strip()) if is_list else _row(columns, line)
            if is_list and row in known:
                continue
            for name in (row.repository, *row.aliases):
                if seen.setdefault(name.casefold(), number) != number:
                    raise ValueError(f"names {quote(name)}, which line {seen[name.casefold()]} names already")
        except ValueError as error:
            hint = (
                "one model a line: ORG/NAME[@REVISION]"
                if is_list
                else "see docs/catalogue.md for the columns and what they hold"
            )
            raise InputError(f"line {number} of the catalogue {error}", where=where, hint=hint) from error
        rows.append(row)
        known.add(row)
        if len(rows) > MAX_CATALOGUE_ROWS:
            raise InputError(f"the catalogue has more than {MAX_CATALOGUE_ROWS} models", where=where)
    if not lines:
        raise InputError("the catalogue is empty", where=where, hint="its first line names its columns")
    return tuple(rows)


def _listed(line: str) -> Known:
    try:
        name = page_name(line) if "://" in line else hub_name(SCHEME + line)
    except NotFoundError:
        name = None
    if name is None or name.path or len(line) > MAX_CATALOGUE_FIELD:
        raise ValueError(f"names no model of the hub: {quote(line)}")
    return Known(name.repository, revision=name.revision)


def _header(line: str) -> tuple[str, ...]:
    columns = tuple(line.split("\t"))
    unknown = [each for each in columns if each not in COLUMNS]
    if unknown:
        raise ValueError(f"names columns that there are not: {quote_some(unknown)}")
    if len(set(columns)) < len(columns) or "repository" not in columns:
        raise ValueError("must name the column `repository`, and each column once")
    return columns


def _row(columns: tuple[str, ...], line: str) -> Known:
    cells = line.split("\t")
    if len(cells) != len(columns):
        raise ValueError(f"has {len(cells)} fields; the first line names {len(columns)}")
    values = dict.fromkeys(COLUMNS, "") | dict(zip(columns, cells, strict=True))
    for column, value in values.items():
        if len(value) > MAX_CATALOGUE_FIELD or not value.isprintable() or value != value.strip():
            raise ValueError(f"has a {column} that is too long, not printable or padded: {quote(value)}")
        if value and not _CHECKS.get(column, bool)(value):
            raise ValueError(f"has the {column} {quote(value)}")
    names: dict[str, Any] = {each: tuple(filter(None, values.pop(each).split(","))) for each in ("parents", "aliases")}
    row = Known(**{**values, **names})
    if not row.repository:
        raise ValueError("names no repository")
    if bool(row.parents) != bool(row.relation):
        raise ValueError("has parents without a relation, or a relation without parents")
    if len({name.casefold() for name in (row.repository, *row.parents)}) <= len(row.parents):
        raise ValueError("names a parent twice, or the model as its own parent")
    return row


def _are_repositories(text: str) -> bool:
    return all(map(_is_repository, text.split(",")))


def _is_repository(text: str) -> bool:
    return bool(_REPOSITORY.fullmatch(text))


def _is_date(text: str) -> bool:
    try:
        return bool(_RELEASED.fullmatch(text)) and date.fromisoformat(text if len(text) > 7 else f"{text}-01").year > 2000
    except ValueError:
        return False


_CHECKS: Mapping[str, Callable[[str], object]] = {
    "repository": _is_repository,
    "licence": _LICENCE.fullmatch,
    "released": _is_date,
    "parents": _are_repositories,
    "relation": RELATIONS.__contains__,
    "parameters": _PARAMETERS.fullmatch,
    "aliases": _are_repositories,
    "revision": re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}").fullmatch,
    "source": re.compile(r"https?://[!-~]+").fullmatch,
}
