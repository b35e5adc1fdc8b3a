# SPDX-License-Identifier: BSD-3-Clause
"""Every test is run by a session, and what scripts and documents say of sessions is what noxfile.py has."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from ci import packages, testing

ROOT = packages.ROOT


@pytest.fixture(scope="module")
def sessions() -> set[str]:
    """Names of the sessions in noxfile.py."""
    command = [sys.executable, "-m", "nox", "--list-sessions"]
    listing = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout
    return set(re.findall(r"^[*-] (\S+) ->", listing, flags=re.MULTILINE))


def files_of_tests() -> list[str]:
    """Every file of tests, by its path in the repository."""
    found = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("packages/*/tests/**/test_*.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def test_every_test_belongs_to_one_session() -> None:
    orphans = [file for file in files_of_tests() if sum(file.startswith(f"{d}/") for d in testing.DIRECTORIES) != 1]
    assert orphans == []


def test_every_directory_has_tests() -> None:
    assert [d for d in testing.DIRECTORIES if not any(file.startswith(f"{d}/") for file in files_of_tests())] == []


def test_every_directory_is_given_to_pytest() -> None:
    text = "".join((ROOT / file).read_text() for file in ("noxfile.py", "ci/emulation.py", "ci/testing.py"))
    names = [name for name, value in vars(testing).items() if value in testing.DIRECTORIES and name.isupper()]
    for name in [*names, "COMMON"]:
        uses = re.findall(rf"(?:run_tests\(|python\(|\*)[^\n]*\b{name}\b", text)
        assert uses or name == "TWIN", f"nothing runs {name}"


def test_ci_runs_sessions_that_exist(sessions: set[str]) -> None:
    script = (ROOT / ".ci" / "run").read_text()
    listed = re.search(r"sessions=\(\n(.*?)\)", script, flags=re.DOTALL)
    assert listed is not None
    names = set(listed.group(1).split())
    assert names <= sessions
    assert {name for name in sessions if name.startswith("test-")} <= names, "a test session that CI leaves out"


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/releasing.md", "ci/README.md"])
def test_documents_name_sessions_that_exist(document: str, sessions: set[str]) -> None:
    named = re.findall(r"nox -s ([a-z0-9-]+)", (ROOT / document).read_text())
    assert set(named) <= sessions


def test_names_of_packages() -> None:
    v3 = packages.named("v3")
    assert packages.named("flash-attn-npu-v3") is v3 and packages.named("flash_attn_npu_v3") is v3
    assert [package.name for package in packages.chosen([])] == ["v2", "v3", "twin"]
    assert packages.chosen(["twin", "v3"])[1] is v3
    with pytest.raises(ValueError, match="there is no package v4: expected v2, v3, twin"):
        packages.named("v4")
    with pytest.raises(ValueError, match="twin is not for this session: expected v2, v3"):
        packages.chosen(["twin"], packages.ATTENTION)
    assert all((package.source / "_version.py").is_file() for package in packages.PACKAGES)
    directories = {path.parent for path in ROOT.glob("packages/*/pyproject.toml")}
    assert directories == {package.directory for package in packages.PACKAGES}


def test_noxfile_is_short() -> None:
    assert len((ROOT / "noxfile.py").read_text().splitlines()) < 300
