# SPDX-License-Identifier: BSD-3-Clause
"""docs/manual.md lists every kind of finding that the runtime has."""

from __future__ import annotations

import re
from pathlib import Path

from ascend_twin.build import INCLUDE, RUNTIME

MANUAL = (Path(__file__).resolve().parents[1] / "docs" / "manual.md").read_text()


def test_kinds_of_findings():
    sources = "".join(path.read_text() for path in [*RUNTIME.rglob("*.cc"), *INCLUDE.rglob("*.h")])
    kinds = set(re.findall(r'(?:error|warning|report)\(\s*"([a-z_]+)"', sources))
    assert len(kinds) > 20
    text = MANUAL[MANUAL.index("## Findings") : MANUAL.index("**Races**")]
    listed = set(re.findall(r"`([a-z_]+)`", text))
    assert kinds <= listed
    assert all(f'"{kind}"' in sources for kind in listed)
