# SPDX-License-Identifier: MIT
"""Runs a program once, and measures what it took."""

import ctypes
import os
import select
import signal
import subprocess
import tempfile
from dataclasses import dataclass

LIMIT = 60  # seconds for one run
SKIPPED = 77
PR_SET_CHILD_SUBREAPER = 36

# A child's peak memory starts with what its parent had when it forked, some 14 MB for us: so a
# shell forks it, and we inherit it when the shell has ended.  It begins only then, lest the shell
# collect it.
LAUNCH = """exec 3<&0
{ read -r go <&3 && exec "$@" 3<&- </dev/null >stdout 2>stderr; } &
echo $!"""


@dataclass
class Ending:
    """How a program ended; `status` is None when it did not within LIMIT."""

    status: int | None
    stdout: str
    stderr: str
    megabytes: float
    seconds: float

    def reason(self):
        """The last thing it complained about."""
        lines = self.stderr.strip().splitlines()
        return lines[-1].strip() if lines else "no reason given"

    def failure(self):
        """What went wrong, in a line."""
        if self.status is None:
            return f"did not end within {LIMIT} s"
        how = f"exited with {self.status}"
        if self.status < 0:
            how = f"died of {signal.Signals(-self.status).name}"
        return f"{how}: {self.reason()}"


def run(command):
    """Runs a command (its program as an absolute path) in an empty folder, to its Ending."""
    with tempfile.TemporaryDirectory(prefix="fibers-bench-") as folder:
        pid, group = start(command, folder)
        try:
            in_time = ended(pid, LIMIT)
        finally:
            kill_group(group)
        _, status, usage = os.wait4(pid, 0)
        reap()
        return Ending(status=os.waitstatus_to_exitcode(status) if in_time else None,
                      stdout=read(folder, "stdout"), stderr=read(folder, "stderr"),
                      megabytes=usage.ru_maxrss * 1024 / 1e6,
                      seconds=usage.ru_utime + usage.ru_stime)


def start(command, folder):
    """Starts a command as a child of ours; returns its process and its group."""
    adopt_orphans()
    with subprocess.Popen(["/bin/sh", "-c", LAUNCH, "sh", *command], cwd=folder, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          start_new_session=True) as shell:
        pid = int(shell.stdout.readline())
        shell.wait()
        shell.stdin.write("go\n")
    return pid, shell.pid


def adopt_orphans():
    """Makes descendants whose parent has ended our children."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def ended(pid, seconds):
    """Waits for a child to end; says whether it did in time."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def kill_group(group):
    """Ends what we started, and what that left behind; harmless when nothing is left."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def reap():
    """Collects the ended children that a program left to us."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def read(folder, name):
    """The text of a file, which may not be there."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""
