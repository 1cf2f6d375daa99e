"""A small file system of our own: an image in a file, mounted through a loop device. It can be filled, lose its power, and break.

    disk = LoopDisk(megabytes=200)     # before the relay: what was made last goes first
    relay = Relay(..., start=False); disk.take_queue_of(relay); relay.start()

What the image holds is what has been written to the device. What only the page cache knows is not in it: that is what power_cut()
loses. The image lies in a tmpfs of its own; when that is made smaller than the image, it is a device whose sectors can not all
be written (EIO), until it grows.
"""

import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
from harness import remember_to, run, scratch_directory, tool, wait_until  # noqa: E402


class LoopDisk:
    def __init__(self, megabytes):
        self.directory = scratch_directory("loop")
        self.device = os.path.join(self.directory, "device")
        self.mount_point = os.path.join(self.directory, "mnt")
        self.image = os.path.join(self.device, "image")
        os.mkdir(self.device)
        os.mkdir(self.mount_point)
        remember_to(self.remove)
        run("mount", "-t", "tmpfs", "-o", f"size={2 * megabytes}m", "tmpfs", self.device)
        with open(self.image, "wb") as f:
            f.truncate(megabytes << 20)
        run(tool("mkfs.ext4"), "-q", "-F", "-m", "0", "-i", "65536", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", self.image)
        self.mount()

    def mount(self):
        # Nothing reaches the device of itself, only what is synced.
        run("mount", "-o", "loop,commit=3600,noatime,noinit_itable", self.image, self.mount_point)
        os.chmod(self.mount_point, 0o755)

    def unmount(self):
        wait_until(lambda: run("umount", self.mount_point, check=False).returncode == 0, 30, "the file system to be let go")

    def take_queue_of(self, relay):
        relay.configure({"queue_directory": os.path.join(self.mount_point, "queue")})
        relay.posthaste("init")

    def free_bytes(self):
        status = os.statvfs(self.mount_point)
        return status.f_bavail * status.f_frsize

    def let_device_shrink(self):
        """Sectors that were never written can not be written from now on."""
        def shrink():
            status = os.statvfs(self.device)
            used = (status.f_blocks - status.f_bfree) * status.f_frsize
            # Refused when more has been written since.
            return run("mount", "-o", f"remount,size={used + (1 << 20)}", self.device, check=False).returncode == 0
        wait_until(shrink, 30, "the device to be made smaller")

    def let_device_grow(self, megabytes):
        run("mount", "-o", f"remount,size={megabytes}m", self.device)

    def power_cut(self, relay):
        """The relay is gone and the disk is as the device held it in one moment. Mounted again; the relay is not started."""
        pids = [pid for pids in relay.children().values() for pid in pids]
        # Master first: it must not find its children ailing.
        pids.sort()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: all(is_stopped(pid) for pid in pids), 30, "everybody to stand still")
        snapshot = self.image + ".snapshot"
        run("cp", "--sparse=always", self.image, snapshot)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.unmount()
        os.rename(snapshot, self.image)
        self.mount()

    def remove(self):
        # The loop device lets go of the image a moment after the file system is gone.
        for place in [self.mount_point, self.device]:
            for _ in range(50):
                if not os.path.ismount(place) or subprocess.run(["umount", place], capture_output=True, check=False).returncode == 0:
                    break
                time.sleep(0.1)


def is_stopped(pid):
    """Every thread of it, those of io_uring and RocksDB included: none is on its way to the disk."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/stat") as f:
                if f.read().rsplit(")", 1)[1].split()[0] not in "TtZX":
                    return False
        except OSError:
            pass
    return True
