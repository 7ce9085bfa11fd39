"""A status code in, one word for it out: by its key, since tenants rename and respell the texts."""

import re
from typing import Final, NamedTuple

from apex_memory.pipeline.sources._fields import OptionalId, OptionalName
from apex_memory.pipeline.sources._reading import CamelShape
from apex_memory.pipeline.sources._wording import spoken_code

SOURCE: Final = "turvo"

#: As two public integrations agree; 2122, 2128 and 2130 are not known to exist.
WORDS: Final = {
    "2100": "quote_active",
    "2101": "tendered",
    "2102": "covered",
    "2103": "dispatched",
    "2104": "at_pickup",
    "2105": "en_route",
    "2106": "at_delivery",
    "2107": "delivered",
    "2108": "ready_for_billing",
    "2109": "processing",
    "2110": "carrier_paid",
    "2111": "customer_paid",
    "2112": "completed",
    "2113": "canceled",
    "2114": "quote_inactive",
    "2115": "picked_up",
    "2116": "route_complete",
    "2117": "tender_offered",
    "2118": "tender_accepted",
    "2119": "tender_rejected",
    "2120": "draft",
    "2121": "shipment_ready",
    "2123": "acquiring_location",
    "2124": "customs_hold",
    "2125": "arrived",
    "2126": "available",
    "2127": "out_gated",
    "2129": "in_gated",
    "2131": "arriving_to_port",
    "2132": "berthing",
    "2133": "unloading",
    "2134": "ramped",
    "2135": "deramped",
    "2136": "departed",
    "2137": "held",
    "2138": "out_for_delivery",
    "2139": "in_transshipment",
    "2140": "on_hold",
    "2141": "interline",
}
_WORD: Final = re.compile(r"[^\W_]+")


class Status(NamedTuple):
    """`word` never changes; `spoken` is how people read it."""

    word: str
    spoken: str


class Code(CamelShape):
    """A key of Turvo's catalogue with the tenant's text for it; its `id` is the tenant's row."""

    key: OptionalId = None
    value: OptionalName = None

    def status(self) -> Status | None:
        """None if neither key nor text says anything."""
        if self.key in WORDS:
            return Status(WORDS[self.key], spoken_code(WORDS[self.key]))
        text = "_".join(_WORD.findall(self.value.lower())) if self.value else ""
        word = f"status_{self.key}" if self.key else text
        return Status(word, self.value or spoken_code(word)) if word else None
