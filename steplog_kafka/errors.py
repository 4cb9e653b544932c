"""Why Kafka can't be used; every text is one sentence with the remedy and without a secret.

SteplogError
└── KafkaProblem
    ├── WrongKafkaSettings    settings that can't be used, or that contradict each other
    ├── KafkaUnreachable      no broker answers at the address
    ├── KafkaSilent           what was sent was not acknowledged in time
    └── KafkaRefused          a broker answers, and does not let this client in or do this
"""

from steplog_contracts.errors import SteplogError


class KafkaProblem(SteplogError):
    """Kafka can't be used as it is set."""

    for_callers = "The log can't be used at the moment; the log lines of the API say why."


class WrongKafkaSettings(KafkaProblem):
    """Settings of the connection can't be used, or contradict each other."""


class KafkaUnreachable(KafkaProblem):
    """No broker answers at the address, or not within the request timeout."""


class KafkaRefused(KafkaProblem):
    """A broker answers and refuses: the secret, the certificate or the right is wrong."""


class KafkaSilent(KafkaProblem):
    """What was sent was not acknowledged in time; it may be in the log all the same."""
