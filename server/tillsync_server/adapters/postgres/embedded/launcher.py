"""Script that the supervisor runs: drops root, requests SIGINT when the supervisor dies, and becomes the program.

It is a separate program because setuid clears PDEATHSIG, and because a fork that runs Python code is unsafe beside gRPC's threads.
Arguments: parent pid, uid, gid, program and its arguments. uid -1 keeps the user.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, uid, gid = (int(argument) for argument in sys.argv[1:4])
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGINT) != 0:
        sys.exit("prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit("the supervisor is gone already")
    os.chdir("/")
    os.execv(sys.argv[4], sys.argv[4:])


if __name__ == "__main__":
    main()
