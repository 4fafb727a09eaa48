"""Logs in through unixODBC with the connection string on standard input, and prints what PostgreSQL calls us.

The string comes through a pipe because it holds the password: arguments are readable by other users. Standard library
only: the driver manager is called with ctypes.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys

SQL_HANDLE_ENV, SQL_HANDLE_DBC, SQL_HANDLE_STMT = 1, 2, 3
SQL_ATTR_ODBC_VERSION, SQL_OV_ODBC3 = 200, 3
SQL_DRIVER_NOPROMPT = 0
SQL_C_WCHAR = -8
SQL_NTS = -3


def wide(text: str) -> ctypes.Array:
    """A string as unixODBC takes it: UTF-16 with a final zero."""
    return ctypes.create_string_buffer(text.encode("utf-16-le") + b"\0\0")


class Odbc:
    """Three calls deep: environment, connection, statement."""

    def __init__(self):
        self._library = ctypes.CDLL(ctypes.util.find_library("odbc") or "libodbc.so.2")
        self._environment = self._allocated(SQL_HANDLE_ENV, None)
        version = ctypes.c_void_p(SQL_OV_ODBC3)
        self._checked(
            self._library.SQLSetEnvAttr(self._environment, SQL_ATTR_ODBC_VERSION, version, 0),
            SQL_HANDLE_ENV,
            self._environment,
        )
        self._connection = self._allocated(SQL_HANDLE_DBC, self._environment)

    def connect(self, connection_string: str) -> None:
        text = wide(connection_string)
        status = self._library.SQLDriverConnectW(
            self._connection, None, text, SQL_NTS, None, 0, None, SQL_DRIVER_NOPROMPT
        )
        self._checked(status, SQL_HANDLE_DBC, self._connection)

    def value_of(self, query: str) -> str:
        statement = self._allocated(SQL_HANDLE_STMT, self._connection)
        self._checked(self._library.SQLExecDirectW(statement, wide(query), SQL_NTS), SQL_HANDLE_STMT, statement)
        self._checked(self._library.SQLFetch(statement), SQL_HANDLE_STMT, statement)
        room = ctypes.create_string_buffer(512)
        length = ctypes.c_ssize_t()
        status = self._library.SQLGetData(statement, 1, SQL_C_WCHAR, room, len(room), ctypes.byref(length))
        self._checked(status, SQL_HANDLE_STMT, statement)
        return room.raw[: length.value].decode("utf-16-le")

    def _allocated(self, kind: int, parent) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        status = self._library.SQLAllocHandle(kind, parent, ctypes.byref(handle))
        if status not in (0, 1):
            raise SystemExit(f"odbc: no handle of kind {kind} ({status})")
        return handle

    def _checked(self, status: int, kind: int, handle) -> None:
        if status in (0, 1):
            return
        state, text = ctypes.create_string_buffer(12), ctypes.create_string_buffer(2048)
        native, length = ctypes.c_int(), ctypes.c_short()
        self._library.SQLGetDiagRecW(
            kind, handle, 1, state, ctypes.byref(native), text, len(text) // 2, ctypes.byref(length)
        )
        raise SystemExit(f"odbc: {text.raw[: length.value * 2].decode('utf-16-le')}")


def main() -> None:
    odbc = Odbc()
    odbc.connect(sys.stdin.read().rstrip("\n"))
    print(odbc.value_of("select current_user::text"))


if __name__ == "__main__":
    main()
