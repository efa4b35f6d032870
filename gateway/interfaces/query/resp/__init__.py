"""The query port as Redis clients know it: RESP2 and RESP3, keys, channels and time series."""

from __future__ import annotations

from gateway.interfaces.query.resp.dialect import Resp

__all__ = ["Resp"]
