"""The values that columns of numbers and times hold, as types of payload fields."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

# What the columns hold: a value beyond is refused here, with the field's name, and not by one of
# the databases after the other values of its batch have been sent.
Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Index = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Number = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Large = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Seq = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Milliseconds = Annotated[float, Meta(ge=0)]
Moment = Annotated[datetime, Meta(tz=True)]
