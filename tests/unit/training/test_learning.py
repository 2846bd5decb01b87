"""`vedette learn` as a whole, with a real training: from answers to a candidate that the gate has judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive.collection.when import last_learnt
from archive.registry import registry_of
from contracts.config_file import load
from tests.evidence_tools import AT_MS
from tests.training_tools import TinySite
from vedette.cli import main

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*")]


def test_answers_become_a_candidate_that_the_gate_has_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = TinySite(tmp_path)
    command = ["--config", str(site.config)]
    capsys.readouterr()
    assert main(["models", "freeze", str(site.set), *command]) == 0
    (tmp_path / "gate.yaml").write_text(capsys.readouterr().out + "limits: {resamples: 20, slowdown: 10}\n")
    code = main(["learn", "--why", "a test", *command, "--state", str(site.state)])
    learnt = last_learnt(site.collection)
    assert learnt is not None
    assert (learnt.answers, learnt.why, code) == (6, "a test", 0 if learnt.passed else 3)
    registry = registry_of(load(site.config).models, lambda: AT_MS)
    assert registry is not None
    assert [one.id for one in registry.versions()] == [site.model.id, learnt.candidate]
    lineage = registry.manifest(learnt.candidate).lineage
    assert lineage is not None
    assert (lineage.parent, lineage.data[0].sha256) == (site.model.id, learnt.version)
    assert [(one.camera, one.label, one.words) for one in lineage.words] == [("gate", "person", 6)]
    assert registry.learnt(learnt.candidate)
    assert registry.standing("home")["detector"].in_service == site.model.id
