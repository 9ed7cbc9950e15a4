"""Runs a command in this process' own group and ends the whole group when the parent goes, however it goes.

Started by ``embedded.py`` as ``python -I watchdog.py COMMAND...`` with a pipe on standard input that the parent never
writes to: its end means that the parent has died or wants the command stopped. (A parent-death signal would not do:
the kernel sends it when the *thread* that started the child ends.) Uses the standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

GRACE_S = 5.0


def main(command: list[str]) -> int:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the command is our own
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is sent to the whole group; this process ends last
    threading.Thread(target=_stop_with_parent, args=(child,), daemon=True).start()
    return child.wait()


def _stop_with_parent(child: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
