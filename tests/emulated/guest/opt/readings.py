"""Print the CPU time in µs of one reading, from a sensor's bytes to the text for a watcher; with ports and sockets it
costs the kernel's share besides.  Runs in the guest and on the host alike."""

import time
from typing import Any

from drivers.api import DeviceError
from gateway import catalog
from gateway.clock import Clock
from gateway.hub import Hub

FRAMES = 400

driver = catalog.find("pms5003")
device: Any = driver.device(driver.settings())
emulator: Any = driver.emulator()
frames = [emulator.tick(1.0) for _ in range(FRAMES)]
hub, lines = Hub(Clock(1, time.monotonic)), list[str]()
hub.subscribe(lambda readings: lines.extend(reading.text for reading in readings), "*")

began = time.process_time()
for frame in frames:
    for sample in device.feed(frame):
        assert not isinstance(sample, DeviceError)
        hub.publish("street", sample)
assert len(lines) >= FRAMES
print((time.process_time() - began) / len(lines) * 1e6)
