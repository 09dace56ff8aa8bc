# SPDX-License-Identifier: MIT
"""What the measurements ran on."""

import datetime
import os
import platform
import subprocess


def describe():
    """The machine and its tools, as lines of a table."""
    return {
        "processor": processor(),
        "processors": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": compiler(),
        "date": datetime.date.today().isoformat(),
    }


def processor():
    """The processor's model."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def compiler():
    """The first line of `gcc --version`."""
    try:
        return subprocess.run(["gcc", "--version"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError):
        return "no gcc"


def load():
    """The load averages over 1, 5 and 15 minutes."""
    return ", ".join(f"{value:.2f}" for value in os.getloadavg())
