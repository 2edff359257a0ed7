"""Messages between two processes over a socket: a length of four bytes, then JSON.

The other end may be hostile: whatever it sends, `receive` returns what JSON can hold or raises one of two errors.
"""

import json
import socket
import time
from typing import Any

MOST_BYTES = 16 * 2**20  # of one message

_dumps = json.JSONEncoder(check_circular=False).encode
_loads = json.loads


class Closed(Exception):
    """The other end is gone."""


class Garbage(Exception):
    """The other end sent what is no message."""


class Channel:
    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    def send(self, message: Any, deadline: float | None = None) -> None:
        """Raises Closed, TimeoutError, or ValueError for a message above MOST_BYTES."""
        data = _dumps(message).encode("ascii")
        if len(data) > MOST_BYTES:
            raise ValueError(f"{len(data):,} bytes are too many, {MOST_BYTES:,} may cross")
        try:
            self._set_time(deadline)
            self._socket.sendall(len(data).to_bytes(4, "big") + data)
        except (BrokenPipeError, ConnectionError) as error:
            raise Closed from error

    def receive(self, deadline: float | None = None) -> Any:
        """Waits until `deadline` on the monotonic clock. Raises Closed, Garbage or TimeoutError."""
        length = int.from_bytes(self._exactly(4, deadline), "big")
        if length > MOST_BYTES:
            raise Garbage("a message that is too long")
        try:
            return _loads(self._exactly(length, deadline))
        except (ValueError, RecursionError) as error:
            raise Garbage("a message that is no JSON") from error

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, number: int, deadline: float | None) -> bytes:
        data = bytearray()
        while len(data) < number:
            self._set_time(deadline)
            try:
                part = self._socket.recv(min(number - len(data), 2**20))
            except ConnectionError as error:
                raise Closed from error
            if not part:
                raise Closed
            data += part
        return bytes(data)

    def _set_time(self, deadline: float | None) -> None:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
