# SPDX-License-Identifier: BSD-3-Clause
"""The release session's program on a throw-away clone of this repository, against a package server on this machine.

One real release of v3 is built, uploaded, downloaded and installed; every refusal is shown to refuse before anything
is built.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci import release
from ci.packages import PACKAGES, Package, named

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "packages/flash-attn-npu-v3"
VERSION_FILE = f"{PACKAGE}/src/flash_attn_npu_v3/_version.py"
VERSION = re.search(r'"(.+)"', (ROOT / VERSION_FILE).read_text().splitlines()[-1]).group(1)
TAG = f"flash-attn-npu-v3-v{VERSION}"
IDENTITY = {
    "GIT_AUTHOR_NAME": "test",
    "GIT_AUTHOR_EMAIL": "test@localhost",
    "GIT_COMMITTER_NAME": "test",
    "GIT_COMMITTER_EMAIL": "test@localhost",
}


class Clone:
    """A clone of the last commit, in which a test may commit and tag."""

    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["git", "clone", "-q", "--no-tags", ROOT, path], check=True)

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.path, check=True, env={**os.environ, **IDENTITY})

    def commit(self, file: str, old: str, new: str) -> None:
        text = (self.path / file).read_text()
        assert old in text
        (self.path / file).write_text(text.replace(old, new, 1))
        self.git("commit", "-q", "-m", "test", file)

    def release(
        self, *arguments: str, package: str = "v3", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ci.release", package, *arguments],
            cwd=self.path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def assert_refused(result: subprocess.CompletedProcess[str], *reasons: str) -> None:
    assert result.returncode == 1, result.stdout
    assert "is not released" in result.stdout
    for reason in reasons:
        assert reason in result.stdout
    assert "> " not in result.stdout, "a command was run although the release is refused"


def test_missing_tag(clone: Clone) -> None:
    assert_refused(clone.release(), f"there is no git tag {TAG}")


def test_tag_on_another_commit(clone: Clone) -> None:
    clone.git("tag", TAG)
    clone.commit("README.md", "\n", "\n\n")
    assert_refused(clone.release(), f"the tag {TAG} is on")


@pytest.mark.parametrize("tracked", [True, False])
def test_dirty_tree(clone: Clone, tracked: bool) -> None:
    clone.git("tag", TAG)
    name = "README.md" if tracked else "forgotten.txt"
    with open(clone.path / name, "a") as file:
        file.write("change\n")
    assert_refused(clone.release(), "the work tree is not clean", name)


def test_version_and_changelog_differ(clone: Clone) -> None:
    clone.commit(VERSION_FILE, f'"{VERSION}"', '"99.0.0"')
    clone.git("tag", "flash-attn-npu-v3-v99.0.0")
    assert_refused(clone.release(), f"the newest section is {VERSION}, but the version is 99.0.0")


def test_empty_changelog_section(clone: Clone) -> None:
    clone.commit(f"{PACKAGE}/CHANGELOG.md", f"## {VERSION}\n", f"## {VERSION}\n\n## 0.0.1\n")
    clone.git("tag", TAG)
    assert_refused(clone.release(), f"the section {VERSION} is empty")


def test_version_not_in_normal_form(clone: Clone) -> None:
    clone.commit(VERSION_FILE, f'"{VERSION}"', '"1.0-alpha"')
    assert_refused(clone.release(), "write 1.0a0")


def test_all_reasons_come_at_once(clone: Clone) -> None:
    clone.commit(VERSION_FILE, f'"{VERSION}"', '"99.0.0"')
    (clone.path / "forgotten.txt").touch()
    assert_refused(clone.release("--upload"), "the newest section is", "there is no git tag", "forgotten.txt")


def test_unknown_package(clone: Clone) -> None:
    result = clone.release(package="v4")
    assert result.returncode == 2 and "there is no package v4: expected v2, v3, twin" in result.stdout


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_package_has_a_version_and_a_changelog(clone: Clone, package: Package) -> None:
    number = release.read_version(package)
    assert release.changelog_problem(package, number) is None
    assert_refused(clone.release(package=package.name), f"there is no git tag {package.distribution}-v{number}")


def test_release_of_the_twin(clone: Clone) -> None:
    """A wheel of Python alone: no repair, no tag of a platform; the installed command finds a planted race."""
    twin = named("twin")
    number = release.read_version(twin)
    clone.git("tag", f"ascend-twin-v{number}")
    result = clone.release(package="twin", env={"ASCEND_TWIN_CACHE": str(clone.path / "build" / "twin-cache")})
    assert result.returncode == 0, result.stdout
    assert f"ascend_twin-{number}-py3-none-any.whl" in result.stdout and "auditwheel" not in result.stdout
    assert "the example is clean, and refused without its flags" in result.stdout


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A package server that takes uploads without a password; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    files = tmp_path / "server"
    files.mkdir()
    command = [sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1", "-p", str(port), "-P", ".", "-a", "."]
    process = subprocess.Popen([*command, str(files)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, "the package server ended"
                time.sleep(0.1)
        else:
            pytest.fail("the package server does not answer")
        yield url
    finally:
        process.terminate()
        process.wait()


def index_page(server: str) -> str:
    with urllib.request.urlopen(f"{server}/simple/flash-attn-npu-v3/", timeout=5) as answer:
        return answer.read().decode()


def test_release_upload_download_install(clone: Clone, server: str, tmp_path: Path) -> None:
    clone.git("tag", TAG)
    credentials = {"TWINE_USERNAME": "anyone", "TWINE_PASSWORD": "anything"}
    uploaded = clone.release("--upload", "--repository-url", server, env=credentials)
    assert uploaded.returncode == 0, uploaded.stdout
    assert "largest error against float64" in uploaded.stdout
    assert f"Uploaded flash-attn-npu-v3 {VERSION}" in uploaded.stdout
    page = index_page(server)
    assert f"flash_attn_npu_v3-{VERSION}.tar.gz" in page
    assert re.search(rf"flash_attn_npu_v3-{re.escape(VERSION)}-cp39-abi3-manylinux_\d+_\d+_\w+\.whl", page)

    venv.create(tmp_path / "user", with_pip=True)
    python = tmp_path / "user" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *release.torch_requirements()], check=True)
    source = ["--index-url", f"{server}/simple/", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]
    subprocess.run([python, "-m", "pip", "install", "-q", *source, f"flash-attn-npu-v3=={VERSION}"], check=True)
    subprocess.run([python, ROOT / "ci" / "install_check.py", "v3", VERSION], check=True)


@pytest.mark.parametrize("flags", [[], ["--upload"], ["--upload", "--repository-url", "http://127.0.0.1:1"]])
def test_only_the_flag_uploads(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [Path("a.tar.gz"), Path("a.whl")]
    uploads: list[tuple[list[Path], str | None]] = []
    monkeypatch.setattr(release, "problems", lambda package, number: [])
    monkeypatch.setattr(release, "build_distributions", lambda package, out: files)
    monkeypatch.setattr(release, "install_test", lambda package, number, wheel: None)
    monkeypatch.setattr(release, "upload", lambda files, url: uploads.append((files, url)))
    monkeypatch.setattr(sys, "argv", ["release.py", "v3", *flags])
    release.main()
    url = flags[-1] if len(flags) == 3 else None
    assert uploads == ([(files, url)] if flags else [])
    assert ("is ready and not uploaded" in capsys.readouterr().out) == (not flags)


def test_failed_install_test_stops_the_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise release.StepFailed("exit status 1: install_check.py")

    monkeypatch.setattr(release, "problems", lambda package, number: [])
    monkeypatch.setattr(release, "build_distributions", lambda package, out: [Path("a.tar.gz"), Path("a.whl")])
    monkeypatch.setattr(release, "install_test", fail)
    monkeypatch.setattr(release, "upload", lambda files, url: pytest.fail("uploaded"))
    monkeypatch.setattr(sys, "argv", ["release.py", "v3", "--upload"])
    with pytest.raises(SystemExit, match="is not released: exit status 1: install_check.py"):
        release.main()
