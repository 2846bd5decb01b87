"""The demo clip comes from the first place that has it, and only the right one is kept."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from vedette import clip
from vedette.errors import SetupError

CONTENT = b"RIFF, let us say" * 1000


@pytest.fixture(autouse=True)
def nothing_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, no package, no network, no apt; the right clip is CONTENT."""
    monkeypatch.setenv("VEDETTE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VEDETTE_DEMO_CLIP", raising=False)
    monkeypatch.setattr(clip, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(clip, "INSTALLED", tmp_path / "usr" / "vtest.avi")
    monkeypatch.setattr(clip, "URL", (tmp_path / "github.avi").as_uri())
    monkeypatch.setattr(clip, "_apt", no_apt)


def no_apt(_folder: Path, *arguments: str) -> None:
    raise subprocess.CalledProcessError(100, ["apt-get", *arguments], stderr="E: Unable to locate package")


def write(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_given_clip_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, named = write(tmp_path / "mine.mp4", b"any video"), write(tmp_path / "named.mp4", b"another")
    monkeypatch.setenv("VEDETTE_DEMO_CLIP", str(named))
    assert clip.demo_clip(mine) == mine
    assert clip.demo_clip() == named
    assert not clip.cached_clip().exists()


def test_a_given_clip_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "github.avi")
    monkeypatch.setenv("VEDETTE_DEMO_CLIP", str(tmp_path / "gone.mp4"))
    with pytest.raises(SetupError, match=r"gone\.mp4 does not exist"):
        clip.demo_clip()


@pytest.mark.parametrize("place", ["usr/vtest.avi", "github.avi"])
def test_fetched_once(tmp_path: Path, place: str) -> None:
    assert clip.available_clip() is None
    source = write(tmp_path / place)
    found = clip.demo_clip()
    assert (found, found.read_bytes()) == (clip.cached_clip(), CONTENT)
    source.unlink()
    assert clip.demo_clip() == clip.available_clip() == found


def test_another_file_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "usr" / "vtest.avi", b"another version")
    write(tmp_path / "github.avi")
    assert clip.demo_clip().read_bytes() == CONTENT


def test_what_failed_is_told_with_the_ways_out(tmp_path: Path) -> None:
    write(tmp_path / "github.avi", b"<html>captive portal</html>")
    with pytest.raises(SetupError) as caught:
        clip.demo_clip()
    text = str(caught.value)
    assert "installed: no " in text
    assert "from github: " in text
    assert "sha256" in text
    assert "VEDETTE_DEMO_CLIP" in caught.value.mend
    assert "opencv-doc" in caught.value.mend
    assert not clip.cached_clip().exists()


@pytest.mark.skipif(not (shutil.which("dpkg-deb") and shutil.which("apt-get")), reason="only Debian has its packages")
@pytest.mark.parametrize("lists", [True, False])
def test_out_of_debians_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: bool) -> None:
    """A package made here stands for the one that apt downloads; without package lists they are fetched first."""
    package = tmp_path / "package"
    write(package / clip.INSTALLED.relative_to("/"))
    write(package / "usr" / "other.avi", b"not wanted")
    write(
        package / "DEBIAN" / "control",
        b"Package: opencv-doc\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: x\n",
    )
    calls: list[tuple[str, ...]] = []

    def apt(folder: Path, *arguments: str) -> None:
        calls.append(arguments)
        if not lists and len(calls) == 1:
            no_apt(folder, *arguments)
        if "download" in arguments:
            command = ["dpkg-deb", "--build", str(package), str(folder / "opencv-doc_1_all.deb")]
            subprocess.run(command, check=True, capture_output=True)

    monkeypatch.setattr(clip, "_apt", apt)
    assert clip.demo_clip().read_bytes() == CONTENT
    assert [call[-1] for call in calls] == (["opencv-doc"] if lists else ["opencv-doc", "update", "opencv-doc"])
    assert all("Dir::State::Lists" in call[1] for call in calls[1:])
