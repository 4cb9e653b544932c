"""What is wrong with the one file of embedded mode; every text names the remedy.

ExecutorError
└── FileRefused        the file can't be opened as what it should be
    ├── FileHeld       another process has it open
    └── FileFailed     it was open and can't be written any more
"""

from executor_service.errors import ExecutorError


class FileRefused(ExecutorError):
    """The file can't be opened: it is no such file, of another version, or not writable."""


class FileHeld(FileRefused):
    """Another process runs on the file; only one at a time may append to it."""


class FileFailed(FileRefused):
    """The file can't be written any more: the disk is full or broken.

    What was acknowledged is in it; nothing after that counts, so the process must end.
    """
