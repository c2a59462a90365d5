"""The machines of a Ray cluster (the `[ray]` extra). The only file that imports ray."""

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, NamedTuple, Self

from threadpoolctl import threadpool_limits

from tensorguard.engines.base import Begun, Finished, Item, Result, Task
from tensorguard.engines.ordering import map_in_order
from tensorguard.engines.sizing import WORKER_BYTES
from tensorguard.engines.workers import portable
from tensorguard.errors import ResourceError, quote
from tensorguard.version import __version__

TRIES = 3
"""Times that a task is begun whose workers are lost: machines are lost by chance, and a model that kills workers must not go on."""

_AHEAD = 2
"""Tasks in flight for each processor: one that runs, and one that is there when it ends."""

_INSTALL = f"install tensorguard-llm {__version__} on every machine"

_PATIENCE = 10.0
"""Seconds in which the head of a cluster has to be there."""

_GLANCE = 10.0
"""Seconds after which the cluster is looked at again: it may have grown, or lost machines."""


class _Flying(NamedTuple):
    task: Task[Any]
    threads: int
    tries: int


class _Size(NamedTuple):
    processors: int
    widest: int
    memory: int


class Ray:
    """Runs each task as one of Ray's, with as many processors and as much memory as it takes, spread over the machines.

    The function and the items have to be picklable, and what they name (paths) has to mean the same on all machines, on which TensorGuard
    of the same version is installed.
    """

    def __init__(self, address: str | None = None, most: int | None = None) -> None:
        """Connect to a cluster.

        Args:
            address: `HOST:PORT`, `ray://HOST:PORT`, or `local` for a cluster of its own on this machine; by default that of RAY_ADDRESS, or
                one that was started on this machine.
            most: How many tasks run at a time at most; as many as there are processors by default.

        Raises:
            ResourceError: Ray is not installed, or no cluster answers.
        """
        os.environ.setdefault(
            "RAY_DEDUP_LOGS_SKIP_REGEX", ""
        )  # what Ray tells of lost workers would go to stdout, among results
        os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] or "^"
        try:
            import ray
        except ImportError as error:
            raise ResourceError("ray is not installed", hint="pip install 'tensorguard-llm[ray]'") from error
        self._ray, self._most, self._ours = ray, most, not ray.is_initialized()
        if self._ours:
            where = address or os.environ.get("RAY_ADDRESS") or "auto"
            try:
                _knock(where)
                ray.init(where, log_to_driver=False, logging_level="ERROR", configure_logging=True)
            except Exception as error:  # Ray raises whatever it likes here
                why = str(error).strip().splitlines()
                raise ResourceError(
                    f"no Ray cluster answers ({quote(why[0] if why else type(error).__name__, 200)})",
                    where=where,
                    hint="start one: ray start --head; then give its --address HOST:6379",
                ) from error
        self._looked, self._size = -_GLANCE, _Size(1, 1, WORKER_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster."""
        if self._ours:
            self._ray.shutdown()

    @property
    def workers(self) -> int:
        """How many tasks run at a time: one for each processor of the cluster, unless fewer were asked for."""
        processors = self._cluster().processors
        return processors if self._most is None else min(self._most, processors)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield results in order; see `Engine.map`.

        Raises:
            ResourceError: A worker or its machine was lost, several times.
        """
        yield from map_in_order(self, function, items)

    def each(
        self, function: Callable[[Item, int], Result], tasks: Iterable[Task[Item]], begun: Begun[Item]
    ) -> Iterator[Finished[Item, Result]]:
        """Yield what became of each task; see `Fleet.each`.

        Raises:
            ResourceError: The machines cannot run TensorGuard, or have another version.
        """
        todo, again = iter(tasks), deque[_Flying]()
        flying: dict[Any, _Flying] = {}
        remote = self._ray.remote(_run)
        try:
            while True:
                while (room := self._room(flying)) > 0:
                    next_one = self._next(todo, again)
                    if next_one is None:
                        break
                    if next_one.tries == 1:
                        begun(next_one.task.item)
                    flying[self._start(remote, function, next_one, room)] = next_one
                if not flying:
                    return
                ready, _ = self._ray.wait(list(flying), timeout=_GLANCE)
                if ready and len(flying) > 1:
                    ready, _ = self._ray.wait(list(flying), num_returns=len(flying), timeout=0)
                for reference in ready:
                    one = flying.pop(reference)
                    finished = self._finished(reference, one)
                    if finished is None:
                        again.append(one._replace(tries=one.tries + 1))
                    else:
                        yield finished
        finally:
            for reference in flying:
                self._ray.cancel(reference)

    def _room(self, flying: dict[Any, _Flying]) -> int:
        """Return how many more processors' tasks may be handed over now; of late ones no more than run."""
        ahead = _AHEAD if self._most is None else 1
        return ahead * self.workers - sum(one.threads for one in flying.values())

    def _next(self, todo: Iterator[Task[Any]], again: deque[_Flying]) -> _Flying | None:
        task = next(todo, None)
        if task is not None:
            return _Flying(task, min(task.threads(self.workers), self._cluster().widest), 1)
        return again.popleft() if again else None

    def _start(self, remote: Any, function: Callable[[Any, int], Any], one: _Flying, room: int) -> Any:
        """Hand a task over, which asks for twice the memory each time that it is tried."""
        threads = max(1, min(one.threads, room))
        memory = min(self._cluster().memory, WORKER_BYTES * 2 ** (one.tries - 1))
        how = remote.options(num_cpus=threads, memory=memory, max_retries=0, scheduling_strategy="SPREAD")
        return how.remote(__version__, function, one.task.item, threads)

    def _finished(self, reference: Any, one: _Flying) -> Finished[Any, Any] | None:
        """Return what became of a task, or None if its worker was lost and it is to be tried again."""
        lost = self._ray.exceptions
        try:
            result, error = self._ray.get(reference)
        except (lost.WorkerCrashedError, lost.OutOfMemoryError, lost.NodeDiedError, lost.ObjectLostError) as found:
            if one.tries < TRIES:
                return None
            message = f"its worker was lost {one.tries} times ({type(found).__name__})"
            hint = "it may take more memory than a machine has; Ray's logs say why workers end"
            return Finished(one.task.item, None, ResourceError(message, hint=hint))
        except lost.RayTaskError as found:  # before our own code: what it raises is an answer
            said = [line for line in str(found).splitlines() if line.strip()]
            raise ResourceError(
                f"the machines cannot run it ({quote(said[-1] if said else '', 300)})", hint=_INSTALL
            ) from found
        except lost.RayError as found:
            hint = "what is done is kept: the same call goes on from there"
            raise ResourceError(f"the cluster is lost ({type(found).__name__})", hint=hint) from found
        if isinstance(error, _OtherVersionError):
            raise ResourceError(str(error), hint=_INSTALL)
        return Finished(one.task.item, result, error)

    def _cluster(self) -> _Size:
        """Return the processors of all machines, and those and the memory of the largest; as they were lately."""
        if time.monotonic() - self._looked >= _GLANCE:
            nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            counts = [int(node.get("CPU", 0)) for node in nodes] or [1]
            memory = max((int(node.get("memory", 0)) for node in nodes), default=0)
            self._size, self._looked = _Size(max(1, sum(counts)), max(1, *counts, 1), memory), time.monotonic()
        return self._size


def _knock(address: str) -> None:
    """Connect and hang up: Ray itself would try for minutes.

    Raises:
        OSError: Nobody listens there.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


class _OtherVersionError(Exception):
    """The worker's TensorGuard might give other results."""


def _run(
    version: str, function: Callable[[Item, int], Result], item: Item, threads: int
) -> tuple[Result | None, Exception | None]:
    """Do one task on some machine, with BLAS on one thread."""
    if version != __version__:
        return None, _OtherVersionError(f"a machine has TensorGuard {__version__}, and this is {version}")
    try:
        with threadpool_limits(1, user_api="blas"):
            return function(item, threads), None
    except Exception as error:  # told where results are taken
        return None, portable(error)
