"""Rules over tracks: zones, lines and behaviour to events, events to alerts; pure, time is the frames' capture time."""

from stream.rules.alerts import AlertPolicy, PolicyState, alerts_of
from stream.rules.changes import Rulebook, due
from stream.rules.engine import RuleEngine
from stream.rules.habits import Habits
from stream.rules.model import CameraRules, compile_rules
from stream.rules.questions import Questioner, QuestionState
from stream.rules.scene import People, Who
from stream.rules.silencing import Silencer, SilenceState
from stream.rules.state import EngineState

__all__ = [
    "AlertPolicy",
    "CameraRules",
    "EngineState",
    "Habits",
    "People",
    "PolicyState",
    "QuestionState",
    "Questioner",
    "RuleEngine",
    "Rulebook",
    "SilenceState",
    "Silencer",
    "Who",
    "alerts_of",
    "compile_rules",
    "due",
]
