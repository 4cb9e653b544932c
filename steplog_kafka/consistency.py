"""What settings of the connection contradict each other, each in one sentence with the remedy."""

from collections.abc import Callable, Iterator

from steplog_kafka.connection_fields import ConnectionFields

_OF_TLS = (
    *("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_key_password", "ssl_key_password_file"),
)
_OF_OAUTH_REQUEST = (
    *("sasl_oauth_token_url", "sasl_oauth_client_id", "sasl_oauth_client_secret"),
    *("sasl_oauth_client_secret_file", "sasl_oauth_scope"),
)
_OF_OAUTH = ("sasl_oauth_token_file", *_OF_OAUTH_REQUEST)
_OF_PASSWORD = ("sasl_username", "sasl_password", "sasl_password_file")
_OF_SASL = ("sasl_mechanism", *_OF_PASSWORD, *_OF_OAUTH)
_EITHER_OR = (
    ("sasl_password", "sasl_password_file"),
    ("sasl_oauth_client_secret", "sasl_oauth_client_secret_file"),
    ("sasl_oauth_token_file", "sasl_oauth_token_url"),
    ("ssl_key_password", "ssl_key_password_file"),
)


def contradiction(settings: ConnectionFields) -> str | None:
    """Return the first contradiction as a sentence, None where all fits together."""
    checks: tuple[Callable[[ConnectionFields], Iterator[str]], ...] = (
        _without_their_protocol,
        _given_twice,
        _of_certificates,
        _of_mechanism,
        _of_replicas,
    )
    return next((sentence for check in checks for sentence in check(settings)), None)


def variable(field: str) -> str:
    """Return the environment's name of a setting."""
    return f"STEPLOG_KAFKA_{field.upper()}"


def _without_their_protocol(settings: ConnectionFields) -> Iterator[str]:
    protocol = settings.security_protocol
    for field in _given(settings, _OF_SASL):
        if not settings.uses_sasl:
            wanted = "SASL_SSL" if settings.uses_tls else "SASL_SSL (or SASL_PLAINTEXT)"
            yield (
                f"{variable(field)} is set and {variable('security_protocol')} is {protocol}, "
                f"which knows no user; set {variable('security_protocol')} to {wanted}."
            )
    of_tls = _given(settings, _OF_TLS)
    if not settings.ssl_check_hostname:
        of_tls.append("ssl_check_hostname")
    for field in of_tls:
        if not settings.uses_tls:
            wanted = "SASL_SSL" if settings.uses_sasl else "SSL or SASL_SSL"
            yield (
                f"{variable(field)} is set and {variable('security_protocol')} is {protocol}, "
                f"which is not encrypted; set {variable('security_protocol')} to {wanted}."
            )


def _given_twice(settings: ConnectionFields) -> Iterator[str]:
    for pair in _EITHER_OR:
        if len(_given(settings, pair)) == len(pair):
            yield f"{variable(pair[0])} and {variable(pair[1])} are both set; leave one out."


def _of_certificates(settings: ConnectionFields) -> Iterator[str]:
    if settings.ssl_certfile is None:
        for field in _given(settings, ("ssl_keyfile", "ssl_key_password", "ssl_key_password_file")):
            yield f"{variable(field)} is set without {variable('ssl_certfile')}; set both."


def _of_mechanism(settings: ConnectionFields) -> Iterator[str]:
    if not settings.uses_sasl:
        return
    mechanism = settings.sasl_mechanism
    if mechanism is None:
        yield (
            f"{variable('security_protocol')} is {settings.security_protocol} and "
            f"{variable('sasl_mechanism')} is not set; set it to PLAIN, SCRAM-SHA-256, "
            "SCRAM-SHA-512 or OAUTHBEARER, as the broker has it."
        )
    elif mechanism == "OAUTHBEARER":
        yield from _of_tokens(settings)
    else:
        yield from _of_passwords(settings, mechanism)


def _of_passwords(settings: ConnectionFields, mechanism: str) -> Iterator[str]:
    if not settings.sasl_username:
        yield f"{mechanism} needs a user; set {variable('sasl_username')}."
    if not _given(settings, ("sasl_password", "sasl_password_file")):
        yield (
            f"{mechanism} needs a password; set {variable('sasl_password_file')} or "
            f"{variable('sasl_password')}."
        )
    for field in _given(settings, _OF_OAUTH):
        yield (
            f"{variable(field)} is set and {variable('sasl_mechanism')} is {mechanism}; leave "
            "it out, or set the mechanism to OAUTHBEARER."
        )


def _of_tokens(settings: ConnectionFields) -> Iterator[str]:
    for field in _given(settings, _OF_PASSWORD):
        yield (
            f"{variable(field)} is set and {variable('sasl_mechanism')} is OAUTHBEARER, which "
            "takes a token; leave it out."
        )
    if settings.sasl_oauth_token_file is not None:
        for field in _given(settings, _OF_OAUTH_REQUEST):
            yield (
                f"{variable('sasl_oauth_token_file')} and {variable(field)} are both set; leave "
                "one out."
            )
    elif settings.sasl_oauth_token_url is None:
        yield (
            f"OAUTHBEARER needs a token; set {variable('sasl_oauth_token_file')}, or "
            f"{variable('sasl_oauth_token_url')} with a client's id and secret."
        )
    else:
        yield from _of_token_request(settings)


def _of_token_request(settings: ConnectionFields) -> Iterator[str]:
    if not settings.sasl_oauth_client_id:
        yield (
            f"{variable('sasl_oauth_token_url')} needs {variable('sasl_oauth_client_id')}; set it."
        )
    if not _given(settings, ("sasl_oauth_client_secret", "sasl_oauth_client_secret_file")):
        yield (
            f"{variable('sasl_oauth_token_url')} needs "
            f"{variable('sasl_oauth_client_secret_file')} or "
            f"{variable('sasl_oauth_client_secret')}; set one."
        )


def _of_replicas(settings: ConnectionFields) -> Iterator[str]:
    replicas, in_sync = settings.replication_factor, settings.min_insync_replicas
    if replicas is not None and in_sync is not None and in_sync > replicas:
        yield (
            f"{variable('min_insync_replicas')} is {in_sync} and {variable('replication_factor')} "
            f"is {replicas}, so nothing could be written; it must be lower."
        )


def _given(settings: ConnectionFields, fields: tuple[str, ...]) -> list[str]:
    return [field for field in fields if getattr(settings, field) is not None]
