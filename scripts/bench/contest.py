"""A contest: entries that do the same work in alternation, one warm-up each, then the counted rounds."""

import statistics
import time
from dataclasses import dataclass, field
from typing import Callable, Optional

from proc import Failed, measured
from results import STRONG

# Those that decide the comparison are run so often, even where the time does not allow for it.
LEAST_ROUNDS = 3


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
    # The same work without any peer's protocol: shown, but no peer.
    limit: bool = False
    env: Optional[dict] = None
    # Figures that are put beside those of each run.
    note: dict = field(default_factory=dict)
    costs: list = field(default_factory=list)
    failure: Optional[str] = None
    # Seconds of the latest run, with what stands around it.
    took: float = 0.0

    def run(self, timeout):
        begin = time.monotonic()
        self.before()
        if callable(self.command):
            cost = self.command()
        else:
            pids = self.server.pids if self.server else []
            cost = measured(self.command, pids, env=self.env, timeout=timeout)
        self.after()
        cost.extra.update(self.note)
        self.took = time.monotonic() - begin
        return cost

    @property
    def line(self):
        """The command as text."""
        return self.command if isinstance(self.command, str) else self.command.__doc__ or ""

    @property
    def mine(self):
        return self.ours or self.name.startswith("muxftp")


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
    # After so many seconds only those go on that decide the comparison: ours and the best peer of each kind.
    seconds: float = 60.0
    # The chart and the place in it, for a contest that is a point of one.
    plot: Optional[dict] = None
    # What tells this contest from others of its name: `{"count": 10000}`.
    params: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    # Done before the first round; its time is not the contest's.
    ready: Callable = lambda: None

    def figure(self, cost):
        return self.value(cost) if self.value else self.amount / cost.seconds

    def run(self, rounds, timeout, say, patience=1.0):
        """Runs all rounds; an entry that fails is out, and its failure is kept."""
        self.ready()
        end = time.monotonic() + self.seconds * patience
        for _ in range(self.warmups):
            self._round(self.entries, "warm-up", timeout, say, counted=False)
        rounds = min(rounds, self.rounds)
        active = list(self.entries)
        for number in range(1, rounds + 1):
            active = self._affordable(active, number, rounds, end - time.monotonic(), say)
            if not active:
                break
            self._round(active, f"round {number}", timeout, say, counted=True)
        return self

    def _round(self, entries, word, timeout, say, counted):
        for entry in entries:
            if entry.failure:
                continue
            try:
                cost = entry.run(timeout)
            except (Failed, OSError) as error:
                entry.failure = str(error)
                say(f"  {self.name}: {entry.name} FAILED: {error}")
                continue
            if counted:
                entry.costs.append(cost)
            figure = self.figure(cost)
            say(f"  {self.name} {word}: {entry.name}: {figure:.{self.digits}f} {self.unit}, {entry.took:.1f} s in all")

    def _affordable(self, active, number, rounds, left, say):
        """Who runs in this round: all in the first, later those for whom the time is enough, the worst out first."""
        active = [entry for entry in active if not entry.failure]
        if number == 1:
            return active
        core = self._core(active)
        others = sorted((entry for entry in active if entry not in core), key=self._goodness)
        while others and sum(entry.took for entry in active) * (rounds - number + 1) > left:
            out = others.pop(0)
            active.remove(out)
            say(f"  {self.name}: {out.name} has run {len(out.costs)} times; the time is for those ahead of it")
        if number > LEAST_ROUNDS and sum(entry.took for entry in active) > left:
            return []
        return active

    def _goodness(self, entry):
        value = statistics.median(self.figure(cost) for cost in entry.costs)
        return -value if self.less else value

    def _core(self, active):
        """Ours, and the best peer of each kind; those do not fall out."""
        core = [entry for entry in active if entry.mine]
        peers = [entry for entry in active if not entry.mine and not entry.limit]
        for strong in (True, False):
            kind = [entry for entry in peers if (entry.verifies in STRONG) == strong]
            core += sorted(kind, key=self._goodness)[-1:]
        return core

    def info(self, order):
        """What is kept of the contest, beside its rows."""
        return {
            "order": order,
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "less": self.less,
            "digits": self.digits,
            "columns": [list(column) for column in self.columns],
            "plot": self.plot,
            "params": self.params,
            "notes": self.notes,
        }

    def kept(self, entry, place, shorten):
        """What is kept of one entry."""
        return {
            "name": entry.name,
            "place": place,
            "ours": entry.ours,
            "limit": entry.limit,
            "verifies": entry.verifies,
            "command": shorten(entry.line),
            "failure": shorten(entry.failure or ""),
            "rounds": [{"figure": self.figure(cost), **vars(cost)} for cost in entry.costs],
        }
