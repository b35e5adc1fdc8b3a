# SPDX-License-Identifier: BSD-3-Clause
"""Run built kernels on the model: arguments, modes, findings."""

from __future__ import annotations

import ctypes
import json
import math
import re
from collections.abc import Sequence
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .build import INCLUDE, Library, build_kernel, runtime_library

C_API = (INCLUDE / "twin" / "c_api.h").read_text()
MODES = {"fast": 0, "check": 1, "cycles": 2}
DEFAULT_CHIP = dict(re.findall(r'^#define (\w+) "(\w+)"$', C_API, re.MULTILINE))["TWIN_DEFAULT_CHIP"]
KINDS = {"aiv": 0, "aic": 1, "mix_aiv_1_0": 2, "mix_aic_1_0": 3, "mix_1_1": 4, "mix_1_2": 5}


@dataclass
class Finding:
    """One thing the checker found.

    Example:
        >>> print(Finding("error", "pipe_race", "no flag", "add.cpp", 7, "Add", "block0.AIV0", 2))
        add.cpp:7: error: [pipe_race] block0.AIV0: no flag (2 times)
    """

    severity: str  # "error" or "warning"
    kind: str  # error class, e.g. "pipe_race"
    message: str
    file: str
    line: int
    api: str
    core: str
    count: int

    def __str__(self) -> str:
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.file}:{self.line}: {self.severity}: [{self.kind}] {self.core}: {self.message}{times}"


@dataclass
class Chip:
    """A variant of the 910B."""

    cores: int  # AI cores, each an AIC and two AIVs
    mhz: float
    hbm: float  # bandwidth relative to the constant hbm_tbps
    l2: float  # bandwidth relative to the constant l2_tbps


class CheckFailure(AssertionError):
    """A kernel did something a device would not forgive.

    findings: all errors; the text has one per line.

    Example:
        >>> finding = Finding("error", "deadlock", "waits for ever", "add.cpp", 7, "WaitFlag", "block0.AIV0", 1)
        >>> CheckFailure([finding]).findings[0].kind
        'deadlock'
    """

    def __init__(self, findings: Sequence[Finding]):
        self.findings = list(findings)
        super().__init__("\n".join(str(f) for f in findings))


