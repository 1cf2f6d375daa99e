#!/usr/bin/python3
"""A kernel or container that refuses io_uring: the start fails at once and names the remedy.

The refusal is a seccomp filter that this test installs for the started command alone, as a container runtime does.
"""

import ctypes
import errno
import platform
import struct
import subprocess

from harness import POSTHASTE, Relay, can_connect, main
from receivers import AioReceiver

IO_URING_SETUP = 425                # the same number on all architectures
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RETURN_ALLOW, RETURN_ERRNO = 0x7FFF0000, 0x00050000


class FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def refuse_io_uring(error):
    """For preexec_fn: from here on io_uring_setup fails with `error` in this process and its children."""
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in (
        (0x20, 0, 0, 0),                                    # load the system call's number
        (0x15, 0, 1, IO_URING_SETUP),                       # is it io_uring_setup?
        (0x06, 0, 0, RETURN_ERRNO | error),
        (0x06, 0, 0, RETURN_ALLOW)))
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code)
    program = FilterProgram(4, ctypes.cast(buffer, ctypes.c_void_p).value)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "prctl")


def test_the_start_names_the_remedy():
    receiver = AioReceiver()
    relay = Relay(receiver.port, start=False)
    assert platform.system() == "Linux"
    for error, word in ((errno.EPERM, "seccomp"), (errno.ENOSYS, "kernel")):
        for command in ("check", "start"):
            result = subprocess.run([POSTHASTE, "-c", relay.directory, command], capture_output=True, text=True, timeout=60,
                                    preexec_fn=lambda: refuse_io_uring(error))
            said = result.stdout + result.stderr
            assert result.returncode != 0, (command, said)
            assert "io_uring" in said and word in said.lower(), (command, error, said)
            assert not relay.is_running() and not can_connect(relay.port)
    relay.start()
    relay.send()
    receiver.wait()


main(globals())
