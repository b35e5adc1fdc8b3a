# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's own logic, without the wheels: work counts, timing, rows, bars, the machine probe's output."""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path

import pytest
import torch

from benchmarks.cpu import bars, machine, report
from benchmarks.cpu.cases import BenchCase, all_cases, mixed_lengths, quick_cases, visible_pairs
from benchmarks.cpu.neighbours import Neighbours, core_seconds
from benchmarks.cpu.timing import MAX_ROUNDS, Sample, statistic_for, time_in_turns
from benchmarks.cpu.torch_attention import gather_pages, rotate, sdpa, sdpa_packed
from tests.support.mask import visible

PREFILL = BenchCase("prefill", "bf16", 1, 8, 8, 64, 32, causal=True)


def sample(*times: float) -> Sample:
    return Sample(times)


# --- cases


def test_names_are_unique() -> None:
    for cases in (all_cases(), quick_cases()):
        names = [case.name for case in cases]
        assert len(set(names)) == len(names), sorted(names)


@pytest.mark.parametrize("seqlen_q, seqlen_k, window", [(7, 7, None), (3, 9, None), (1, 5, None), (9, 9, 4), (6, 9, 0)])
def test_visible_pairs_counts_the_mask(seqlen_q: int, seqlen_k: int, window: int | None) -> None:
    case = BenchCase("window", "bf16", 1, 8, 8, seqlen_k, 32, causal=True, window=window)
    mask = visible(seqlen_q, seqlen_k, -1 if window is None else window, 0)
    assert visible_pairs(seqlen_q, seqlen_k, case) == int(mask.sum())


def test_work_of_known_cases() -> None:
    decode = next(case for case in all_cases() if case.name == "decode bf16 b8 h32 hk8 s4096 d128 dense")
    assert decode.kv_bytes == 2 * 8 * 4096 * 8 * 128 * 2
    assert decode.flops == 4 * 128 * 32 * 8 * 4096
    full = next(case for case in all_cases() if case.name == "prefill bf16 b1 h8 s4096 d128 full")
    assert full.flops == 4 * 4096**2 * 128 * 8


def test_mixed_lengths_spans_the_range() -> None:
    lengths = mixed_lengths(32, 16, 2048)
    assert (len(lengths), min(lengths), max(lengths)) == (32, 16, 2048)
    assert lengths == mixed_lengths(32, 16, 2048)


# --- timing


def test_every_function_runs_equally_often_and_the_order_alternates() -> None:
    calls: list[str] = []
    samples = time_in_turns({name: functools.partial(calls.append, name) for name in "abc"}, budget_s=0, min_rounds=3)
    assert "".join(calls) == "abc" + "abc" + "cba" + "abc"  # the first three are the warm-up
    assert {name: len(s.times_ms) for name, s in samples.items()} == {"a": 3, "b": 3, "c": 3}


def test_the_budget_ends_the_rounds() -> None:
    ticks = itertools.count()
    samples = time_in_turns({"a": lambda: None}, budget_s=30, clock=lambda: float(next(ticks)))
    # The clock goes on by a second at every look: three for a round, two for the rounds that run in any case.
    assert len(samples["a"].times_ms) == 11
    assert set(samples["a"].times_ms) == {1000.0}
    assert len(time_in_turns({"a": lambda: None}, 1e9)["a"].times_ms) == MAX_ROUNDS


def test_submillisecond_functions_are_judged_by_the_minimum() -> None:
    assert statistic_for({"ours": sample(2, 3, 4), "sdpa": sample(5, 6, 7)}) == "median"
    assert statistic_for({"ours": sample(0.1, 0.3, 40), "sdpa": sample(5, 6, 7)}) == "minimum"


# --- rows


