# SPDX-License-Identifier: BSD-3-Clause
"""Every error class of the checker is triggered by a planted bug and absent from the corrected kernel."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ascend_twin.machine import Out

# kernel: (error class, API call the finding must name)
ERRORS = {
    "load_then_vector": ("pipe_race", "Adds"),
    "vector_then_store": ("pipe_race", "DataCopy"),
    "ping_pong_reload": ("pipe_race", "DataCopy"),
    "store_then_overwrite": ("pipe_race", "Duplicate"),
    "store_then_load": ("pipe_race", "DataCopy"),
    "vector_raw": ("missing_pipe_barrier", "Adds"),
    "vector_waw": ("missing_pipe_barrier", "Duplicate"),
    "loads_overlap": ("missing_pipe_barrier", "DataCopy"),
    "barrier_of_the_wrong_pipe": ("pipe_race", "Adds"),
    "flag_before_the_load": ("pipe_race", "Adds"),
    "wrong_event_id": ("wait_never_satisfied", "WaitFlag"),
    "flag_never_waited": ("flag_left_set", "SetFlag"),
    "flag_never_set": ("wait_never_satisfied", "WaitFlag"),
    "flag_set_twice": ("duplicate_event", "SetFlag"),
    "event_id_too_large": ("illegal_event_id", "SetFlag"),
    "scalar_waits_for_ever": ("deadlock", "WaitFlag"),
    "queue_underflow": ("queue_underflow", "TQue::DeQue"),
    "load_past_ub": ("buffer_overflow", "DataCopy"),
    "vector_past_ub": ("buffer_overflow", "Duplicate"),
    "gm_read_past_the_end": ("gm_out_of_bounds", "DataCopy"),
    "gm_write_past_the_end": ("gm_out_of_bounds", "DataCopy"),
    "gm_read_before_the_start": ("gm_out_of_bounds", "DataCopy"),
    "write_to_an_input": ("write_to_input", "DataCopy"),
    "misaligned_ub": ("misaligned", "DataCopy"),
    "misaligned_vector": ("misaligned", "Duplicate"),
    "copy_of_odd_length": ("misaligned_length", "DataCopy"),
    "read_of_nothing": ("uninitialised_read", "DataCopy"),
    "read_of_padding": ("uninitialised_read", "DataCopy"),
    "garbage_through_a_reduction": ("uninitialised_read", "DataCopy"),
    "store_of_nothing": ("uninitialised_read", "DataCopy"),
    "read_of_unwritten_output": ("uninitialised_read", "DataCopy"),
    "repeat_overlap": ("repeat_overlap", "Adds"),
    "mask_too_wide": ("illegal_parameter", "Duplicate"),
    "mask_zero": ("illegal_parameter", "Duplicate"),
    "too_many_repeats": ("illegal_parameter", "BlockReduceMax"),
    "rounding_mode_that_does_not_exist": ("illegal_parameter", "Cast"),
    "too_many_runs": ("illegal_parameter", "DataCopy"),
    "padding_too_wide": ("illegal_parameter", "DataCopyPad"),
    "compare_of_odd_length": ("illegal_parameter", "CompareScalar"),
    "select_in_the_reserved_area": ("reserved_ub", "Select"),
    "destination_block_stride_zero": ("illegal_parameter", "Duplicate"),
    "blocks_write_the_same_bytes": ("race_between_cores", "DataCopy"),
    "flags_on_a_vector_only_kernel": ("no_cross_core_sync", "CrossCoreWaitFlag"),
    "aiv_reads_without_flag": ("race_between_cores", "DataCopy"),
    "flag_on_the_wrong_pipe": ("race_between_cores", "DataCopy"),
    "aic_reads_without_flag": ("race_between_cores", "DataCopy"),
    "wrong_cross_core_flag": ("deadlock", "CrossCoreWaitFlag"),
    "one_aiv_does_not_set": ("deadlock", "CrossCoreWaitFlag"),
    "cross_flag_never_waited": ("cross_flag_left_set", "CrossCoreSetFlag"),
    "cross_flag_overflow": ("cross_flag_overflow", "CrossCoreSetFlag"),
    "cross_flag_id_too_large": ("illegal_cross_flag", "CrossCoreSetFlag"),
    "cores_wait_for_each_other": ("deadlock", "CrossCoreWaitFlag"),
    "all_cores_sync_missing": ("race_between_cores", "DataCopy"),
    "gm_to_l1_to_l0a": ("pipe_race", "LoadData"),
    "l0_to_mmad": ("pipe_race", "Mmad"),
    "mmad_to_fixpipe": ("pipe_race", "Fixpipe"),
    "fixpipe_to_mmad": ("pipe_race", "Mmad"),
    "mmad_to_reload": ("pipe_race", "LoadData"),
    "l1_reloaded": ("pipe_race", "DataCopy(ND2NZ)"),
    "small_mmads_without_barrier": ("missing_pipe_barrier", "Mmad"),
    "accumulate_onto_nothing": ("uninitialised_read", "Fixpipe"),
    "multiply_nothing": ("uninitialised_read", "Mmad"),
    "store_more_rows_than_computed": ("uninitialised_read", "Fixpipe"),
    "unit_flag_twice": ("wait_never_satisfied", "Mmad"),
    "l1_overflow": ("buffer_overflow", "DataCopy(ND2NZ)"),
    "l0a_overflow": ("buffer_overflow", "LoadData"),
    "l0c_overflow": ("buffer_overflow", "Mmad"),
    "l0a_misaligned": ("misaligned", "LoadData"),
    "l0c_misaligned": ("misaligned", "Mmad"),
    "mmad_too_large": ("illegal_parameter", "Mmad"),
    "nd_rows_overlap": ("illegal_parameter", "DataCopy(ND2NZ)"),
    "fixpipe_nz_of_odd_width": ("illegal_parameter", "Fixpipe"),
    "fixpipe_rows_overlap": ("illegal_parameter", "Fixpipe"),
    "transpose_of_wide_elements": ("illegal_parameter", "LoadData"),
    "scalar_reads_stale_line": ("stale_scalar_read", "GlobalTensor::GetValue"),
    "mover_reads_dirty_line": ("unclean_scalar_write", "DataCopy"),
    "cores_share_a_line": ("shared_cache_line", "GlobalTensor::SetValue"),
    "write_past_the_cache": ("shared_cache_line", "GlobalTensor::SetValue"),
}
WARNINGS = {
    "garbage_that_stays_inside": ("uninitialised_lanes", "Adds"),
    "scalar_reads_vector_result": ("scalar_sync", "LocalTensor::GetValue"),
    "vector_reads_scalar_result": ("scalar_sync", "Adds"),
}
TWO_BLOCKS = {"blocks_write_the_same_bytes", "all_cores_sync_missing", "cores_share_a_line", "write_past_the_cache"}
MIB = 1 << 20

#: Which file has a kernel: AIV_KERNEL(name) and the like, or its signature.
FILE_OF = {
    name: path.name
    for path in (Path(__file__).parent / "kernels").glob("planted_*.cpp")
    for name in re.findall(r"^(?:\w+_KERNEL\(|extern .* void )(\w+)", path.read_text(), re.MULTILINE)
}


def run(kernel, name: str, bad: bool, seed: int = 0):
    """Findings of a planted kernel on one AI core, or two where the bug is between them."""
    data = np.linspace(-1, 1, MIB // 2, dtype=np.float16)
    # Cases that read the output buffer as an operand are given a written one, except the one about just that.
    out = Out(np.zeros(MIB, np.uint8))
    blocks = 2 if name in TWO_BLOCKS else 1
    return kernel(FILE_OF[name], name)(blocks, data, out, int(bad), mode="check", expect_clean=False, seed=seed)


@pytest.mark.parametrize("name", ERRORS)
def test_bug_is_found(kernel, name):
    kind, api = ERRORS[name]
    found = run(kernel, name, bad=True)
    matching = [f for f in found if f.kind == kind and f.api == api and f.severity == "error"]
    assert matching, f"{name}: no {kind} at {api} among {[str(f) for f in found]}"
    finding = matching[0]
    # A finding says where: source file and line, core, and the call.
    assert finding.api.split("(")[0] in finding.message or finding.kind == "queue_underflow"
    # The flags of Sync() are set in the frame of the kernels.
    assert Path(finding.file).name in {FILE_OF[name], "planted.h"} and finding.line > 0
    assert finding.core.startswith("block")


@pytest.mark.parametrize("name", [*ERRORS, *WARNINGS])
def test_corrected_kernel_is_clean(kernel, name):
    assert [str(f) for f in run(kernel, name, bad=False)] == []


@pytest.mark.parametrize("name", WARNINGS)
def test_warning(kernel, name):
    """Flags that bisheng's auto-sync can insert, and undefined lanes that reach no result: warnings, not errors."""
    kind, api = WARNINGS[name]
    found = run(kernel, name, bad=True)
    assert [(f.severity, f.kind, f.api) for f in found] == [("warning", kind, api)]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    "name", ["aiv_reads_without_flag", "flag_on_the_wrong_pipe", "aic_reads_without_flag", "all_cores_sync_missing"]
)
def test_races_do_not_depend_on_the_schedule(kernel, name, seed):
    kind, api = ERRORS[name]
    assert any(f.kind == kind and f.api == api for f in run(kernel, name, bad=True, seed=seed))
    assert run(kernel, name, bad=False, seed=seed) == []


def test_auto_sync_accepts_what_the_compiler_would_insert(kernel):
    """V->V and scalar hazards are bisheng's business when auto-sync is on; hazards between other pipes never are."""
    data = np.zeros(MIB // 2, np.float16)
    for name, clean in [("vector_raw", True), ("scalar_reads_vector_result", True), ("load_then_vector", False)]:
        found = kernel(FILE_OF[name], name)(
            1, data, Out(np.zeros(MIB, np.uint8)), 1, mode="check", expect_clean=False, auto_sync=True
        )
        assert (found == []) == clean, (name, [str(f) for f in found])


@pytest.mark.parametrize("mode", ["fast", "check"])
def test_a_core_that_polls_lets_the_others_run(kernel, mode):
    """Such a wait ends; to the checker it is a race all the same, for no flag orders the two cores."""
    out = np.zeros(MIB // 4, np.int32)
    kernel(FILE_OF["poll_a_word"], "poll_a_word")(2, np.zeros(1), Out(out), 0, mode=mode, threads=1, expect_clean=False)
    assert out[0] == 5 and out[64] == 6
