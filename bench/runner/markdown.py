# SPDX-License-Identifier: MIT
"""results.md: what was measured, as tables."""

from runner.plain import label_of, number, spread, times
from runner.programs import OURS
from runner.results import plural
from runner.workloads import MEMORY, PROCESSOR, SPEEDUP, TARGETS, WORKLOADS


def document(results, picture, fragments):
    """The whole of results.md; `picture` is the address of the SVG, or None."""
    workloads = [WORKLOADS[name] for name in results.about["workloads"]]
    parts = [head(results), targets(results, workloads)]
    if picture:
        parts.append(f"![How many times as much each peer takes as ours]({picture})")
    parts += [group(results, name, [workload for workload in workloads if workload.group == name])
              for name in dict.fromkeys(workload.group for workload in workloads)]
    parts += [measured(results, workloads, MEMORY,
                       "The most that the process had resident, in MB (10^6 bytes)."),
              measured(results, workloads, PROCESSOR,
                       "User and system time of the whole process, its start included, in s."),
              problems(results)]
    return "\n\n".join(part.strip() for part in parts + fragments) + "\n"


def head(results):
    """How it was produced, and on what."""
    about = results.about
    lines = about["machine"] | {"load average": f"{about['load']['before']} before, "
                                                f"{about['load']['after']} after"}
    lines |= {name: version for name, version in about["peers"].items() if version}
    return "\n\n".join((
        "# Results",
        "Made by", f"    {about['command']}",
        f"in {about['rounds']} rounds, in each of which the peers took turns, with a run of ours "
        "before each of them.\nA cell has the median, then the least and the most, and n, the "
        "number of runs.\n[README.md](README.md) says what the workloads are.",
        table(["", ""], [list(item) for item in lines.items()])))


def targets(results, workloads):
    """The section that holds ours against the targets."""
    rows = [target_row(results, WORKLOADS[target.workload], target) for target in TARGETS
            if WORKLOADS[target.workload] in workloads]
    return section("The target and what was measured",
                   "The median of ours has to be at or below the target; that of the speedup, at "
                   "or above.",
                   table(["workload", "target", "1 worker", "2 workers", "met"], rows))


def target_row(results, workload, target):
    """A row of that table."""
    name = label_of(workload, target.figure)
    wanted = list(dict.fromkeys(f"{value:,g}" for value in (target.one, target.two) if value))
    cells, verdicts = [], {}
    for workers in (1, 2):
        ours = None
        if target.of(workers) is not None:
            ours = results.summary(OURS, workload, workers, target.figure)
        if ours:
            verdicts[workers] = target.met_by(ours.median, workers)
        elif results.failed(OURS, workload, workers):
            verdicts[workers] = False
        cells.append(absent(results, OURS, workload, workers) if ours is None
                     else value_cell(ours))
    return [name, f"{' / '.join(wanted)} {workload.unit_of(target.figure)}", *cells,
            verdict(verdicts)]


def verdict(verdicts):
    """Whether a target was met, given that for each number of workers."""
    missed = [plural(workers) for workers, met in verdicts.items() if not met]
    if not missed:
        return "yes" if verdicts else "not measured"
    return "**no**" if len(missed) == len(verdicts) else f"**no** with {missed[0]}"


def group(results, name, workloads):
    """The section of a group: ours and the peers' figures."""
    rows = []
    for workload in workloads:
        for workers, figure in workload.rows():
            label = label_of(workload, figure)
            if figure != SPEEDUP:
                label += f", {plural(workers)}"
            rows.append([f"{label}, {workload.unit_of(figure)}"]
                        + cells_of(results, workload, workers, figure))
    about = "For a peer, then: how many times as much it takes as ours." if results.peers() else ""
    return section(name, about, table(["", *results.programs()], rows))


def measured(results, workloads, figure, about):
    """The section of a figure that is measured around every run."""
    rows = [[f"{workload.name}, {plural(workers)}"]
            + cells_of(results, workload, workers, figure, compared=False)
            for workload in workloads for workers in workload.workers]
    return section(figure.capitalize(), about, table(["", *results.programs()], rows))


def cells_of(results, workload, workers, figure, compared=True):
    """A row's cells: ours and each peer's; compared ones with their n and ratio."""
    cells = []
    for program in results.programs():
        summary = results.summary(program, workload, workers, figure)
        if summary is None:
            cells.append(absent(results, program, workload, workers))
        elif not compared:
            cells.append(f"{number(summary.median)} {spread(summary)}")
        else:
            ratio = program != OURS and results.ratio(program, workload, workers, figure)
            cells.append(value_cell(summary) + (f" **{times(ratio)}**" if ratio else ""))
    return cells


def value_cell(summary):
    """The median, the spread and the number of runs."""
    return f"{number(summary.median)} {spread(summary)} n={summary.runs}"


def absent(results, program, workload, workers):
    """What stands in for a figure that there is not."""
    return "failed" if results.failed(program, workload, workers) else "–"


def problems(results):
    """The section of what did not run."""
    return section("What did not run", "", "\n".join(
        f"- {line}" for line in results.problems()) or "Everything did.")


def section(title, about, body):
    """A section: a heading, a line of explanation, its table."""
    return "\n\n".join(part for part in (f"## {title}", about, body) if part)


def table(header, rows):
    """A table, the columns in line in the source as well."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in [header, *rows]]
    widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(header))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
             for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
