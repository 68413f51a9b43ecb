"""SVG plots of the contests that are points of a chart; nothing but text is written.

Colours are of middle lightness and the ground follows the reader's scheme, so that a plot is readable on light and dark.
"""

import math
import os
from html import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 84, 190, 52, 60
COLOURS = ["#d1495b", "#2e86ab", "#5a9f3c", "#b07d2b", "#8b6ec7", "#6c7c88"]
# Each line has its own mark too, for who does not tell the colours apart.
MARKS = ["circle", "square", "diamond", "triangle", "cross", "ring"]

# Chart -> title, x axis, y axis, y figure of a row (None: the contest's), whether y is logarithmic.
CHARTS = {
    "connections": ("Throughput against connections at once", "connections", "GiB/s", None, False),
    "sizes-down": ("Trees of small files, down", "size of a file", "files/s", None, True),
    "sizes-up": ("Trees of small files, up", "size of a file", "files/s", None, True),
    "memory": ("Memory of the server against idle sessions", "sessions", "MiB", "server_peak", True),
}
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .line { fill: none; stroke-width: 2.2 }
  .ground { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .grid { stroke: #3d444d } .ground { fill: #0d1117 }
  }
"""


def draw(results, folder):
    """Draws each chart that the results have points for; gives the names of the files."""
    os.makedirs(folder, exist_ok=True)
    written = []
    for chart, (title, x_name, y_name, key, log_y) in CHARTS.items():
        lines = series(results, chart, key)
        if not lines:
            continue
        path = os.path.join(folder, f"{chart}.svg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(svg(title, x_name, y_name, lines, log_y))
        written.append(path)
    return written


def series(results, chart, key):
    """Name -> points, in the order of x."""
    lines = {}
    for group in results.groups:
        if not group.plot or group.plot["chart"] != chart:
            continue
        for row in group.good:
            value = row.median(key) / (1 << 20) if key else row.figure
            name = row.name.partition(" (")[0]
            if value > 0:
                lines.setdefault(name, []).append((group.plot["x"], value))
    return {name: sorted(points) for name, points in lines.items()}


class Axis:
    """From values to pixels."""

    def __init__(self, values, begin, end, log):
        self.log, self.begin, self.end = log, begin, end
        self.low, self.high = (min(values), max(values)) if log else (0.0, max(values) * 1.08)
        if log:
            self.low, self.high = self.low * 0.8, self.high * 1.25

    def at(self, value):
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self):
        """Round values to mark."""
        if not self.log:
            step = 10 ** math.floor(math.log10(self.high))
            step = next(step * part for part in (1, 0.5, 0.2, 0.1) if self.high / (step * part) >= 4)
            return [step * number for number in range(int(self.high / step) + 1)]
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        found = [10.0**power * part for power in range(first, last + 1) for part in (1, 2, 5)]
        found = [value for value in found if self.low <= value <= self.high]
        return found if len(found) <= 8 else [value for value in found if f"{value:e}"[0] == "1"]


def svg(title, x_name, y_name, lines, log_y):
    xs = sorted({x for points in lines.values() for x, _ in points})
    ys = [y for points in lines.values() for _, y in points]
    across = Axis(xs, LEFT, WIDTH - RIGHT, True)
    upwards = Axis(ys, HEIGHT - BOTTOM, TOP, log_y)
    middle = (TOP + HEIGHT - BOTTOM) / 2
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        text(LEFT, 28, title, "start", 'class="title"'),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, axis(x_name, True)),
        text(20, middle, axis(y_name, log_y), "middle", f'transform="rotate(-90 20 {middle:.1f})"'),
    ]
    for value in upwards.ticks():
        y = upwards.at(value)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(text(LEFT - 8, y + 4, short(value), "end"))
    for value in xs:
        x = across.at(value)
        out.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        out.append(text(x, HEIGHT - BOTTOM + 20, size(value) if "size" in x_name else f"{value:,}"))
    return "\n".join([*out, *curves(lines, across, upwards), "</svg>", ""])


def axis(name, log):
    return f"{name} (logarithmic)" if log else name


def curves(lines, across, upwards):
    """The lines with their marks, and the legend in the order of the lines' ends."""
    out, legend = [], []
    for number, (name, points) in enumerate(lines.items()):
        colour, kind = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
        places = [(across.at(x), upwards.at(y)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        out.append(f'<polyline class="line" stroke="{colour}" points="{path}"/>')
        out += [mark(kind, x, y, colour) for x, y in places]
        legend.append((places[-1][1], name, colour, kind))
    x = WIDTH - RIGHT + 18
    for number, (_, name, colour, kind) in enumerate(sorted(legend)):
        y = TOP + 12 + 22 * number
        out.append(f'<line class="line" stroke="{colour}" x1="{x}" x2="{x + 22}" y1="{y}" y2="{y}"/>')
        out.append(mark(kind, x + 11, y, colour))
        out.append(text(x + 30, y + 4, name, "start"))
    return out


def mark(kind, x, y, colour):
    """A point's sign."""
    if kind in ("circle", "ring"):
        fill = colour if kind == "circle" else "none"
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{colour}" stroke-width="1.6"/>'
    shape = {
        "square": "M-3.6-3.6h7.2v7.2h-7.2z",
        "diamond": "M0-5L5 0L0 5L-5 0z",
        "triangle": "M0-5L4.6 3.6H-4.6z",
        "cross": "M-4-4L4 4M-4 4L4-4",
    }[kind]
    place = f'transform="translate({x:.1f} {y:.1f})"'
    return f'<path {place} d="{shape}" fill="{colour}" stroke="{colour}" stroke-width="1.6"/>'


def text(x, y, words, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(words)}</text>'.replace(" >", ">")


def short(value):
    """1,000 as 1k."""
    if value >= 1000:
        return f"{value / 1000:,.0f}k"
    return f"{value:g}" if value >= 1 or value == 0 else f"{value:.2g}"


def size(value):
    return f"{value // (1 << 20)} MiB" if value >= 1 << 20 else f"{value // (1 << 10)} KiB"
