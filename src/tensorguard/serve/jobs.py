"""Scans and checks one after the other: a bounded queue, and the results of the last ones, in memory only."""

import contextlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tensorguard.engines.memory import give_back_freed_memory
from tensorguard.errors import NotFoundError, ResourceError, TensorGuardError
from tensorguard.reports.document import Document
from tensorguard.serve import problems
from tensorguard.serve.answers import JobState, Kind, Problem, Status
from tensorguard.serve.forms import Report
from tensorguard.serve.listener import Cancelled, Listener
from tensorguard.serve.problems import RefusedError

MAX_QUEUE = 8
"""Jobs that wait."""
MAX_KEPT = 32
"""Finished jobs whose results are kept."""
MAX_AGE = 24 * 3600.0
"""Seconds for which they are kept."""

Work = Callable[[Listener], Document]
Over = Callable[[JobState, float | None], None]
"""Told of a job that is over, and of how many seconds it ran; must be quick."""


@dataclass(slots=True, eq=False)
class Job:
    """A job and what became of it; its fields change under the lock of `Jobs` alone."""

    kind: Kind
    subject: str
    work: Work
    cleanup: contextlib.ExitStack
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    status: Status = "queued"
    created: float = field(default_factory=time.time)
    started: float | None = None
    finished: float | None = None
    over: float = 0.0
    listener: Listener = field(default_factory=Listener)
    report: Report | None = None
    error: TensorGuardError | None = None


class Jobs:
    """Runs jobs in the order in which they came, one at a time: the sums of a fingerprint are the same only if nothing else sums.

    That one takes all processors (`engines.threads`).
    """

    def __init__(self, clock: Callable[[], float] = time.time, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._jobs: dict[str, Job] = {}
        self._clock = clock
        self._elapsed = elapsed  # what results are forgotten by: the clock may be set
        self._changed = threading.Condition()
        self._closed = False
        self._over: Over = _unheard
        self._worker = threading.Thread(target=self._run, name="tensorguard-jobs", daemon=True)
        self._worker.start()

    def listen(self, over: Over) -> None:
        """Tell somebody of every job that is over."""
        self._over = over

    def require_room(self) -> None:
        """Raise RefusedError if the queue is full."""
        with self._changed:
            if self._closed:
                raise ResourceError("the server is shutting down")
            if sum(job.status == "queued" for job in self._jobs.values()) >= MAX_QUEUE:
                raise RefusedError(
                    429, f"{MAX_QUEUE} jobs are waiting already", hint="wait until one is done, or cancel one", wait=10
                )

    def add(self, kind: Kind, subject: str, work: Work, cleanup: contextlib.ExitStack | None = None) -> JobState:
        """Put a job at the end of the queue; `cleanup` is closed when it is over, or at once if it is refused.

        Raises:
            RefusedError: The queue is full.
        """
        job = Job(kind, subject, work, cleanup or contextlib.ExitStack())
        with contextlib.ExitStack() as undo:
            undo.push(job.cleanup.__exit__)
            with self._changed:
                self.require_room()
                self._forget()
                self._jobs[job.id] = job
                self._changed.notify_all()
            undo.pop_all()
        return self.state(job.id)

    def state(self, name: str) -> JobState:
        """Return what is known of a job.

        Raises:
            NotFoundError: There is none of this id.
        """
        with self._changed:
            return self._described(self._job(name))

    def states(self) -> list[JobState]:
        """Return all jobs, the newest first."""
        with self._changed:
            self._forget()
            return [self._described(job) for job in reversed(self._jobs.values())]

    def report(self, name: str) -> Report:
        """Return the report of a job that is done.

        Raises:
            NotFoundError: There is no such job, or no report of it.
        """
        with self._changed:
            job = self._job(name)
            if job.report is None:
                raise NotFoundError(f"the job is {job.status} and has no report", hint="wait until its status is done")
            return job.report

    def cancel(self, name: str) -> JobState:
        """Stop a job that waits or runs, the latter as soon as it reports progress; forget one that is over.

        Raises:
            NotFoundError: There is none of this id.
        """
        with self._changed:
            job = self._job(name)
            state = self._described(job)
            job.listener.cancel()
            if job.status == "queued":
                self._end(job, "cancelled")
                state = self._described(job)
            elif job.status != "running":
                del self._jobs[name]
        return state

    def close(self, seconds: float = 20.0) -> None:
        """Cancel everything, wait for the job that runs, and clean up."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                job.listener.cancel()
                if job.status == "queued":
                    self._end(job, "cancelled")
            self._changed.notify_all()
        self._worker.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next() is not None)
                job = self._next()
                if self._closed or job is None:
                    return
                job.status, job.started = "running", self._clock()
            status = self._done(job)
            with self._changed:
                self._end(job, status)
            give_back_freed_memory()

    def _done(self, job: Job) -> Status:
        """Run a job and keep what came of it."""
        try:
            job.listener.check()
            report = Report(job.work(job.listener))
        except Cancelled:
            return "cancelled"
        except TensorGuardError as error:
            job.error = error
        except (OSError, MemoryError) as error:
            job.error = ResourceError(f"the system refuses: {error}")
        except Exception:  # a fault of ours: its job fails, and the next one runs
            problems.log_fault("a job failed")
            job.error = problems.unexpected()
        else:
            job.report = report
            return "done"
        return "failed"

    def _next(self) -> Job | None:
        return next((job for job in self._jobs.values() if job.status == "queued"), None)

    def _end(self, job: Job, status: Status) -> None:
        job.status, job.finished, job.over = status, self._clock(), self._elapsed()
        job.work = _nothing
        job.cleanup.close()
        self._over(self._described(job), None if job.started is None else job.finished - job.started)

    def _job(self, name: str) -> Job:
        self._forget()
        job = self._jobs.get(name)
        if job is None:
            raise NotFoundError(
                "there is no such job", hint=f"results are kept for {MAX_AGE / 3600:g} hours, the last {MAX_KEPT}"
            )
        return job

    def _forget(self) -> None:
        """Let go of results that are too old or too many."""
        over = [job for job in self._jobs.values() if job.finished is not None]
        for at, job in enumerate(over):
            if at < len(over) - MAX_KEPT or self._elapsed() - job.over > MAX_AGE:
                del self._jobs[job.id]

    def _described(self, job: Job) -> JobState:
        jobs = list(self._jobs.values())
        before = jobs[: jobs.index(job)] if job.status == "queued" else []
        document = job.report.document if job.report else None
        headline = document.headline if document else None
        return JobState(
            id=job.id,
            kind=job.kind,
            subject=job.subject,
            status=job.status,
            ahead=sum(other.status in ("queued", "running") for other in before),
            created=_time(job.created),
            started=None if job.started is None else _time(job.started),
            finished=None if job.finished is None else _time(job.finished),
            tasks=job.listener.tasks() if job.status == "running" else [],
            summary=document.summary if document else "",
            word=headline.word if headline else "",
            tone=headline.tone if headline else "",
            forms=list(job.report.forms()) if job.report else [],
            error=None if job.error is None else Problem(**problems.fields(job.error)),
        )


def _unheard(job: JobState, seconds: float | None) -> None:
    """Nobody listens."""


def _nothing(_: Listener) -> Document:
    raise AssertionError("a job runs once")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
