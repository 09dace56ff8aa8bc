# SPDX-License-Identifier: MIT
"""results.svg: how many times as much each peer takes as ours, on a logarithmic axis."""

import math
from html import escape

from runner.marks import mark, style
from runner.plain import number, row_label, times
from runner.programs import OURS
from runner.workloads import SPEEDUP, WORKLOADS

WIDTH, MARGIN = 960, 20
LEFT, RIGHT = 270, 845  # the ends of the axis
LANE = 11  # a mark's width, and the height of a lane of a row's marks
ROW, GAP = 20, 10  # the height of a row with one lane; what is between the groups
STEPS = (1, 2, 5)


class Axis:
    """The logarithmic axis, from LEFT to RIGHT; its ends are steps that enclose the ratios."""

    def __init__(self, ratios):
        low = floor_step(min([0.8, *ratios]) * 0.95)
        high = 1 / floor_step(1 / (max([2, *ratios]) * 1.05))
        self.low, self.span = math.log10(low), math.log10(high / low)
        self.decade = (RIGHT - LEFT) / self.span  # its width

    def x(self, ratio):
        """Where a ratio is."""
        return LEFT + (math.log10(ratio) - self.low) * self.decade

    def ticks(self):
        """The ratios with a line and a label: 1, 2, 5, 10, ... or, for want of room, 1, 10, ..."""
        steps = STEPS if self.decade >= 140 else STEPS[:1]
        first, last = math.floor(self.low), math.ceil(self.low + self.span)
        ticks = [step * 10.0 ** power for power in range(first, last + 1) for step in steps]
        return [tick for tick in ticks if LEFT - 1 <= self.x(tick) <= RIGHT + 1]


def floor_step(value):
    """The greatest of ..., 0.5, 1, 2, 5, 10, ... that is not above the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return power * max(step for step in STEPS if step * power <= value)


class Row:
    """A row: a workload's figure with a number of workers, and the peers' ratios in it."""

    def __init__(self, results, workload, workers, figure):
        self.label = row_label(workload, workers, figure)
        self.ours = results.summary(OURS, workload, workers, figure)
        self.unit = workload.unit_of(figure)
        self.ratios = {}
        for peer in results.peers():
            ratio = results.ratio(peer, workload, workers, figure)
            if ratio:
                self.ratios[peer] = ratio

    def lanes(self, axis):
        """Puts the marks that would cover one another in different lanes: peer to lane."""
        ends, lanes = [], {}
        for peer in sorted(self.ratios, key=self.ratios.get):
            x = axis.x(self.ratios[peer])
            lane = next((i for i, end in enumerate(ends) if end <= x), len(ends))
            ends[lane:lane + 1] = [x + LANE]
            lanes[peer] = lane
        return lanes

    def height(self, axis):
        """The height, which all its lanes fit into."""
        return ROW + max(self.lanes(axis).values()) * LANE


def picture(results):
    """The SVG as text, or None when there is nothing to compare."""
    groups = {}
    for name in results.about["workloads"]:
        workload = WORKLOADS[name]
        rows = [Row(results, workload, *row) for row in workload.rows() if row[1] != SPEEDUP]
        if any(row.ratios for row in rows):
            groups[name] = [row for row in rows if row.ratios]
    if not groups:
        return None
    axis = Axis([ratio for rows in groups.values() for row in rows
                 for ratio in row.ratios.values()])
    index = {peer: i for i, peer in enumerate(results.peers())}
    legend, top = draw_legend(index, 64)
    top += 34
    bands, rows, bottom = draw_groups(groups, axis, index, top)
    height = bottom + 44
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        f"<title>{TITLE}</title>", f"<style>{style()}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        text(MARGIN, 30, TITLE, "title"), text(MARGIN, 50, ABOUT, "quiet"),
        *legend, *bands, *draw_axis(axis, top, bottom), *rows, "</svg>", ""))


TITLE = "How many times as much each peer takes as Fibers"
ABOUT = ("The ratio of the medians, on a logarithmic axis: right of the line, Fibers takes less.  "
         "Last column: Fibers itself.")


def text(x, y, words, kind, anchor="start"):
    """A line of text."""
    return (f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{escape(words)}</text>")


def draw_legend(index, top):
    """The peers' marks and names, in as many lines as they need; and where the last line is."""
    drawn, x, y = [], MARGIN + 6, top + 12
    for peer, i in index.items():
        width = 34 + 7.4 * len(peer)
        if x + width > WIDTH - MARGIN:
            x, y = MARGIN + 6, y + 20
        drawn += [mark(i, x, y - 4), text(x + 11, y, peer, "word")]
        x += width
    return drawn, y


def draw_axis(axis, top, bottom):
    """The lines and, above and below, what they stand for."""
    drawn = []
    for tick in axis.ticks():
        x, one = axis.x(tick), abs(tick - 1) < 1e-9
        drawn.append(f'<line class="{"one" if one else "grid"}" x1="{x:.1f}" y1="{top}" '
                     f'x2="{x:.1f}" y2="{bottom}"/>')
        for y in (top - 7, bottom + 17):
            drawn.append(text(x, y, f"{tick:,g}", "strong" if one else "quiet", "middle"))
    for y in (top - 7, bottom + 17):
        drawn.append(text(WIDTH - MARGIN, y, "Fibers", "strong", "end"))
    return drawn


def draw_groups(groups, axis, index, top):
    """The groups' bands, one for each, then their rows; and where the last ends."""
    bands, drawn, y = [], [], top
    for i, (name, rows) in enumerate(groups.items()):
        height = sum(row.height(axis) for row in rows) + GAP
        bands.append(f'<rect class="band{i % 2}" x="{MARGIN / 2}" y="{y}" '
                     f'width="{WIDTH - MARGIN}" height="{height}"/>')
        row_top = y + GAP / 2
        drawn.append(text(MARGIN, row_top + ROW / 2 + 4, name, "strong"))
        for row in rows:
            drawn += draw_row(row, axis, index, row_top)
            row_top += row.height(axis)
        y += height
    return bands, drawn, y


def draw_row(row, axis, index, top):
    """A row: its label, its marks, and our own figure."""
    lanes, middle = row.lanes(axis), top + ROW / 2  # of its first lane
    drawn = [text(LEFT - 12, middle + 4, row.label, "quiet", "end"),
             text(WIDTH - MARGIN, middle + 4, f"{number(row.ours.median)} {row.unit}", "quiet",
                  "end")]
    for peer, ratio in row.ratios.items():
        drawn.append(mark(index[peer], axis.x(ratio), middle + lanes[peer] * LANE,
                          f"{peer}: {times(ratio)}"))
    return drawn
