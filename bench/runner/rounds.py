# SPDX-License-Identifier: MIT
"""Runs a workload's programs in turn: ours, a peer, ours, the next peer, ..., round by round."""

import math

from runner import child
from runner.results import Problem, Sample
from runner.workloads import MEMORY, PROCESSOR


class Rounds:
    """Measures workloads into `results`.  What cannot run, or hangs, is not tried again."""

    def __init__(self, results, ours, peers, rounds):
        self.results, self.ours, self.peers, self.rounds = results, ours, peers, rounds
        self.given_up = set()

    def measure(self, workload):
        """Runs all rounds of a workload.  The numbers of workers take turns as well."""
        for turn in range(self.rounds):
            for workers in workload.workers:
                for place, program in enumerate(self.order(workload, workers)):
                    self.run(program, workload, workers, (turn, place))

    def order(self, workload, workers):
        """Who runs in a round: ours before each peer, or once when there is none."""
        peers = [peer for peer in self.peers if self.runnable(peer, workload, workers)]
        ours = [self.ours] if self.runnable(self.ours, workload, workers) else []
        return [program for peer in peers for program in (*ours, peer)] or ours

    def runnable(self, program, workload, workers):
        """Whether it is worth trying."""
        return (program.can(workload, workers)
                and (program.name, workload.name, workers) not in self.given_up)

    def run(self, program, workload, workers, turn):
        """Runs a program once, and notes what came of it."""
        what = program.name, workload.name, workers
        if what in self.given_up:  # since the round began
            return
        ending = child.run(program.command(workload, workers))
        if ending.status == child.SKIPPED:
            self.results.skips.append(Problem(*what, ending.reason()))
            self.given_up.add(what)
        elif ending.status != 0:
            self.results.failures.append(Problem(*what, ending.failure()))
            if ending.status is None:
                self.given_up.add(what)
        else:
            self.note(what, turn, workload.figures, ending)

    def note(self, what, turn, names, ending):
        """Notes the figures of a run that ended well: a failure after all if they are not."""
        try:
            figures = parse(names, ending.stdout)
        except ValueError as error:
            self.results.failures.append(Problem(*what, str(error)))
            return
        figures[MEMORY] = round(ending.megabytes, 3)
        figures[PROCESSOR] = round(ending.seconds, 4)
        self.results.samples.append(Sample(*what, *turn, figures))


def parse(names, text):
    """The figures that a program printed, by their names."""
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        values = []
    if (len(values) != len(names) or len(text.strip().splitlines()) != 1
            or not all(map(math.isfinite, values))):
        raise ValueError(f"printed {text.strip()[:60]!r} for {' and '.join(names)}")
    return dict(zip(names, values))
