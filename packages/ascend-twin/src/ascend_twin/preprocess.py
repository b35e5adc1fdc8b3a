# SPDX-License-Identifier: BSD-3-Clause
"""Turn preprocessed Ascend C into C++: launches, function-space attributes, kernel qualifiers.

Lines stay where they are, so that findings name the kernel's own source lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from . import high_level

MIX_KIND = {("1", "2"): 5, ("1", "1"): 4, ("1", "0"): 3, ("0", "1"): 2}


@dataclass
class Kernels:
    """Names of the extern "C" or plain kernels of a source, and the kinds they are declared with."""

    names: list[str] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)


def _keep_lines(text: str) -> str:
    return "\n" * text.count("\n")


def _balanced(text: str, start: int, opening: str, closing: str) -> int:
    """Index just after the bracket that closes the one at `start`."""
    depth = 0
    for i in range(start, len(text)):
        if text[i] == opening:
            depth += 1
        elif text[i] == closing:
            depth -= 1
            if depth == 0:
                return i + 1
    raise ValueError(f"unbalanced {opening}")


def _kernel_start(text: str, end: int) -> int:
    """Index where the name of the launched kernel that ends at `end` begins."""
    i = end
    while i > 0 and text[i - 1].isspace():
        i -= 1
    if i > 0 and text[i - 1] == ">":
        depth = 0
        while i > 0:
            i -= 1
            if text[i] == ">" and text[i - 1] != "-":
                depth += 1
            elif text[i] == "<":
                depth -= 1
                if depth == 0:
                    break
    while i > 0:
        previous = text[i - 1]
        if previous.isalnum() or previous in "_:":
            i -= 1
        else:
            break
    return i


def rewrite_launches(text: str) -> str:
    """`kernel<T><<<blocks, ctrl, stream>>>(args)` -> a call of twin::launch around the kernel."""
    out: list[str] = []
    at = 0
    while True:
        hit = text.find("<<<", at)
        if hit < 0:
            out.append(text[at:])
            return "".join(out)
        close = text.find(">>>", hit)
        after = close + 3
        while close >= 0 and after < len(text) and text[after].isspace():
            after += 1
        if close < 0 or after >= len(text) or text[after] != "(":
            out.append(text[at : hit + 3])
            at = hit + 3
            continue
        start = _kernel_start(text, hit)
        kernel, config = text[start:hit].strip(), text[hit + 3 : close]
        name = re.sub(r"\s+", " ", re.sub(r"^# .*$", "", kernel, flags=re.M)).replace('"', "'")
        out.append(text[at:start])
        out.append(
            f'::twin::launch([](auto... twin_a) {{ {kernel}(twin_a...); }}, "{name}", {config})'
            + _keep_lines(text[close + 3 : after])
        )
        at = after


def rewrite_core_specialisations(text: str) -> str:
    """In-class `template <> f<AscendC::AIC>(...)`, which g++ refuses, -> overloads chosen by core type.

    The primary template, a declaration with `int32_t CORE_TYPE = g_coreType`, goes when specialisations exist.
    """
    special = re.compile(
        r"template\s*<\s*>(\s*(?:[^;{}()]|\(\([^()]*\)\))*?)\b(operator\s*\(\s*\)|\w+)\s*<\s*(?:AscendC::)?(AIC|AIV)\s*>(\s*\()"
    )
    names = {re.sub(r"\s", "", m.group(2)) for m in special.finditer(text)}
    if not names:
        return text

    def one(m: re.Match[str]) -> str:
        head = (
            f"template <int32_t twin_core = g_coreType, std::enable_if_t<twin_core == AscendC::{m.group(3)}, int> = 0>"
        )
        return head + m.group(1) + m.group(2) + m.group(4)

    primary = re.compile(
        r"template\s*<\s*(?:int32_t|int)\s+\w+\s*=\s*g_coreType\s*>\s*(?:[^;{}()]|\(\([^()]*\)\))*?"
        r"\b(operator\s*\(\s*\)|(?!__attribute__)\w+)\s*\([^;{}]*?\)\s*;"
    )
    text = primary.sub(lambda m: _keep_lines(m.group()) if re.sub(r"\s", "", m.group(1)) in names else m.group(), text)
    return special.sub(one, _restrict_primaries(text, special))


def _restrict_primaries(text: str, special: re.Pattern[str]) -> str:
    """A primary template with a body stays for the core types its class has no specialisation for."""
    primary = re.compile(
        r"template\s*<\s*(?:int32_t|int)\s+(\w+)\s*=\s*g_coreType\s*>(\s*(?:[^;{}()]|\(\([^()]*\)\))*?"
        r"\b(operator\s*\(\s*\)|(?!__attribute__)\w+)\s*\([^;{}]*?\)\s*(?:const\s*)?\{)"
    )
    bodies = list(primary.finditer(text))
    if not bodies:
        return text
    hits = list(special.finditer(text))
    scope = _class_scopes(text, [m.start() for m in bodies + hits])
    for m in reversed(bodies):
        name = re.sub(r"\s", "", m.group(3))
        types = {
            h.group(3)
            for h in hits
            if re.sub(r"\s", "", h.group(2)) == name and scope.get(h.start()) == scope.get(m.start())
        }
        if not types:
            continue
        others = " && ".join(f"{m.group(1)} != AscendC::{t}" for t in sorted(types))
        head = f"template <int32_t {m.group(1)} = g_coreType, std::enable_if_t<({others}), int> = 0>"
        text = text[: m.start()] + head + m.group(2) + text[m.end() :]
    return text


CLASS_HEAD = re.compile(
    r"^\s*(?:template\b.*)?(?:(?:public|private|protected)\s*:\s*)*(?:struct|class)\b(?!.*[()=])", re.S
)


def _class_scopes(text: str, spots: list[int]) -> dict[int, int]:
    """For each position that lies directly in a class: where the class's body begins."""
    token = re.compile(r'"(?:\\.|[^"\\\n])*"|[{};]')
    stack: list[tuple[bool, int]] = []
    inside: dict[int, int] = {}
    pending = iter(sorted(spots))
    spot = next(pending, None)
    last = 0
    for m in token.finditer(text):
        while spot is not None and spot < m.start():
            if stack and stack[-1][0]:
                inside[spot] = stack[-1][1]
            spot = next(pending, None)
        mark = m.group()
        if mark == "{":
            head = re.sub(r"^# .*$", "", text[last : m.start()], flags=re.M)
            head = re.sub(r"template\s*<[^{}]*?>\s*(?=struct|class)", "", head)
            stack.append((bool(CLASS_HEAD.search(head)), m.start()))
        elif mark == "}" and stack:
            stack.pop()
        if mark in "{};":
            last = m.end()
    return inside


