"""What only shows over all cameras of a site. Pure."""

from stream.sites.unknowns import Seen, Sighting, UnknownPerson, Unknowns, UnknownsConfig, UnknownsState, Visit

__all__ = ["Seen", "Sighting", "UnknownPerson", "Unknowns", "UnknownsConfig", "UnknownsState", "Visit"]
