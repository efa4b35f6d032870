"""What the user sees: what he wants to, corrected as he wants it, and doubted where it leaves the bounds he set.

``low`` and ``high`` bound a value, ``slope`` how much it changes in a second; this is the check on a plausible rate of
change of WMO's "Guidelines on Quality Control Procedures for Data from Automatic Weather Stations" (Zahumensky 2004).
There a value is compared with the one before, so that the good one behind a spike is doubted, too.  Here it is compared
with the last good one; and three in a row that agree with each other are a step that lasts, and true.
"""

from __future__ import annotations

from collections.abc import Collection
from math import inf, isfinite

from drivers.api import BadValue, Quantity, Sample, Value
from gateway.plan import Plan

LASTING = 3  # values in a row that agree with each other, and not with the last good one


class Plausible:
    """The readings of one device."""

    def __init__(self, plan: Plan) -> None:
        self.scales, self.limits, self.slopes, self.hidden = plan.scales, plan.limits, plan.slopes, plan.hidden
        self.good: dict[str, tuple[float, float]] = {}  # quantity -> time and value of the last good one
        self.strange: dict[str, tuple[float, float, int]] = {}  # and of the last that was not, and how many agreed

    def corrected(self, sample: Sample) -> Sample:
        if not self.scales and not self.hidden:
            return sample
        return {
            quantity: self.scaled(quantity, value)
            for quantity, value in sample.items()
            if quantity.name not in self.hidden
        }

    def scaled(self, quantity: Quantity, value: Value) -> Value:
        if isinstance(value, str) or quantity.name not in self.scales:
            return value
        factor, offset = self.scales[quantity.name]
        corrected = value * factor + offset
        if not isfinite(corrected):
            raise BadValue(f"{quantity.name} {value:g} * {factor:g} + {offset:g} is beyond all numbers")
        return round(corrected) if quantity.kind == "int" else corrected

    def doubtful(self, sample: Sample, at: float) -> Collection[Quantity]:
        """What of *sample*, true at second *at*, nobody should believe: a spike that passed its checksum, perhaps."""
        if not self.limits and not self.slopes:
            return ()
        return [
            quantity
            for quantity, value in sample.items()
            if not isinstance(value, str) and not self.believed(quantity, value, at)
        ]

    def believed(self, quantity: Quantity, value: float, at: float) -> bool:
        low, high = self.limits.get(quantity.name, (-inf, inf))
        slope = self.slopes.get(quantity.name, inf)
        return low <= value <= high and (slope == inf or self.steady(quantity, value, at, slope))

    def steady(self, quantity: Quantity, value: float, at: float, slope: float) -> bool:
        """Whether *value* can follow; it is remembered.  A digit more or less is no change."""
        name, least = quantity.name, 10.0**-quantity.digits

        def agrees(other: tuple[float, ...]) -> bool:
            return abs(value - other[1]) <= slope * (at - other[0]) + least

        if name in self.good and not agrees(self.good[name]):
            before = self.strange.get(name)
            count = before[2] + 1 if before is not None and agrees(before) else 1
            self.strange[name] = at, value, count
            if count < LASTING:
                return False
        self.good[name] = at, value
        self.strange.pop(name, None)
        return True
