"""Markdown: one table a contest, medians, spread, ratios, processor seconds, memory; then the raw command lines."""

import re


def of_contest(contest):
    """The table of one contest, as text."""
    ours = [entry for entry in contest.entries if entry.ours and entry.costs]
    head = ["who", "verifies", contest.unit, "lowest–highest", *(f"{entry.name} is" for entry in ours)]
    head += [heading for heading, _, _ in contest.columns]
    head += ["client cpu s", "server cpu s", "client MiB", "server MiB"]
    rows = [row(contest, entry, ours) for entry in contest.entries if entry.costs]
    lines = [f"### {contest.title}", "", *grid(head, rows), ""]
    lines += [f"{entry.name}: failed, {first_line(entry.failure)}  " for entry in contest.entries if entry.failure]
    lines += [f"{note}  " for note in contest.notes]
    noisy = noise(contest)
    if noisy:
        lines += [noisy]
    return "\n".join(lines).rstrip() + "\n"


def row(contest, entry, ours):
    figures = sorted(contest.figure(cost) for cost in entry.costs)
    shown = [number(figure, contest.digits) for figure in (figures[0], figures[-1])]
    name = entry.name.replace("|", "\\|")
    name = f"**{name}**" if entry.ours else f"*{name}*" if entry.limit else name
    cells = [name, entry.verifies, number(contest.median(entry), contest.digits), "–".join(shown)]
    cells += ["" if mine is entry else f"× {contest.ratio(mine, entry):.2f}" for mine in ours]
    for _, key, digits in contest.columns:
        value = entry.median_of_extra(key)
        cells.append("" if value is None else number(value, digits))
    cells += [f"{entry.median('client_cpu'):.2f}", f"{entry.median('server_cpu'):.2f}"]
    cells += [mebi(entry.median("client_peak")), mebi(entry.median("server_peak"))]
    return cells


def grid(head, rows):
    """A markdown table with aligned columns, numbers to the right."""
    cells = [head, *rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    words = (0, 1)

    def line(values):
        padded = [
            value.ljust(width) if column in words else value.rjust(width)
            for column, (value, width) in enumerate(zip(values, widths))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width if column in words else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return [line(head), "| " + " | ".join(rule) + " |", *(line(values) for values in rows)]


def number(value, digits):
    return f"{value:,.{digits}f}"


def mebi(size):
    if size <= 0:
        return "–"
    return f"{size / (1 << 20):.1f}" if size < 100 << 20 else f"{size / (1 << 20):.0f}"


def noise(contest):
    """A line if somebody else used the processors meanwhile."""
    busy = total = 0.0
    for entry in contest.entries:
        for cost in entry.costs:
            busy += cost.foreign_cpu
            total += cost.seconds
    if total and busy / total > 0.15:
        return f"(Others used {busy / total:.2f} cores meanwhile: figures are low and uneven.)"
    return ""


def commands(contest, folder, programs):
    """The command lines as they were run, with the long folder names shortened."""
    lines = []
    for entry in contest.entries:
        line = entry.command if isinstance(entry.command, str) else entry.command.__doc__
        lines.append(f"{entry.name}: {shorten(line or '', folder, programs)}")
    return lines


def shorten(command, folder, programs):
    for name in (programs.server, programs.client, programs.load):
        if name:
            command = command.replace(name, name.rsplit("/", 1)[-1])
    return re.sub(r"\s+", " ", command.replace(folder, "$TMP"))


def first_line(text):
    return text.strip().splitlines()[0]
