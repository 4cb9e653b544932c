"""An unprivileged user for a server that refuses to run as root, as in containers and on CI.

The server keeps no right of root: no capability is handed on. Its data may lie below a folder that
only root enters, such as root's home; so root opens the folder and the server reaches it through
the open descriptor (`/proc/self/fd`), which asks nothing of the folders above. Opening those to
everybody would outlive us.
"""

import os
import pwd
import stat
from pathlib import Path

from steplog.errors import ServerNotStarted
from steplog.local.system_calls import is_root

# The first that exists is taken; `nobody` is everywhere.
CANDIDATES = ("postgres", "nobody")
# High enough to be free in a program that was just started.
FOLDER_DESCRIPTOR = 60
FOLDER_AS_SEEN = Path(f"/proc/self/fd/{FOLDER_DESCRIPTOR}")


def unprivileged_user() -> str | None:
    """Return the user to run PostgreSQL as, or None to run it as whoever calls."""
    if not is_root():
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in CANDIDATES:
        if name in known:
            return name
    raise ServerNotStarted(
        f"PostgreSQL does not run as root and none of the users {', '.join(CANDIDATES)} exists; "
        "start as an ordinary user or set DATABASE_URL."
    )


def become(user: str, folder: str | None = None) -> None:
    """Turn this process, run by root, into one of `user` that may enter `folder` and no more."""
    entry = pwd.getpwnam(user)
    if folder is not None:
        os.dup2(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), FOLDER_DESCRIPTOR, inheritable=True)
    # Ours may be a folder the user can't enter, and programs ask where they are.
    os.chdir("/")
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def may_enter(folder: Path, user: str) -> bool:
    """Whether a user may pass every folder down to this one by the mode bits."""
    entry = pwd.getpwnam(user)
    return all(
        _may_pass(one.stat(), entry) for one in (folder.resolve(), *folder.resolve().parents)
    )


def _may_pass(found: os.stat_result, entry: pwd.struct_passwd) -> bool:
    if found.st_uid == entry.pw_uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == entry.pw_gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)
