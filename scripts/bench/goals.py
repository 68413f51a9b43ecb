"""The goals: what is asked, what was measured, and whether it is enough. Ratios are those of one contest."""

from dataclasses import dataclass
from typing import Optional

MIB, GIB = 1 << 20, 1 << 30
# What grows as the work grows keeps its cost a file or a byte within this, from the smallest to the largest.
FLAT = 1.25
IDLE_KIB = 4
TREE_MIB = 300
PING_MS = 5
# Entries of the listing whose memory is to be flat.
LISTED = 100_000


@dataclass
class Check:
    """One line of the table of goals. `good` is None where a figure lacks."""

    goal: str
    what: str
    asked: str
    found: str
    good: Optional[bool]

    @property
    def verdict(self):
        return "not measured" if self.good is None else "met" if self.good else "**short**"


def checks(results):
    """Every check, those that could not be made too."""
    for of_goal in (large_down, large_up, small, long_path, sessions, growth, loops):
        yield from of_goal(results)


def table(results):
    """Heading and rows, for a markdown table."""
    head = ["goal", "what", "asked", "measured", "verdict"]
    return head, [[check.goal, check.what, check.asked, check.found, check.verdict] for check in checks(results)]


def missing(goal, what, asked):
    return Check(goal, what, asked, "–", None)


def at_least(goal, what, asked, group, mine, other):
    """Ours must be so many times the other: both named rows of a contest (or rows that were found already)."""
    text = f"≥ {asked:g} ×"
    if group:
        mine = group.row(mine) if isinstance(mine, str) else mine
        other = group.row(other) if isinstance(other, str) else other
    if not group or not mine or not other:
        return missing(goal, what, text)
    ratio = group.ratio(mine, other)
    found = f"{ratio:.2f} × ({other.name})".replace("|", "\\|")
    return Check(goal, what, text, found, round(ratio, 2) >= asked)


def at_most(goal, what, asked, value, unit, digits=2):
    text = f"≤ {asked:g} {unit}"
    if value is None:
        return missing(goal, what, text)
    return Check(goal, what, text, f"{value:,.{digits}f} {unit}", value <= asked)


def last(results, name, **params):
    """The contest of this name and these parameters; of several, the one of the greatest size."""
    found = [group for group in results.named(name) if params.items() <= group.params.items()]
    return max(found, key=lambda group: group.params.get("size", group.params.get("count", 0)), default=None)


def best(group, strong=None):
    """The best peer: of all, or of those that verify, or of those that do not."""
    return group and group.best(lambda row: strong is None or row.strong == strong)


def large_down(results):
    group, what = last(results, "down"), "download to a file"
    yield at_least("1", f"{what}, against the best unverified", 1.1, group, "muxftp", best(group, False))
    yield at_least("1", f"{what}, against the best verified", 2.5, group, "muxftp", best(group, True))
    group, what = last(results, "down-null"), "download to nothing"
    limit = next((row for row in group.good if row.limit), None) if group else None
    # Level with the limit: a twentieth is what two runs of the same differ by.
    yield at_least("1", f"{what}, against SHA-256 alone on one core", 0.95, group, "muxftp", limit)
    yield at_least("1", f"{what}, --no-verify", 1.0, group, "muxftp --no-verify", "lighttpd + curl")


def large_up(results):
    group = last(results, "up")
    yield at_least("2", "upload, against the best unverified", 1.0, group, "muxftp", best(group, False))
    yield at_least("2", "upload, against rsync", 1.0, group, "muxftp", "rsync daemon")


def small(results):
    for way in ("down", "up"):
        group = last(results, f"small-{way}")
        yield at_least("3", f"tree of small files {way}, against rsync", 2.0, group, "muxftp", "rsync daemon")
    group = last(results, "durability-small")
    yield at_least("3", "full durability, against a sync for each file", 5.0, group, "muxftp, full", group and naive(group))


def naive(group):
    return next((row for row in group.good if not row.mine and row.name.startswith("a sync")), None)


