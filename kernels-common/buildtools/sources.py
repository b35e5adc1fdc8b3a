# SPDX-License-Identifier: BSD-3-Clause
"""The one list of C++ sources, and the flags each of them is compiled with.

Paths are relative to the directory the build runs in: a package directory, where `kernels-common` is a symlink in the
repository and a real directory in an sdist.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KERNELS = "kernels-common"
ISA_DIR = f"{KERNELS}/cpu/isa"

LANGUAGE_FLAGS = ("-std=c++17", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden")
WARNING_FLAGS = ("-Wall", "-Wextra", "-Werror=return-type")
SECTION_FLAGS = ("-ffunction-sections", "-fdata-sections")  # lets the linker drop what nobody calls

KIND_FLAGS = {
    "release": ("-O3", "-DNDEBUG"),
    "debug": ("-O1", "-g", "-D_GLIBCXX_ASSERTIONS"),
    "sanitize": (
        "-O1",
        "-g1",  # line numbers for the reports; a full -g adds a third to the compile
        "-fno-omit-frame-pointer",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=undefined",
    ),
}

# CPython's limited API of 3.9: what makes one abi3 wheel serve every later CPython.
LIMITED_API = "0x03090000"

_AVX2 = ("-mavx2", "-mfma", "-mf16c")
_AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", *_AVX2)
_AVX512_BF16 = (*_AVX512, "-mavx512bf16")

# Rising order. It is also the link order of isa_<level>.cpp: when two levels instantiate the same inline function
# (std::sort, say), the linker keeps the first copy it meets, and only the copy of the lower level runs on every CPU
# that may call it.
X86_ISA_FLAGS = {
    "avx2": _AVX2,
    "avx512": _AVX512,
    "avx512_bf16": _AVX512_BF16,
    "amx_bf16": (*_AVX512_BF16, "-mamx-tile", "-mamx-bf16"),
    # AMX's tiles in C++: lets a machine without AMX test the code around them. Test builds only.
    "amx_emulated": _AVX512_BF16,
}
TEST_ONLY_ISAS = ("amx_emulated",)
# g++ 12 takes the undefined register inside its own AVX-512 intrinsics for an uninitialised variable (GCC bug 105593).
# The second flag is for clang++, which does not know the first.
AVX512_QUIET_FLAGS = ("-Wno-maybe-uninitialized", "-Wno-unknown-warning-option")
TEST_ISAS_DEFINE = "-DFLASH_ATTN_NPU_TEST_ISAS"


@dataclass(frozen=True)
class Source:
    """One C++ file and the flags that it needs beyond the common ones."""

    path: str
    flags: tuple[str, ...] = ()


def common_flags(kind: str, test_isas: bool) -> tuple[str, ...]:
    """Flags of every file: language, warnings, include paths, and those of the build kind."""
    include_flags = (f"-I{KERNELS}/include", f"-I{KERNELS}")
    define_flags = (TEST_ISAS_DEFINE,) if test_isas else ()
    return (*LANGUAGE_FLAGS, *KIND_FLAGS[kind], *SECTION_FLAGS, *WARNING_FLAGS, *include_flags, *define_flags)


def binding_sources(root: Path, python_include: str) -> list[Source]:
    """What one package instantiates (csrc) and the binding both share: the only files that see Python.h."""
    flags = ("-Icsrc", f"-isystem{python_include}", f"-DPy_LIMITED_API={LIMITED_API}")
    return [Source(path, flags) for path in glob(root, "csrc/*.cpp", f"{KERNELS}/binding/*.cpp")]


def backend_sources(root: Path, machine: str, test_isas: bool) -> list[Source]:
    """Argument checks and the cpu backend for `machine`: baseline files first, then the ISA levels in rising order.

    Raises:
        ValueError: a file in cpu/isa/ that is not named after a known level, which would silently get baseline flags.
    """
    paths = glob(root, f"{KERNELS}/api/*.cpp", f"{KERNELS}/cpu/*.cpp", f"{KERNELS}/cpu/*/*.cpp")
    isa_paths = {Path(path).stem[len("isa_") :]: path for path in paths if path.startswith(f"{ISA_DIR}/isa_")}
    baseline = [Source(path) for path in paths if path not in isa_paths.values()]
    if "portable" in isa_paths:
        baseline.append(Source(isa_paths.pop("portable")))
    unknown = sorted(set(isa_paths) - set(X86_ISA_FLAGS))
    if unknown:
        raise ValueError(f"{isa_paths[unknown[0]]}: no flags are defined for ISA level {unknown[0]!r} in {__file__}")
    if machine != "x86_64":
        return baseline
    levels = [level for level in X86_ISA_FLAGS if test_isas or level not in TEST_ONLY_ISAS]
    return baseline + [Source(isa_paths[level], _isa_flags(level)) for level in levels if level in isa_paths]


def _isa_flags(level: str) -> tuple[str, ...]:
    flags = X86_ISA_FLAGS[level]
    return (*flags, *AVX512_QUIET_FLAGS) if "-mavx512f" in flags else flags


def glob(root: Path, *patterns: str) -> list[str]:
    """The files below `root` that match, sorted and relative to it."""
    # Sorted: the order of a directory listing must not show in the binary.
    return sorted({path.relative_to(root).as_posix() for pattern in patterns for path in root.glob(pattern)})
