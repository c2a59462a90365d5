"""What `doctor` tells: what bounds a fingerprint on this machine, what to change, and the figures behind it."""

from collections.abc import Sequence

from tensorguard.diagnosis.base import Diagnosis, Disk, Forecast, Machine, Rate, Reach, Work
from tensorguard.errors import quote, utf8
from tensorguard.reports.charts import Headline
from tensorguard.reports.document import Cell, Document, Table
from tensorguard.reports.sizes import short, size

_MISSING = "–"


def report(place: str, found: Diagnosis) -> Document:
    """Return the document of a diagnosis.

    Args:
        place: The folder or model as its user named it.
        found: What was found.
    """
    tables = [
        Table(
            "What it says",
            ("what", "level", "found", "what to do"),
            [[f.what, f.level, f.says, f.change] for f in found.findings],
        ),
        _forecasts(found.forecasts),
        _speeds(found.work),
        Table("Reading files", ("what", "value"), _disk(found.disk)),
        Table("This machine", ("what", "value"), _machine(found.machine)),
        Table("Card", ("what", "value"), _card(found)),
    ]
    if found.extras:
        rows = [[each.name, "no" if each.missing else "yes", each.adds, ", ".join(each.missing)] for each in found.extras]
        tables.append(
            Table("Optional packages", ("extra", "installed", "adds", "missing"), rows, "pip install 'tensorguard-llm[EXTRA]'")
        )
    stores: list[list[Cell]] = [[each.what, each.folder, each.says, _bytes(each.free)] for each in found.stores]
    tables.append(Table("Folders", ("what", "where", "holds", "free"), stores))
    if found.hub is not None:
        tables.append(Table("The hub", ("what", "value"), _hub(found.hub)))
    return Document(
        kind="doctor",
        title="What this machine can do",
        summary=_summary(found),
        result=found,
        inputs=[{"model": utf8(place)}],
        tables=tables,
        headline=Headline(
            _word(found), "bad" if _slow(found) else "clear", [(each.what, each.says) for each in found.findings][:4]
        ),
    )


def _summary(found: Diagnosis) -> str:
    telling = _telling(found)
    seconds = telling.warm if telling.cold is None else telling.cold
    changes = _slow(found)
    more = f" {changes} {'thing' if changes == 1 else 'things'} to change." if changes else " Nothing to change."
    return f"A model of {_name(telling)} takes about {_time(seconds)}, {telling.rate / 1e9:.2f} GB/s; {_waits(found)}.{more}"


def _telling(found: Diagnosis) -> Forecast:
    return found.forecasts[0] if len(found.forecasts) > 3 else found.forecasts[1]


def _name(each: Forecast) -> str:
    return each.model if each.model in ("1 B", "8 B", "70 B") else f"{short(each.parameters)} parameters ({quote(each.model)})"


def _waits(found: Diagnosis) -> str:
    return "it waits for the disk" if _telling(found).bound == "disk" else "it waits for the processors"


def _word(found: Diagnosis) -> str:
    return f"{_telling(found).rate / 1e9:.2f} GB/s"


def _slow(found: Diagnosis) -> int:
    return sum(each.level != "good" for each in found.findings)


def _forecasts(forecasts: Sequence[Forecast]) -> Table:
    rows: list[list[Cell]] = [
        [
            each.model,
            short(each.parameters),
            size(each.bytes),
            _time(each.warm),
            _MISSING if each.cold is None else _time(each.cold),
            round(each.rate / 1e9, 2),
            each.bound,
        ]
        for each in forecasts
    ]
    note = "With all processors to itself, the disk as found; cached: the files are in memory already. Sizes are Llamas' in bfloat16."
    return Table("A full fingerprint", ("model", "parameters", "files", "cached", "from disk", "GB/s", "waits for"), rows, note)


def _speeds(work: Work) -> Table:
    def row(name: str, rate: Rate, unit: str = "GB/s") -> list[Cell]:
        return [name, float(f"{rate.one / 1e9:.3g}"), float(f"{rate.all / 1e9:.3g}"), unit, float(f"{rate.all / rate.one:.2g}")]

    rows = [
        row("copy in memory", work.copy),
        row("digest (BLAKE3)", work.hash),
        row("decode bfloat16", work.decode),
        row("matrix products", work.product, "GFLOP/s"),
        row("lineage fingerprint", work.sweep),
        row("16 numbers", work.sixteen),
    ]
    note = "Of bfloat16 weights in memory, as if the processors did nothing else. The 16 numbers ask a few weights only."
    return Table("What the processors do", ("work", "one thread", "all", "unit", "times"), rows, note)


def _machine(machine: Machine) -> list[list[Cell]]:
    blas = machine.blas
    known = " ".join(word for word in (blas.name, blas.version, blas.architecture and f"for {blas.architecture}") if word)
    quota = "" if machine.quota is None else f", the time of {machine.quota:g} at most"
    limit = "" if machine.limit is None else f", the container's limit is {size(machine.limit)}"
    return [
        ["TensorGuard", machine.tensorguard],
        ["Python", machine.python],
        ["numpy", f"{machine.numpy}, {known or 'its BLAS does not tell'}"],
        ["system", machine.system],
        ["processors", f"{machine.processors} of {machine.installed}{quota}"],
        [
            "kind",
            " ".join(word for word in (machine.processor, machine.vectors and f"({machine.vectors})") if word) or _MISSING,
        ],
        ["memory", f"{size(machine.memory)}, {size(machine.available)} can be taken{limit}"],
    ]


def _disk(disk: Disk) -> list[list[Cell]]:
    read = disk.file or ("a file made for it and removed" if disk.bytes else _MISSING)
    rows: list[list[Cell]] = [
        ["folder", disk.folder],
        ["read", f"{read}, {size(disk.bytes)}" if disk.bytes else read],
        ["from disk", _speed(disk.cold)],
        ["cached", _speed(disk.warm)],
        ["free", size(disk.free)],
    ]
    return [*rows, ["notice", disk.notice]] if disk.notice else rows


def _card(found: Diagnosis) -> list[list[Cell]]:
    card = found.card
    rows: list[list[Cell]] = [["--device auto", f"{card.chosen}: {card.why}"]]
    if card.name:
        rows.insert(0, ["card", f"{card.name}, {size(card.memory)}"])
    if card.there is not None:
        rows += [["products on the card", _speed(card.there)], ["without page-locked memory", _speed(card.unpinned)]]
        rows += [["on the processors", _speed(card.here)]]
    if card.error is not None:
        rows.append(["largest difference", f"{card.error:.1e}"])
    return rows


def _hub(hub: Reach) -> list[list[Cell]]:
    if hub.first is None or hub.again is None:
        return [["address", hub.endpoint], ["answer", f"none: {hub.error}"]]
    return [
        ["address", hub.endpoint],
        ["first answer", f"{hub.first * 1e3:.0f} ms"],
        ["next answer", f"{hub.again * 1e3:.0f} ms"],
    ]


def _speed(rate: float | None) -> str:
    return _MISSING if rate is None else f"{rate / 1e9:.2f} GB/s"


def _bytes(count: int | None) -> str:
    return _MISSING if count is None else size(count)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
