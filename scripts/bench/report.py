"""What a reader sees of the results: the facts, the goals, a table of the whole, the full tables; README's part, and that of
BENCHMARKS.md."""

import os

import goals
import table

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PLOTS = ("connections", "sizes-down", "sizes-up", "memory")

# Contests that are points of a plot are not in the table of the whole, nor those that are many of one kind.
ASIDE = ("scale-down", "scale-up", "scale-bytes", "list")

# README's rows: what most people would ask first.
GLANCE = (
    *("small-down", "small-up", "down", "down-null", "up", "tls-down", "tls-small-down"),
    *("many-down", "idle", "connects", "requests", "durability-small"),
    *("classic-stor", "classic-retr", "classic-logins", "classic-memory", "classic-retr-crowd", "classic-stor-crowd"),
)


def whole(results):
    """Everything, as markdown."""
    parts = [facts(results), versions(results), of_goals(results), summary(results)]
    for group in results.groups:
        parts.append(table.of_group(group))
        parts.append(table.commands(group))
    return "\n".join(part for part in parts if part)


def facts(results):
    """One line on the machine and the run."""
    run = results.newest
    machine = run["machine"]
    words = [
        f"{machine['cores']} cores of {machine['processor']}",
        f"{machine['memory'] / (1 << 30):.0f} GiB",
        f"Linux {machine['kernel']}",
        f"`{machine['congestion control']}` for everybody",
        "loopback, tmpfs, client and server on the same cores",
        f"muxftp {run['commit']}",
    ]
    lines = [", ".join(words) + "."]
    used = results.used()
    if len(used) > 1:
        commits = sorted({one["commit"] for one in used})
        lines.append(f"Rows are of {len(used)} runs, the newest of each ({', '.join(commits)}).")
    return " ".join(lines) + "\n"


def versions(results):
    found = results.newest["versions"]
    return "Peers: " + ", ".join(found[name] for name in sorted(found)) + ".\n" if found else ""


def of_goals(results):
    head, rows = goals.table(results)
    return "\n".join(table.grid(head, rows, words=range(5))) + "\n"


def summary(results):
    """One row a contest: ours with its cost, then every peer with its figure and how many times better ours is."""
    head = ["work", "muxftp", "verified peers", "peers that check less", "rounds"]
    rows = []
    for group in results.groups:
        if group.plot or group.name in ASIDE or not any(row.mine for row in group.good):
            continue
        peers = [row for row in group.good if not row.mine and not row.limit]
        cells = [against(group, [row for row in peers if row.strong == strong]) for strong in (True, False)]
        rows.append([group.title, ours(group), *cells, rounds(group)])
    return "\n".join(table.grid(head, rows, words=range(4))) + "\n" if rows else ""


def ours(group):
    """The shapes of ours: the compared one with processor seconds and memory of both sides, the others' figures."""
    found = []
    for row in sorted((row for row in group.good if row.mine), key=lambda row: (not row.ours, row.place)):
        text = f"{table.number(row.figure, group.digits)} {group.unit}"
        name = row.name.removeprefix("muxftp").strip(" ,")
        if not found:
            text = f"**{text}**" + cost(row)
        found.append(f"{name}: {text}" if name else text)
    return "; ".join(found)


def rounds(group):
    """How often ours was measured: the peers as often, or less where they are slow."""
    return str(max(len(row.rounds) for row in group.good if row.mine))


def cost(row):
    seconds = f"{row.median('client_cpu'):.2f} + {row.median('server_cpu'):.2f} s"
    memory = f"{table.mebi(row.median('client_peak'))} + {table.mebi(row.median('server_peak'))} MiB"
    return f" (cpu {seconds}, {memory})"


def against(group, peers):
    mine = next((row for row in group.good if row.ours), None)
    sign = 1 if group.less else -1
    found = []
    for row in sorted(peers, key=lambda row: sign * row.figure):
        ratio = f" (× {group.ratio(mine, row):.2f})" if mine else ""
        check = f" [{row.verifies}]" if row.verifies not in ("–", "SHA-256") else ""
        found.append(f"{row.name}{check} {table.number(row.figure, group.digits)}{ratio}".replace("|", "\\|"))
    return ", ".join(found) or "–"


def growth(results):
    """How cost grows with the work: a table for files, one for bytes, one for entries of a listing."""
    parts = []
    for names, head in ((("scale-down", "scale-up"), "tree"), (("list",), "listing")):
        rows = []
        for group in (group for name in names for group in results.named(name)):
            for row in group.good:
                figure = f"{table.number(row.figure, group.digits)} {group.unit}"
                peaks = [table.mebi(row.median(f"{side}_peak")) for side in ("client", "server")]
                rows.append([group.title, row.name.replace("|", "\\|"), figure, *peaks])
        if rows:
            parts.append("\n".join(table.grid([head, "who", "time", "client MiB", "server MiB"], rows)) + "\n")
    for group in results.named("scale-bytes"):
        sizes = [f"{row.name.partition(', ')[2]} {table.number(row.figure, group.digits)}" for row in group.good]
        parts.append(f"{group.title} ({group.unit}): {', '.join(sizes)}.\n")
    return "\n".join(parts)


def glance(results):
    """README's table: ours, and the best of the peers of either kind."""
    head = ["work", "muxftp", "best peer that verifies as much", "best peer that checks less", "rounds"]
    rows = []
    for group in results.groups:
        mine = next((row for row in group.good if row.ours), None)
        # Beside thousands of idle sessions the classic rows are told in the other table.
        if group.name not in GLANCE or not mine or group.params.get("idle"):
            continue
        best = [group.best(lambda row, strong=strong: row.strong == strong) for strong in (True, False)]
        cells = [against(group, [row] if row else []) for row in best]
        name = mine.name.removeprefix("muxftp").strip(" ,")
        figure = f"**{table.number(mine.figure, group.digits)} {group.unit}**"
        rows.append([group.title, f"{figure} {name}".strip(), *cells, rounds(group)])
    return "\n".join(table.grid(head, rows, words=range(4))) + "\n" if rows else ""


def readme(results, path):
    """README's part: the table at a glance."""
    rewrite(path, [facts(results), glance(results)])


def benchmarks(results, path, plots):
    """BENCHMARKS.md's part: every contest in a row, the goals, growth, plots."""
    folder = os.path.relpath(plots, os.path.dirname(os.path.abspath(path)))
    parts = [facts(results), versions(results), summary(results), of_goals(results), growth(results)]
    rewrite(path, [*parts, pictures(folder, plots)])


def rewrite(path, parts):
    """Writes a file's part between its two marks; fails if they are not there."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{path} has no {BEGIN} … {END}")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([before + BEGIN, *(part for part in parts if part), END + after]))


def pictures(folder, plots):
    found = [name for name in PLOTS if os.path.exists(os.path.join(plots, f"{name}.svg"))]
    return "".join(f"![{alt(name)}]({folder}/{name}.svg)\n" for name in found)


def alt(name):
    return {
        "connections": "Throughput against connections",
        "sizes-down": "Files a second against their size, down",
        "sizes-up": "Files a second against their size, up",
        "memory": "Memory of the server against idle sessions",
    }[name]