def rewrite_member_specialisations(text: str) -> str:
    """In-class `template <> struct X<args>`, which g++ refuses -> a partial one over a defaulted dummy parameter."""
    special = re.compile(r"template\s*<\s*>(\s*(?:struct|class)\s+)(\w+)(\s*<)([^{};]*?)>(\s*(?::[^{};]*)?\{)")
    hits = list(special.finditer(text))
    if not hits:
        return text
    inside = _class_scopes(text, [m.start() for m in hits])
    edits: list[tuple[int, int, str]] = []
    primaries: set[tuple[str, int]] = set()
    for m in hits:
        if m.start() not in inside:
            continue
        primaries.add((m.group(2), inside[m.start()]))
        new = f"template <typename twin_dummy>{m.group(1)}{m.group(2)}{m.group(3)}{m.group(4)}, twin_dummy>{m.group(5)}"
        edits.append((m.start(), m.end(), new))
    for name, body in primaries:
        primary = re.compile(r"template\s*<([^<>{};]+)>(\s*(?:struct|class)\s+" + name + r"\b(?!\s*<))")
        found = primary.search(text, body)
        if found:
            new = f"template <{found.group(1)}, typename twin_dummy = void>{found.group(2)}"
            edits.append((found.start(), found.end(), new))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + _keep_lines(text[start:end])[new.count("\n") :] + text[end:]
    return text


def initialise_constexpr_arrays(text: str) -> str:
    """Array members that a constexpr constructor fills in its body, which g++ refuses in C++17 -> `member[n] = {};`."""
    classes = set(re.findall(r"\bconstexpr\s+(?:explicit\s+)?([A-Z]\w*)\s*\(", text))
    member = re.compile(r"(?<=[;{}])(\s*(?:# [^\n]*\n\s*)*(?:[A-Za-z_]\w*(?:::\w+)*\s+)+\w+\s*\[[^\]\n;{}]+\])(\s*;)")
    hits = list(member.finditer(text)) if classes else []
    scope = _class_scopes(text, [m.start(1) for m in hits])
    for m in reversed(hits):
        body = scope.get(m.start(1))
        name = body is not None and re.search(r"\b(?:struct|class)\s+(\w+)\s*(?::[^;{}]*)?$", text[:body][-500:])
        if name and name.group(1) in classes:
            text = text[: m.end(1)] + " = {}" + text[m.end(1) :]
    return text


