"""Every refusal has a code of the one list, and every code of the list is in use."""

import ast

from steplog_contracts.refusal_codes import RefusalCode
from tests.house.rules import sources


def used() -> set[str]:
    """Return the names of the codes that the source mentions."""
    return {
        node.attr
        for source in sources("executor_service", "contracts")
        for node in source.nodes
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "RefusalCode"
    }


def test_every_code_is_used() -> None:
    assert {code.name for code in RefusalCode} - used() == set()


def test_a_code_is_its_own_name_in_small_letters() -> None:
    assert [code.name.lower() for code in RefusalCode] == [str(code) for code in RefusalCode]
