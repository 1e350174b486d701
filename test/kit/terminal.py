"""Runs a program on a terminal of its own: what comes in is typed there, what it shows goes out.

When the input ends the terminal is closed, as by closing its window. Exits with the program's exit code.
"""

import os
import pty
import select
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])


def read(source):
    try:
        return os.read(source, 65536)
    except OSError:  # The program has ended.
        return b""


is_open = True
while is_open:
    for source in select.select([0, terminal], [], [])[0]:
        data = read(source)
        if not data:
            is_open = False
            break
        os.write(terminal if source == 0 else 1, data)

os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
