# SPDX-License-Identifier: BSD-3-Clause
"""The lint of device sources finds every planted line, and nothing in lines that are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci import device_lint

ROOT = Path(__file__).resolve().parents[2]

FUNCTION = "namespace n {\n__aicore__ inline int32_t f(int32_t a) {\n    %s\n    return a;\n}\n}  // namespace n\n"

BAD = [
    "a = std::max(a, 2);",
    "auto x = std :: min(a, 2);",
    "try { a = 1; } catch (...) {}",
    "throw 1;",
    "auto* b = dynamic_cast<B*>(c);",
    "auto& t = typeid(a);",
    "int32_t* p = new int32_t[4];",
    "delete p;",
    "delete[] p;",
    "free(p);",
    "memcpy(p, q, 4);",
    'printf("%d", a);',
    'AscendC::printf("%d", a);',
    "snprintf(p, 4, q);",
    "static int32_t count = 0;",
    "static const float kTable[2] = {1.0f, 2.0f};",
    "thread_local int32_t x;",
    "double x = a;",
    "float x = 1.0;",
    "float x = .5;",
    "float x = 2.;",
    "float x = 1e-3;",
    "float x = 1.5e3 * a;",
    "goto end;",
    'asm("nop");',
    "return f(a - 1);",
    "if (a > 0) { a += f(a - 1); }",
]
BAD_OUTSIDE = [
    "#include <algorithm>",
    "#include <vector>",
    "struct B { virtual void g(); };",
    "struct B { ~B() noexcept(false) { throw 1; } };",
]
GOOD = [
    "float x = 1.0f, y = 1e-3f, z = .5f, w = 0x1p3f;",
    "int32_t x = 0xFFFF + 1'000 + 1u + 10LL;",
    "static constexpr int32_t kRows = 16;",
    "static_assert(sizeof(a) == 4);",
    "a = static_cast<int32_t>(b);",
    "AscendC::Std::min(a, b);",
    "// std::max would throw a new double 1.0",
    "/* try printf(1.0) */",
    'Trap("throw new 1.0");',
    "a = other.f(a) + other->f(a) + m::f(a);",
    "newest(a); renew = a; tryout(a); typeidentifier(a);",
    "F f(a); f(b);",
    "a = std::max(a, 2);  // device-lint: ok (a test)",
    "auto g = [&](int32_t b) { return b + 1; };",
]
GOOD_OUTSIDE = [
    "#include <cstdint>",
    '#include "contract/arguments.h"',
    "struct B { B(const B&) = delete; static void g(); static int32_t h() { return 1; } };",
    "struct B { __aicore__ inline void f() { AscendC::f(); } };",
    'extern "C" __global__ __aicore__ void kernel(B b) { run(b); }',
]


def found(text: str) -> list[str]:
    return [str(finding) for finding in device_lint.findings(Path("x.h"), text)]


@pytest.mark.parametrize("line", BAD)
def test_planted_in_a_function(line: str) -> None:
    text = FUNCTION % line
    assert found(text), text
    assert all(finding.startswith("x.h:3: ") for finding in found(text)), found(text)


@pytest.mark.parametrize("line", BAD_OUTSIDE)
def test_planted_outside(line: str) -> None:
    assert found(line + "\n")


@pytest.mark.parametrize("line", GOOD)
def test_accepted_in_a_function(line: str) -> None:
    assert not found(FUNCTION % line)


@pytest.mark.parametrize("line", GOOD_OUTSIDE)
def test_accepted_outside(line: str) -> None:
    assert not found(line + "\n")


def test_device_sources_are_clean() -> None:
    paths = device_lint.device_sources()
    assert {"mask.h", "arguments.h"} <= {path.name for path in paths}
    assert not {"backend.h", "device_acl.cpp"} & {path.name for path in paths}
    assert not [f for path in paths for f in device_lint.findings(path, path.read_text())]
