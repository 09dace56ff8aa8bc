# SPDX-License-Identifier: MIT
"""The programs to measure: ours, one for each workload, and the peers, one program each."""

import os

from runner import child
from runner.workloads import WORKLOADS

OURS = "ours"


class Ours:
    """Our programs: FOLDER/<workload> WORKERS."""

    name = OURS

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)

    def can(self, workload, workers):
        """Whether there is a program for it; it may still end with 77."""
        return workers in workload.workers and executable(self.path(workload))

    def path(self, workload):
        """Where a workload's program is."""
        return os.path.join(self.folder, workload.name)

    def command(self, workload, workers):
        """What runs a workload once."""
        return [self.path(workload), str(workers)]


class Peer:
    """A peer's program: PROGRAM WORKLOAD WORKERS, and what its `list` says that it can do."""

    def __init__(self, program, lines):
        self.name = os.path.basename(program)
        self.program = program
        self.workers = {name: {int(number) for number in numbers}
                        for name, *numbers in map(str.split, filter(str.strip, lines))}
        unknown = sorted(self.workers.keys() - WORKLOADS.keys())
        if unknown:
            raise ValueError("unknown workloads: " + " ".join(unknown))

    def can(self, workload, workers):
        """Whether its `list` names the workload with that many workers."""
        return workers in workload.workers and workers in self.workers.get(workload.name, ())

    def command(self, workload, workers):
        """What runs a workload once."""
        return [self.program, workload.name, str(workers)]

    def version(self):
        """What it says its version is, or nothing."""
        ending = child.run([self.program, "--version"])
        lines = ending.stdout.strip().splitlines()
        return lines[0] if ending.status == 0 and len(lines) == 1 else ""


def find_peers(folder):
    """The peers that build-all has built into a folder, and why others are not there."""
    peers, missing = [], {}
    for name in sorted(os.listdir(folder)):
        if not os.path.isdir(os.path.join(folder, name)):
            continue
        try:
            peers.append(open_peer(os.path.abspath(folder), name))
        except (OSError, ValueError) as error:
            missing[name] = str(error)
    return peers, missing


def open_peer(folder, name):
    """The peer FOLDER/NAME/NAME; raises when there is none, or its `list` is of no use."""
    program = os.path.join(folder, name, name)
    if not executable(program):
        raise FileNotFoundError(child.read(os.path.join(folder, name), "skipped").strip()
                                or "it was not built")
    ending = child.run([program, "list"])
    if ending.status != 0:
        raise ValueError(f"its list {ending.failure()}")
    try:
        return Peer(program, ending.stdout.splitlines())
    except ValueError as error:
        raise ValueError(f"its list is not one: {error}") from error


def executable(path):
    """Whether there is a program of that name."""
    return os.path.isfile(path) and os.access(path, os.X_OK)
