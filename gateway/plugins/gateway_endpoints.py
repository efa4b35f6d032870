"""What makes ``serial:PATH[:baud=9600][:parity=N][:stop_bits=1][:bits=8]`` a client endpoint string for any Twisted
program.  Installed among Twisted's own plugins, and read whenever one of them is looked for: so it imports late."""

from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint, IStreamClientEndpointStringParserWithReactor
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class SerialParser:
    prefix = "serial"

    def parseStreamClient(self, reactor: Any, *args: Any, **kwargs: Any) -> IStreamClientEndpoint:
        from gateway.transports.ports import COMMON, set_line
        from gateway.transports.serial import SerialEndpoint

        path, *more = (*args, *filter(None, [kwargs.pop("path", None)]), "")
        if not path or any(more):
            raise ValueError("one port, as in serial:PATH[:baud=9600][:parity=N][:stop_bits=1][:bits=8]")
        return SerialEndpoint(reactor, path, set_line(COMMON, kwargs))


serial = SerialParser()
