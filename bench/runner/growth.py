# SPDX-License-Identifier: MIT
"""growth.svg: cost per operation against how many there are, both logarithmic."""

import math
from html import escape

from runner.marks import mark, style

WIDTH, HEIGHT = 960, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 690, 50, 460


class Scale:
    """A logarithmic axis from one place to another."""

    def __init__(self, values, begin, end):
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.begin, self.end = begin, end

    def at(self, value):
        """Where a value is."""
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + part * (self.end - self.begin)

    def decades(self):
        """The powers of ten on it."""
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def grid(across, up):
    """The lines and labels of both axes."""
    for value in across.decades():
        x = across.at(value)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{BOTTOM}"/>'
        yield f'<text class="quiet" x="{x:.1f}" y="{BOTTOM + 20}" text-anchor="middle">{value:,.0f}</text>'
    for value in up.decades():
        y = up.at(value)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"/>'
        yield f'<text class="quiet" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.0f}</text>'


def line(i, points, across, up):
    """One workload's line with its marks."""
    places = [(across.at(count), up.at(cost)) for count, cost in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline class="l{i}" points="{path}"/>'
    for (x, y), (count, cost) in zip(places, points):
        yield mark(i, x, y, f"{count:,}: {cost:,.1f} ns")


def labels(names, ends, up):
    """The names beside the ends of the lines, moved apart where they would overlap."""
    y = -math.inf
    for i in sorted(range(len(names)), key=lambda i: up.at(ends[i])):
        y = max(up.at(ends[i]) + 4, y + 16)
        yield mark(i, RIGHT + 16, y - 4)
        yield f'<text x="{RIGHT + 28}" y="{y:.1f}">{escape(names[i])}</text>'


def picture(curves):
    """The picture of {name: [(count, ns), ...]}."""
    points = [point for curve in curves.values() for point in curve]
    across = Scale([count for count, _ in points], LEFT, RIGHT)
    up = Scale([cost for _, cost in points], BOTTOM, TOP)
    names = list(curves)
    lines = [part for i, name in enumerate(names) for part in line(i, curves[name], across, up)]
    ends = [curves[name][-1][1] for name in names]
    strokes = "".join(f".l{i}{{fill:none;stroke-width:1.5;stroke:currentColor}}" for i in range(10))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="Cost against count">',
        f"<style>{style()}{strokes}polyline{{color:#8a94a0}}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT - 50}" y="28">Nanoseconds an operation, with so many '
        f'fibers (timers, descriptors)</text>',
        *grid(across, up), *lines, *labels(names, ends, up), "</svg>", ""])