def loaded_runtime() -> Path | None:
    """The runtime that a device library (_twin.so) has brought into this process: there must not be a second one."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    paths = {line.split(maxsplit=5)[-1] for line in maps if "/libascend_twin-runtime-" in line}
    return Path(min(paths)) if paths else None


#: What simulate() returns: docs/manual.md says what its fields mean.
Report = dict[str, Any]

C_TYPES: dict[str, Any] = {
    "void": None,
    "int": c_int,
    "uint64_t": c_uint64,
    "double": c_double,
    "const char*": c_char_p,
    "const void*": c_void_p,
    "const uint64_t*": POINTER(c_uint64),
    "const float*": POINTER(c_float),
}


def c_functions() -> dict[str, tuple[Any, list[Any]]]:
    """The C functions of the runtime by name: what they return and take, as include/twin/c_api.h declares them.

    Example:
        >>> c_functions()["twin_unregister_gm"] == (None, [c_uint64])
        True
    """
    found: dict[str, tuple[Any, list[Any]]] = {}
    for result, name, text in re.findall(r"^TWIN_API ([\w *]+?) (twin_\w+)\(([^)]*)\);", C_API, re.MULTILINE):
        types = [parameter.rsplit(maxsplit=1)[0] for parameter in text.split(",") if parameter.strip()]
        found[name] = C_TYPES[result], [C_TYPES[" ".join(words.split())] for words in types]
    return found


class Machine:
    """The runtime library of this process.

    Example:
        >>> machine = Machine.get()
        >>> machine.chips()["910B2"].cores
        24
    """

    _one: Machine | None = None

    def __init__(self) -> None:
        path = loaded_runtime() or runtime_library()
        self.lib = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        for name, (result, arguments) in c_functions().items():
            if not hasattr(self.lib, name):
                raise RuntimeError(f"{path} is of another version of ascend-twin: build the device library again")
            function = getattr(self.lib, name)
            function.restype, function.argtypes = result, arguments

    @classmethod
    def get(cls) -> Machine:
        """The one of this process; its library is built when it is not in the cache.

        Raises:
            BuildError: no compiler, or it fails.
        """
        if cls._one is None:
            cls._one = cls()
        return cls._one

    def configure(
        self,
        mode: str = "fast",
        *,
        seed: int = 0,
        threads: int = 0,
        cores: int | None = None,
        kind: str | None = None,
        auto_sync: bool = False,
        skip_math: bool = False,
        max_findings: int = 200,
        tiling_key: int | None = None,
    ) -> None:
        """Set options for the launches that follow.

        mode: "fast" (results), "check" (results and findings), "cycles" (results and a recorded program for simulate())
            or "timing" (cycles with skip_math: floating-point work is recorded and left out, 10 to 50 times faster;
            scalar code, flags, integers and small transfers stay real, see runtime/machine/timing_only.h).
        seed: order in which the cores take turns; 0: block order.
        threads: host threads, 0: all; check mode takes one.
        cores: AI cores that blocks are dealt to; None: those of a 910B2.
        kind: what the kernel runs on, a key of KINDS; None: as it declares.
        auto_sync: accept what bisheng's auto-sync would insert (V to V, scalar).
        max_findings: after so many different ones the rest is counted only.
        tiling_key: the key TILING_KEY_IS compares with; None: every TILING_KEY_IS holds.
        """
        self.lib.twin_set_tiling_key(2**64 - 1 if tiling_key is None else tiling_key)
        if mode == "timing":
            mode, skip_math = "cycles", True
        if mode not in MODES:
            raise ValueError(f"mode: got {mode!r}, expected timing or one of {', '.join(MODES)}")
        cores = self.chips()[DEFAULT_CHIP].cores if cores is None else cores
        self.lib.twin_set_options(
            MODES[mode], seed, threads, cores, -1 if kind is None else KINDS[kind], auto_sync, skip_math, max_findings
        )

    def clear(self) -> None:
        """Forget findings and recorded launches."""
        self.lib.twin_clear()

    def findings(self) -> list[Finding]:
        """What the checker found since the last clear()."""
        raw = json.loads(self.lib.twin_findings().decode())
        return [
            Finding(f["severity"], f["class"], f["message"], f["file"], f["line"], f["api"], f["core"], f["count"])
            for f in raw["findings"]
        ]

    def output(self) -> str:
        """What the kernels printed since the last call."""
        return str(self.lib.twin_output().decode())

    def recorded(self) -> int:
        """Launches recorded in cycles mode since the last clear()."""
        return int(self.lib.twin_recorded())

    def simulate(
        self,
        index: int = -1,
        chip: str = DEFAULT_CHIP,
        costs: dict[str, float] | None = None,
        traced: int = 0,
        traced_us: float = math.inf,
        runs: int = 1,
    ) -> Report:
        """Timeline report of a recorded launch; docs/manual.md says what its fields mean.

        index: which recorded launch, -1: the last.
        chip: a key of chips().
        costs: constants of costs() to change, name -> value.
        traced: how many blocks contribute the intervals of their first traced_us microseconds to the report.
        runs: of that many runs in a row the last one is reported, which finds in L2 what the one before left (1: L2 is
            empty).

        Raises:
            RuntimeError: nothing was recorded, the launch ended in a deadlock, or a chip or cost is not known.

        Example:
            >>> from ascend_twin import EXAMPLE
            >>> x, z = np.ones(8192, np.float16), np.zeros(8192, np.float16)
            >>> findings = load(EXAMPLE, "add")(8, x, x, Out(z), mode="cycles")
            >>> report = Machine.get().simulate(chip="910B3", costs={"launch_us": 11})
            >>> round(report["task_us"] - report["us"])
            11
        """
        if not self.recorded():
            raise RuntimeError('nothing is recorded: run a kernel with mode="cycles" or mode="timing" first')
        index = index % self.recorded()
        changes = ",".join(f"{k}={v}" for k, v in (costs or {}).items())
        text = self.lib.twin_simulate(index, chip.encode(), changes.encode(), traced, traced_us, runs).decode()
        if not text.startswith("{"):
            raise RuntimeError(text)
        report: Report = json.loads(text)
        return report

    def recorded_lines(self, index: int = -1) -> int:
        """Lines of a recorded launch: what one timeline of it adds to progress()."""
        return int(self.lib.twin_recorded_lines(index % self.recorded())) if self.recorded() else 0

    def progress(self) -> tuple[int, int]:
        """Lines that timelines have issued, and lines of all that were begun, since clear_progress()."""
        return self.lib.twin_progress_done(), self.lib.twin_progress_whole()

    def clear_progress(self) -> None:
        """Begin a progress of its own."""
        self.lib.twin_clear_progress()

    def chips(self) -> dict[str, Chip]:
        """The chips of runtime/timing/chips.def."""
        return {name: Chip(*numbers) for name, numbers in json.loads(self.lib.twin_chips().decode()).items()}

    def costs(self) -> dict[str, list[Any]]:
        """The cost table: name -> [value, low, high, unit, confidence, source]."""
        table: dict[str, list[Any]] = json.loads(self.lib.twin_costs().decode())
        return table

    def register(self, array: np.ndarray, name: str, *, initialised: bool = True, read_only: bool = False) -> int:
        """Make an array global memory: kernels may reach it. Returns its address."""
        address = array.ctypes.data
        self.lib.twin_register_gm(address, max(array.nbytes, 1), name.encode(), initialised, read_only)
        return address

    def unregister(self, address: int) -> None:
        """Kernels may no longer reach what register() gave this address."""
        self.lib.twin_unregister_gm(address)


def aligned(shape: Any, dtype: Any, fill: int | None = 0) -> np.ndarray:
    """Array whose data starts at a multiple of 512 bytes, as device allocations do.

    Example:
        >>> aligned((4, 8), np.float16).ctypes.data % 512
        0
    """
    count = int(np.prod(shape))
    size = count * np.dtype(dtype).itemsize
    raw = np.empty(size + 512, np.uint8)
    start = -raw.ctypes.data % 512
    view: np.ndarray = raw[start : start + size].view(dtype).reshape(shape)
    if fill is not None:
        raw[:] = fill
    return view


@dataclass
class Out:
    """A kernel argument the kernel writes: uninitialised for the checker, unless the kernel reads it too.

    Example:
        >>> Out(np.zeros(16, np.float16)).initialised
        False
    """

    array: np.ndarray
    initialised: bool = False


@dataclass
class InOut(Out):
    """A kernel argument the kernel reads and writes: what it holds counts as written.

    Example:
        >>> InOut(np.zeros(16, np.float16)).initialised
        True
    """

    initialised: bool = True


class Kernel:
    """An extern "C" kernel of a built library.

    Example:
        >>> from ascend_twin import EXAMPLE
        >>> Kernel(build_kernel(EXAMPLE), "add").kind == KINDS["aiv"]
        True
    """

    def __init__(self, library: Library, name: str):
        self.machine = Machine.get()
        self.name = name
        self.kind = library.kernels.get(name, -1)
        self.library = ctypes.CDLL(str(library.path))

        def address(suffix: str) -> int | None:
            try:
                return ctypes.cast(getattr(self.library, name + suffix), ctypes.c_void_p).value
            except AttributeError:
                return None

        self.cube, self.vec = address("__aic"), address("__aiv")
        if self.cube is None and self.vec is None:
            raise LookupError(f"{library.path} has no kernel {name}; it has {sorted(library.kernels)}")

    def __call__(
        self, blocks: int, *args: Any, mode: str = "fast", expect_clean: bool = True, **options: Any
    ) -> list[Finding]:
        """Run on `blocks` AI cores.

        args: numpy arrays (inputs, copied to aligned memory, read-only for the checker), Out(array) for outputs,
            InOut(array) for tensors that are read as well (both written back), Python ints; floats for parameters of
            type float.
        mode: "fast", "check", "cycles" or "timing"; options as in Machine.configure.

        Returns all findings, warnings included.

        Raises:
            CheckFailure: the model reports errors and expect_clean is set.
            RuntimeError: the kernel cannot be run, or uses what is not modelled.

        Example:
            >>> from ascend_twin import EXAMPLE
            >>> x, z = np.ones(8192, np.float16), np.zeros(8192, np.float16)
            >>> load(EXAMPLE, "add")(8, x, x, Out(z), mode="check", seed=3)
            []
        """
        machine = self.machine
        machine.configure(mode, **options)
        machine.clear()
        words: list[int] = []
        reals: list[float] = []
        held: list[tuple[np.ndarray, np.ndarray | None, int]] = []
        for i, arg in enumerate(args):
            if isinstance(arg, (int, np.integer)):
                words.append(int(arg) & (2**64 - 1))
                continue
            if isinstance(arg, (float, np.floating)):
                reals.append(float(arg))
                continue
            out = isinstance(arg, Out)
            array = arg.array if out else np.asarray(arg)
            device = aligned(array.shape, array.dtype)
            device[...] = array
            known = arg.initialised if isinstance(arg, Out) else True
            address = machine.register(device, f"arg{i}", initialised=known, read_only=not out)
            held.append((device, array if out else None, address))
            words.append(address)
        try:
            failure = machine.lib.twin_launch(
                self.cube,
                self.vec,
                self.kind,
                blocks,
                (ctypes.c_uint64 * len(words))(*words),
                len(words),
                (ctypes.c_float * len(reals))(*reals),
                len(reals),
                self.name.encode(),
            )
        finally:
            for _, _, address in held:
                machine.unregister(address)
        if failure:
            raise RuntimeError(failure.decode())
        for device, host, _ in held:
            if host is not None:
                host[...] = device
        found = machine.findings()
        errors = [f for f in found if f.severity == "error"]
        if errors and expect_clean:
            raise CheckFailure(errors)
        return found


def load(source: str | Path, name: str, flags: Sequence[str] = ()) -> Kernel:
    """Build a source (file or text) and return one of its kernels.

    Raises:
        BuildError: no compiler, or it refused the source.
        LookupError: the source has no such kernel.

    Example:
        >>> source = '''
        ... #include "kernel_operator.h"
        ... extern "C" __global__ __aicore__ void count(GM_ADDR out) {
        ...     AscendC::GlobalTensor<int32_t> gm;
        ...     gm.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(out));
        ...     gm.SetValue(AscendC::GetBlockIdx() * 16, 7);
        ...     AscendC::DataCacheCleanAndInvalid<int32_t, AscendC::CacheLine::SINGLE_CACHE_LINE,
        ...         AscendC::DcciDst::CACHELINE_OUT>(gm[AscendC::GetBlockIdx() * 16]);
        ... }'''
        >>> out = np.zeros(32, np.int32)
        >>> load(source, "count")(2, Out(out), mode="check")
        []
        >>> out[[0, 16]].tolist()
        [7, 7]
    """
    Machine.get()
    return Kernel(build_kernel(source, flags), name)
