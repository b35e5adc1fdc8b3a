# SPDX-License-Identifier: BSD-3-Clause
"""The command ascend-twin: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from ascend_twin import EXAMPLE, Machine, __version__, load, progress
from ascend_twin.arguments import ArgumentError, default_options, parse
from ascend_twin.cli import main
from ascend_twin.corners import CORNERS

FLAG = "    SetFlag<HardEvent::V_MTE3>(0);\n    WaitFlag<HardEvent::V_MTE3>(0);\n"


@pytest.fixture
def faulty(tmp_path):
    """The example without the flag between vector unit and store."""
    text = EXAMPLE.read_text()
    assert FLAG in text
    (tmp_path / "faulty.cpp").write_text(text.replace(FLAG, ""))
    return tmp_path / "faulty.cpp"


def of_json(capsys, *words: object) -> tuple[int, dict]:
    """Exit code and the document that stdout holds."""
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_check_of_a_clean_kernel(capsys):
    assert main(["check", f"{EXAMPLE}:add", "--seeds", "3"]) == 0
    assert capsys.readouterr().out == "add, 8 blocks, 3 orders of the cores: clean\n"


def test_check_prints_each_finding(faulty, capsys):
    assert main(["check", str(faulty)]) == 1
    first, last = capsys.readouterr().out.splitlines()
    line = faulty.read_text().splitlines().index("    DataCopy(to[at], a, n);") + 1
    assert first.startswith(f"{faulty}:{line}: error: [pipe_race] block0.AIV0: DataCopy")
    assert last == "add, 8 blocks, 1 order of the cores: 1 errors, 0 warnings"


def test_check_as_json(faulty, capsys):
    code, document = of_json(capsys, "check", faulty)
    assert code == document["exit_code"] == 1 and document["command"] == "check" and document["errors"] == 1
    assert document["findings"][0]["kind"] == "pipe_race" and document["kernel"] == "add" and document["blocks"] == 8
    code, document = of_json(capsys, "check", EXAMPLE)
    assert code == 0 and document["findings"] == []


WARNS = """
#include "kernel_operator.h"
using namespace AscendC;
extern "C" __global__ __aicore__ void warns(GM_ADDR x, GM_ADDR y) {
    GlobalTensor<float> from, to;
    from.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x));
    to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(y));
    LocalTensor<float> a(TPosition::VECCALC, 0, 64);
    DataCopy(a, from, 64);
    SetFlag<HardEvent::MTE2_V>(0);
    WaitFlag<HardEvent::MTE2_V>(0);
    Adds(a, a, 1.0f, 64);
    if (a.GetValue(0) < 1000.0f) printf("read %d", 1);
    SetFlag<HardEvent::V_MTE3>(0);
    WaitFlag<HardEvent::V_MTE3>(0);
    DataCopy(to, a, 64);
}
"""


def test_warnings_count_unless_told_otherwise(tmp_path, capsys):
    source = tmp_path / "warns.cpp"
    source.write_text(WARNS)
    words = ["check", str(source), "--blocks", "1", "--arg", "64:float", "--arg", "64:float:out"]
    assert main(words) == 1
    text = capsys.readouterr().out
    assert "warning: [scalar_sync]" in text and "0 errors, 1 warnings" in text and "read 1" in text
    assert main([*words, "--errors-only"]) == 0
    assert main([*words, "--auto-sync"]) == 0


def test_run_takes_and_writes_files(tmp_path, capsys, rng):
    x, y = (rng.standard_normal(8192).astype(np.float16) for _ in range(2))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    arguments = [f"{tmp_path}/x.npy", f"{tmp_path}/y.npy", f"8192:half:out={tmp_path}/z.npy"]
    code, document = of_json(capsys, "run", EXAMPLE, *(w for text in arguments for w in ("--arg", text)))
    z = np.load(tmp_path / "z.npy")
    assert code == 0 and np.array_equal(z, x + y)
    (output,) = document["outputs"]
    assert output["argument"] == 2 and output["shape"] == [8192] and output["type"] == "float16"
    assert output["max"] == z.max() and output["file"] == f"{tmp_path}/z.npy" and output["not_finite"] == 0


def test_run_prints_its_outputs(capsys):
    assert main(["run", str(EXAMPLE)]) == 0
    assert capsys.readouterr().out.startswith("argument 2: shape [8192], type float16, min -")


def test_run_finds_a_deadlock(tmp_path, capsys):
    source = tmp_path / "stuck.cpp"
    source.write_text(EXAMPLE.read_text().replace("SetFlag<HardEvent::V_MTE3>(0);", ""))
    assert main(["run", str(source)]) == 1
    assert "[wait_never_satisfied]" in capsys.readouterr().out


def test_simulate_writes_report_trace_and_pictures(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    code, document = of_json(capsys, "simulate", EXAMPLE, "--out", tmp_path, "--chip", "910B3", "--timing-only")
    assert code == 0 and document["report"] == json.loads((tmp_path / "report.json").read_text())
    assert document["report"]["chip"] == "910B3" and document["report"]["us"] > 0
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    names = ["report.json", "trace.json", "timeline.png", "chip.png"]
    assert document["files"] == [str(tmp_path / name) for name in names]
    assert all((tmp_path / name).stat().st_size for name in names)


def test_simulate_checks_first(faulty, tmp_path, capsys):
    words = ["simulate", faulty, "--out", tmp_path]
    code, document = of_json(capsys, *words)
    assert code == 1 and document["findings"] and document["report"]["us"] > 0
    code, document = of_json(capsys, *words, "--no-check")
    assert code == 0 and document["findings"] == []


def test_simulate_with_costs_runs_and_corners(tmp_path, capsys):
    words = ["simulate", EXAMPLE, "--out", tmp_path, "--no-check"]
    _, plain = of_json(capsys, *words, "--corners")
    assert len(plain["corners"]) == 2 ** len(CORNERS)
    assert {tuple(one["costs"]) for one in plain["corners"]} == {CORNERS}
    _, again = of_json(capsys, *words, "--runs", "2")
    assert again["report"]["l2"]["hit_rate"] > plain["report"]["l2"]["hit_rate"] == 0
    _, dear = of_json(capsys, *words, "--cost", "launch_us=100")
    assert dear["report"]["task_us"] > plain["report"]["task_us"] + 90


def test_without_matplotlib(tmp_path):
    """It says so and goes on."""
    (tmp_path / "matplotlib.py").write_text("raise ImportError('not here')\n")
    words = [
        sys.executable,
        "-m",
        "ascend_twin",
        "simulate",
        str(EXAMPLE),
        "--out",
        str(tmp_path / "out"),
        "--no-check",
    ]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert done.stderr == "no pictures: they need matplotlib (pip install 'ascend-twin[plot]')\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.json", "trace.json"]


def test_info(capsys):
    code, document = of_json(capsys, "info")
    assert code == 0 and document["version"] == __version__ and document["compiler"]
    assert document["chips"]["910B4"]["cores"] == 20 and document["costs"]["launch_us"]["unit"]
    assert document["costs"].keys() == Machine.get().costs().keys()
    assert main(["info"]) == 0
    assert "chip 910B2: 24 AI cores" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words,expected",
    [
        (["check", "none.cpp:add"], "there is no file none.cpp"),
        (["check", f"{EXAMPLE}:sub"], "has no kernel sub; it has add"),
        (["check", str(EXAMPLE), "--chip", "910X"], "--chip 910X: expected one of 910B1"),
        (["check", str(EXAMPLE), "--arg", "8x:half"], "--arg 8x:half: expected SHAPE:TYPE"),
        (["check", str(EXAMPLE), "--arg", "none.npy"], "No such file"),
        (["simulate", str(EXAMPLE), "--cost", "launch_us"], "--cost launch_us: expected NAME=NUMBER"),
        (["simulate", str(EXAMPLE), "--cost", "nonsense=1"], "no cost is called nonsense"),
    ],
)
def test_wrong_use(words, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert expected in capsys.readouterr().err
    code, document = of_json(capsys, *words)
    assert code == document["exit_code"] == 2 and expected in document["error"]


def test_build_error(tmp_path, capsys):
    (tmp_path / "bad.cpp").write_text('#include "kernel_operator.h"\nextern "C" __global__ void bad() { nonsense; }\n')
    assert main(["check", str(tmp_path / "bad.cpp")]) == 2
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["check"], ["simulate", "x.cpp", "--blocks", "many"]])
def test_wrong_usage(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2 and "usage: ascend-twin" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "run", "simulate", "info"])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0 and "exit codes: 0 clean, 1" in text and "ASCEND_TWIN_CACHE" in text


def test_several_kernels(tmp_path, capsys):
    """FILE alone is enough for one kernel; with two, each may have options of its own."""
    text = EXAMPLE.read_text()
    second = text[text.index('extern "C"') :].replace("void add(", "void sub(").replace("Add(a", "Sub(a")
    source = tmp_path / "two.cpp"
    source.write_text(
        text.replace("// ascend-twin:", "// ascend-twin add:") + "// ascend-twin sub: --blocks 4\n" + second
    )
    assert main(["check", str(source)]) == 2
    assert "has the kernels add, sub: say which" in capsys.readouterr().err
    assert main(["check", f"{source}:add"]) == 0
    arguments = ["--arg", "4096:half", "--arg", "4096:half", "--arg", "4096:half:out"]
    assert main(["check", f"{source}:sub", *arguments]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("sub, 4 blocks")


def test_headers_and_macros(tmp_path, capsys):
    """-I of a source's own line is relative to the source, and the command line's come after it."""
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "size.h").write_text("constexpr uint32_t n = SIZE;\n")
    text = (
        EXAMPLE.read_text()
        .replace("const uint32_t n = 1024, at", "const uint32_t at")
        .replace("using namespace AscendC;", 'using namespace AscendC;\n#include "size.h"\n// ascend-twin: -Iinclude')
    )
    (tmp_path / "example.cpp").write_text(text)
    assert f"-I{tmp_path / 'include'}" in default_options(tmp_path / "example.cpp", "add")
    assert main(["check", str(tmp_path / "example.cpp"), "-DSIZE=1024"]) == 0
    assert main(["check", str(tmp_path / "example.cpp"), "-D", "SIZE=2048"]) == 1  # out of bounds
    assert main(["check", str(tmp_path / "example.cpp")]) == 2


def test_arguments():
    rng = np.random.default_rng(0)
    assert parse("7", rng).value == 7 and parse("0x10", rng).value == 16 and parse("1e-3", rng).value == 1e-3
    assert parse("2x3:int32", rng).value.shape == (2, 3)
    assert abs(parse("1000:bfloat16", rng).numbers().mean()) < 0.2
    assert parse("8:float:inout", rng).value.initialised and not parse("8:float:out", rng).value.initialised
    for text in ("half", "8:double", "8:half:into", "8:half=x.npy", "out", "8:out"):
        with pytest.raises(ArgumentError, match=f"--arg {text}: "):
            parse(text, rng)


LOOPS = """
#include "kernel_operator.h"
extern "C" __global__ __vector__ void loops(int64_t rounds) {
    for (int64_t i = 0; i < rounds; ++i) AscendC::PipeBarrier<PIPE_V>();
}
"""


def test_progress_counts_lines():
    """What a bar reads: lines of every timeline, in steps of 4096."""
    machine = Machine.get()
    load(LOOPS, "loops")(2, 10000, mode="timing")
    machine.clear_progress()
    machine.simulate(runs=3)
    done, whole = machine.progress()
    assert whole == 3 * machine.recorded_lines() >= 3 * 2 * 10000 and whole - done < 3 * 4096 and done % 4096 == 0
    machine.clear_progress()
    assert machine.progress() == (0, 0)


def test_a_bar_is_shown_on_terminals_only(monkeypatch, capsys):
    monkeypatch.setattr(progress, "DELAY", 0.01)
    monkeypatch.setattr(progress, "STEP", 0.01)
    seen = threading.Event()

    def fraction() -> float:
        seen.set()
        return 0.5

    with progress.shown("timeline", fraction):
        time.sleep(0.05)
    assert capsys.readouterr().err == "" and not seen.is_set()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.shown("timeline", fraction):
        assert seen.wait(10)
        time.sleep(0.05)
    text = capsys.readouterr().err
    assert "timeline [###############               ]  50 %" in text and text.endswith("\r\x1b[K")
