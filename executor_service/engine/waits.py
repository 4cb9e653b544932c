"""Steps of type `wait`: until when a branch waits. It is on record before the branch does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from executor_service.engine.plan import StepPlan
from executor_service.engine.scope import Scope
from executor_service.engine.state import State
from executor_service.engine.templates import render
from executor_service.errors import InvalidWait
from steplog_contracts.definition_parts import MAX_SECONDS
from steplog_contracts.payload import JsonObject, JsonValue


def wait_until(
    state: State, step: StepPlan, scope: Scope, given: JsonObject, now: datetime
) -> datetime:
    """Return when a branch may go on from a step that waits.

    Raises:
        StepProblem: that can't be told.
    """
    settings = step.config
    if step.config_template is not None:
        reading = replace(state.reading(scope), data=(given,), now=now)
        settings = render(step.config_template, reading, f"Step '{step.id}'")
    return due_time(settings, now)


def due_time(settings: JsonObject, now: datetime) -> datetime:
    """Return the time that `seconds` or `until` lead to.

    Raises:
        InvalidWait: they are no span and no time, or lead further than a hundred years.
    """
    if settings.get("until") is not None:
        due = _moment(settings["until"])
    else:
        due = now + _span(settings.get("seconds"))
    if due - now > timedelta(seconds=MAX_SECONDS):
        raise InvalidWait(
            f"It would wait until {due.isoformat()}, and a wait lasts 100 years at most."
        )
    return due


def _span(seconds: JsonValue) -> timedelta:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidWait(f"'seconds' is {_kind(seconds)}; give a number.")
    if not 0 <= seconds <= MAX_SECONDS:
        raise InvalidWait(f"'seconds' is {seconds:g}; give a number from 0 to {MAX_SECONDS}.")
    return timedelta(seconds=seconds)


def _moment(text: JsonValue) -> datetime:
    if not isinstance(text, str):
        raise InvalidWait(f"'until' is {_kind(text)}; give a time such as 2030-01-31T08:00:00Z.")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidWait(
            f"'until' is {text[:100]!r}, which is no time; give one such as 2030-01-31T08:00:00Z."
        ) from error
    if moment.tzinfo is None:
        raise InvalidWait(
            f"'until' is {text!r}, which names no time zone; end it with Z or +01:00."
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidWait(f"'until' is {text!r}, which no time zone can show.") from error


def _kind(value: JsonValue) -> str:
    return "null" if value is None else f"of type {type(value).__name__}"