def test_row_of_a_prefill() -> None:
    limits = machine.MachineLimits(threads=2, fp32_gflops=100, read_gb_per_s=50, bf16_dot_gflops=200)
    samples = {"ours": sample(2, 4, 3), "sdpa": sample(9, 6, 5), "flex": sample(12, 13, 11)}
    row = report.make_row(PREFILL, samples, limits)
    assert (row.ours_ms, row.peer, row.peer_ms, row.ratio) == (3, "sdpa", 6, 2)
    assert (row.ours_min_ms, row.peer_min_ms, row.rounds) == (2, 5, 3)
    assert row.other_peers == {"flex": {"ms": 12, "ratio": 4}}
    assert row.gb_per_s is None and row.gflops == pytest.approx(PREFILL.flops / 3e-3 / 1e9)
    assert row.fraction_of_peak == pytest.approx(PREFILL.flops / 3e-3 / 200e9)
    assert report.make_row(PREFILL, samples, None).fraction_of_peak is None


def test_row_of_a_decode_counts_bytes() -> None:
    case = BenchCase("decode", "fp16", 2, 8, 2, 1000, 64)
    limits = machine.MachineLimits(threads=2, fp32_gflops=100, read_gb_per_s=1)
    row = report.make_row(case, {"ours": sample(2), "sdpa": sample(4)}, limits)
    assert row.gflops is None and row.gb_per_s == pytest.approx(2 * 2 * 1000 * 2 * 64 * 2 / 2e-3 / 1e9)
    assert row.fraction_of_peak == pytest.approx(row.gb_per_s)


def test_json_has_the_promised_fields(tmp_path: Path) -> None:
    row = report.make_row(PREFILL, {"ours": sample(3), "sdpa": sample(6)}, None)
    report.write_json(tmp_path / "bench.json", [row], {"cpu": "x"})
    (written,) = json.loads((tmp_path / "bench.json").read_text())["rows"]
    wanted = {"case", "ours_ms", "peer", "peer_ms", "ratio", "gflops", "gb_per_s", "fraction_of_peak"}
    assert wanted <= set(written)


# --- machine


def test_probe_output_and_limits() -> None:
    limits = machine.parse("fp32_gflops 480.0\nbf16_dot_gflops 960.0\nread_gb_per_s 60.5\n", threads=2)
    assert (limits.gflops("fp32"), limits.gflops("bf16"), limits.gflops("fp16")) == (480, 960, 480)
    amx = machine.parse("fp32_gflops 460\namx_bf16_gflops 4800\nread_gb_per_s 36\n", threads=2)
    assert (amx.gflops("bf16"), amx.gflops("fp16")) == (4800, 1600)
    best = limits.best_of(machine.MachineLimits(threads=2, fp32_gflops=500, read_gb_per_s=50))
    assert (best.fp32_gflops, best.read_gb_per_s, best.bf16_dot_gflops, best.amx_bf16_gflops) == (500, 60.5, 960, None)


# --- neighbours


def test_core_seconds_of_the_cores_we_may_use() -> None:
    stat = """cpu  999 0 0 0 0 0 0 0 0 0
cpu0 100 10 20 300 5 1 2 62 7 0
cpu1 50 0 0 450 0 0 0 0 0 0
cpu10 77 0 0 0 0 0 0 0 0 0
intr 12345 0 0"""
    assert core_seconds(stat, {0, 1}, ticks_per_second=100) == (2.45, 10.0)
    assert core_seconds(stat, {1}, ticks_per_second=100) == (0.5, 5.0)


@pytest.mark.parametrize("share, is_quiet", [(None, True), (0.1, True), (0.11, False)])
def test_rows_beside_neighbours_are_marked(share: float | None, is_quiet: bool) -> None:
    one = row(2, 100, neighbours=share)
    assert report.is_quiet(one) is is_quiet
    assert ("!" in report.line(one)) is not is_quiet


@pytest.mark.parametrize("share, warned", [(None, False), (0.1, False), (0.5, True)])
def test_the_warning_about_neighbours(share: float | None, warned: bool) -> None:
    neighbours = Neighbours()
    neighbours.share = share
    assert ("50%" in neighbours.warning()) is warned


# --- bars


