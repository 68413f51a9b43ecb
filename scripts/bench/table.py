"""Markdown tables of what was measured: medians, spread, ratios, processor seconds, memory, and the command lines."""

import re
import sys


def of_group(group):
    """The table of one contest, as text."""
    ours = [row for row in group.good if row.ours]
    head = ["who", "verifies", group.unit, "lowest–highest", *(f"{row.name} is" for row in ours)]
    head += [heading for heading, _, _ in group.columns]
    head += ["client cpu s", "server cpu s", "client MiB", "server MiB", "rounds"]
    lines = [f"### {group.title}", "", *grid(head, [cells(group, row, ours) for row in group.good]), ""]
    lines += [f"{row.name}: failed, {first_line(row.failure)}  " for row in group.all if row.failure]
    lines += [f"{note}  " for note in [*group.notes, *noise(group), *mixed(group)]]
    return "\n".join(lines).rstrip() + "\n"


def cells(group, row, ours):
    figures = sorted(one["figure"] for one in row.rounds)
    shown = [number(figure, group.digits) for figure in (figures[0], figures[-1])]
    name = row.name.replace("|", "\\|")
    name = f"**{name}**" if row.ours else f"*{name}*" if row.limit else name
    found = [name, row.verifies, number(row.figure, group.digits), "–".join(shown)]
    found += ["" if mine is row else f"× {group.ratio(mine, row):.2f}" for mine in ours]
    for _, key, digits in group.columns:
        value = row.extra(key)
        found.append("" if value is None else number(value, digits))
    found += [f"{row.median('client_cpu'):.2f}", f"{row.median('server_cpu'):.2f}"]
    return found + [mebi(row.median("client_peak")), mebi(row.median("server_peak")), str(len(row.rounds))]


def grid(head, rows, words=(0, 1)):
    """A markdown table with aligned columns, all but `words` to the right."""
    lines = [head, *rows]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(head))]

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


def noise(group):
    """A line if somebody else used the processors meanwhile."""
    rounds = [one for row in group.good for one in row.rounds]
    total = sum(one["seconds"] for one in rounds)
    busy = sum(one["foreign_cpu"] for one in rounds)
    if total and busy / total > 0.15:
        yield f"(Others used {busy / total:.2f} cores meanwhile: figures are low and uneven.)"


def mixed(group):
    """A line if the rows are not of one run: then ratios are less sure."""
    runs = sorted({row.run for row in group.rows.values()})
    if len(runs) > 1:
        yield f"(Rows of {len(runs)} runs: {', '.join(runs)}.)"


def commands(group):
    """The command lines as they were run, with the long folder names shortened."""
    lines = [f"{row.name}: {row.command}" for row in group.all if row.command]
    return "```text\n" + "\n".join(lines) + "\n```\n" if lines else ""


def shortener(folder, programs):
    """Makes a function that takes the folders of this machine out of a text."""

    def shorten(text):
        for name in (programs.server, programs.client, programs.load):
            if name:
                text = text.replace(name, name.rsplit("/", 1)[-1])
        text = text.replace(sys.executable, "python3")
        text = re.sub(r"\s+", " ", text.replace(folder, "$TMP"))
        return re.sub(r"(?<![\w$.])/(?:\S*/)?scripts/bench/", "scripts/bench/", text).strip()

    return shorten


def first_line(text):
    return text.strip().splitlines()[0][:200] if text.strip() else "no word why"
