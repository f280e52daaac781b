"""A private loopback for each group of cases.

The worker process runs in network, mount and process namespaces of its own: every
address of 127.0.0.0/8 and every port, 53 included, is free there, nothing can reach
the machine's network, and all its processes end with it. Works as root and, through
a user namespace, as anybody else.
"""

import os
import shutil
import subprocess

MISSING = ("tests/interop needs a private network namespace (unshare, ip): run it as root, "
           "or where unprivileged user namespaces are allowed")


def enter_command(command):
    """The command line that runs `command` (a list) inside fresh namespaces."""
    flags = "-nm" if os.geteuid() == 0 else "-Urnm"
    return ["unshare", flags, "--fork", "--pid", "--mount-proc", "--kill-child",
            "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command]


def mount_namespace_command(resolver_file, command):
    """`command` with `resolver_file` in the place of /etc/resolv.conf, for it alone."""
    flags = "-m" if os.geteuid() == 0 else "-Urm"
    script = 'mount --bind "$1" "$(readlink -f /etc/resolv.conf)" && shift && exec "$@"'
    return ["unshare", flags, "sh", "-c", script, "sh", str(resolver_file), *command]


def namespace_problem():
    """None if namespaces can be had here, else a sentence that says why not."""
    for program in ("unshare", "ip"):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            return f"{program} is not installed"
    attempt = subprocess.run(enter_command(["true"]), capture_output=True, text=True, check=False)
    if attempt.returncode == 0:
        return None
    return f"{MISSING} ({attempt.stderr.strip()})"
