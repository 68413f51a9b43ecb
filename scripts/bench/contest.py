"""A contest: entries that do the same work in alternation, one warm-up each, then the counted rounds."""

import statistics
import time
from dataclasses import dataclass, field
from typing import Callable, Optional

from proc import Cost, Failed, measured


@dataclass
class Entry:
    """One way to do the work.

    `command` is a shell line, or a function that does the work and gives a `Cost`; `before` and `after` stand outside
    the measurement, and `after` fails if the work was not done.
    """

    name: str
    command: object
    server: Optional[object] = None
    verifies: str = "–"
    before: Callable = lambda: None
    after: Callable = lambda: None
    ours: bool = False
    # The same work without any peer's protocol: shown, but no ratio.
    limit: bool = False
    env: Optional[dict] = None
    costs: list = field(default_factory=list)
    failure: Optional[str] = None

    def run(self, timeout):
        self.before()
        if callable(self.command):
            cost = self.command()
        else:
            pids = self.server.pids if self.server else []
            cost = measured(self.command, pids, env=self.env, timeout=timeout)
        self.after()
        return cost

    def median(self, key):
        return statistics.median(getattr(cost, key) for cost in self.costs)


@dataclass
class Contest:
    """A titled set of entries, and how their seconds become a figure: `amount` units of `unit` a run."""

    name: str
    title: str
    amount: float
    unit: str
    entries: list
    # False for figures where less is better (seconds for a fixed piece of work).
    rate: bool = True
    digits: int = 2
    notes: list = field(default_factory=list)

    def figure(self, seconds):
        return self.amount / seconds if self.rate else seconds

    def ratio(self, ours, other):
        """How many times better ours is."""
        return other.median("seconds") / ours.median("seconds")

    def run(self, rounds, warmups, timeout, say):
        """Runs all rounds; an entry that fails is out, and its failure is kept."""
        for number in range(warmups + rounds):
            for entry in self.entries:
                if entry.failure:
                    continue
                begin = time.monotonic()
                try:
                    cost = entry.run(timeout)
                except (Failed, OSError) as error:
                    entry.failure = str(error)
                    say(f"  {self.name}: {entry.name} FAILED: {error}")
                    continue
                if number >= warmups:
                    entry.costs.append(cost)
                word = "warm-up" if number < warmups else f"round {number - warmups + 1}"
                took = time.monotonic() - begin
                figure = self.figure(cost.seconds)
                say(f"  {self.name} {word}: {entry.name}: {figure:.{self.digits}f} {self.unit}, {took:.1f} s in all")
        return self

    def json(self):
        """Everything, for the file beside the tables."""
        return {
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "amount": self.amount,
            "notes": self.notes,
            "entries": [
                {
                    "name": entry.name,
                    "ours": entry.ours,
                    "verifies": entry.verifies,
                    "command": entry.command if isinstance(entry.command, str) else entry.command.__doc__,
                    "failure": entry.failure,
                    "median": self.figure(entry.median("seconds")) if entry.costs else None,
                    "rounds": [vars(cost) for cost in entry.costs],
                }
                for entry in self.entries
            ],
        }


def cost_of(seconds, client_cpu=0.0, server_cpu=0.0, client_peak=0, server_peak=0, foreign_cpu=0.0):
    """A cost from figures that were measured another way."""
    return Cost(seconds, client_cpu, server_cpu, client_peak, server_peak, foreign_cpu)
