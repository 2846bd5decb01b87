"""What parts of a config ask of each other: rules of cameras that identify, cameras of agents, rules of classifiers."""

from __future__ import annotations

import pytest
import yaml

from contracts.config import uses_classifier
from contracts.config_file import parse
from tests.unit.contracts.faults import fault

FACES = {"identify": True, "purpose": "watch-list"}


BLIND = [
    # what a camera that identifies lacks, the path, words of the reason
    ({"detect": {"detail_fps": 0}}, "cameras.gate.faces.identify", "detail_fps is 0"),
    ({"objects": {"track": ["car"]}}, "cameras.gate.faces.identify", "`person`"),
]


@pytest.mark.parametrize(("camera", "path", "words"), BLIND)
def test_a_camera_that_identifies_must_see_faces(camera: dict[str, object], path: str, words: str) -> None:
    gate = {"inputs": [{"url": "a"}], "faces": FACES}
    assert parse(yaml.safe_dump({"cameras": {"gate": gate}})).cameras["gate"].faces.identify
    found = fault(yaml.safe_dump({"cameras": {"gate": gate | camera}}))
    assert found.path == path
    assert words in found.reason


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({"kind": "known_person", "groups": ["banned"]}, ""),
        ({"kind": "known_person", "people": ["Ann"], "zone": "yard", "cameras": ["gate"]}, ""),
        ({"kind": "unknown_person", "zone": "yard"}, ""),
        ({"kind": "returning_unknown", "times": 3, "days": 7}, ""),
        ({"kind": "known_person", "cameras": ["gate", "hall"]}, "rules.who.cameras"),
        ({"kind": "unknown_person", "zone": "attic"}, "rules.who.zone"),
        ({"kind": "returning_unknown", "zone": "yard"}, "rules.who.zone"),
    ],
)
def test_rules_about_people_need_a_camera_that_identifies(rule: dict[str, object], path: str) -> None:
    yard = {"coordinates": [[0, 0], [1, 0], [1, 1]]}
    gate = {"inputs": [{"url": "a"}], "faces": FACES, "zones": {"yard": yard}}
    text = yaml.safe_dump({"cameras": {"gate": gate, "hall": {"inputs": [{"url": "b"}]}}, "rules": {"who": rule}})
    if path:
        assert fault(text).path == path
    else:
        assert parse(text).rules["who"].severity in ("medium", "high")


CLASSIFIED = {
    "cameras": {"gate": {"inputs": [{"url": "a"}], "zones": {"yard": {"coordinates": [[0, 0], [1, 0], [1, 1]]}}}},
    "classifiers": {"hard_hat": {"manifest": "hard-hat.json"}},
    "rules": {"bare": {"kind": "zone_entry", "zone": "yard", "attributes": {"hard_hat": "no"}}},
}


@pytest.mark.parametrize(
    ("edge", "gate", "hall", "path", "words"),
    [
        ("agents: [box]", "agent: bix", "", "cameras.gate.agent", "`bix` is none of the site's agents: box"),
        ("local_agents: [a, b]", "agent: a", "", "cameras.hall.agent", "is missing: the site has several agents, a, b"),
        ("", "agent: a", "agent: b", "", ""),
        ("", "agent: a, enabled: false", "agent: b", "", ""),
        ("local_agents: [a, b]", "agent: a", "enabled: false", "", ""),
        ("agents: [box]", "", "", "", ""),  # the site's only one
        ("", "agent: 'two words'", "", "cameras.gate.agent", "a name of letters"),
        ("", "agent: ''", "", "cameras.gate.agent", "a name of letters"),
    ],
)
def test_each_camera_is_one_agent_s(edge: str, gate: str, hall: str, path: str, words: str) -> None:
    text = f"""
edge: {{{edge}}}
cameras:
  gate: {{inputs: [{{url: gate.mp4}}], {gate}}}
  hall: {{inputs: [{{url: hall.mp4}}], {hall}}}
"""
    if not path:
        assert list(parse(text).cameras) == ["gate", "hall"]
        return
    wrong = fault(text)
    assert wrong.path == path
    assert words in wrong.reason


@pytest.mark.parametrize(
    ("part", "value", "path", "words"),
    [
        ("classifiers", {}, "rules.bare.attributes.hard_hat", "no such classifier"),
        ("classifiers", {"hard_hat": {"manifest": "a", "enabled": False}}, "rules.bare.attributes.hard_hat", "`gate`"),
        ("classifiers", {"Hard Hat": {"manifest": "a"}}, "classifiers", "a name like hard_hat"),
        ("classifiers", {"hard_hat": {"manifest": "a", "mots": 3}}, "classifiers.hard_hat.mots", "key"),
        ("learning", {"classifiers": {"hat": {"recipe": "a", "gate": "b"}}}, "learning.classifiers.hat", "no such"),
        ("rules", {"down": {"kind": "camera_down", "attributes": {"hard_hat": "no"}}}, "rules.down.attributes", "kind"),
        (
            "rules",
            {"a": {"kind": "zone_entry", "zone": "yard", "attributes": {"hard_hat": False}}},
            "rules.a",
            "in quotes",
        ),
    ],
    ids=[
        "no classifier",
        "not on the camera",
        "no name",
        "unknown key",
        "learns nowhere",
        "a rule without things",
        "a bare no of YAML",
    ],
)
def test_rules_ask_for_attributes_that_a_classifier_says(part: str, value: object, path: str, words: str) -> None:
    assert parse(yaml.safe_dump(CLASSIFIED)).rules["bare"].attributes == {"hard_hat": "no"}
    found = fault(yaml.safe_dump(CLASSIFIED | {part: value}))
    assert found.path.startswith(path)
    assert words in found.reason


def test_a_camera_may_use_a_classifier_that_the_others_do_not() -> None:
    own = {"gate": CLASSIFIED["cameras"]["gate"] | {"classifiers": {"hard_hat": {"enabled": True}}}}
    off = {"hard_hat": {"manifest": "hard-hat.json", "enabled": False}}
    config = parse(yaml.safe_dump(CLASSIFIED | {"cameras": own, "classifiers": off}))
    assert uses_classifier(config, "gate", "hard_hat")
    blind = {"gate": own["gate"] | {"detect": {"detail_fps": 0}}}
    found = fault(yaml.safe_dump(CLASSIFIED | {"cameras": blind}))
    assert found.path == "cameras.gate.classifiers.hard_hat.enabled"
