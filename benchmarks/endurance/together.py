"""Two processes that do the same with one output at the same time, and commands that are interrupted by signals.

    python -m benchmarks.endurance.together [--rounds 20] [--what merge,export]

Of two, both have to end well, and what is there afterwards has to be what one alone gives. Of one that gets SIGINT, SIGTERM or SIGHUP at
a random moment, or whose reader stops reading, the exit code has to say so, nothing half-written or left over be there, no traceback shown.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.endurance.kills import import_all
from benchmarks.endurance.striking import begin, ended, undisturbed
from benchmarks.endurance.undertakings import Contents, Undertaking, chosen, make_inputs, parser_of

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Outcome:
    """What became of one undertaking.

    Attributes:
        name: Which.
        rounds: How many times two were started together.
        whole: How many times the result was that of one alone.
        codes: Exit codes of the two.
        interrupted: Exit codes after each signal.
        left: Interruptions after which something was half-written or left over.
        faults: What else went wrong.
    """

    name: str
    rounds: int = 0
    whole: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    interrupted: dict[str, Counter[int]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def sound(self) -> bool:
        """Say whether all went as it should."""
        fitting = all(
            code in (0, -signal.Signals[name], 128 + signal.Signals[name])
            for name, codes in self.interrupted.items()
            for code in codes
        )
        return self.whole == self.rounds and fitting and not self.left and not self.faults


def disturb(each: Undertaking, inputs: Path, scratch: Path, rounds: int) -> Outcome:
    """Run an undertaking twice at once, and interrupt it, again and again."""
    rng, outcome = random.Random(each.name), Outcome(each.name)
    out, logs = scratch / "out", (scratch / "log-a", scratch / "log-b")
    _anew(each, inputs, out)
    if not each.workers:
        import_all(each.arguments(inputs, out))
    before = _anew(each, inputs, out)
    arguments = each.arguments(inputs, out)
    usual, _ = undisturbed(arguments, out, logs[0], program=each.workers)
    after = each.contents(out)
    for _ in range(rounds):
        _anew(each, inputs, out)
        first = begin(arguments, logs[0], program=each.workers)
        time.sleep(rng.uniform(0, usual.seconds))
        codes = [ended(begin(arguments, logs[1], program=each.workers)), ended(first)]
        outcome.rounds += 1
        outcome.codes.update(codes)
        found = {name: what for name, what in each.contents(out).items() if not name.startswith(each.left or ("\0",))}
        outcome.whole += found == dict(after)
        for code, log in zip(reversed(codes), logs, strict=True):
            if code not in (0, each.done):
                outcome.faults.append(f"of two at once one ended with {code}: {log.read_text()[-300:]}")
    for number in range(rounds * len(SIGNALS)):
        _interrupt(
            each, inputs, out, logs[0], SIGNALS[number % len(SIGNALS)], rng.uniform(0, usual.seconds), before, after, outcome
        )
    return outcome


def _interrupt(
    each: Undertaking,
    inputs: Path,
    out: Path,
    log: Path,
    sent: signal.Signals,
    delay: float,
    before: Contents,
    after: Contents,
    outcome: Outcome,
) -> None:
    _anew(each, inputs, out)
    pid = begin(each.arguments(inputs, out), log, program=each.workers)
    time.sleep(0.02 + delay)
    with contextlib.suppress(ProcessLookupError):  # it has ended
        if sent == signal.SIGINT:
            os.killpg(pid, sent)  # as Ctrl-C does
        else:
            os.kill(pid, sent)
    code = ended(pid)
    outcome.interrupted.setdefault(sent.name, Counter())[code] += 1
    said = log.read_text("utf-8", "replace")
    if "Traceback" in said:
        outcome.faults.append(f"{sent.name}: {said[:600]}")
    found = each.contents(out)
    outcome.left += [
        name
        for name, what in found.items()
        if not name.startswith(each.left or ("\0",)) and what not in (before.get(name), after.get(name))
    ]


def _anew(each: Undertaking, inputs: Path, out: Path) -> Contents:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    each.before(inputs, out)
    return each.contents(out)


def unread(arguments: list[str]) -> tuple[int, str]:
    """Run a command whose reader goes away at once (`| head -c 0`); returns its exit code, and what it said on stderr."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "tensorguard", *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    return done.returncode, done.stderr


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as Markdown."""
    lines = [
        "| what | two at once | the result is whole | their exit codes | SIGINT | SIGTERM | SIGHUP | half-written or left over |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in outcomes:
        told = [_counted(each.interrupted.get(sent.name, Counter())) for sent in SIGNALS]
        lines.append(
            f"| {each.name} | {each.rounds} | {each.whole} | {_counted(each.codes)} | {' | '.join(told)} | {len(each.left)} |"
        )
    return "\n".join(lines)


def _counted(codes: Counter[int]) -> str:
    return ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = parser_of("python -m benchmarks.endurance.together", str(__doc__))
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGHUP):
        if (
            signal.getsignal(number) is signal.SIG_IGN
        ):  # as of a command in the background; those that it starts would ignore it, too
            signal.signal(number, lambda *_: None)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        inputs = given.inputs or Path(folder) / "in"
        make_inputs(inputs)
        for each in chosen(given.what):
            outcomes.append(disturb(each, inputs, Path(folder) / "work", given.rounds))
            for fault, count in Counter((*outcomes[-1].faults, *outcomes[-1].left)).most_common(4):
                print(f"{each.name}: {count} x {fault}", file=sys.stderr)
        print(table(outcomes))
        code, said = unread(["registry", "list", "--registry", str(inputs / "registry")])
        print(f"\nA reader that goes away: exit code {code}, stderr {said!r}")
    return 0 if all(outcome.sound() for outcome in outcomes) and (code, said) == (0, "") else 1


if __name__ == "__main__":
    sys.exit(main())
