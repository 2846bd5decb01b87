"""`vedette learn`: when it trains, what becomes of the candidate, and that a kill costs no more than a step."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import msgspec
import pytest

from archive.collection.cleaning import FOUND, Found, found_before
from archive.collection.items import AGAIN
from archive.collection.lease import Held, LeaseError
from archive.collection.store import Collection
from archive.collection.when import last_learnt
from archive.evidence.files import Folder
from archive.registry import Registry, registry_of
from bus.consuming import Record
from bus.errors import BusError
from contracts.codec import encode
from contracts.config_file import load
from contracts.errors import ConfigError, VedetteError
from contracts.manifest import Lineage, load_manifest
from tests.collection_tools import Answering
from tests.evidence_tools import AT_MS
from tests.gate_tools import bright_set
from tests.golden.samples import SAMPLES
from tests.registry_tools import SITE, made
from vedette.cli import main
from vedette.dataset import DataSets
from vedette.errors import RefusedError, SetupError
from vedette.learn import Learning, Train

BLUE, BOTH = {"blue": "blue"}, {"blue": "blue", "red": "red"}


class Site:
    """A site with one answered alert, a registry, a gate, and a training that gives the tiny model."""

    def __init__(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, in_service: dict[str, str]) -> None:
        self._root, self._state = tmp_path, tmp_path / "state"
        Answering(self._state / "archive").alert("a", "true")
        self.config = tmp_path / "my.yaml"
        self.config.write_text(
            f"site: {{name: {SITE}}}\ncameras: {{gate: {{inputs: [{{url: clip.mp4}}]}}}}\nconsole: {{enabled: false}}\n"
            f"models: {{folder: {tmp_path}/registry}}\nstream: {{model: {made(tmp_path, '1', label_map=in_service)}}}\n"
            "learning: {replay: data, gate: gate.yaml, after_answers: 2}\n"
        )
        bright_set(tmp_path)
        capsys.readouterr()
        main(["models", "freeze", str(tmp_path / "set.json"), "--config", str(self.config)])
        (tmp_path / "gate.yaml").write_text(capsys.readouterr().out + "limits: {resamples: 50, slowdown: 10}\n")
        self.trained, self.now_ms = 0, AT_MS
        self.doubts, self.since_ms = dict[str, dict[str, float]](), list[int]()
        self.begun_with = list[str]()

    @property
    def loop(self) -> Learning:
        return Learning(load(self.config), self.config, self._state, lambda: self.now_ms)

    def answers(self) -> Answering:
        return Answering(self._state / "archive")

    def training(self, sees: dict[str, str], version: str = "2") -> Train:
        """Stands for minutes of torch: it gives a model that sees these labels."""

        def finetune(arguments: list[str]) -> int:
            self.trained += 1
            given = dict(zip(arguments[2::2], arguments[3::2], strict=True))
            begun_with = load_manifest(Path(given["--manifest"]))
            self.begun_with.append(begun_with.id)
            self.since_ms.append(int(given["--since"]))
            full = made(self._root, version, label_map=sees, lineage=Lineage(parent=begun_with.id))
            shutil.copytree(full.parent, Path(given["--out"]) / "candidate", dirs_exist_ok=True)
            (Path(given["--out"]) / "candidate" / "detector.doubts").write_text(json.dumps(self.doubts))
            if "--small" in given:
                of = Lineage(parent=load_manifest(full).id, smaller_by=("8 bits",))
                small = made(self._root, f"{version}-small", name=given["--small"], label_map=sees, lineage=of)
                shutil.copytree(small.parent, Path(given["--out"]) / "small")
            return 0

        return finetune

    @property
    def registry(self) -> Registry:
        found = registry_of(load(self.config).models, lambda: AT_MS)
        assert found is not None
        return found

    def registered(self) -> list[str]:
        return [version.id for version in self.registry.versions()]


def test_it_waits_for_answers_then_trains_and_lets_the_gate_judge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    assert site.loop.learn("", site.training(BOTH)) == 0
    assert (site.trained, "it is not time" in capsys.readouterr().out) == (0, True)
    site.answers().alert("b", "false", grey=90)
    assert site.loop.learn("", site.training(BOTH)) == 0
    assert "training, detector: 2 new answers" in capsys.readouterr().out
    assert site.registered() == ["detector@1", "detector@2"]
    learnt = last_learnt(site.answers().collection)
    assert learnt is not None
    assert (learnt.candidate, learnt.passed, learnt.why) == ("detector@2", True, "2 new answers")
    assert site.loop.learn("", site.training(BOTH)) == 0
    assert site.trained == 1


def test_what_is_answered_while_it_trains_is_new_the_next_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    train, site.now_ms = site.training(BOTH), AT_MS + 1000

    def finetune(arguments: list[str]) -> int:
        for id, grey in (("b", 90), ("c", 120)):
            site.answers().alert(id, grey=grey)
            site.answers().answer(id, at_ms=AT_MS + 2000, verdict="false")
        site.now_ms = AT_MS + 3000
        return train(arguments)

    assert site.loop.learn("by hand", finetune) == 0
    assert site.loop.learn("", train) == 0
    assert ("training, detector: 2 new answers" in capsys.readouterr().out, site.trained) == (True, 2)


def test_a_worse_candidate_is_refused_and_stays_on_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(tmp_path, capsys, in_service=BOTH)
    with pytest.raises(RefusedError, match="red at hall"):
        site.loop.learn("by hand", site.training(BLUE))
    learnt = last_learnt(site.answers().collection)
    assert learnt is not None
    assert not learnt.passed


def test_a_gate_that_could_not_judge_has_refused_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)

    def away(*_: object) -> None:
        raise VedetteError("the bucket doesn't answer")

    with monkeypatch.context() as patch:
        patch.setattr("vedette.learn.gate_", away)
        with pytest.raises(VedetteError, match="doesn't answer"):
            site.loop.learn("by hand", site.training(BOTH))
    assert last_learnt(site.answers().collection) is None
    assert site.loop.learn("by hand", site.training(BOTH)) == 0
    assert site.trained == 1


def test_after_a_kill_no_step_is_done_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)

    class Killed(Exception):
        """Stands for kill -9."""

    def dying(*_: object) -> None:
        raise Killed

    for step in ("vedette.learn.register_", "vedette.learn.gate_", "vedette.learn.keep_learnt"):
        with monkeypatch.context() as patch:
            patch.setattr(step, dying)
            with pytest.raises(Killed):
                site.loop.learn("by hand", site.training(BOTH))
        assert last_learnt(site.answers().collection) is None
    assert site.loop.learn("by hand", site.training(BOTH)) == 0
    assert (site.trained, site.registered()) == (1, ["detector@1", "detector@2"])


def test_another_recipe_is_another_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    config, recipe = tmp_path / "my.yaml", tmp_path / "mine.yaml"
    config.write_text(config.read_text().replace("replay: data", "replay: data, recipe: mine.yaml"))
    for text, trained in (("seed: 1", 1), ("seed: 1", 1), ("seed: 2", 2)):
        recipe.write_text(text)
        assert site.loop.learn("by hand", site.training(BOTH)) == 0
        assert site.trained == trained


def test_an_earlier_training_leaves_nothing_beside_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    assert site.loop.learn("by hand", site.training(BOTH)) == 0
    site.answers().alert("b", "false", grey=90)
    with pytest.raises(RefusedError):
        site.loop.learn("by hand", site.training(BLUE, version="3"))
    (folder,) = [one for one in (tmp_path / "state" / "learning" / "detector").iterdir() if one.is_dir()]
    assert folder.name.startswith(site.answers().collection.load().about.id[:12])


def test_one_at_a_time_learns_and_what_a_kill_left_of_pictures_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    slot = tmp_path / "state" / "learning" / "detector"
    left = [slot.with_name("killed") / "pictures", slot / "1" / "pictures", slot / "1" / "crops"]
    for folder in left:
        folder.mkdir(parents=True)
    assert site.loop.learn("", site.training(BOTH)) == 0
    assert not [folder for folder in left if folder.exists()], "also where it is not time to train"

    def again(_: list[str]) -> int:
        site.loop.learn("by hand", site.training(BOTH))
        return 0

    with pytest.raises(SetupError, match="Another `vedette learn`"):
        site.loop.learn("by hand", again)
    assert site.loop.learn("by hand", site.training(BOTH)) == 0


def test_drift_is_a_reason_and_a_broker_that_is_away_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    drifted = msgspec.structs.replace(SAMPLES["drift"], site=SITE, model="detector@1")

    class Topic:
        """Stands for the broker's topic, with one camera's newest word."""

        def __init__(self, broker: str, topic: str) -> None:
            self.words = {"here": [encode(drifted)], "away": None}[broker]
            assert topic == "drift"
            if self.words is None:
                raise BusError("no broker")

        __enter__, __exit__ = (lambda self: self), (lambda *_: None)

        def held(self) -> list[Record]:
            return [Record("drift", 0, 0, 0, None, word) for word in self.words]

    monkeypatch.setattr("vedette.learn.Reader", Topic)
    monkeypatch.setattr("vedette.models.running_bootstrap", lambda _: "away")
    assert site.loop.learn("", site.training(BOTH)) == 0
    assert "whether cameras drift is not known: no broker" in capsys.readouterr().out
    monkeypatch.setattr("vedette.models.running_bootstrap", lambda _: "here")
    assert site.loop.learn("", site.training(BOTH)) == 0
    assert "training, detector: gate, evening: confidence was 0.75, now is 0.50" in capsys.readouterr().out
    assert site.trained == 1


def test_out_of_a_bucket_the_version_is_copied_for_as_long_as_the_training_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    config, collection = tmp_path / "my.yaml", site.answers().collection
    config.write_text(config.read_text().replace("learning: {", "learning: {s3: {bucket: vedette}, "))
    monkeypatch.setattr("vedette.dataset.collection_files", lambda *_: collection.files)
    train, seen = site.training(BOTH), []
    DataSets(load(config), config, tmp_path / "state").collect(AT_MS)
    cleaned = Found(version=collection.load().about.id, doubts={"a": {"a box may be badly placed": 0.9}})
    collection.files.write(FOUND, msgspec.json.encode(cleaned))

    def finetune(arguments: list[str]) -> int:
        copied = Path(dict(zip(arguments[2::2], arguments[3::2], strict=True))["--collection"])
        here = Collection(Folder(copied))
        about, items = here.load()
        assert about == collection.load().about
        assert all(here.picture(item.sha256) for item in items)
        assert found_before(here) == cleaned
        seen.append(copied)
        return train(arguments)

    assert site.loop.learn("by hand", finetune) == 0
    (copied,) = seen
    assert copied != collection.files.root
    assert not copied.exists()


def test_two_machines_do_not_learn_from_one_bucket_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    config, files = tmp_path / "my.yaml", site.answers().collection.files
    config.write_text(config.read_text().replace("learning: {", "learning: {s3: {bucket: vedette}, "))
    monkeypatch.setattr("vedette.dataset.collection_files", lambda *_: files)
    beats = itertools.count()

    def renewed(_: float) -> None:
        files.write("learning/000000001.json", msgspec.json.encode(Held(by="other", beat=next(beats))))

    renewed(0)
    monkeypatch.setattr("vedette.dataset.time.sleep", renewed)
    with pytest.raises(LeaseError, match="other is learning"):
        site.loop.learn("by hand", site.training(BOTH))
    assert (site.trained, site.registered()) == (0, [])

    def taken_over(arguments: list[str]) -> int:
        files.write("learning/000000003.json", msgspec.json.encode(Held(by="third")))
        return site.training(BOTH)(arguments)

    files.write("learning/000000001.json", msgspec.json.encode(Held(by="other", ended=True)))
    with pytest.raises(LeaseError, match="third is learning by now"):
        site.loop.learn("by hand", taken_over)
    assert "detector@2" not in site.registered()


def test_a_version_is_cleaned_before_it_is_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cleanlab")
    site = Site(tmp_path, capsys, in_service=BLUE)
    assert site.loop.learn("by hand", site.training(BOTH)) == 0
    collection = site.answers().collection
    assert found_before(collection).version == collection.load().about.id


def test_what_a_training_doubts_waits_for_a_label_until_somebody_looked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    sets, collection = DataSets(load(site.config), site.config, tmp_path / "state"), site.answers().collection
    sets.collect(AT_MS)
    (answered,) = collection.load().items
    collection.keep_labels(answered.sha256, [], "bea", AT_MS)
    site.doubts, site.now_ms = {answered.sha256: {"contradicted": 1.0}}, AT_MS + 1000
    assert site.loop.learn("by hand", site.training(BOTH)) == 0
    sets.collect(AT_MS + 2000)
    assert [(one.sha256, one.reasons) for one in sets.queue()] == [(answered.sha256, ("contradicted",))]
    collection.keep_labels(answered.sha256, [], "bea", AT_MS + 3000)
    sets.collect(AT_MS + 4000)
    assert sets.queue() == ()
    assert collection.load().items[0].reasons[-1] == AGAIN
    site.doubts = {}
    site.now_ms = AT_MS + 5000
    with pytest.raises(RefusedError):
        site.loop.learn("by hand", site.training(BLUE, version="3"))
    assert collection.load().items[0].reasons[-1] == AGAIN, "also when another training has ended"


def test_only_words_since_the_model_in_service_are_held_against_the_candidate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    site.now_ms = AT_MS + 1000
    assert site.loop.learn("by hand", site.training(BOTH)) == 0
    site.registry.promote("detector@2", SITE, "everywhere", by="bea")
    for number, now_ms in enumerate((2000, 3000), 3):
        site.answers().alert(f"more{number}", "true", grey=30 * number)
        site.now_ms = AT_MS + now_ms
        with pytest.raises(RefusedError):
            site.loop.learn("by hand", site.training(BLUE, version=str(number)))
    assert site.since_ms == [0, AT_MS + 1000, AT_MS + 1000]


@pytest.mark.parametrize(("code", "error"), [(2, ConfigError), (1, VedetteError)], ids=["wrong input", "anything else"])
def test_how_a_training_failed_is_not_lost(
    code: int, error: type[VedetteError], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    with pytest.raises(VedetteError, match="see above") as raised:
        site.loop.learn("by hand", lambda _: code)
    assert type(raised.value) is error


def test_what_it_needs_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    config = tmp_path / "my.yaml"
    config.write_text(config.read_text().replace("gate: gate.yaml, ", ""))
    with pytest.raises(ConfigError, match="gate: is needed"):
        site.loop.learn("by hand", site.training(BOTH))


def test_a_recipe_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    config = tmp_path / "my.yaml"
    config.write_text(config.read_text().replace("replay: data", "replay: data, recipe: mine.yaml"))
    with pytest.raises(ConfigError, match=r"recipe: mine.yaml: No such file"):
        site.loop.learn("by hand", site.training(BOTH))
