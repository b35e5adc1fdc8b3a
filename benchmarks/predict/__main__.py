# SPDX-License-Identifier: BSD-3-Clause
"""Predicted time of flash_attn_with_kvcache on the 910B: the kernels of whole calls, recorded on the twin.

    python -m benchmarks.predict decode|prefill|all [--corners] [--out DIR]
    python -m benchmarks.predict b=1,h=32,hk=8,sq=1,sk=131072,d=128,page=128,dtype=bfloat16,causal=1 ...

With ASCEND_TWIN_PEER and ASCEND_TWIN_CATLASS (checkouts of flash-attention-npu and CATLASS) its forward kernel runs on
the same twin and model beside ours, for the calls that it serves (dense prefill).

Needs torch, ascend-twin and flash_attn_npu_v3. Takes the device library that FLASH_ATTN_NPU_DEVICE_LIB names, or builds
it (emulation/twin/build.py). Nothing here was measured on silicon.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from ascend_twin.trace import write_perfetto, write_picture

from benchmarks.predict.peer import peer_serves, predict_peer
from benchmarks.predict.prediction import Prediction, over_corners, predict, use_device_library
from benchmarks.predict.report import HEADER, as_json, corner_lines, line, markdown
from benchmarks.predict.shapes import GROUPS, Shape


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="+", help="decode, prefill, all, or shapes like b=1,h=32,sq=1,sk=4096")
    parser.add_argument("--chip", default="910B2")
    parser.add_argument("--corners", action="store_true", help="also over the model's uncertain constants")
    parser.add_argument("--stalls", type=int, default=0, help="show this many reasons for waiting, per kernel")
    parser.add_argument(
        "--out", type=Path, help="directory for report.json, table.md, and a trace and a picture per shape"
    )
    parser.add_argument("--trace-us", type=float, default=2000, help="the traces end after this many microseconds")
    parser.add_argument("--picture-us", type=float, default=60, help="the pictures show this many microseconds")
    a = parser.parse_args()
    shapes = [shape for what in a.what for shape in GROUPS.get(what) or (Shape.parse(what),)]
    use_device_library()
    results: list[Prediction] = []
    for number, shape in enumerate(shapes):
        start = time.perf_counter()
        kernels = predict(shape, a.chip, traced=1 if a.out else 0, traced_us=max(a.trace_us, a.picture_us))
        print(f"\n{shape}   (predicted for {a.chip}; simulated in {time.perf_counter() - start:.1f} s)\n{HEADER}")
        for kernel in kernels:
            print(line(kernel))
            for s in [s for s in kernel.report["stalls"] if s["reason"] != "nothing issued"][: a.stalls]:
                print(f"    {100 * s['share']:5.1f} %  {s['pipe']:9} {s['reason']:14} {s['on']} at {s['where']}")
        if len(kernels) > 1:
            print(
                f"{'sum':32} {sum(k.us for k in kernels):>10.1f}   with launches {sum(k.task_us for k in kernels):.1f}"
            )
        all_corners = over_corners(a.chip) if a.corners else []
        if all_corners:
            print("\n".join(corner_lines(all_corners)))
        if a.out:
            a.out.mkdir(parents=True, exist_ok=True)
            slowest = max(kernels, key=lambda k: k.us)
            write_perfetto(slowest.report, a.out / f"trace-{number}.json")
            write_picture(slowest.report, a.out / f"timeline-{number}.png", a.picture_us)
        peer = predict_peer(shape, a.chip) if peer_serves(shape) else []
        peer_corners = over_corners(a.chip) if peer and a.corners else []
        results.append(Prediction(shape, kernels, all_corners, peer, peer_corners))
        for kernel in peer:
            print(line(kernel))
        if peer:
            print("peer / ours: " + ", ".join(f"{ratio:.2f}" for ratio in results[-1].ratios()))
    if a.out:
        (a.out / "report.json").write_text(json.dumps([as_json(result) for result in results], indent=1) + "\n")
        (a.out / "table.md").write_text(markdown(results))
        print(f"\nwrote report.json, table.md, trace-N.json, timeline-N.png to {a.out}")


if __name__ == "__main__":
    main()
