# SPDX-License-Identifier: MIT
"""Numbers as people read them, and the table for the terminal."""

from runner.programs import OURS
from runner.results import plural
from runner.workloads import MEMORY, SPEEDUP

HEAD = (f"{'workload':<20} {'workers':>7}  {'median':>13}  {'(min - max)':<19} {'runs':>4}"
        "  peak memory")


def number(value):
    """A number, with three digits or more."""
    return f"{value:,.{0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2}f}"


def times(ratio):
    """A ratio, with two digits or more."""
    return f"{ratio:,.{0 if ratio >= 9.95 else 1 if ratio >= 0.995 else 2}f}x"


def spread(summary):
    """The least and the most."""
    return f"({number(summary.least)} - {number(summary.most)})"


def lines(results, workload):
    """A line for each number of workers and each figure of a workload: ours, then the peers."""
    for workers, figure in workload.rows():
        cells = [peer(results, name, workload, workers, figure) for name in results.peers()]
        ours = results.summary(OURS, workload, workers, figure)
        if ours or any(cells) or results.failed(OURS, workload, workers):
            label = label_of(workload, figure)
            yield (f"{label:<20} {workers:>7}  {row(results, ours, workload, workers, figure)}"
                   + "".join(filter(None, cells)))


def row(results, ours, workload, workers, figure):
    """Ours: a figure, its spread, the number of runs, the peak memory."""
    if ours is None:
        return f"{'failed' if results.failed(OURS, workload, workers) else '-':>13}"
    memory = results.summary(OURS, workload, workers, MEMORY)
    return (f"{number(ours.median):>7} {workload.unit_of(figure):<5}  {spread(ours):<19} "
            f"{ours.runs:>4}  {number(memory.median):>8} MB")


def peer(results, name, workload, workers, figure):
    """A peer: how many times ours its figure is, or the figure; nothing when it has none."""
    theirs = results.summary(name, workload, workers, figure)
    if theirs is None:
        return ""
    ratio = results.ratio(name, workload, workers, figure)
    return f"  {name} " + (times(ratio) if ratio else number(theirs.median))


def label_of(workload, figure):
    """A workload's name, with the figure's when it has others."""
    if figure == SPEEDUP:
        return f"{workload.name}, 1 over 2"
    return workload.name if (figure,) == workload.figures else f"{workload.name}, {figure}"


def row_label(workload, workers, figure):
    """What tells apart the rows of one workload."""
    return f"{figure}, {plural(workers)}" if len(workload.figures) > 1 else plural(workers)
