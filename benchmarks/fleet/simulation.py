"""A run over many models on many machines, event by event: what starts when, how fast it reads, what is lost and begun again.

Every machine has as many places as processors, and each place works on one model at a time, the largest first. A model takes its bytes
times the processor seconds of one, and no less than its share of its machine's network and of the storage that all read from. As shares
are equal, all models under way go on at one pace, counted as volume: a model ends when its volume has gone by.
"""

import heapq
import math
from collections import deque
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fleet:
    """What there is, and what goes wrong.

    Attributes:
        machines: How many.
        processors: Of each, one model each.
        seconds_per_gb: Processor seconds that a GB of weights takes: measured.
        overhead: Seconds that a model takes whatever its size: opening, comparing, writing.
        dispatch: Seconds of the one driver for each model.
        network: GB/s that a machine reads at most.
        storage: GB/s that the storage gives to all together.
        slow: Share of machines that work at half the speed.
        bad: Share of models that are refused after their headers.
        killed: Share of attempts whose worker is killed on the way.
        tries: Attempts after which a model is given up.
        hours_between_losses: Of one machine, on average.
        hours_to_replace: Until another one takes the place of a lost one.
    """

    machines: int
    processors: int = 16
    seconds_per_gb: float = 3.5
    overhead: float = 0.3
    dispatch: float = 0.002
    network: float = 3.0
    storage: float = 100.0
    slow: float = 0.02
    bad: float = 0.01
    killed: float = 0.001
    tries: int = 3
    hours_between_losses: float = 500.0
    hours_to_replace: float = 0.2


@dataclass
class Outcome:
    """What became of a run.

    Attributes:
        hours: From the first start to the last end.
        done: Models that were fingerprinted.
        refused: Models that are bad.
        given_up: Models that lost as many workers as there are tries.
        attempts_lost: Attempts that came to nothing, with their worker or their machine.
        machines_lost: How often one was.
        gigabytes: Of the models done.
        used: Share of the processors' time that went into models that were done.
    """

    hours: float = 0.0
    done: int = 0
    refused: int = 0
    given_up: int = 0
    attempts_lost: int = 0
    machines_lost: int = 0
    gigabytes: float = 0.0
    used: float = 0.0


class Run:
    """One run over models of given sizes."""

    def __init__(self, fleet: Fleet, gigabytes: np.ndarray, seed: int = 0) -> None:
        self.fleet, self.random = fleet, np.random.default_rng(seed)
        self.sizes = np.sort(gigabytes)[::-1].tolist()
        self.bad = (self.random.random(len(self.sizes)) < fleet.bad).tolist()
        self.todo = deque(range(len(self.sizes)))
        self.tries = [0] * len(self.sizes)
        self.speed = np.where(self.random.random(fleet.machines) < fleet.slow, 0.5, 1.0).tolist()
        self.now, self.volume, self.active, self.driver = 0.0, 0.0, 0, 0.0
        self.ends: list[tuple[float, int, int]] = []
        self.events: list[tuple[float, str, int, int]] = []
        self.under_way: list[set[int]] = [set() for _ in range(fleet.machines)]
        self.born = [0] * fleet.machines
        self.outcome, self.worked = Outcome(), 0.0

    def result(self) -> Outcome:
        """Let it happen."""
        fleet, outcome = self.fleet, self.outcome
        for machine in range(fleet.machines):
            self._plan_loss(machine)
            for _ in range(fleet.processors):
                self._hand_out(machine)
        left = len(self.sizes)
        while outcome.done + outcome.refused + outcome.given_up < left:
            pace = self._pace()
            end = self.now + (self.ends[0][0] - self.volume) / pace if self.ends else math.inf
            if self.events and self.events[0][0] <= end:
                when, what, machine, model = heapq.heappop(self.events)
                self._pass(when, pace)
                self._happen(what, machine, model)
            else:
                _, machine, model = heapq.heappop(self.ends)
                self._pass(end, pace)
                self._end(machine, model)
        outcome.hours = self.now / 3600
        outcome.used = self.worked / max(1e-9, self.now * fleet.machines * fleet.processors)
        return outcome

    def _pace(self) -> float:
        """Return the GB/s of each model under way on a machine of full speed."""
        fleet = self.fleet
        share = fleet.storage / max(self.active, 1)
        return min(1 / fleet.seconds_per_gb, fleet.network / fleet.processors, share)

    def _pass(self, when: float, pace: float) -> None:
        self.volume += (when - self.now) * pace
        self.now = when

    def _hand_out(self, machine: int) -> None:
        """Give a free place of a machine the next model, when the driver comes to it."""
        if self.todo:
            model = self.todo.popleft()
            self.driver = max(self.driver, self.now) + self.fleet.dispatch
            self.under_way[machine].add(model)
            heapq.heappush(self.events, (self.driver + self.fleet.overhead, f"begin {self.born[machine]}", machine, model))

    def _plan_loss(self, machine: int) -> None:
        after = self.random.exponential(self.fleet.hours_between_losses) * 3600
        heapq.heappush(self.events, (self.now + after, "loss", machine, 0))

    def _happen(self, what: str, machine: int, model: int) -> None:
        if what == "loss":
            self._lose(machine)
        elif what == "replaced":
            self._plan_loss(machine)
            for _ in range(self.fleet.processors):
                self._hand_out(machine)
        elif what == f"begin {self.born[machine]}":
            size = 0.0 if self.bad[model] else self.sizes[model] / self.speed[machine]
            self.active += 1
            heapq.heappush(self.ends, (self.volume + size, machine, model))

    def _end(self, machine: int, model: int) -> None:
        self.active -= 1
        self.under_way[machine].discard(model)
        if self.bad[model]:
            self.outcome.refused += 1
        elif self.random.random() < self.fleet.killed:
            self._again(model)
        else:
            self.outcome.done += 1
            self.outcome.gigabytes += self.sizes[model]
            self.worked += self.fleet.overhead + self.sizes[model] * self.fleet.seconds_per_gb
        self._hand_out(machine)

    def _again(self, model: int) -> None:
        self.tries[model] += 1
        self.outcome.attempts_lost += 1
        if self.tries[model] >= self.fleet.tries:
            self.outcome.given_up += 1
        else:
            self.todo.append(model)

    def _lose(self, machine: int) -> None:
        self.outcome.machines_lost += 1
        self.born[machine] += 1
        lost, self.under_way[machine] = self.under_way[machine], set()
        begun = [end for end in self.ends if end[1] == machine]
        if begun:
            self.ends = [end for end in self.ends if end[1] != machine]
            heapq.heapify(self.ends)
            self.active -= len(begun)
        for model in sorted(lost):
            self._again(model)
        heapq.heappush(self.events, (self.now + self.fleet.hours_to_replace * 3600, "replaced", machine, 0))
        self._wake()

    def _wake(self) -> None:
        """Let places that had nothing to do take what was lost elsewhere."""
        for machine, models in enumerate(self.under_way):
            while self.todo and models and len(models) < self.fleet.processors:
                self._hand_out(machine)
