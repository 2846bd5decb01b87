"""Who somebody is: a gallery of enrolled people, looks fused over a track, open-set identification. Pure."""

from stream.identity.calibration import Calibration, Level, calibration_of, rising
from stream.identity.cohort import Cohort, cohort_of
from stream.identity.fusion import FusedState, fuse
from stream.identity.gallery import Denial, Entry, Gallery, Match, Person
from stream.identity.identifier import Identifier, IdentifierConfig, Identity, IdentityState, Look
from stream.identity.tail import Tail, fit_tail

__all__ = [
    "Calibration",
    "Cohort",
    "Denial",
    "Entry",
    "FusedState",
    "Gallery",
    "Identifier",
    "IdentifierConfig",
    "Identity",
    "IdentityState",
    "Level",
    "Look",
    "Match",
    "Person",
    "Tail",
    "calibration_of",
    "cohort_of",
    "fit_tail",
    "fuse",
    "rising",
]
