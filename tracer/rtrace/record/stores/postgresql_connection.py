"""The one door to PostgreSQL: connecting, asking, and errors as sentences without passwords."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from rtrace.errors import HistoryError
from rtrace.printable import printable_text
from rtrace.record.stores.postgresql_address import Address

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 5
_ANSWER_SECONDS = 300
_SHOWN = 200
_SETTINGS = "SET lock_timeout = '10s'; SET client_min_messages = 'warning'; SET enable_seqscan = off; SET jit = off"
"""The planner sees that a row of files is small, and not what it takes to read the thousands of keys that lie
elsewhere: it would rather read all rows than an index."""


class Connection(Protocol):
    """What is used of a connection of pg8000."""

    def run(self, sql: str, stream: Any = None, types: Any = None, **params: Any) -> list[list[Any]]:  # noqa: ANN401
        """Ask."""
        ...

    def close(self) -> None:
        """Say goodbye."""
        ...


class DatabaseGoneError(HistoryError):
    """A database cannot be reached, or does not do what it is asked."""


class Database:
    """A database, to which a connection is made when it is asked first."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._connection: Connection | None = None

    def ask(self, sql: str, **values: object) -> list[list[Any]]:
        """Send a statement with named values; return the rows of the answer. Raises DatabaseGoneError."""
        connection = self._connect()
        with self._telling():
            return connection.run(sql, **values) or []

    def copy(self, sql: str, lines: Iterable[bytes]) -> None:
        """Send lines to a COPY. Raises DatabaseGoneError."""
        connection = self._connect()
        with self._telling():
            connection.run(sql, stream=lines)

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Do all of what is asked meanwhile, or nothing."""
        self.ask("BEGIN")
        try:
            yield
            self.ask("COMMIT")
        except BaseException:
            with contextlib.suppress(DatabaseGoneError):  # what went wrong is being raised
                self.ask("ROLLBACK")
            raise

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for answers as long as it takes: an index of a long history takes minutes on a busy server."""
        socket = cast("Any", self._connect())._usock  # noqa: SLF001 -- pg8000 has no other way
        socket.settimeout(None)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # EBADF: the connection has gone, which is being told
                socket.settimeout(_ANSWER_SECONDS)

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            with contextlib.suppress(Exception):  # it is gone already, in one of many ways
                self._connection.close()
            self._connection = None

    def _connect(self) -> Connection:
        if self._connection is None:
            try:
                import pg8000.native
            except ImportError:
                raise HistoryError(
                    "a history in PostgreSQL needs pg8000; install it with `pip install 'rtrace-repro[postgresql]'`"
                ) from None
            address = self.address
            place: dict[str, object] = {"host": address.host, "port": address.port}
            if address.host.startswith("/"):
                place = {"unix_sock": f"{address.host}/.s.PGSQL.{address.port}"}

            def connect(encryption: object) -> Any:  # noqa: ANN401 -- pg8000 has no types
                return pg8000.native.Connection(
                    address.user,
                    database=address.database,
                    password=address.password,
                    timeout=CONNECT_SECONDS,
                    ssl_context=encryption,
                    application_name="rtrace",
                    **place,
                )

            with self._telling():
                try:
                    connection = connect(make_encryption(address))
                except pg8000.native.InterfaceError as error:
                    if address.ssl != "prefer" or "refuses SSL" not in str(error):
                        raise
                    connection = connect(encryption=False)
                connection._usock.settimeout(_ANSWER_SECONDS)  # noqa: SLF001 -- the time to connect is not that to answer
                connection.run(_SETTINGS)
            self._connection = cast("Connection", connection)
        return self._connection

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        from pg8000.exceptions import DatabaseError

        try:
            yield
        except DatabaseError as error:
            details = error.args[0] if error.args else ""
            text = details.get("M", "") if isinstance(details, dict) else str(details)
            raise self._fail(text) from None
        except Exception as error:  # noqa: BLE001 -- pg8000, scramp, ssl and sockets each have kinds of their own
            self.close()
            raise self._fail(str(error) or "it is gone") from None

    def _fail(self, reason: str) -> DatabaseGoneError:
        text = printable_text(reason)[:_SHOWN]
        if self.address.password:
            text = text.replace(self.address.password, "...")
        return DatabaseGoneError(
            f"the history {self.address.shown} cannot be used ({text}); check the address and the server"
        )


def make_encryption(address: Address) -> ssl.SSLContext | Literal[False]:
    """Return how a connection is encrypted, for pg8000; certificates are read only where one is asked for."""
    if address.host.startswith("/") or address.ssl == "disable":
        return False
    import ssl

    if address.ssl == "verify-full":
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
