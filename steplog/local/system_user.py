"""An unprivileged user for a server that refuses to run as root, as in containers and on CI."""

import os
import pwd
from pathlib import Path

from steplog.errors import ServerNotStarted
from steplog.local.system_calls import (
    CAP_DAC_OVERRIDE,
    is_root,
    keep_capabilities_over_user_change,
    keep_only_capability,
)

# The first that exists is taken; `nobody` is everywhere.
CANDIDATES = ("postgres", "nobody")


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


def own(folder: Path, user: str | None) -> None:
    """Create a folder that only `user` can enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)


def become(user: str) -> None:
    """Turn this process, run by root, into one of `user`.

    The programs and the data may lie below a folder only root can enter, such as root's home.
    Passing those is the one right kept; opening the folders to everybody would outlive us.
    """
    entry = pwd.getpwnam(user)
    keep_capabilities_over_user_change()
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    keep_only_capability(CAP_DAC_OVERRIDE)
