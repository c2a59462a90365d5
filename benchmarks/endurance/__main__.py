"""Everything that interrupts, breaks and wears out but the soak of hours, one table after the other.

    python -m benchmarks.endurance [--kills 200] [--what merge,export] [--part kills,disk,together,errors]

`kills.py` kills commands, `full_disk.py` fills the disk up, `together.py` starts two at once and interrupts them, `bad_disk.py` breaks the
disk that is read. The second and the last mount file systems and have to be root. `soak.py` is a command of its own.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.endurance import bad_disk, full_disk, kills, together
from benchmarks.endurance.undertakings import parser_of

PARTS = ("kills", "disk", "together", "errors")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = parser_of("python -m benchmarks.endurance", str(__doc__))
    parser.add_argument(
        "--kills", type=int, default=200, help="of each undertaking; a tenth as many start together, or are interrupted"
    )
    parser.add_argument("--part", default=",".join(PARTS), help=f"some of, with commas: {', '.join(PARTS)}")
    given = parser.parse_args(arguments)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        shared = ["--inputs", str(given.inputs or Path(folder) / "in"), *(["--what", given.what] if given.what else [])]
        if "kills" in given.part:
            failed += kills.main(["--kills", str(given.kills), *shared])
        if "disk" in given.part:
            failed += full_disk.main(shared)
        if "together" in given.part:
            failed += together.main(["--rounds", str(max(1, given.kills // 10)), *shared])
        if "errors" in given.part:
            failed += bad_disk.main()
    return min(1, failed)


if __name__ == "__main__":
    sys.exit(main())
