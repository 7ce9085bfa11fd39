"""A webhook body in, its envelope out: which event, of which type, when."""

from typing import Final

from apex_memory.pipeline.sources._fields import Identifier, Instant
from apex_memory.pipeline.sources._reading import CamelShape

SOURCE: Final = "samsara"
PING: Final = "Ping"
#: Payload 1.0, which webhooks keep that were made before payload 2.0.
LEGACY_ALERT: Final = "Alert"
ALERT: Final = "AlertIncident"
DOCUMENT: Final = "DocumentSubmitted"
ADDRESSES: Final = frozenset({"AddressCreated", "AddressUpdated", "AddressDeleted"})

#: What `events` maps as it maps any event that names a vehicle or a driver.
_ANY: Final = frozenset(
    {
        *("AlertObjectEvent", "DriverCreated", "DriverUpdated", "DvirSubmitted", "EngineFaultOff"),
        *(
            "EngineFaultOn",
            "FormSubmitted",
            "FormUpdated",
            "GatewayUnplugged",
            "GeofenceEntry",
            "GeofenceExit",
        ),
        *("IssueCreated", "MissingDvirPastDue", "PredictiveMaintenanceAlert", "RouteStopArrival"),
        *("RouteStopDeparture", "RouteStopEarlyLateArrival", "RouteStopEtaUpdated", "RouteStopResequence"),
        *("SevereSpeedingEnded", "SevereSpeedingStarted", "ShipmentTrackingEvent", "SpeedingEventEnded"),
        *("SpeedingEventStarted", "SuddenFuelLevelDrop", "SuddenFuelLevelRise", "VehicleCreated"),
        *("VehicleUpdated", "VisualSearchMatch", "WorkOrderCreatedOrChanged"),
    }
)
#: Samsara adds types as it likes: one that is not here is kept, and mapped by nobody.
EVENT_TYPES: Final = _ANY | ADDRESSES | {ALERT, DOCUMENT, LEGACY_ALERT}


class Envelope(CamelShape):
    """Payload 2.0. What is named here is no content; some streams add a vehicle or a driver beside `data`."""

    event_id: Identifier
    event_time: Instant
    event_type: Identifier
    org_id: object = None
    webhook_id: object = None
    data: object = None
