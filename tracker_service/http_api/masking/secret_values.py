"""Values that are secret wherever they appear: under another name, or quoted in a sentence."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

MASKED: Final = "***"
# A shorter value, such as a number of two digits, would mask what has nothing to do with it.
MIN_SECRET_CHARS: Final = 8
# With more of them every text is masked.
MAX_SECRET_VALUES: Final = 10_000


class SecretValues:
    """A set of texts to hide; each is also known as JSON and Python write it in quotes."""

    def __init__(self, values: Iterable[str] = (), *, complete: bool = True) -> None:
        self.all = frozenset(value for value in values if len(value) >= MIN_SECRET_CHARS)
        self.hides_all = not complete or len(self.all) > MAX_SECRET_VALUES
        self._pattern: re.Pattern[str] | None = None
        if self.all and not self.hides_all:
            forms = {form for value in self.all for form in _forms(value)}
            longest_first = sorted(forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def sentence(self, text: str) -> str:
        """Return a text with the values masked in it."""
        if self._pattern is not None:
            return self._pattern.sub(MASKED, text)
        return MASKED if self.hides_all else text

    def masked(self, value: Any) -> Any:
        """Return a JSON value with the values masked in its texts, numbers and keys."""
        return self._walk(value) if self.all or self.hides_all else value

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.sentence(value)
        if isinstance(value, dict):
            if self.hides_all:  # Keys are how the rest is told apart.
                return {key: self._walk(item) for key, item in value.items()}
            return {self.sentence(key): self._walk(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._walk(item) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return MASKED if str(value) in self.all else value
        return value


def leaves(value: Any) -> Iterator[str]:
    """Yield the texts and numbers within a JSON value."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _forms(value: str) -> Iterator[str]:
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
