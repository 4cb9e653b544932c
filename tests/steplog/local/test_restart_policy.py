"""Restarts wait longer each time and come to an end."""

from steplog.local.restart_policy import (
    FIRST_DELAY_S,
    HEALTHY_AFTER_S,
    MAX_DELAY_S,
    MAX_RESTARTS_IN_A_ROW,
    RestartPolicy,
)


def test_delays_double_up_to_their_bound() -> None:
    policy, delays = RestartPolicy(), []
    for _ in range(7):
        policy = policy.after_ending(ran_for_s=0.1)
        delays.append(policy.delay_s)

    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert (delays[0], delays[-1]) == (FIRST_DELAY_S, MAX_DELAY_S)


def test_a_process_that_keeps_ending_is_given_up() -> None:
    policy = RestartPolicy(MAX_RESTARTS_IN_A_ROW)

    assert not policy.gives_up
    assert policy.after_ending(ran_for_s=1.0).gives_up


def test_a_healthy_run_begins_a_new_count() -> None:
    policy = RestartPolicy(MAX_RESTARTS_IN_A_ROW).after_ending(ran_for_s=HEALTHY_AFTER_S)

    assert policy == RestartPolicy(1)
