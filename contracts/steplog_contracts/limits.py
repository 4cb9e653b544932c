"""How large what goes into a log may be, each bound derived from one number.

A broker takes batches of 1,048,588 bytes unless set otherwise (`message.max.bytes`). What is
bounded here fits there, whichever log it is in, so that every history can be moved to a broker.
"""

from typing import Final

# Records of one append with keys, headers and the batch's own; so also one record.
MAX_RECORD_BYTES: Final = 1_000_000
# Of a request, which has the batch and a few fields beside it.
MAX_REQUEST_BYTES: Final = 1024 * 1024
# A record's value alone, with room for its headers and its key.
MAX_VALUE_BYTES: Final = MAX_RECORD_BYTES - 10_000
# One value of a user inside such a value, with room for what an event says beside it.
MAX_UNSTORED_BYTES: Final = MAX_VALUE_BYTES - 40_000
# The history of one execution in a snapshot.
MAX_SNAPSHOT_BYTES: Final = MAX_RECORD_BYTES - 100_000
