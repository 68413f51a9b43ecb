"""What was measured, kept as JSON lines: runs, contests and rows. Read again, the newest of each row wins.

A line is a `run` (when, commit, machine, versions of the peers), a `contest` (what is measured, in what unit) or a `row`
(one entry's rounds in one contest of one run). Tables and plots are made from these alone, so that they can be made again.
"""

import glob
import json
import os
import statistics
from dataclasses import dataclass, field

# What a peer checks of the bytes: nothing, something against accidents, or a strong digest from end to end.
STRONG = ("SHA-256", "MAC")


def rounded(value):
    """Six digits: a clock says no more."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return value


class Writer:
    """Writes one run's file; each line is whole when it is there."""

    def __init__(self, path, run):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        self.file = open(path, "w", encoding="utf-8")
        self.run = run["run"]
        self._line("run", run)

    def contest(self, info, rows):
        self._line("contest", {"run": self.run, **info})
        for row in rows:
            self._line("row", {"run": self.run, "contest": info["name"], "title": info["title"], **row})

    def _line(self, kind, fields):
        json.dump({"kind": kind, **rounded(fields)}, self.file, ensure_ascii=False)
        self.file.write("\n")
        self.file.flush()

    def close(self):
        self.file.close()


@dataclass
class Row:
    """One entry of one contest."""

    run: str
    name: str
    place: int
    ours: bool
    limit: bool
    verifies: str
    command: str
    failure: str
    rounds: list

    @property
    def strong(self):
        """Whether its bytes are verified as ours are."""
        return self.verifies in STRONG

    @property
    def mine(self):
        """Whether it is a shape of muxftp, the one that is compared or another."""
        return self.ours or self.name.startswith("muxftp")

    @property
    def figure(self):
        return self.median("figure")

    def median(self, key):
        return statistics.median(one[key] for one in self.rounds)

    def extra(self, key):
        """The median of a further figure; None if no round gave it."""
        values = [one["extra"][key] for one in self.rounds if key in one["extra"]]
        return statistics.median(values) if values else None


@dataclass
class Group:
    """One contest with its rows, ours first."""

    info: dict
    rows: dict = field(default_factory=dict)

    def __getattr__(self, name):
        try:
            return self.__dict__["info"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def all(self):
        """Every row, in the order of the contest."""
        return sorted(self.rows.values(), key=lambda row: row.place)

    @property
    def good(self):
        """The rows with figures."""
        return [row for row in self.all if row.rounds]

    def row(self, name):
        found = self.rows.get(name)
        return found if found and found.rounds else None

    def ratio(self, mine, other):
        """How many times better `mine` is; 2 is twice as fast, or half of what is better small."""
        better, worse = mine.figure, other.figure
        if self.info["less"]:
            better, worse = worse, better
        return better / worse if worse else float("inf")

    def best(self, keep):
        """The best peer of those that are kept; None without one."""
        rows = [row for row in self.good if not row.mine and not row.limit and keep(row)]
        sign = -1 if self.info["less"] else 1
        return max(rows, key=lambda row: sign * row.figure, default=None)


class Results:
    """Runs by id, contests in the order of the scenarios."""

    def __init__(self):
        self.runs = {}
        self.contests = {}

    def add(self, line):
        fields = dict(line)
        kind = fields.pop("kind")
        if kind == "run":
            self.runs[fields["run"]] = fields
            return
        if kind == "contest":
            key = (fields["name"], fields["title"])
            known = self.contests.get(key)
            if known is None:
                self.contests[key] = Group(fields)
            elif fields["run"] >= known.info["run"]:
                known.info = fields
            return
        group = self.contests[(fields.pop("contest"), fields.pop("title"))]
        row = Row(**fields)
        known = group.rows.get(row.name)
        if known is None or row.run >= known.run:
            group.rows[row.name] = row

    @property
    def groups(self):
        """All contests that have a figure, in the order in which the scenarios stand."""
        found = [group for group in self.contests.values() if group.rows]
        return sorted(found, key=lambda group: group.info["order"])

    def named(self, name):
        return [group for group in self.groups if group.info["name"] == name]

    @property
    def newest(self):
        """The newest run's facts."""
        return self.runs[max(self.runs)]

    def used(self):
        """The runs that a row is taken from, newest first."""
        ids = {row.run for group in self.groups for row in group.rows.values()}
        return [self.runs[run] for run in sorted(ids, reverse=True)]


def read(paths):
    """Reads files, and all of a folder's; later runs win, whatever the order of the paths."""
    results = Results()
    for path in paths:
        names = sorted(glob.glob(os.path.join(path, "*.jsonl"))) if os.path.isdir(path) else [path]
        for name in names:
            with open(name, encoding="utf-8") as file:
                for line in file:
                    results.add(json.loads(line))
    return results


def merge(results, path):
    """Writes what is in force, and the runs that it is taken from, as one file."""
    with open(path, "w", encoding="utf-8") as file:

        def line(kind, fields):
            file.write(json.dumps({"kind": kind, **fields}, ensure_ascii=False) + "\n")

        for run in reversed(results.used()):
            line("run", run)
        for group in results.groups:
            line("contest", group.info)
            for row in group.all:
                line("row", {"contest": group.info["name"], "title": group.info["title"], **vars(row)})
