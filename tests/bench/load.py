"""What loads the servers.  Whatever this costs is not counted: only the servers' CPU time is."""

from __future__ import annotations

import os
import pty
import select
import socket
import time
import tty
from collections.abc import Callable, Sequence

SILENCE = 20.0  # seconds without an answer that end a measurement


class Asking:
    """Connections that each send *request*, *depth* times in one piece, whenever all is answered: *size* bytes each."""

    def __init__(self, sockets: Sequence[socket.socket], request: bytes, size: int, depth: int) -> None:
        self.sockets = {each.fileno(): each for each in sockets}
        self.request, self.size, self.depth = request * depth, size * depth, depth
        self.poll = select.epoll()
        for fd in self.sockets:
            self.poll.register(fd, select.EPOLLIN)

    def run(self, seconds: float) -> int:
        """How many requests were answered in *seconds*, and in what the last answers take."""
        receive = {fd: each.recv for fd, each in self.sockets.items()}
        send = {fd: each.send for fd, each in self.sockets.items()}
        left = dict.fromkeys(self.sockets, self.size)
        busy, done, end = len(left), 0, time.monotonic() + seconds
        for ask in send.values():
            ask(self.request)
        while busy:
            if not (events := self.poll.poll(SILENCE)):
                raise RuntimeError(f"{busy} connections got no answer in {SILENCE:g} s")
            late = time.monotonic() > end
            for fd, _ in events:
                left[fd] -= len(receive[fd](65536))
                if not left[fd]:
                    done += self.depth
                    if late:
                        busy -= 1
                    else:
                        left[fd] = self.size
                        send[fd](self.request)
        return done

    def close(self) -> None:
        self.poll.close()
        for each in self.sockets.values():
            each.close()


class Watching:
    """*count* connections that are told the same: *size* bytes whenever somebody publishes."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size
        self.sockets: dict[int, socket.socket] = {}
        self.poll = select.epoll()

    def join(self, connect: Callable[[], socket.socket], request: bytes, answer: bytes) -> None:
        """Connect all, and have each of them ask to be told."""
        for _ in range(self.count):
            client = connect()
            client.sendall(request)
            if (got := client.recv(len(answer), socket.MSG_WAITALL)) != answer:
                raise RuntimeError(f"{request!r} was answered {got!r}")
            self.sockets[client.fileno()] = client
            self.poll.register(client, select.EPOLLIN)

    def run(self, publish: Callable[[], object], times: int) -> int:
        """*publish*, and take what comes of it, *times* over; how many deliveries of *size* bytes that made."""
        receive = {fd: each.recv for fd, each in self.sockets.items()}
        for _ in range(times):
            publish()
            missing = self.size * self.count
            while missing:
                if not (events := self.poll.poll(SILENCE, self.count)):
                    raise RuntimeError(f"{missing} bytes were not delivered in {SILENCE:g} s")
                for fd, _ in events:
                    missing -= len(receive[fd](65536))
        return times * self.count

    def close(self) -> None:
        self.poll.close()
        for each in self.sockets.values():
            each.close()


class Terminal:
    """The far end of a pseudo-terminal, whose near end is at *path*."""

    def __init__(self) -> None:
        self.far, self.near = pty.openpty()
        tty.setraw(self.near)
        self.path = os.ttyname(self.near)
        os.chmod(self.path, 0o666)  # gpsd becomes another user

    def say(self, data: bytes) -> None:
        os.write(self.far, data)

    def close(self) -> None:
        os.close(self.far)
        os.close(self.near)


class Receiver(Terminal):
    """A satellite receiver, and what a client of its listener heard."""

    def __init__(self, sentences: Sequence[bytes]) -> None:
        super().__init__()
        self.sentences = sentences
        self.heard = b""

    def run(self, client: socket.socket, rounds: int, together: int, pause: float) -> int:
        """Say everything *rounds* times, *together* sentences in one write each *pause* seconds; how many."""
        client.setblocking(False)
        drain(client)
        heard, due, said = bytearray(), time.monotonic(), list(self.sentences) * rounds
        for at in range(0, len(said), together):
            self.say(b"".join(said[at : at + together]))
            due += pause
            time.sleep(max(0.0, due - time.monotonic()))
            heard += drain(client)
        time.sleep(0.2)  # the last of it is on its way
        self.heard = bytes(heard + drain(client))
        return len(said)


def drain(client: socket.socket) -> bytes:
    """What has come so far."""
    came = bytearray()
    try:
        while chunk := client.recv(65536):
            came += chunk
    except BlockingIOError:
        pass
    return bytes(came)


def until(client: socket.socket, end: bytes) -> bytes:
    """All that comes, up to *end*."""
    client.settimeout(SILENCE)
    came = b""
    while not came.endswith(end):
        if not (chunk := client.recv(65536)):
            raise RuntimeError(f"the server closed after {came!r}")
        came += chunk
    return came
