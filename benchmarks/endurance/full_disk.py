"""Commands on a disk that fills up: what they say, what is left, and whether they end well once there is room again. As root, on Linux.

    python -m benchmarks.endurance.full_disk [--what merge,export] [--json FILE]

A small file system in memory (tmpfs) is filled until just so much room is left: none, a page, and parts of what the command writes, up to
all but a page. Each time it has to end with the exit code of resources (or of a part of many), name the disk and the file in one line,
leave what was there as it was and nothing half-written; with room it has to do all of its work.
"""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.endurance.striking import begin, ended
from benchmarks.endurance.undertakings import Undertaking, chosen, make_inputs, parser_of

_ROOM = 128 << 20
_PAGE = 4096
_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
_SAYS = re.compile(r"disk is (too )?full|disk quota")


@dataclass
class Outcome:
    """What became of one undertaking.

    Attributes:
        name: Which.
        needs: Bytes that it takes on the disk.
        tried: Sizes of the room that was left.
        refused: How many of these ended with an error.
        codes: The exit codes.
        said: What was said, without the folder.
        half: What was half-written.
        lost: What was there before and is not.
        again: How many times the same command then did all of its work in enough room.
        faults: What else went wrong.
    """

    name: str
    needs: int = 0
    tried: list[int] = field(default_factory=list)
    refused: int = 0
    codes: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    again: int = 0
    faults: list[str] = field(default_factory=list)

    def sound(self) -> bool:
        """Say whether every refusal was clear and nothing suffered."""
        return not (self.half or self.lost or self.faults) and self.again == self.refused > 0


@contextlib.contextmanager
def small_disk(folder: Path, size: int = _ROOM) -> Iterator[Path]:
    """Mount a file system of its own on a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def leave(folder: Path, room: int) -> Path:
    """Fill a disk until so many bytes are left; returns the file that fills it."""
    ballast = folder / "ballast"
    free = shutil.disk_usage(folder).free
    with ballast.open("wb") as file:
        for start in range(0, max(0, free - room), 1 << 20):
            file.write(bytes(min(1 << 20, free - room - start)))
    return ballast


def fill_up(each: Undertaking, inputs: Path, scratch: Path) -> Outcome:
    """Run an undertaking in less and less room."""
    outcome, log = Outcome(each.name), scratch / "log"
    with small_disk(scratch / "disk") as disk:
        before, after = _prepared(each, inputs, disk, log, outcome)
    rooms = {int(outcome.needs * share) // _PAGE * _PAGE for share in _SHARES}
    for room in sorted({*rooms, _PAGE, max(0, outcome.needs - _PAGE)}):
        with small_disk(scratch / "disk") as disk:
            out = disk / "out"
            out.mkdir()
            each.before(inputs, out)
            ballast = leave(disk, room)
            code = ended(begin(each.arguments(inputs, out), log, program=each.workers))
            said = log.read_text("utf-8", "replace")
            outcome.tried.append(room)
            ballast.unlink()
            found = each.contents(out)
            stray = [
                name for name in found if name not in before and name not in after and not name.startswith(each.left or ("\0",))
            ]
            outcome.half += stray
            outcome.half += [n for n, what in found.items() if n not in stray and what not in (before.get(n), after.get(n), "")]
            outcome.lost += [name for name in before if name not in found and name in after]
            if code == 0:
                continue
            outcome.refused += 1
            outcome.codes.append(code)
            line = next((line for line in said.splitlines() if _SAYS.search(line)), "")
            if code not in (5, 6) or "Traceback" in said or not line:
                outcome.faults.append(f"{room} bytes left, code {code}: {said[-400:]}")
            outcome.said.append(line.replace(str(disk), "DISK").replace(f"{inputs}/", ""))
            code = ended(begin(each.arguments(inputs, out), log, program=each.workers))
            again = {name: what for name, what in each.contents(out).items() if not name.startswith(each.left or ("\0",))}
            if code or again != dict(after):
                outcome.faults.append(
                    f"{room} bytes left before, then enough: code {code}, {sorted(again)}: {log.read_text()[-300:]}"
                )
            else:
                outcome.again += 1
    return outcome


def _prepared(
    each: Undertaking, inputs: Path, disk: Path, log: Path, outcome: Outcome
) -> tuple[dict[str, str], dict[str, str]]:
    """Run an undertaking in enough room; returns what was there before and after."""
    out = disk / "out"
    out.mkdir()
    each.before(inputs, out)
    before, free = dict(each.contents(out)), shutil.disk_usage(disk).free
    code = ended(begin(each.arguments(inputs, out), log, program=each.workers))
    if code:
        raise RuntimeError(f"{each.name} ended with {code} in enough room: {log.read_text()}")
    outcome.needs = max(_PAGE, free - shutil.disk_usage(disk).free)
    return before, dict(each.contents(out))


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as Markdown."""
    lines = [
        "| what | writes | rooms tried | refused | exit codes | half-written | lost | then done in full | what it says |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in outcomes:
        codes = ", ".join(map(str, sorted(set(each.codes))))
        said = max(each.said, key=lambda line: "cannot be written" in line, default="").removeprefix("tensorguard: error: ")[
            :100
        ]
        size = f"{each.needs / 1e6:.2f} MB"
        cells = (each.name, size, len(each.tried), each.refused, codes, len(each.half), len(each.lost), each.again, said)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = parser_of("python -m benchmarks.endurance.full_disk", str(__doc__))
    parser.add_argument("--json", type=Path, help="write the outcomes here, too")
    given = parser.parse_args(arguments)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        inputs = given.inputs or Path(folder) / "in"
        make_inputs(inputs)
        for each in chosen(given.what):
            outcomes.append(fill_up(each, inputs, Path(folder)))
            for fault in (*outcomes[-1].faults, *outcomes[-1].half, *outcomes[-1].lost)[:6]:
                print(f"{each.name}: {fault}", file=sys.stderr)
            if given.json:
                given.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))
    print(table(outcomes))
    return 0 if all(outcome.sound() for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