def test_every_bar_has_cases_and_no_case_two_bars() -> None:
    judged = [bars.bar_of(case) for case in all_cases()]
    assert set(bars.BARS) == {bar for bar in judged if bar is not None}


def row(ratio: float, peer_ms: float, peer: str = "sdpa", neighbours: float | None = 0.01) -> report.Row:
    samples = {"ours": sample(peer_ms / ratio), peer: sample(peer_ms)}
    return report.make_row(PREFILL, samples, None, neighbours)


def judge(book: bars.QuietBook, *rows: report.Row, wanted: int = 2) -> bars.Verdict:
    runs = iter(rows)
    return bars.judge(PREFILL, bars.Bar("prefill", "bf16", 2.0, 2.5), lambda: next(runs), book, wanted, len(rows))


def test_only_quiet_runs_count(tmp_path: Path) -> None:
    book = bars.QuietBook(tmp_path / "quiet.json", "m")
    verdict = judge(book, row(1.2, 300), row(2.2, 100), row(1.0, 150), row(2.4, 110))
    assert (verdict.result, verdict.counted, verdict.runs, verdict.ratio) == ("pass", 2, 4, pytest.approx(2.3))


def test_a_run_beside_busy_neighbours_never_counts(tmp_path: Path) -> None:
    verdict = judge(bars.QuietBook(tmp_path / "quiet.json", "m"), row(3, 100, neighbours=0.4), row(3, 90, neighbours=1))
    assert (verdict.result, verdict.counted, verdict.runs) == ("not quiet", 0, 2)


def test_a_slow_case_misses(tmp_path: Path) -> None:
    verdict = judge(bars.QuietBook(tmp_path / "quiet.json", "m"), row(1.9, 100), row(1.8, 101))
    assert (verdict.result, verdict.runs) == ("miss", 2)


def test_quiet_speed_is_remembered_between_runs(tmp_path: Path) -> None:
    path = tmp_path / "quiet.json"
    judge(bars.QuietBook(path, "m"), row(2.2, 100), wanted=1)
    assert judge(bars.QuietBook(path, "m"), row(3.0, 200), row(3.0, 190)).result == "not quiet"
    assert judge(bars.QuietBook(path, "other machine"), row(3.0, 200), wanted=1).result == "pass"


def test_our_own_times_are_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "quiet.json"
    judge(bars.QuietBook(path, "m"), row(6, 100, "ours full"), wanted=1)
    assert judge(bars.QuietBook(path, "m"), row(6, 200, "ours full"), wanted=1).result == "pass"


# --- the peers compute attention


def test_gather_pages_restores_the_cache() -> None:
    cache = torch.randn(2, 12, 3, 5)
    table = torch.randperm(6)
    pages = torch.empty(6, 4, 3, 5)
    pages[table] = cache.view(6, 4, 3, 5)
    assert torch.equal(gather_pages(pages, table.view(2, 3).to(torch.int32)), cache)


def test_sdpa_packed_equals_sequences_one_by_one() -> None:
    lengths = (3, 7, 1)
    q, k, v = torch.randn(11, 4, 8), torch.randn(3, 7, 2, 8), torch.randn(3, 7, 2, 8)
    out = sdpa_packed(q, k, v, lengths, causal=True)
    mask = visible(7, 7, -1, 0)
    expected = sdpa(q[None, 3:10], k[1:2], v[1:2], mask=mask)
    torch.testing.assert_close(out[None, 3:10], expected)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotate_turns_pairs_by_the_angle(interleaved: bool) -> None:
    x, angle = torch.randn(5, 2, 12, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    out = rotate(x, angle.cos(), angle.sin(), interleaved)
    pairs = [(2 * m, 2 * m + 1) if interleaved else (m, m + 4) for m in range(4)]
    for m, (first, second) in enumerate(pairs):
        turned = torch.complex(x[..., first], x[..., second]) * torch.exp(1j * angle[:, m : m + 1])
        torch.testing.assert_close(torch.complex(out[..., first], out[..., second]), turned)
    assert torch.equal(out[..., 8:], x[..., 8:])