def transform(text: str) -> tuple[str, Kernels]:
    """C++ text and the kernels declared in it."""
    kernels = Kernels()
    text = find_api_names(text)
    text = re.sub(r"\[\s*(?:host|aicore)(?:\s*,\s*(?:host|aicore))?\s*\]", lambda m: _keep_lines(m.group()), text)
    text = re.sub(r"__attribute__\(\(\s*(?:cce_kernel|aicore)\s*\)\)", lambda m: _keep_lines(m.group()), text)

    qualified = re.compile(
        r"((?:__twin_(?:global|kind_\d|mix_\d_\d)__\s*)+)((?:\[\[[^\]]*\]\]\s*|inline\s+)*void\s+(\w+)\s*\()"
    )

    declared: list[tuple[int, int]] = []  # where a body begins, and the kind

    def declare(match: re.Match[str]) -> str:
        qualifiers, name = match.group(1), match.group(3)
        if "__twin_global__" in qualifiers and name not in kernels.names:
            kernels.names.append(name)
        kinds = [int(kind) for kind in re.findall(r"__twin_kind_(\d)__", qualifiers)]
        kinds += [MIX_KIND[mix] for mix in re.findall(r"__twin_mix_(\d)_(\d)__", qualifiers)]
        if kinds:
            kernels.kinds[name] = kinds[-1]
            body = _balanced(text, match.end() - 1, "(", ")")
            while text[body].isspace():
                body += 1
            if text[body] == "{":
                declared.append((body + 1, kinds[-1]))
        return '__attribute__((visibility("default"))) ' + _keep_lines(qualifiers) + match.group(2)

    # A launch by <<<>>> learns the declared kind from the kernel's first statement, as from KERNEL_TASK_TYPE_DEFAULT.
    edits = [(m.start(), m.end(), declare(m)) for m in qualified.finditer(text)]
    edits += [(at, at, f'::twin::kernel_task_type({kind}, {{"", 0, "kernel"}});') for at, kind in declared]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    # A program's main() is called from Python; as a member of a shared library it needs another name.
    text = re.sub(
        r"\b(?:int|int32_t)\s+main\s*\(", 'extern "C" __attribute__((visibility("default"))) int twin_main(', text
    )
    text = re.sub(r"__twin_(?:global|kind_\d|mix_\d_\d)__", "", text)
    text = text.replace("__twin_uses_cube__", str(uses_cube(text)).lower())
    text = initialise_constexpr_arrays(rewrite_member_specialisations(rewrite_core_specialisations(text)))
    return rewrite_launches(text), kernels


TWIN_HEADERS = str(Path(__file__).resolve().parent / "include")


def _parts(text: str, foreign: str) -> tuple[str, str]:
    """The lines of headers below `foreign`, and those of the source and its own headers."""
    theirs: list[str] = []
    own: list[str] = []
    into: list[str] | None = own
    for line in text.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            name = marker.group(1)
            others = name.startswith(("/usr/", "<")) or f"/{high_level.VIEW}" in name
            into = theirs if name.startswith(foreign) else None if others else own
        elif into is not None:
            into.append(line)
    return "\n".join(theirs), "\n".join(own)


#: Functions that include/ascendc/plain.h has as values.
PLAIN = "Add Sub Mul Div Max Min And Or Exp Ln Abs Sqrt Rsqrt Reciprocal Relu Not Adds Muls Maxs Mins LeakyRelu".split()


def find_api_names(text: str, foreign: str = TWIN_HEADERS) -> str:
    """Two uses of API functions that depend on the compiler, or on the vendor's signatures.

    `Cast<float, half>(...)` without AscendC:: is found by its arguments, as bisheng's clang does. g++ does so from
    C++20 on only; before, a template of that name must be visible, whichever it is.
    `apply(x, Sub<float>)` and `Fold<Add<T>>` hand a function on: one without the twin's further parameter, the caller.
    """
    theirs, own = _parts(text, foreign)
    mine = set(re.findall(r"\b(?:class|struct|union|enum|using|namespace)\s+(\w+)\b(?!\s*::)", own))
    values = "|".join(n for n in PLAIN if n not in mine)
    if values:
        value = re.compile(rf"([,(=<]\s*)(?:AscendC::)?((?:{values})<[\w\s,:]*>)(?=\s*[);,>])")
        text = value.sub(r"\1::AscendC::TwinPlain::\2", text)
    api = set(re.findall(r"\bvoid\s+([A-Z]\w*)\s*\(", theirs))
    used = set(re.findall(r"(?<![\w:.>~])([A-Z]\w*)\s*<(?![<=])", own)) & api - mine
    if not used:
        return text
    names = " ".join(f"template <struct TwinNever*> void {name}();" for name in sorted(used))
    return f"struct TwinNever; {names}\n{text}"


def uses_cube(text: str, foreign: str = TWIN_HEADERS) -> bool:
    """Whether lines outside headers below `foreign` mention the cube side (bisheng infers kinds likewise)."""
    return bool(
        re.search(
            r"\b(Mmad|LoadData|Fixpipe|CrossCoreSetFlag|CrossCoreWaitFlag|AIC|L0C)\b|\bg_coreType\s*!=",
            _parts(text, foreign)[1],
        )
    )
