"""What the servers of the test bed share: a folder of their own and a keeper that ends them with the test run.

cargo-nextest runs each `scripts/testbed/<server>` before the tests that need it (.config/nextest.toml) and hands
it a file, $NEXTEST_ENV, whose NAME=value lines become environment variables of every test. The script must
return, and the server must stay: so a keeper, detached from nextest, starts the server, waits for the nextest
process to be gone, however it went, and then kills the server and removes the folder. Several runs at once
each have their own.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

FOLDERS = "marquee-testbed-"


def start_time(pid):
    """When a process started, in clock ticks since boot: with the pid, a name no other process shares."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return None


def sweep():
    """Removes what a keeper that was itself killed left behind."""
    for name in os.listdir(tempfile.gettempdir()):
        folder = os.path.join(tempfile.gettempdir(), name)
        try:
            if name.startswith(FOLDERS):
                with open(os.path.join(folder, "owner")) as owner:
                    pid, started = owner.read().split()
                if start_time(int(pid)) != started:
                    with open(os.path.join(folder, "server")) as server:
                        server_pid, server_started = server.read().split()
                    if start_time(int(server_pid)) == server_started:
                        os.kill(int(server_pid), signal.SIGKILL)
                    shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError):
            continue  # another run's, just being made or removed


def folder_for_this_run():
    """A new folder, owned by the nextest process: this script's parent."""
    sweep()
    folder = tempfile.mkdtemp(prefix=FOLDERS)
    os.chmod(folder, 0o755)
    with open(os.path.join(folder, "owner"), "w") as owner:
        owner.write(f"{os.getppid()} {start_time(os.getppid())}")
    return folder


def export(**variables):
    """Gives variables to every test of this run; by hand, without nextest, shows them."""
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    if "NEXTEST_ENV" in os.environ:
        with open(os.environ["NEXTEST_ENV"], "a") as env:
            env.write(lines)
    else:
        sys.stdout.write(lines)


def keep(folder, command, stop_signal, ready, **popen):
    """Starts `command` under a keeper and returns once `ready()` is true; exits if the server does not come up.

    `ready` is called in this process every 10 ms; the server writes to `folder`/log.
    """
    nextest = os.pidfd_open(os.getppid())
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.close(reader)
            _keeper(folder, command, stop_signal, nextest, writer, popen)
        except BaseException:
            with open(os.path.join(folder, "log"), "a") as log:
                traceback.print_exc(file=log)
        finally:
            os._exit(0)
    os.close(writer)
    while not ready():
        # The pipe ends when the keeper does, and the keeper ends when the server does.
        if select.select([reader], [], [], 0.01)[0] and not os.read(reader, 1):
            sys.exit(f"the server did not start: {' '.join(command)}")


def _keeper(folder, command, stop_signal, nextest, writer, popen):
    os.setsid()
    log = os.open(os.path.join(folder, "log"), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    server = subprocess.Popen(command, **popen)
    with open(os.path.join(folder, "server"), "w") as pid:
        pid.write(f"{server.pid} {start_time(server.pid)}")
    server_fd = os.pidfd_open(server.pid)
    ended = select.select([nextest, server_fd], [], [])[0]
    if server_fd in ended:
        # The server died by itself: the tests will say so, and whoever looks wants its log.
        sys.stderr.write(f"the server ended with {server.wait()}\n")
        os.close(writer)
        select.select([nextest], [], [])
    else:
        server.send_signal(stop_signal)
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    shutil.rmtree(folder, ignore_errors=True)
