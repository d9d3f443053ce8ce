"""Which ports of this machine are free, and who has one that is not."""

import socket

import psutil

LOOPBACK = "127.0.0.1"


class PortTaken(Exception):
    """Somebody listens there already; the message says who and what to set."""


def free(preferred: int | None = None) -> int:
    """A port nobody listens on: `preferred` where it is free, else any."""
    if preferred is not None and is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def require(port: int, *, variable: str) -> None:
    """Check that `port` is free.

    Args:
        port: The port a process is about to listen on.
        variable: The setting that moves it, named in the message.

    Raises:
        PortTaken: if it is not.
    """
    if is_free(port):
        return
    raise PortTaken(
        f"Port {port} is taken by {_listener(port)}. Nothing was started. "
        f"Stop that, or set {variable} to a free port: {variable}={free()} make run"
    )


def _listener(port: int) -> str:
    """The program that listens on `port`, as far as this user may know."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            here = connection.laddr and connection.laddr.port == port
            if here and connection.status == psutil.CONN_LISTEN and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass  # only root may ask on some systems
    return "another program"
