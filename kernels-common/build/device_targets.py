"""The text of build.ninja for the two device libraries: which sources, which compiler, which flags.

Nothing here looks at the machine beyond listing sources, so the texts can be compared with recorded ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import sources
from cann import INFERS_KERNEL_TYPE, Cann
from ninja_writer import Ninja
from toolchain import Toolchain

LIBRARY = {"twin": "_twin.so", "ascend910b": "_ascend910b.so"}

ASCEND = f"{sources.KERNELS}/ascend"
INCLUDE_FLAGS = (f"-I{ASCEND}", f"-I{sources.KERNELS}/include")
HOST_FLAGS = ("-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", *INCLUDE_FLAGS)

# Two device libraries may be in one process, beside torch_npu and its own runtime: nothing else is seen.
EXPORTS_FILE = "exports.map"
EXPORTS = "{ global: flash_attn_npu_backend; flash_attn_npu_backend_abi_version; local: *; };\n"

# Kernels that are only compiled by tests and simulations.
NOT_IN_LIBRARY = ("matmul_f16.cpp",)

NPU_ARCH = "--npu-arch=dav-2201"  # the 910B family
BISHENG_FLAGS = ("-x", "asc", NPU_ARCH, "-O2", "-fPIC", "-std=c++17", "-Wno-macro-redefined", "-Wno-ignored-attributes")
ACL_LIBRARIES = ("-lascendcl",)


def kernel_sources(root: Path) -> list[str]:
    """The Ascend C sources of the library, one kernel each or a few of a kind."""
    paths = sources.glob(root, f"{ASCEND}/kernel/*.cpp")
    return [path for path in paths if Path(path).name not in NOT_IN_LIBRARY]


def host_sources(root: Path, device: str) -> list[str]:
    """The host half for `device`: "twin" or "acl". Sources of the other one are left out."""
    other = {"twin": ("_acl.cpp",), "acl": ("twin_memory.cpp", "_twin.cpp")}[device]
    return [path for path in sources.glob(root, f"{ASCEND}/host/*.cpp") if not path.endswith(other)]


def twin_ninja(root: Path, out: str, toolchain: Toolchain, runtime: Path) -> str:
    """build.ninja of _twin.so, to be run in `root`.

    Args:
        root: The directory that holds kernels-common.
        out: Directory of objects and library.
        toolchain: The host compiler.
        runtime: The twin's runtime library.
    """
    ninja = Ninja("device_targets.py", out)
    ninja.rule(
        "kernel",
        [sys.executable, f"{sources.KERNELS}/build/twin_object.py", "$in", "$out", *INCLUDE_FLAGS],
        "twin kernel $in",
        depfile=True,
    )
    ninja.rule(
        "host",
        [*toolchain.command, "-MD", "-MF", "$out.d", *HOST_FLAGS, "-c", "$in", "-o", "$out"],
        "compile $in",
        depfile=True,
    )
    link = ["-shared", "-pthread", f"-Wl,--version-script={out}/{EXPORTS_FILE}", "-Wl,-Bsymbolic", "-Wl,-z,defs"]
    link += [str(runtime), f"-Wl,-rpath,{runtime.parent}", "-ldl"]
    ninja.rule("link", [*toolchain.command, "$in", *link, "-o", "$out"], "link $out")
    objects = [ninja.object(path, "kernel") for path in kernel_sources(root)]
    objects += [ninja.object(path, "host") for path in host_sources(root, "twin")]
    ninja.default(LIBRARY["twin"], "link", objects, implicit=[f"{out}/{EXPORTS_FILE}", str(runtime)])
    return ninja.text()


def ascend910b_ninja(root: Path, out: str, cann: Cann) -> str:
    """build.ninja of _ascend910b.so, to be run in `root`."""
    ninja = Ninja("device_targets.py", out)
    include = [f"-I{path}" for path in cann.include_dirs]
    flags = [*BISHENG_FLAGS]
    if cann.version >= INFERS_KERNEL_TYPE:
        flags.append("--cce-auto-infer-kernel-type=false")
    compiler = str(cann.compiler)
    ninja.rule("kernel", [compiler, *flags, *INCLUDE_FLAGS, *include, "-c", "$in", "-o", "$out"], "bisheng $in")
    ninja.rule("host", [compiler, *HOST_FLAGS, *include, "-c", "$in", "-o", "$out"], "compile $in")
    link = ["-shared", "-fPIC", NPU_ARCH, f"-Wl,--version-script={out}/{EXPORTS_FILE}", "-static-libstdc++"]
    link += [f"-L{path}" for path in cann.library_dirs] + list(ACL_LIBRARIES)
    ninja.rule("link", [compiler, "$in", *link, "-o", "$out"], "link $out")
    # Headers by name and not from the compiler: it compiles each file three times, and says nothing of what it read.
    headers = device_headers(root)
    objects = [ninja.object(path, "kernel", headers) for path in kernel_sources(root)]
    objects += [ninja.object(path, "host", headers) for path in host_sources(root, "acl")]
    ninja.default(LIBRARY["ascend910b"], "link", objects, implicit=[f"{out}/{EXPORTS_FILE}"])
    return ninja.text()


def device_headers(root: Path) -> list[str]:
    return sources.glob(root, f"{ASCEND}/**/*.h", f"{sources.KERNELS}/include/**/*.h")
