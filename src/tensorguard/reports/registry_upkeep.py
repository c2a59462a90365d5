"""What compacting a registry tells."""

from dataclasses import asdict

from tensorguard.registry.compaction import Compacted
from tensorguard.reports.document import Cell, Document, Table


def compacted(done: Compacted, entries: int, registry: str) -> Document:
    """Return the document of `registry compact`."""
    before, after = asdict(done.before), asdict(done.after)
    rows: list[list[Cell]] = [
        [part, f"{before[part]:,}", f"{after[part]:,}", f"{before[part] - after[part]:,}"] for part in before
    ]
    rows.append(["files that no entry names", f"{done.file_bytes:,}", "0", f"{done.file_bytes:,}"])
    indexed = f" {done.vectors:,} vectors were indexed anew." if done.vectors else ""
    summary = (
        f"{done.freed:,} bytes freed."
        if done.freed >= 0
        else f"{-done.freed:,} bytes more, for a search index that was missing."
    )
    return Document(
        kind="registry-compact",
        title="Compacted",
        summary=f"{summary}{indexed}",
        result={
            "entries": entries,
            "freed": done.freed,
            "before": before,
            "after": after,
            "files": done.files,
            "file_bytes": done.file_bytes,
            "vectors": done.vectors,
        },
        settings={"registry": registry},
        tables=[Table("Bytes", ("part", "before", "after", "freed"), rows)],
    )
