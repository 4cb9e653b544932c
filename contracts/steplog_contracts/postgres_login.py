"""Why PostgreSQL and a client did not come together by TLS or a login, each with the remedy.

Both services open connections of their own; what a person reads about them is the same.
"""

import os
import ssl
from typing import Final
from urllib.parse import parse_qsl, urlsplit

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
# As OpenSSL numbers what is wrong with a certificate: X509_V_ERR_*.
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_OTHER_HOSTS: Final = (62, 64)
_CLOSED: Final = "08003"
_NO_LOGIN: Final = "28000"
_WRONG_PASSWORD: Final = "28P01"  # noqa: S105 - a SQLSTATE
_SHOWN: Final = (
    "look whether the certificate that sslcert names has expired, and whether the server knows "
    "the authority that signed it."
)


def address_problem(url: str) -> str | None:
    """Return what can't be used of the TLS part of an address, as a sentence."""
    given = dict(parse_qsl(urlsplit(url).query))
    mode = given.get("sslmode", "prefer")
    if mode not in SSL_MODES:
        return f"sslmode is {mode!r} in the database's URL; use one of {', '.join(SSL_MODES)}."
    for name in _FILES:
        file = given.get(name)
        if file is not None and not (os.path.isfile(file) and os.access(file, os.R_OK)):
            return (
                f"{name} names {file!r} in the database's URL, and there is no such file that can "
                "be read; correct its path."
            )
    if "sslkey" in given and "sslcert" not in given:
        return "sslkey stands without sslcert in the database's URL; name both."
    return None


def tls_problem(error: BaseException | None) -> str | None:
    """Return why TLS failed as a sentence, None if the error is about something else."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error)
    if not isinstance(error, ssl.SSLError):
        return None
    if "ALERT" in (error.reason or ""):
        return f"PostgreSQL refuses this client's TLS ({error.reason}); {_SHOWN}"
    return (
        f"TLS with PostgreSQL can't begin ({error.reason or error}); what sslrootcert, sslcert and "
        "sslkey name must be PEM, the key must belong to the certificate, and an encrypted key "
        "needs sslpassword."
    )


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == _EXPIRED:
        return "PostgreSQL's certificate has expired; have the server's renewed."
    if error.verify_code == _NOT_YET_VALID:
        return "PostgreSQL's certificate is not valid yet; compare the clocks of both machines."
    if error.verify_code in _OTHER_HOSTS:
        return (
            "PostgreSQL's certificate is for another host; name the host that it is for in the "
            "database's URL."
        )
    return (
        f"PostgreSQL's certificate is not to be trusted ({error.verify_message}); let sslrootcert "
        "in the database's URL name the file of the authority that signed it."
    )


def login_remedy(sqlstate: str, text: str, *, shows_certificate: bool) -> str | None:
    """Return what to do after PostgreSQL did not let a client in, as the end of a sentence.

    Args:
        sqlstate: what the server gave as the reason.
        text: what it said.
        shows_certificate: whether the client has a certificate to show.
    """
    if sqlstate == _WRONG_PASSWORD:
        return "correct the user or the password."
    if sqlstate == _CLOSED and shows_certificate:
        # By TLS 1.3 a client believes that all is well until the server closes.
        return _SHOWN
    if sqlstate != _NO_LOGIN:
        return None
    if "valid client certificate" in text:
        return "name one with sslcert and sslkey in the database's URL."
    if "certificate authentication failed" in text:
        return "the certificate that sslcert names must be for this user."
    if "no encryption" in text:
        return "set sslmode=verify-full in the database's URL."
    return "let this user in by pg_hba.conf of the server."


def shows_certificate(url: str) -> bool:
    """Whether an address names a certificate of the client's own."""
    return "sslcert" in dict(parse_qsl(urlsplit(url).query))
