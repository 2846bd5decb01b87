"""Models are what their manifests say or are refused, and change while others use them."""

import threading
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from prometheus_client import CollectorRegistry

from contracts.errors import ModelError
from contracts.manifest import ModelInput
from contracts.metrics import Metrics
from stream.vision.session import Session, SessionOptions
from stream.vision.slot import ModelSlot
from tests.builders import DATA, manifest_of, solid

BOXES, LOOKS, YOLOX = DATA / "bright_boxes.onnx", DATA / "bright_looks.onnx", DATA / "bright_yolox.onnx"
CPU = SessionOptions(device="cpu")
PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")


def sized(width, height, name="images"):
    """An input of another size or name."""
    return ModelInput(name=name, width=width, height=height)


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def slot(registry):
    return ModelSlot(CPU, Metrics(registry))


@pytest.mark.parametrize(
    ("path", "changes", "reason"),
    [
        (BOXES, {"file": "none.onnx"}, r"none\.onnx: No such file"),  # not there
        (BOXES, {"sha256": "0" * 64}, "the manifest says 0000"),  # another file
        (BOXES, {"input": sized(64, 64, "data")}, r"inputs are \['images'\], the manifest says data"),  # another name
        (BOXES, {"input": sized(96, 64)}, r"input images is \['N', 64, 64, 3\], .* 64, 96, 3\]"),  # another size
        (BOXES, {"layout": "yolox"}, r"input images is tensor\(uint8\), layout yolox wants tensor\(float\)"),
        (YOLOX, {"layout": "boxes"}, r"input images is tensor\(float\), layout boxes wants tensor\(uint8\)"),
        (YOLOX, {"labels": ("blue", "green")}, r"gives \[\[84, 8\]\], 2 labels .* one of \[84, 7\]"),  # a label short
        (YOLOX, {"labels": ("a", "b", "c", "d")}, "4 labels"),  # a label too many
        (YOLOX, {"input": sized(64, 96)}, "the manifest says"),  # another size
        (YOLOX, {"input": sized(60, 60)}, "no multiple of 32"),  # no grid
        (BOXES, {"input": sized(0, 64)}, "0x64; sides are from 1"),  # nothing
        (YOLOX, {"input": sized(1 << 20, 1 << 20)}, "sides are from 1 to 4096"),  # terabytes
        (YOLOX, {"labels": ()}, "has no labels"),
        (BOXES, {"label_map": {"pink": "red"}}, "label_map names pink"),
        (BOXES, {"embedding": 3}, "output embeddings is missing"),
        (LOOKS, {"embedding": 4}, r"embeddings have the shapes .*\(16, 3\)\], not .*\(16, 4\)\]"),
        (LOOKS, {"embedding": -1}, "it has 0 to 512 numbers"),
        (LOOKS, {"embedding": 4096}, "it has 0 to 512 numbers"),
        (YOLOX, {"embedding": 3}, "only the layout boxes gives embeddings"),
    ],
)
def test_a_model_is_what_its_manifest_says_or_is_refused(path, changes, reason):
    manifest = manifest_of(path, **changes)
    with pytest.raises(ModelError, match=reason) as caught:
        Session.open(manifest, DATA, CPU)
    assert "Traceback" not in str(caught.value)


def test_outputs_that_are_missing_are_named(tmp_path):
    renamed = tmp_path / "renamed_boxes.onnx"
    renamed.write_bytes(BOXES.read_bytes().replace(b"scores", b"sc0res"))
    with pytest.raises(ModelError, match="output scores is missing, not tensor"):
        Session.open(manifest_of(renamed), tmp_path, CPU)


def test_a_model_that_takes_any_batch_and_fails_with_two_is_refused(tmp_path):
    """The tiny YOLOX joins the scores with constants of one picture; here its input claims to take any number."""
    path, model = tmp_path / "batch_yolox.onnx", YOLOX.read_bytes()
    one, any_number = b"\n\x02\x08\x01", b"\n\x02\x12\x00"  # a dimension of 1, a dimension named ""
    at = model.index(one, model.rindex(b"images"))
    path.write_bytes(model[:at] + any_number + model[at + len(one) :])
    with pytest.raises(ModelError, match="does not run a batch of 2"):
        Session.open(manifest_of(path), tmp_path, CPU)


@pytest.mark.parametrize("content", [b"", b"no model at all", BOXES.read_bytes()[:500]])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken@1: broken\.onnx can't be opened"):
        Session.open(manifest_of(path), tmp_path, CPU)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ModelError, match="device tensorrt needs TensorrtExecutionProvider; this onnxruntime has"):
        Session.open(manifest_of(BOXES), DATA, SessionOptions(device="tensorrt"))


class Fake:
    """An opened model that runs where it is told, if `started` says so, and gives nonsense."""

    started = "CPUExecutionProvider"

    def __init__(self, model, settings, providers):
        self.wanted = providers

    def get_providers(self):
        return [self.started, "CPUExecutionProvider"]

    def get_inputs(self):
        return onnxruntime.InferenceSession(BOXES, providers=["CPUExecutionProvider"]).get_inputs()

    def get_outputs(self):
        return onnxruntime.InferenceSession(BOXES, providers=["CPUExecutionProvider"]).get_outputs()

    def run(self, names, feed):
        return [np.zeros((1, 16, 4), np.float32), np.zeros((1, 16), np.float32), np.zeros((1, 16), np.int64)]


