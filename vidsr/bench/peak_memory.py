"""A script that runs a command and prints, as JSON, its exit code and its peak resident memory in bytes.

It runs in a process with few imports, because the system counts the memory of the parent towards a new process's peak.
"""

import json
import os
import subprocess
import sys


def main() -> None:
    """Run the command in the arguments. Its stdout is discarded; its stderr is passed on."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    resident = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    sys.stdout.write(json.dumps({"code": process.returncode, "bytes": resident}))


if __name__ == "__main__":
    main()
