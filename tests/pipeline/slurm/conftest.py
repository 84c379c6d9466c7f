"""Debian's Slurm, started on this machine for this folder's tests: one node, two partitions, a GPU that is none."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MpiDefault=none
KillWait=60
SlurmdTimeout=0
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:tesla:1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=spare Nodes=ALL MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Cluster:
    """A running Slurm; `SLURM_CONF` of this process names it."""

    folder: Path

    def command(self, *words: str) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr + self.logs()
        return done.stdout

    def logs(self) -> str:
        """The last lines of its daemons."""
        return "\n".join("\n".join(path.read_text().splitlines()[-15:]) for path in self.folder.glob("*.log"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Munge and Slurm's two daemons, in a folder of their own; nothing of the machine's is touched."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)
    conf = folder / "slurm.conf"
    memory = psutil.virtual_memory().total // 2**20 - 512
    host, ports = socket.gethostname().split(".")[0], free_ports(2)
    conf.write_text(
        CONF.format(folder=folder, host=host, ports=ports, user="root", cpus=psutil.cpu_count(), memory=memory)
    )
    (folder / "gres.conf").write_text("Name=gpu Type=tesla File=/dev/null\n")
    cgroup = folder / "cgroup.conf"
    cgroup.write_text("CgroupPlugin=cgroup/v1\n")
    munge = [
        f"--{name}={folder}/munge.{name.split('-')[0]}"
        for name in ("key-file", "socket", "pid-file", "log-file", "seed-file")
    ]
    commands = [
        ["munged", "--foreground", "--force", *munge],
        ["slurmctld", "-D", "-f", str(conf)],
        ["slurmd", "-D", "-f", str(conf)],
    ]
    os.environ["SLURM_CONF"] = str(conf)
    started = []
    try:
        for command in commands:
            with (folder / f"{command[0]}.out.log").open("w") as log:
                started.append(subprocess.Popen(command, stdout=log, stderr=log))
            if command[0] == "munged":
                until(lambda: (folder / "munge.socket").exists(), "munged listens", folder)
        until(lambda: ready(), "the node is idle", folder)
        yield Cluster(folder)
    finally:
        subprocess.run(["scancel", "--user", "root"], capture_output=True, timeout=60, check=False)
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
        del os.environ["SLURM_CONF"]


def ready() -> bool:
    """Whether the node takes jobs."""
    done = subprocess.run(
        ["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, timeout=30, check=False
    )
    return "idle" in done.stdout


def until(condition, what: str, folder: Path, seconds: int = 60) -> None:
    """Wait for it; fails with the daemons' logs when the time is over."""
    pause = threading.Event()
    for _ in range(seconds * 5):
        if condition():
            return
        pause.wait(0.2)
    raise AssertionError(f"after {seconds} s still not: {what}\n{Cluster(folder).logs()}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
