"""A contest: entries that do the same work in alternation, one warm-up each, then the counted rounds."""

import statistics
import time
from dataclasses import dataclass, field
from typing import Callable, Optional

from proc import Failed, measured


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
    # Figures that are put beside those of each run.
    note: dict = field(default_factory=dict)
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
        cost.extra.update(self.note)
        return cost

    def median(self, key):
        return statistics.median(getattr(cost, key) for cost in self.costs)

    def median_of_extra(self, key):
        """Of a further figure; None if no run gave it."""
        values = [cost.extra[key] for cost in self.costs if key in cost.extra]
        return statistics.median(values) if values else None


@dataclass
class Contest:
    """A titled set of entries.

    The figure of a run is `amount` per second, or what `value` makes of its cost; `less` says that less of it is
    better. `columns` are further figures: a heading, the name in `Cost.extra`, digits.
    """

    name: str
    title: str
    amount: float
    unit: str
    entries: list
    value: Optional[Callable] = None
    less: bool = False
    digits: int = 2
    columns: tuple = ()
    # Fewer rounds than were asked for, where one takes long.
    rounds: int = 1000
    warmups: int = 1
    # The chart and the place in it, for a contest that is a point of one.
    plot: Optional[dict] = None
    notes: list = field(default_factory=list)

    def figure(self, cost):
        return self.value(cost) if self.value else self.amount / cost.seconds

    def median(self, entry):
        return statistics.median(self.figure(cost) for cost in entry.costs)

    def ratio(self, ours, other):
        """How many times better ours is."""
        better, worse = self.median(ours), self.median(other)
        if self.less:
            better, worse = worse, better
        return better / worse if worse else float("inf")

    def run(self, rounds, timeout, say):
        """Runs all rounds; an entry that fails is out, and its failure is kept."""
        rounds, warmups = min(rounds, self.rounds), self.warmups
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
                figure = self.figure(cost)
                say(f"  {self.name} {word}: {entry.name}: {figure:.{self.digits}f} {self.unit}, {took:.1f} s in all")
        return self

    def json(self):
        """Everything, for the file beside the tables."""
        return {
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "amount": self.amount,
            "less is better": self.less,
            "notes": self.notes,
            "plot": self.plot,
            "entries": [
                {
                    "name": entry.name,
                    "ours": entry.ours,
                    "verifies": entry.verifies,
                    "command": entry.command if isinstance(entry.command, str) else entry.command.__doc__,
                    "failure": entry.failure,
                    "median": self.median(entry) if entry.costs else None,
                    "rounds": [vars(cost) for cost in entry.costs],
                }
                for entry in self.entries
            ],
        }