def with_cuda(monkeypatch, started):
    """As if this onnxruntime offered CUDA, and it started or not."""
    fake = type("Started", (Fake,), {"started": started})
    opened = []
    monkeypatch.setattr(
        "stream.vision.session.onnxruntime",
        SimpleNamespace(
            InferenceSession=lambda *args, **kwargs: opened.append(fake(*args, **kwargs)) or opened[-1],
            SessionOptions=onnxruntime.SessionOptions,
            get_available_providers=lambda: list(PROVIDERS),
        ),
    )
    return opened


@pytest.mark.parametrize(
    ("device", "started", "wanted", "refused"),
    [
        ("auto", "CUDAExecutionProvider", "CUDAExecutionProvider", None),  # CUDA where there is one
        ("auto", "CPUExecutionProvider", "CUDAExecutionProvider", None),  # a driver is missing: go on without
        ("cuda", "CPUExecutionProvider", "CUDAExecutionProvider", "did not start"),  # but not when it was asked for
        ("tensorrt", "TensorrtExecutionProvider", "TensorrtExecutionProvider", None),
        ("cpu", "CPUExecutionProvider", "CPUExecutionProvider", None),  # CUDA is there and not wanted
    ],
)
def test_the_device_is_the_one_that_was_asked_for(monkeypatch, device, started, wanted, refused):
    opened = with_cuda(monkeypatch, started)
    # the fake answers a batch of two with one answer: as far as it gets, where the device is accepted
    with pytest.raises(ModelError, match=refused or "for a batch of 2"):
        Session.open(manifest_of(BOXES), DATA, SessionOptions(device=device))
    assert opened[0].wanted[0] == wanted


@pytest.mark.parametrize(("path", "limit"), [(BOXES, None), (YOLOX, 1)])
def test_a_session_knows_its_batches(path, limit):
    session = Session.open(manifest_of(path), DATA, CPU)
    assert session.batch_limit == limit
    assert session.on_gpu is False
    assert session.provider == "CPUExecutionProvider"


def test_a_batch_gives_each_picture_its_own_outputs():
    session = Session.open(manifest_of(BOXES), DATA, CPU)
    pictures = [solid(64, 64, (0, 0, level)) for level in (0, 130, 255)]
    outputs = session.infer(pictures)
    assert [len(session.read(one).xyxy) for one in outputs] == [0, 16, 16]
    alone = session.infer(pictures[1:2])[0]
    assert all((a == b).all() for a, b in zip(outputs[1], alone, strict=True))


def test_an_empty_slot_says_so(slot):
    with pytest.raises(ModelError, match="no model is in service yet"):
        slot.get()


def test_a_swap_puts_the_new_model_into_service(slot, registry):
    slot.swap(manifest_of(BOXES), DATA)
    slot.swap(manifest_of(YOLOX), DATA)
    assert slot.get().manifest.id == "bright_yolox@1"
    info = {name: registry.get_sample_value("vedette_model_info", {"name": name, "version": "1"}) for name in (
        "bright_boxes", "bright_yolox"
    )}  # fmt: skip
    assert info == {"bright_boxes": 0, "bright_yolox": 1}
    assert registry.get_sample_value("vedette_model_swaps_total", {"outcome": "taken"}) == 2


def test_a_refused_model_leaves_the_old_one_in_service(slot, registry):
    before = slot.swap(manifest_of(BOXES), DATA)
    with pytest.raises(ModelError):
        slot.swap(manifest_of(YOLOX, sha256="0" * 64), DATA)
    assert slot.get() is before
    assert registry.get_sample_value("vedette_model_swaps_total", {"outcome": "refused"}) == 1
    assert before.infer([solid(64, 64)])


def test_the_same_change_from_all_subtasks_opens_one_session(slot, registry):
    sessions, manifest = [], manifest_of(BOXES)
    threads = [threading.Thread(target=lambda: sessions.append(slot.swap(manifest, DATA))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, sessions))) == 1
    assert registry.get_sample_value("vedette_model_swaps_total", {"outcome": "taken"}) == 1


def test_runs_go_on_while_models_are_swapped(slot):
    """Each run reads its outputs with the session that it began on; none fails or mixes the two layouts."""
    slot.swap(manifest_of(BOXES), DATA)
    white, done, counts = (
        solid(64, 64, (255, 255, 255)),
        threading.Event(),
        {"bright_boxes": set(), "bright_yolox": set()},
    )
    failures = []

    def run():
        try:
            while not done.is_set():
                session = slot.get()
                counts[session.manifest.name].add(len(session.read(session.infer([white])[0]).xyxy))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(20):
        slot.swap(manifest_of((YOLOX, BOXES)[turn % 2]), DATA)
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert counts == {"bright_boxes": {16}, "bright_yolox": {84}}
