"""Run a command in a process of its own and write to stdout, as JSON, how it ended and the most memory it held.

Run as a script, for it must be small: the system counts for a new process the memory of the one that started it.
"""

import json
import os
import subprocess
import sys


def main() -> None:
    """Run the command in the arguments, its output thrown away but for stderr."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    resident = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    sys.stdout.write(json.dumps({"code": process.returncode, "bytes": resident}))


if __name__ == "__main__":
    main()
