"""What `merge` tells: what was written, and what could not be."""

from collections.abc import Sequence

from tensorguard.errors import utf8
from tensorguard.merge.outcome import MergeOutcome
from tensorguard.reports.document import Document, Table


def report(outcomes: Sequence[MergeOutcome]) -> Document:
    """Return the document of one call of `merge`."""
    rows: list[list[str | int | None]] = []
    for outcome in outcomes:
        if outcome.result:
            done = outcome.result
            status = "was there already" if done.skipped else "written"
            rows.append([outcome.model, status, str(done.output), done.tensors, done.changed, done.nbytes])
        else:
            rows.append([outcome.model, "failed", f"{outcome.error}", None, None, None])
    failed = sum(outcome.error is not None for outcome in outcomes)
    return Document(
        kind="merge",
        title="Unified files",
        summary=f"{len(outcomes) - failed} of {len(outcomes)} models are unified.",
        result=[_machine(outcome) for outcome in outcomes],
        inputs=[{"model": outcome.model} for outcome in outcomes],
        notices=[notice for outcome in outcomes if outcome.result for notice in outcome.result.notices],
        tables=[Table("Files", ("model", "status", "output", "tensors", "changed by the adapter", "bytes"), rows)],
    )


def _machine(outcome: MergeOutcome) -> dict[str, object]:
    done, error = outcome.result, outcome.error
    return {
        "model": outcome.model,
        "output": utf8(done.output) if done else None,
        "tensors": done.tensors if done else None,
        "changed": done.changed if done else None,
        "bytes": done.nbytes if done else None,
        "skipped": done.skipped if done else None,
        "error": error.fields() if error else None,
    }
