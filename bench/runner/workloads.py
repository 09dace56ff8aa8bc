# SPDX-License-Identifier: MIT
"""The workloads, what each prints, and the targets for ours: tables, and little else."""

from dataclasses import dataclass

MEMORY = "peak memory"  # these two are measured around every run
PROCESSOR = "processor time"
SPEEDUP = "speedup"  # time with 1 worker over time with 2, worked out from both

UNITS = {MEMORY: "MB", PROCESSOR: "s", SPEEDUP: "x"}


@dataclass(frozen=True)
class Workload:
    """A workload; `figures` are the names of what it prints, in this order, all in `unit`."""

    name: str
    group: str
    unit: str
    figures: tuple = ("time",)
    workers: tuple = (1, 2)

    def unit_of(self, figure):
        """The unit of one of its figures, or of one that is measured around it."""
        return UNITS.get(figure, self.unit)

    def rows(self):
        """The (number of workers, figure) that it has, in the order in which they are shown."""
        rows = [(workers, figure) for figure in self.figures for workers in self.workers]
        return rows + [(2, SPEEDUP)] if self.name == SPEEDUP else rows


@dataclass(frozen=True)
class Target:
    """What ours must reach with 1 and with 2 workers, in the figure's unit; None: no target."""

    workload: str
    figure: str
    one: float | None
    two: float | None
    at_least: bool = False

    def of(self, workers):
        """The target for a number of workers."""
        return {1: self.one, 2: self.two}[workers]

    def met_by(self, value, workers):
        """Whether a figure is as good as the target."""
        return value >= self.of(workers) if self.at_least else value <= self.of(workers)


TALKING, SPAWNING = "Switching and talking", "Spawning"
WAITING, COMPUTING = "Waiting", "Computing"
GUILE = "Guile Fibers' own benchmarks"

WORKLOADS = {workload.name: workload for workload in (
    Workload("pingpong", TALKING, "ns"),
    Workload("pingpong-x", TALKING, "ns", workers=(2,)),
    Workload("ring", TALKING, "ns"),
    Workload("select", TALKING, "ns"),
    Workload("select-timeout", TALKING, "ns"),
    Workload("yield", TALKING, "ns"),
    Workload("mutex", TALKING, "ns"),
    Workload("spawn", SPAWNING, "ns"),
    Workload("skynet", SPAWNING, "ms"),
    Workload("sieve", SPAWNING, "ms"),
    Workload("fib", SPAWNING, "ms"),
    Workload("timers", WAITING, "us", ("p50", "p99")),
    Workload("sleepers", WAITING, "ms"),
    Workload("idle", WAITING, "bytes", ("growth",)),
    Workload("speedup", COMPUTING, "ms"),
    Workload("chain", GUILE, "ms"),
    Workload("diagonal", GUILE, "ms"),
    Workload("fan-out", GUILE, "ms"),
    Workload("ping-pong", GUILE, "ms"),
)}

TARGETS = (
    #      workload          figure     1 worker  2 workers
    Target("pingpong",       "time",          40,        40),
    Target("pingpong-x",     "time",        None,       500),
    Target("ring",           "time",          22,        22),
    Target("select",         "time",          45,        45),
    Target("select-timeout", "time",          45,        45),
    Target("yield",          "time",           6,         6),
    Target("mutex",          "time",          11,        20),
    Target("spawn",          "time",          45,        45),
    Target("spawn",          MEMORY,         100,       100),
    Target("skynet",         "time",         200,       110),
    Target("sieve",          "time",          70,        45),
    Target("fib",            "time",          15,        15),
    Target("timers",         "p50",           60,        60),
    Target("timers",         "p99",          200,       200),
    Target("sleepers",       "time",        4500,      4500),
    Target("sleepers",       MEMORY,        4300,      4300),
    Target("idle",           "growth",      4250,      4250),
    Target("speedup",        SPEEDUP,       None,      1.95, at_least=True),
)
