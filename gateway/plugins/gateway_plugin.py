"""What makes ``twistd gateway`` known.  Installed among Twisted's own plugins, and read by every ``twistd``:
so it names ``gateway.twistd`` and imports nothing of it."""

from twisted.application.service import ServiceMaker

gateway = ServiceMaker(
    "Device Gateway", "gateway.twistd", "Serial, I2C and GPIO devices over TCP, HTTP and IRC.", "gateway"
)
