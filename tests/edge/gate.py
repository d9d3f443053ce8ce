"""A TCP door before PostgreSQL that a test can shut, as a fault between two machines would."""

import contextlib
import selectors
import socket
import threading
from urllib.parse import quote

from django.conf import settings

from smsplatform.local import ports


class Gate:
    """Forwards a free local port to the test database while open."""

    def __init__(self) -> None:
        self._port = ports.free()
        self._listener: socket.socket | None = None
        self._sockets: set[socket.socket] = set()

    @property
    def database_url(self) -> str:
        """The test database, through the gate."""
        given = settings.DATABASES["default"]
        credentials = f"{quote(given['USER'], safe='')}:{quote(given['PASSWORD'], safe='')}"
        return f"postgres://{credentials}@127.0.0.1:{self._port}/{given['NAME']}"

    def __enter__(self) -> "Gate":
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Let connections through."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(50)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Break every connection and refuse new ones."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for held in list(self._sockets):
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()
        self._sockets.clear()

    def _accept(self, listener: socket.socket) -> None:
        given = settings.DATABASES["default"]
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection((given["HOST"], int(given["PORT"] or 5432)))
            except OSError:
                return
            self._sockets |= {client, server}
            threading.Thread(target=self._pump, args=(client, server), daemon=True).start()

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        broken = contextlib.suppress(OSError, ValueError, KeyError)
        with selectors.DefaultSelector() as selector, broken:
            for end in other:
                selector.register(end, selectors.EVENT_READ, end)
            while True:
                for key, _ in selector.select():
                    data = key.data.recv(65536)
                    if not data:
                        return
                    other[key.data].sendall(data)
