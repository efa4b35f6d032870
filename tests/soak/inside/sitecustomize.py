"""Python reads this in a daemon under test, when it starts: SIGUSR1 has it count what it holds, into $SOAK_FIGURES."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
from collections import Counter
from typing import Any


class Pieces(ctypes.Structure):
    """What malloc has given out, in bytes (mallinfo2(3))."""

    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"
    )]  # fmt: skip


libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Pieces


def count(*what: Any) -> None:
    reactor = sys.modules.get("twisted.internet.reactor")
    gc.collect()
    libc.malloc_trim(0)  # what is free and yet resident is no leak
    pieces = libc.mallinfo2()
    held = {
        "heap": (pieces.uordblks + pieces.hblkhd) / 1e6,
        "blocks": sys.getallocatedblocks(),
        "calls": len(reactor.getDelayedCalls()) if reactor else 0,
        "watched": len(reactor.getReaders()) + len(reactor.getWriters()) if reactor else 0,
        "types": Counter(type(each).__name__ for each in gc.get_objects()),
    }
    path = os.environ["SOAK_FIGURES"]
    with open(f"{path}.new", "w") as file:
        json.dump(held, file)
    os.replace(f"{path}.new", path)


signal.signal(signal.SIGUSR1, count)