def long_path(results):
    """Within twice the time of the bytes alone; as fast as the fastest with as many streams."""
    for control in ("bbr", "cubic"):
        for name, way in (("wan-small", "down"), ("wan-small-up", "up")):
            group = last(results, name, control=control)
            limit = group and top(group, lambda row: row.limit)
            mine = group and top(group, lambda row: row.ours)
            yield at_least("4", f"small files {way} over the long path ({control}), against the bytes alone", 0.5, group, mine, limit)
        group = last(results, "wan-large", control=control)
        mine = group and top(group, lambda row: row.ours)
        limit = group and top(group, lambda row: row.limit)
        yield at_least("4", f"large file over the long path ({control}), against the best of iperf3", 1.0, group, mine, limit)


def top(group, keep):
    return max((row for row in group.good if keep(row)), key=lambda row: row.figure, default=None)


def sessions(results):
    come, stay = last(results, "connects"), last(results, "requests")
    mine, other = come and come.row("muxftp"), stay and stay.row("nginx")
    value = other.figure / mine.figure if mine and other else None
    yield at_most("5", "time of a connect and `hello`, in keep-alive requests of nginx", 1.5, value, "×")
    other = come and come.row("nginx")
    value = other.figure / mine.figure if mine and other else None
    yield at_most("5", "the same, in connects with one request of nginx", 1.5, value, "×")
    group = last(results, "idle")
    row = group and group.row("muxftp")
    yield at_most("5", "memory of an idle session", IDLE_KIB, row and row.figure, "KiB", 1)
    many, ten = (last(results, "many-down", crowd=crowd) for crowd in (True, False))
    mine, other = (group and group.row("muxftp") for group in (many, ten))
    ratio = mine.figure / other.figure if mine and other else None
    text = f"{ratio:.2f} ×" if ratio else "–"
    yield Check("5", "aggregate of a thousand transfers at once, against ten", "≥ 0.95 ×", text, ratio and ratio >= 0.95)
    yield at_most("5", "slowest of them, against the median", 1.5, mine and mine.extra("fairness"), "×")
    yield at_most("5", "`ping` beside them, p99", PING_MS, mine and mine.extra("ping p99 ms"), "ms", 1)


def growth(results):
    for way in ("down", "up"):
        groups = results.named(f"scale-{way}")
        rows = {group.params["count"]: group.row("muxftp") for group in groups if group.row("muxftp")}
        least, most = min(rows, default=0), max(rows, default=0)
        what = f"time of a file {way}, {most:,} files against {least:,}"
        yield at_most("6", what, FLAT, rows[most].figure / rows[least].figure if least < most else None, "×")
        peak = rows[most].median("client_peak") / MIB if rows else None
        yield at_most("6", f"client's memory for {most:,} files {way}", TREE_MIB, peak, "MiB", 0)
    group = last(results, "scale-bytes")
    rows = {row.extra("bytes"): row for row in group.good} if group else {}
    # A start takes a millisecond or two: that of a small file is no time of bytes.
    large = {size: row for size, row in rows.items() if size >= 256 * MIB}
    value = large[max(large)].figure / large[min(large)].figure if len(large) > 1 else None
    span = f"{max(large) / GIB:g} GiB against {min(large) / GIB:g}" if large else "from large to larger"
    yield at_most("6", f"time of a byte, {span}", FLAT, value, "×")
    yield from listings(results)


def listings(results):
    rows = {group.params["count"]: group.row("muxftp ls -l") for group in results.named("list")}
    rows = {count: row for count, row in rows.items() if row}
    few = min((count for count in rows if count >= 10_000), default=0)
    value = rows[few].figure / rows[max(rows)].figure if few and few < max(rows) else None
    yield at_most("6", f"time of an entry, of {max(rows, default=0):,} against {few:,}", FLAT, value, "×")
    most = max((count for count in rows if count <= LISTED), default=0)
    for side in ("client", "server"):
        value = None
        if few and few < most:
            value = (rows[most].median(f"{side}_peak") - rows[few].median(f"{side}_peak")) / MIB
        what = f"{side}'s memory for a listing of {most:,} entries, above that of {few:,}"
        yield at_most("6", what, 2, value, "MiB", 1)


def loops(results):
    group = last(results, "reactors")
    yield at_least("7", "two loops against one", 1.5, group, "muxftp --reactors 2", "muxftp --reactors 1")
