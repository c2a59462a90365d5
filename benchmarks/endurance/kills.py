"""Commands that are killed (SIGKILL) again and again, what is left each time, and whether the same command then ends well.

    python -m benchmarks.endurance.kills [--kills 200] [--what merge,export] [--json FILE]

A third of the kills come at a random time of the run, a third at a random moment after something was opened to be written, a third at a
random call of the code that writes. Of a command with workers, a quarter are of one worker alone.
After each kill the folder is looked at, the command is run again, and what is there then is compared with an undisturbed run.
"""

import contextlib
import io
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks.endurance.striking import Way, begin, calls_of, ended, strike, undisturbed
from benchmarks.endurance.undertakings import Contents, Undertaking, chosen, make_inputs, parser_of


@dataclass
class Outcome:
    """What became of one undertaking.

    Attributes:
        name: Which.
        seconds: How long it takes undisturbed.
        kills: How many times it was killed before it ended.
        late: How many kills came too late.
        phases: What it was at when it was killed.
        half: Things that were half-written.
        lost: Things that were there before, or finished, and are not.
        left: Kills after which there was something that does not belong there until the command was run again.
        stayed: Kills after which it was still there then.
        resumed: Kills after which the same command ended well, with what an undisturbed run gives.
        kept: Finished results that the second run left as they were, of those that there were.
        finished: Results that were finished when it was killed.
        faults: What else went wrong.
    """

    name: str
    seconds: float = 0.0
    kills: int = 0
    late: int = 0
    phases: dict[str, int] = field(default_factory=dict)
    half: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    left: int = 0
    stayed: list[str] = field(default_factory=list)
    resumed: int = 0
    kept: int = 0
    finished: int = 0
    faults: list[str] = field(default_factory=list)

    def sound(self) -> bool:
        """Say whether nothing was lost, half-written or left for ever."""
        return not (self.half or self.lost or self.stayed or self.faults) and self.resumed == self.kills


def kill_often(each: Undertaking, inputs: Path, scratch: Path, kills: int, seed: int = 0) -> Outcome:
    """Kill an undertaking many times and judge each time."""
    rng, outcome = random.Random(f"{seed} {each.name}"), Outcome(each.name)
    out, log = scratch / "out", scratch / "log"
    if not each.workers:
        _anew(each, inputs, out)
        import_all(each.arguments(inputs, out))
    before = _anew(each, inputs, out)
    usual, code = undisturbed(each.arguments(inputs, out), out, log, program=each.workers)
    after = each.contents(out)
    if code or not after:
        raise RuntimeError(f"{each.name} ended with {code} undisturbed: {log.read_text()}")
    ways: Sequence[Way] = ("time", "writing", "call")
    if each.workers:
        ways = ("time", "writing", "time", "worker")
    else:
        _anew(each, inputs, out)
        usual = replace(usual, calls=calls_of(each.arguments(inputs, out), log))
    outcome.seconds = usual.seconds
    for number in range(10 * kills):
        if outcome.kills == kills:
            break
        _anew(each, inputs, out)
        way = ways[number % len(ways)]
        struck = strike(each.arguments(inputs, out), out, log, way, rng, usual, program=each.workers)
        if struck.phase is None:
            outcome.late += 1
            if struck.code:
                outcome.faults.append(f"ended by itself with {struck.code}: {struck.said[-300:]}")
            continue
        outcome.kills += 1
        outcome.phases[struck.phase] = outcome.phases.get(struck.phase, 0) + 1
        if way == "worker" and "Traceback" in struck.said:
            outcome.faults.append(f"a traceback: {struck.said[-300:]}")
        _judge(outcome, each, inputs, out, log, before, after)
    return outcome


def import_all(arguments: list[str]) -> None:
    """Run a command here once: copies of this process then have everything imported."""
    from tensorguard.cli.main import run

    with contextlib.redirect_stdout(io.StringIO()):
        run(arguments)


def _anew(each: Undertaking, inputs: Path, out: Path) -> Contents:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    each.before(inputs, out)
    return each.contents(out)


def _judge(outcome: Outcome, each: Undertaking, inputs: Path, out: Path, log: Path, before: Contents, after: Contents) -> None:
    found = each.contents(out)
    extra = [name for name in found if name not in before and name not in after]
    outcome.half += [
        name for name, what in found.items() if name not in extra and what not in (before.get(name), after.get(name))
    ]
    outcome.half += [name for name in extra if name.startswith("!")]
    outcome.lost += [name for name in before if name not in found and name in after]
    outcome.left += bool(extra)
    done = {name: (out / name).stat().st_mtime_ns for name in found if name in after and (out / name).is_file()}
    code = ended(begin(each.arguments(inputs, out), log, program=each.workers))
    again = each.contents(out)
    if code not in (0, each.done):
        outcome.faults.append(f"the second run ended with {code}: {log.read_text()[-300:]}")
    outcome.stayed += [name for name in again if name not in after and not name.startswith(each.left or ("\0",))]
    belongs = {name: what for name, what in again.items() if name in after}
    outcome.resumed += code in (0, each.done) and belongs == dict(after)
    outcome.finished += sum(name.endswith(".tgfp") for name in done)
    outcome.kept += sum(name.endswith(".tgfp") and (out / name).stat().st_mtime_ns == when for name, when in done.items())


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as Markdown."""
    lines = [
        "| what is killed | kills | while | half-written | lost | left over | for ever | again as undisturbed | finished before, kept |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in outcomes:
        phases = ", ".join(f"{name} {count}" for name, count in sorted(each.phases.items(), key=lambda item: -item[1]))
        kept = f"{each.kept} of {each.finished}" if each.finished else ""
        cells = (each.name, each.kills, phases, len(each.half), len(each.lost), each.left, len(each.stayed), each.resumed, kept)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = parser_of("python -m benchmarks.endurance.kills", str(__doc__))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the outcomes here, too")
    given = parser.parse_args(arguments)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        inputs = given.inputs or Path(folder) / "in"
        make_inputs(inputs)
        for each in chosen(given.what):
            started = time.monotonic()
            outcomes.append(kill_often(each, inputs, Path(folder) / "work", given.kills, given.seed))
            print(f"{each.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
            for word in ("half", "lost", "stayed", "faults"):
                for what, count in Counter(getattr(outcomes[-1], word)).most_common(5):
                    print(f"  {word}: {count} x {what}", file=sys.stderr)
            if given.json:
                given.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))
    print(table(outcomes))
    return 0 if all(outcome.sound() for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
