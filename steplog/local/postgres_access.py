"""Who may reach a local PostgreSQL: its socket's folder, and who is let in there.

No port is taken. The socket lies in a folder only its owner enters, and even there the kernel tells
the server who is calling (`peer`): the user who runs the stack, nobody else, is the superuser. A
login that was made with a password, such as those of `deploy/postgres/roles.sql`, shows that.
"""

import os
import pwd
import tempfile
from pathlib import Path

from steplog.errors import ServerNotStarted
from steplog_contracts.private_files import NotPrivate, private_folder, write_private

# The kernel's limit for a socket's path is 108 bytes on Linux and 104 on macOS.
MAX_SOCKET_PATH_BYTES = 100
SOCKET_NAME = ".s.PGSQL.5432"
HBA_FILE, IDENT_FILE = "pg_hba.conf", "pg_ident.conf"
_MAP = "steplog"


def socket_folder(folder: Path, owner: int | None = None) -> Path:
    """Return the folder of the socket, made: beside the data, unless that path is too long for one.

    A folder elsewhere gets a name nobody can know beforehand; it is noted beside the data.

    Raises:
        ServerNotStarted: the folder beside the data is somebody else's.
    """
    try:
        beside = folder / "socket"
        if _fits(beside):
            return private_folder(beside, owner=owner)
        return _noted_folder(folder / "socket.path", owner)
    except NotPrivate as error:
        raise ServerNotStarted(f"PostgreSQL was not started. {error}") from error


def write_access_files(folder: Path, superuser: str, group: int | None) -> None:
    """Write who is let in, by the socket alone: whoever runs the stack, as the superuser, and
    logins with a password of their own."""
    caller = pwd.getpwuid(os.geteuid()).pw_name
    superuser_line = f'local all "{superuser}" peer map={_MAP}\n'
    write_private(folder / HBA_FILE, f"{superuser_line}local all all scram-sha-256\n")
    write_private(folder / IDENT_FILE, f'{_MAP} "{caller}" "{superuser}"\n')
    if group is not None:
        for name in (HBA_FILE, IDENT_FILE):
            os.chown(folder / name, -1, group)
            (folder / name).chmod(0o640)


def _noted_folder(note: Path, owner: int | None) -> Path:
    """Return the folder made at the last start if it is still there and ours, else a new one."""
    try:
        noted = Path(note.read_text())
        if noted.is_absolute() and noted.exists():
            return private_folder(noted, owner=owner)
    except (OSError, NotPrivate):
        pass  # Then a new one is made; nothing lay there but a socket.
    made = Path(tempfile.mkdtemp(prefix="steplog-"))
    if not _fits(made):
        made.rmdir()
        raise ServerNotStarted(
            f"The path of a socket in {made.parent} is too long for the system; set TMPDIR to a "
            "shorter folder."
        )
    write_private(note, str(made))
    return private_folder(made, owner=owner)


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES
