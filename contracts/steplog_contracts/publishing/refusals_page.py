"""The page of refusal codes, made from the codes."""

from typing import Final

from steplog_contracts.refusal_codes import RefusalCode

_HEAD: Final = """# Refusals

A refused command changes nothing and is a fact of the log (`steplog.command.refused.v1`), readable
at `GET /api/commands/{id}`. Its code is for programs and stays, its text is for people and may
change.

| code | meaning |
|---|---|
"""


def refusals_page() -> str:
    """Return `docs/refusals.md`."""
    return _HEAD + "".join(f"| `{code}` | {code.meaning} |\n" for code in RefusalCode)
