# SPDX-License-Identifier: BSD-3-Clause
"""The text of build.ninja for the device library: which sources, which compiler, which flags.

Nothing here looks at the machine beyond listing sources, so the texts can be compared with recorded ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import sources
from .cann import INFERS_KERNEL_TYPE, Cann
from .instances import TEMPLATE, instances
from .ninja_writer import Ninja, write_if_changed

LIBRARY = "_ascend910b.so"

ASCEND = f"{sources.KERNELS}/ascend"
INCLUDE_FLAGS = (f"-I{ASCEND}", f"-I{sources.KERNELS}/include")
HOST_FLAGS = ("-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", *INCLUDE_FLAGS)

# Two device libraries may be in one process, beside torch_npu and its own runtime: nothing else is seen.
EXPORTS_FILE = "exports.map"
EXPORTS = "{ global: flash_attn_npu_backend; flash_attn_npu_backend_abi_version; local: *; };\n"

INSTANCES_DIR = "kernels"

NPU_ARCH = "--npu-arch=dav-2201"  # the 910B family
BISHENG_FLAGS = ("-x", "asc", NPU_ARCH, "-O2", "-fPIC", "-std=c++17", "-Wno-macro-redefined", "-Wno-ignored-attributes")
ACL_LIBRARIES = ("-lascendcl",)


def pass_sources(root: Path) -> list[str]:
    """The vector-only kernels, one source each."""
    return sources.glob(root, f"{ASCEND}/passes/*.cpp")


def write_instances(root: Path, out: Path) -> None:
    """The sources of the attention kernels, in the build directory `out`."""
    for instance in instances(root / ASCEND):
        path = out / INSTANCES_DIR / f"{instance.symbol}.cpp"
        write_if_changed(path, instance.source(root / ASCEND))


def kernel_objects(ninja: Ninja, root: Path, out: str, implicit: Sequence[str] = ()) -> list[str]:
    """Compiles every kernel by the rule "kernel": the passes, and what write_instances() made in `out`."""
    objects = [ninja.object(path, "kernel", implicit) for path in pass_sources(root)]
    for instance in instances(root / ASCEND):
        name = f"{INSTANCES_DIR}/{instance.symbol}.cpp"
        objects.append(ninja.object(f"{out}/{name}", "kernel", implicit, name=name))
    return objects


def host_sources(root: Path) -> list[str]:
    """The host half, for the ACL runtime."""
    return sources.glob(root, f"{ASCEND}/host/*.cpp")


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
    objects = kernel_objects(ninja, root, out, headers)
    objects += [ninja.object(path, "host", headers) for path in host_sources(root)]
    ninja.default(LIBRARY, "link", objects, implicit=[f"{out}/{EXPORTS_FILE}"])
    return ninja.text()


def device_headers(root: Path) -> list[str]:
    """What sources of kernels and of the host half include or are made from."""
    own = [f"{ASCEND}/**/{name}" for name in ("*.h", "*.def", TEMPLATE)]
    return sources.glob(root, *own, f"{sources.KERNELS}/include/**/*.h")
