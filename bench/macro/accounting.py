"""CPU, system calls and wake-ups of a group of processes.

CPU comes from a cgroup of its own (version 2, cpu.stat usage_usec: dead children and kernel workers included) where the
machine has one; else from /proc, which misses children that have died: the result says which.
"""

import os
import re
import subprocess
import time

CGROUP_ROOTS = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")


class Group:
    """The processes started by start() and everything they fork."""

    def __init__(self, name):
        self.name = f"posthaste-bench-{os.getpid()}-{name}"
        self.path = None
        for root in CGROUP_ROOTS:
            if os.path.exists(os.path.join(root, "cgroup.procs")) and not os.path.exists(os.path.join(root, "cpu")):
                path = os.path.join(root, self.name)
                try:
                    os.mkdir(path)
                except OSError:
                    continue
                if os.path.exists(os.path.join(path, "cpu.stat")):
                    self.path = path
                    break
                os.rmdir(path)
        self.how = "cgroup" if self.path else "/proc"
        self.roots = []

    def run(self, command, **kwargs):
        """Runs a command inside the group: what it leaves behind stays in it."""
        def enter():
            if self.path:
                with open(os.path.join(self.path, "cgroup.procs"), "w") as f:
                    f.write(str(os.getpid()))
        return subprocess.run(command, preexec_fn=enter, check=True, capture_output=True, text=True, **kwargs)

    def pids(self):
        if self.path:
            with open(os.path.join(self.path, "cgroup.procs")) as f:
                return [int(line) for line in f]
        return [pid for root in self.roots for pid in [root, *descendants(root)]]

    def cpu_us(self):
        if self.path:
            with open(os.path.join(self.path, "cpu.stat")) as f:
                return int(re.search(r"usage_usec (\d+)", f.read()).group(1))
        tick_us = 1_000_000 // os.sysconf("SC_CLK_TCK")
        total = 0
        for pid in self.pids():
            fields = stat_fields(pid)
            if fields:
                total += sum(int(fields[i]) for i in (11, 12, 13, 14)) * tick_us
        return total

    def remove(self):
        if self.path:
            for _ in range(50):
                try:
                    os.rmdir(self.path)
                    return
                except OSError:
                    time.sleep(0.1)


def stat_fields(pid):
    """/proc/PID/stat behind the command name; field 0 is the state."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    except OSError:
        return "?"


def descendants(root):
    children = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        fields = stat_fields(pid)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(pid))
    found, todo = [], [root]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def process_numbers(pid):
    """CPU and voluntary context switches (wake-ups) of one process, all its threads."""
    cpu_us = switches = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
                cpu_us += int(f.read().split()[0]) // 1000
            with open(f"/proc/{pid}/task/{thread}/status") as f:
                switches += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M).group(1))
    except OSError:
        return None
    return {"cpu_us": cpu_us, "wakeups": switches}


def pss_kib(pid):
    """Memory of a process, pages it shares counted in shares."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))
    except OSError:
        return 0


def memory_by_program(pids):
    """{program: PSS in KiB of all its processes}"""
    totals = {}
    for pid in pids:
        totals[name_of(pid)] = totals.get(name_of(pid), 0) + pss_kib(pid)
    return totals


def peak_rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^VmHWM:\s+(\d+)", f.read(), re.M).group(1))


def box_busy_us():
    """What the whole machine was busy with: user, nice, system, irq, softirq; and what was stolen from it."""
    with open("/proc/stat") as f:
        fields = [int(x) for x in f.readline().split()[1:]]
    tick_us = 1_000_000 // os.sysconf("SC_CLK_TCK")
    return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) * tick_us, fields[7] * tick_us


class Syscalls:
    """strace -c over running processes, each on its own: {program: {call: count}}. Slows them: never in a timed run."""

    def __init__(self, pids):
        self.names = {pid: name_of(pid) for pid in pids}
        self.outputs = {pid: f"/var/tmp/strace-{os.getpid()}-{pid}" for pid in pids}
        self.tracers = [
            subprocess.Popen(["strace", "-f", "-c", "-S", "calls", "-o", self.outputs[pid], "-p", str(pid)],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for pid in pids]
        time.sleep(1.0)

    def stop(self):
        counts = {}
        for tracer in self.tracers:
            tracer.send_signal(2)
        for tracer in self.tracers:
            try:
                tracer.wait(20)
            except subprocess.TimeoutExpired:
                tracer.kill()
        for pid, path in self.outputs.items():
            if not os.path.exists(path):
                continue
            with open(path) as f:
                for line in f:
                    words = line.split()
                    if len(words) >= 5 and words[3].isdigit() and words[-1] not in ("total", "syscall"):
                        calls = counts.setdefault(self.names[pid], {})
                        calls[words[-1]] = calls.get(words[-1], 0) + int(words[3])
            os.unlink(path)
        return counts
