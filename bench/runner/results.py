# SPDX-License-Identifier: MIT
"""What was measured: samples, and what did not run; their statistics; and their file."""

import json
import os
import statistics
from collections import Counter
from dataclasses import asdict, dataclass

from runner.programs import OURS
from runner.workloads import SPEEDUP


@dataclass
class Sample:
    """One run that went well: `figures` has what it printed and what was measured around it."""

    program: str
    workload: str
    workers: int
    round: int
    place: int  # in the round: ours runs before each peer
    figures: dict


@dataclass(frozen=True)
class Problem:
    """One run that failed, or that the program cannot do."""

    program: str
    workload: str
    workers: int
    reason: str


@dataclass
class Summary:
    """The statistics of one figure."""

    median: float
    least: float
    most: float
    runs: int


class Results:
    """All that was measured; `about` says where and how, `missing` which peers are not there."""

    def __init__(self, about, missing):
        self.about, self.missing = about, missing
        self.samples, self.failures, self.skips = [], [], []

    def peers(self):
        """The names of the peers that were measured."""
        return list(self.about["peers"])

    def programs(self):
        """Ours, and the peers."""
        return [OURS, *self.peers()]

    def values(self, program, workload, workers, figure):
        """A figure of every run, by its round and place."""
        if figure == SPEEDUP:
            one, two = (self.values(program, workload, number, "time") for number in (1, 2))
            return {turn: one[turn] / two[turn] for turn in one if two.get(turn)}
        return {(sample.round, sample.place): sample.figures[figure] for sample in self.samples
                if (sample.program, sample.workload, sample.workers)
                == (program, workload.name, workers) and figure in sample.figures}

    def summary(self, program, workload, workers, figure):
        """The statistics of a figure, or None when no run had it."""
        values = self.values(program, workload, workers, figure).values()
        if not values:
            return None
        return Summary(statistics.median(values), min(values), max(values), len(values))

    def ratio(self, peer, workload, workers, figure):
        """How many times as much a peer takes as ours, by the medians; None when unknown."""
        theirs, ours = (self.summary(program, workload, workers, figure)
                        for program in (peer, OURS))
        if figure == SPEEDUP or not theirs or not ours or min(theirs.median, ours.median) <= 0:
            return None
        return theirs.median / ours.median

    def failed(self, program, workload, workers):
        """Whether a run of this failed."""
        return any((failure.program, failure.workload, failure.workers)
                   == (program, workload.name, workers) for failure in self.failures)

    def problems(self):
        """A line for everything that did not run, or not well."""
        lines = [f"{name} was not measured: {reason}" for name, reason in self.missing.items()]
        for what, problems in (("failed", self.failures), ("skipped", self.skips)):
            for problem, times in Counter(problems).items():
                lines.append(f"{problem.program}, {problem.workload}, {plural(problem.workers)}: "
                             f"{what}{f' {times} times' if times > 1 else ''}: {problem.reason}")
        for name, workloads in self.about["left out"].items():
            lines.append(f"{name} has no " + ", ".join(workloads))
        return lines

    def save(self, path):
        """Writes all of it to a file, which is never there in part."""
        parts = [f'"about": {json.dumps(self.about, indent=1)}',
                 f'"missing": {json.dumps(self.missing, indent=1)}']
        for kind in ("samples", "failures", "skips"):
            lines = ",\n".join(json.dumps(asdict(item)) for item in getattr(self, kind))
            parts.append(f'"{kind}": [\n{lines}\n]')
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write("{" + ",\n".join(parts) + "}\n")
        os.replace(path + ".new", path)


def load(path):
    """The results in a file that save() wrote."""
    with open(path, encoding="utf-8") as file:
        read = json.load(file)
    results = Results(read["about"], read["missing"])
    results.samples = [Sample(**item) for item in read["samples"]]
    results.failures = [Problem(**item) for item in read["failures"]]
    results.skips = [Problem(**item) for item in read["skips"]]
    return results


def plural(workers):
    """A number of workers, in words."""
    return "1 worker" if workers == 1 else f"{workers} workers"
