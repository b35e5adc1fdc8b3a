# SPDX-License-Identifier: BSD-3-Clause
"""Refuses what the Ascend device compiler does not accept in kernels, as far as a look at the text can tell.

    python -m ci.device_lint [FILE ...]        default: the device sources and the headers they share with the host

The twin compiles kernels with a host compiler, which takes all of C++; bisheng's device side knows no exceptions,
run-time types, virtual functions, heap, standard library, static locals or recursion, has no printf in release builds,
and computes double in software. A line that is right nevertheless ends in a comment with `device-lint: ok` and why.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .findings import Finding, checked
from .packages import ROOT

ASCEND = ROOT / "kernels-common" / "ascend"
SHARED = ROOT / "kernels-common" / "include" / "flash_attn_npu"
HOST_ONLY = {SHARED / "backend.h"}
EXEMPTION = "device-lint: ok"

HEADERS_ALLOWED = {"cstdint", "kernel_operator.h"}

# Pattern of a line without comments and literals, and what is wrong with it.
RULES: tuple[tuple[str, str], ...] = (
    (r"\bstd\s*::", "std:: is not there: AscendC::Std or the helpers of platform.h"),
    (r"\b(try|catch|throw)\b", "there are no exceptions"),
    (r"\b(dynamic_cast|typeid)\b", "there are no run-time types"),
    (r"\bvirtual\b", "there are no virtual functions"),
    (r"\bnew\b", "there is no heap"),
    (r"(?<!=)(?<!=\s)\bdelete\b", "there is no heap"),
    (r"\b(malloc|calloc|realloc|free|memcpy|memset|memmove)\s*\(", "the C library is not there"),
    (r"\bv?(f|s|sn)?printf\s*\(|\b(puts|putchar)\s*\(|\bcout\b|\bcerr\b", "nothing is printed from a kernel"),
    (r"\bthread_local\b", "a core has no threads"),
    (r"\b(long\s+)?double\b", "double is computed in software"),
    (r"(?<![\w.])(\d+\.\d*|\.\d+)([eE][+-]?\d+)?(?![\w.])", "a literal without f is a double"),
    (r"(?<![\w.])\d+[eE][+-]?\d+(?![\w.])", "a literal without f is a double"),
    (r"\bgoto\b|\b(setjmp|longjmp)\b", "control flow must be structured"),
    (r"\basm\b", "no assembler"),
)


def device_sources() -> list[Path]:
    """What bisheng's device side compiles: all of kernels-common/ascend but its host half, and the shared headers."""
    own = [path for path in ASCEND.rglob("*") if path.suffix in (".h", ".cpp") and ASCEND / "host" not in path.parents]
    return sorted({*own, *SHARED.glob("*.h")} - HOST_ONLY)


def findings(path: Path, text: str) -> Iterator[Finding]:
    """What `text`, the contents of `path`, has that kernels must not have."""
    originals = text.splitlines()
    code = without_comments_and_literals(text)
    for number, line in enumerate(code.splitlines(), 1):
        for pattern, why in RULES:
            if re.search(pattern, line) and EXEMPTION not in originals[number - 1]:
                yield Finding(path, number, f"{why}: {originals[number - 1].strip()}")
    for number, line in enumerate(originals, 1):
        header = re.match(r"\s*#\s*include\s*<([^>]+)>", line)
        if header and header.group(1) not in HEADERS_ALLOWED:
            yield Finding(path, number, f"the header <{header.group(1)}> is for host code")
    for number, why in scoped_findings(code):
        if EXEMPTION not in originals[number - 1]:
            yield Finding(path, number, f"{why}: {originals[number - 1].strip()}")


def without_comments_and_literals(text: str) -> str:
    """The same lines; what is in comments, strings and characters becomes blanks."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
    return token.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


@dataclass
class Scope:
    kind: str  # "names" (namespace, class, initialiser outside of functions) or "code"
    function: str = ""  # what code belongs to


def scoped_findings(code: str) -> Iterator[tuple[int, str]]:
    """Static locals and functions that call themselves: needs to know what is inside of a function."""
    scopes: list[Scope] = []
    head = 0  # where the current declaration or statement begins
    lines = re.sub(r"(?m)^\s*#.*(?:\\\n.*)*$", lambda m: re.sub(r"[^\n]", " ", m.group()), code)
    for match in re.finditer(r"[{};]|\bstatic\b|(?<![\w.>:~])[A-Za-z_]\w*(?=\s*\()", lines):
        word, position = match.group(), match.start()
        inside = scopes[-1] if scopes else Scope("names")
        if word == "{":
            scopes.append(scope_of(lines[head:position], inside))
            head = match.end()
        elif word in "};":
            if word == "}" and scopes:
                scopes.pop()
            head = match.end()
        elif inside.kind == "code":
            number = lines.count("\n", 0, position) + 1
            if word == "static" and not re.match(r"static\s+(const\s+)?constexpr\b", lines[position:]):
                yield number, "there are no static locals"
            elif word == inside.function and _declares(lines[head:position]):
                scopes[-1].function = ""  # a local of that name hides the function
            elif word == inside.function:
                yield number, f"{word} calls itself"


def _declares(before: str) -> bool:
    """Whether what stands before a name makes it a declaration: a type does, `return` and operators do not."""
    return bool(re.search(r"[\w>&*]\s*$", before)) and not re.search(r"\b(return|else|do)\s*$", before)


def scope_of(head: str, outer: Scope) -> Scope:
    """What a brace opens after `head`, inside of `outer`."""
    if outer.kind == "code":
        return outer
    names = re.search(r"\b(namespace|class|struct|union|enum|extern)\b", head)
    if names and not re.search(r"\)\s*(const\b)?[^()]*$", head):
        return Scope("names")
    name = re.search(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", " ", head))
    return Scope("code", name.group(1)) if name else outer


def main(arguments: list[str]) -> int:
    return checked([Path(argument).resolve() for argument in arguments] or device_sources(), findings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
