# SPDX-License-Identifier: BSD-3-Clause
"""Checks, builds and tests a release of one package, and uploads it when told to. docs/releasing.md has the steps.

python -m ci.release v3 [--upload] [--repository-url URL]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import dependency_groups
from packaging.version import InvalidVersion, Version

from .distributions import StepFailed, build_distributions, run
from .packages import PACKAGES, ROOT, Package, named

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_version(package: Package) -> str:
    """`__version__` of the package, read without importing it."""
    path = package.source / "_version.py"
    match = re.search(r'^__version__ = "([^"]+)"$', path.read_text(), flags=re.MULTILINE)
    if match is None:
        raise StepFailed(f'{path} has no line __version__ = "..."')
    return match.group(1)


def changelog_problem(package: Package, number: str) -> str | None:
    """The newest section of the package's changelog must be that of `number`, and say something."""
    path = package.directory / "CHANGELOG.md"
    sections = re.findall(r"^## +(\S+)[^\n]*\n(.*?)(?=^## |\Z)", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    name = path.relative_to(ROOT)
    if not sections:
        return f"{name} has no section (## {number})"
    newest, text = sections[0]
    if newest != number:
        return f"{name}: the newest section is {newest}, but the version is {number}"
    return None if text.strip() else f"{name}: the section {number} is empty"


def tag_problem(tag: str) -> str | None:
    """The tag must exist and stand on the commit that is checked out."""
    tagged, head = git("rev-list", "-n", "1", tag, "--"), git("rev-parse", "HEAD")
    if not tagged:
        return f"there is no git tag {tag}:  git tag -a {tag} -m {tag}"
    return None if tagged == head else f"the tag {tag} is on {tagged[:12]}, but {head[:12]} is checked out"


def git(*arguments: str) -> str:
    """Output of a git command; empty when it fails."""
    return subprocess.run(["git", *arguments], cwd=ROOT, text=True, capture_output=True).stdout.strip()


def problems(package: Package, number: str) -> list[str]:
    """All reasons against this release, in one list, so that one run shows all of it."""
    found = []
    try:
        if str(Version(number)) != number:
            found.append(f"the version {number} is not in normal form: write {Version(number)}")
    except InvalidVersion:
        found.append(f"the version {number} is not a version by PEP 440")
    found += [problem for problem in (changelog_problem(package, number),) if problem]
    found += [problem for problem in (tag_problem(f"{package.distribution}-v{number}"),) if problem]
    changes = git("status", "--porcelain")
    if changes:
        found.append(f"the work tree is not clean:\n      {changes.replace(chr(10), chr(10) + '      ')}")
    return found


def torch_requirements() -> list[str]:
    """The torch that this repository is tested with."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        groups = tomllib.load(file)["dependency-groups"]
    return list(dependency_groups.resolve(groups, "torch"))


def install_test(package: Package, number: str, wheel: Path) -> None:
    """Installs the built wheel into a fresh environment and uses it there."""
    with tempfile.TemporaryDirectory(prefix=f"{package.distribution}-install-test-") as directory:
        venv.create(directory, with_pip=True)
        python = Path(directory, "bin", "python")
        # ascend-twin has to do with what its own wheel asks for.
        run(python, "-m", "pip", "install", "-q", *(torch_requirements() if package.compiled else []), wheel)
        run(python, ROOT / "ci" / "install_check.py", package.name, number)


def upload(files: list[Path], repository_url: str | None) -> None:
    """Uploads with twine, which takes credentials from its own sources (~/.pypirc, keyring, TWINE_* variables)."""
    where = ["--repository-url", repository_url] if repository_url else []
    run(sys.executable, "-m", "twine", "upload", "--non-interactive", *where, *files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", help=f"one of {', '.join(package.name for package in PACKAGES)}")
    parser.add_argument("--upload", action="store_true", help="upload the files after every check has passed")
    parser.add_argument("--repository-url", help="upload there and not to twine's default repository")
    arguments = parser.parse_args()
    try:
        package = named(arguments.package)
    except ValueError as error:
        parser.error(str(error))
    name = package.distribution
    try:
        number = read_version(package)
        found = problems(package, number)
        if found:
            lines = "\n".join(f"  - {problem}" for problem in found)
            sys.exit(f"{name} {number} is not released:\n{lines}")
        files = build_distributions(package, ROOT / "build" / "release" / f"{name}-{number}")
        install_test(package, number, files[-1])
        if arguments.upload:
            upload(files, arguments.repository_url)
            print(f"Uploaded {name} {number}.")
        else:
            print(f"{name} {number} is ready and not uploaded (that takes --upload):")
            for file in files:
                print(f"  {file}")
    except StepFailed as failure:
        sys.exit(f"{name} is not released: {failure}")


if __name__ == "__main__":
    main()
