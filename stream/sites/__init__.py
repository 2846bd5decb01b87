"""What only shows over all cameras of a site. Pure."""

from stream.sites.returning import Returning, ReturningState
from stream.sites.site import Gone, Site, SiteState, Told
from stream.sites.unknowns import (
    Coming,
    Seen,
    Sighting,
    UnknownPerson,
    Unknowns,
    UnknownsConfig,
    UnknownsState,
    Visit,
    closed,
    reopened,
)

__all__ = [
    "Coming",
    "Gone",
    "Returning",
    "ReturningState",
    "Seen",
    "Sighting",
    "Site",
    "SiteState",
    "Told",
    "UnknownPerson",
    "Unknowns",
    "UnknownsConfig",
    "UnknownsState",
    "Visit",
    "closed",
    "reopened",
]
