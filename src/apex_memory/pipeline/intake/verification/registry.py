"""A scheme's name in, the scheme out; every scheme that needs no rule is listed here."""

from typing import Final

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.pipeline.intake.verification.front_application import FrontApplication
from apex_memory.pipeline.intake.verification.front_rule import FrontRule
from apex_memory.pipeline.intake.verification.samsara import Samsara
from apex_memory.pipeline.intake.verification.standard import Standard
from apex_memory.pipeline.intake.verification.token import Token
from apex_memory.ports.hooks import Scheme

#: `hmac` is not among them: `hmac_scheme` makes one of each endpoint's own rule.
SCHEMES: Final[tuple[Scheme, ...]] = (FrontApplication(), FrontRule(), Samsara(), Standard(), Token())


def scheme_named(name: str) -> Scheme:
    """Raises DeliveryRefused: an endpoint by this scheme lets nothing in; says which names there are."""
    for scheme in SCHEMES:
        if scheme.name == name:
            return scheme
    known = ", ".join(scheme.name for scheme in SCHEMES)
    raise DeliveryRefused(f"its endpoint's scheme is not one of {known}")
