"""The numbers that rules take for granted; found on the clips of CAVIAR's lobby camera."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Habits:
    """Times in ms, lengths in body heights (the box's height) or in shares of the box's size."""

    rejoin_ms: int = 3000  # a thing whose track ended is waited for so long: as long as the tracker keeps a track
    rejoin_reach: float = 0.5  # a new track so near is the lost thing, heights
    rejoin_speed: float = 0.5  # and so much further for each second, heights
    rejoin_ahead_s: float = 0.5  # from where it would be if it had gone on for so long
    rejoin_overlap_ms: int = 700  # a track may have begun so long before the other one was last detected
    rejoin_size: float = 0.6  # and the smaller of both heights is at least this share of the larger
    still_ms: int = 10_000  # so long in one place is stationary
    still_radius: float = 0.25  # "one place", in sqrt(width x height): 12 px for a person of 30x80
    leave_radius: float = 0.5  # and so far from it is moving again
    hold_ms: int = 15_000  # a stationary thing that is not seen stays so long: three heartbeats
    hold_iou: float = 0.5  # a box this much on its place is still the same thing
    sparse_ms: int = 1000  # frames further apart are a still scene's heartbeats: no tracker confirms anything there
    parked_at_ms: int = 24 * 3_600_000  # a parked thing is remembered so long after it was seen last
    parked_living_at_ms: int = 300_000  # a person that stood still is not: somebody else may come to stand there
    speed_ms: int = 800  # a speed is the slope of the path over this time,
    speed_least_ms: int = 300  # and over this at least
    path_step_ms: int = 80
    trail_step_ms: int = 400  # 20 points are the last 8 s
    line_margin: float = 0.04  # so far beyond a line is clearly over it, heights: a box's lower edge shakes by that
    spell_slack_ms: int = 400  # a condition may fail for so long and still go on
    crowd_slack_ms: int = 1000
    owner_ms: int = 3000  # who is near while a thing has stood for less than this has put it down
    evidence_ms: int = 1000  # an event may be shown by a frame so much older than itself
    tell_ms: int = 5000  # an open event is told again at most so often,
    tell_better: float = 1.5  # and only when its evidence is so much better (or its count is higher)


LIVING = ("person", "dog", "cat")
ALIKE = {"car": "vehicle", "truck": "vehicle", "bus": "vehicle", "bicycle": "cycle", "motorcycle": "cycle"}
"""Labels that a detector mixes up over the life of one thing, as the tracker groups them."""
