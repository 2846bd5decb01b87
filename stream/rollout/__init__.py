"""How a model comes into service: which frames are its, what it sees otherwise, and when it is taken back. Pure."""

from stream.rollout.compare import Difference, certain, compare
from stream.rollout.guard import GuardState, RolloutGuard, Verdict
from stream.rollout.plan import Choice, Placed, Plan
from stream.rollout.tally import Tally

__all__ = [
    "Choice",
    "Difference",
    "GuardState",
    "Placed",
    "Plan",
    "RolloutGuard",
    "Tally",
    "Verdict",
    "certain",
    "compare",
]
