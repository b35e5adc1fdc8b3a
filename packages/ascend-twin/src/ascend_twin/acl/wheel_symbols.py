# SPDX-License-Identifier: BSD-3-Clause
"""What a torch_npu wheel needs from CANN, read from its ELF files."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerSymSection
from elftools.elf.hash import GNUHashSection
from elftools.elf.sections import SymbolTableSection

# Linked, but neither in the wheels of torch and torch_npu nor CANN's.
SYSTEM_LIBRARIES = ("libc.", "libm.", "libdl.", "librt.", "libpthread.", "libstdc++.", "libgcc_s.", "ld-linux")
# Loaded only by programs that ask for them; they need libraries of CANN that the emulation does not have (ATB).
OPTIONAL_FILES = ("libop_plugin_atb.so",)


@dataclass
class Needs:
    """Names of CANN's libraries (SONAMEs), and of the functions that must be found in one of them."""

    libraries: list[str]
    functions: list[str]


def needs_of_wheel(torch_npu: Path | None = None, torch: Path | None = None) -> Needs:
    """What the installed torch_npu needs.

    Args:
        torch_npu: package directory; default: the installed one.
        torch: the same of torch.
    """
    torch_npu = torch_npu or package_dir("torch_npu")
    torch = torch or package_dir("torch")
    files = [
        p for p in sorted([*torch_npu.glob("_C*.so"), *torch_npu.glob("lib/*.so")]) if p.name not in OPTIONAL_FILES
    ]
    provided = [*files, *sorted(torch.glob("lib/*.so*"))]
    here = {p.name for p in provided}
    libraries: set[str] = set()
    functions: set[str] = set()
    for path in files:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            libraries |= {n for n in needed(elf) if n not in here and not n.startswith(SYSTEM_LIBRARIES)}
            functions |= set(undefined(elf))
    for path in provided:
        if not functions:
            break
        with path.open("rb") as stream:
            table = ELFFile(stream).get_section_by_name(".gnu.hash")
            if isinstance(table, GNUHashSection):
                functions = {name for name in functions if not defines(table, name)}
    process = ctypes.CDLL(None)  # glibc's functions, where the wheel asks for no version of them
    return Needs(sorted(libraries), sorted(name for name in functions if not hasattr(process, name)))


def package_dir(name: str) -> Path:
    """Directory of an installed package; it is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name} is not installed in this Python: pip install {name.replace('_', '-')}")
    return Path(spec.origin).parent


def needed(elf: ELFFile) -> Iterator[str]:
    dynamic = elf.get_section_by_name(".dynamic")
    if isinstance(dynamic, DynamicSection):
        for tag in dynamic.iter_tags("DT_NEEDED"):
            yield tag.needed  # type: ignore[attr-defined]


def undefined(elf: ELFFile) -> Iterator[str]:
    """Undefined strong symbols without a version (glibc's and libstdc++'s have one) that are not Python's."""
    symbols = elf.get_section_by_name(".dynsym")
    versions = elf.get_section_by_name(".gnu.version")
    if not isinstance(symbols, SymbolTableSection):
        return
    for index, symbol in enumerate(symbols.iter_symbols()):
        if symbol["st_shndx"] != "SHN_UNDEF" or symbol["st_info"]["bind"] != "STB_GLOBAL":
            continue
        versioned = isinstance(versions, GNUVerSymSection) and isinstance(versions.get_symbol(index)["ndx"], int)
        if symbol.name and not versioned and not symbol.name.startswith(("Py", "_Py")):
            yield symbol.name


def defines(table: GNUHashSection, name: str) -> bool:
    symbol = table.get_symbol(name)
    return symbol is not None and symbol["st_shndx"] != "SHN_UNDEF"


def defined(library: Path) -> set[str]:
    """Names of the dynamic symbols that a shared library defines."""
    with library.open("rb") as stream:
        symbols = ELFFile(stream).get_section_by_name(".dynsym")
        assert isinstance(symbols, SymbolTableSection)
        return {s.name for s in symbols.iter_symbols() if s["st_shndx"] != "SHN_UNDEF"}
