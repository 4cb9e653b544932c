"""Where a database is, as a URL says it, and why it can't be opened."""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from executor_service.errors import ExecutorError
from steplog_contracts.postgres_login import login_remedy, shows_certificate, tls_problem

POSTGRESQL_PORT: Final = 5432


class DatabaseError(ExecutorError):
    """A database that can't be reached, or a configuration that names none."""


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """Where the database is. `database` is a file's path for SQLite (or `:memory:`)."""

    provider: Literal["postgresql", "sqlite"]
    database: str = ""
    host: str = "localhost"
    port: int = POSTGRESQL_PORT
    username: str | None = None
    password: str | None = None
    # What else a PostgreSQL URL says after its `?`, such as `sslmode=verify-full`.
    query: str = ""

    @classmethod
    def from_url(cls, url: str) -> "ConnectionConfig":
        """Read `postgresql://user:password@host:port/name?sslmode=...`, `sqlite:///file` or
        `sqlite://`.

        Raises:
            DatabaseError: it is no such address.
        """
        parts = urlsplit(url)
        if parts.scheme == "sqlite":
            # Three slashes name a relative file and four an absolute one, as elsewhere.
            return cls("sqlite", unquote(parts.path.removeprefix("/")) or ":memory:")
        if parts.scheme not in ("postgresql", "postgres"):
            raise DatabaseError(
                f"A database URL begins with postgresql:// or sqlite://, not {parts.scheme!r}."
            )
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        # As in asyncpg, what stands before the `?` counts first.
        named, host, port = (query.pop(name, None) for name in ("dbname", "host", "port"))
        return cls(
            "postgresql",
            unquote(parts.path.removeprefix("/")) or named or "",
            parts.hostname or host or "localhost",
            parts.port or int(port or POSTGRESQL_PORT),
            None if parts.username is None else unquote(parts.username),
            None if parts.password is None else unquote(parts.password),
            urlencode(query),
        )

    def __repr__(self) -> str:
        # Configurations end up in logs; passwords must not.
        where = self.database if self.provider == "sqlite" else f"{self.host}:{self.port}"
        return f"ConnectionConfig({self.provider}, {where}, database={self.database!r})"

    @property
    def url(self) -> str:
        """The database's URL, as `from_url` reads it."""
        if self.provider == "sqlite":
            return f"sqlite:///{quote(self.database)}"
        return self.postgresql_url

    @property
    def postgresql_url(self) -> str:
        """The URL that asyncpg takes; a socket's folder as host is kept as it is."""
        user = "" if self.username is None else quote(self.username, safe="")
        password = "" if self.password is None else f":{quote(self.password, safe='')}"
        login = f"{user}{password}@" if user else ""
        path = f"/{quote(self.database)}" if self.database else ""
        if self.host.startswith("/"):
            socket = {"host": self.host} | (
                {} if self.port == POSTGRESQL_PORT else {"port": self.port}
            )
            asked = "&".join(filter(None, (urlencode(socket), self.query)))
            return f"postgresql://{login}{path}?{asked}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        asked = f"?{self.query}" if self.query else ""
        return f"postgresql://{login}{host}:{self.port}{path}{asked}"


def not_opened(config: ConnectionConfig, error: Exception) -> DatabaseError:
    """Return why a database can't be opened, with the remedy where there is one."""
    if problem := tls_problem(error):
        return DatabaseError(f"{config!r} can't be opened: {problem}")
    text = (str(error) or type(error).__name__).splitlines()[0].removesuffix(".")
    state = getattr(error, "sqlstate", None) or ""
    certified = shows_certificate(config.postgresql_url)
    remedy = login_remedy(state, text, shows_certificate=certified)
    if remedy is not None:
        return DatabaseError(f"{config!r} can't be opened: {text}; {remedy}")
    return DatabaseError(f"{config!r} can't be reached: {text}.")
