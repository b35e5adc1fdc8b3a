// SPDX-License-Identifier: BSD-3-Clause
// The C functions of the runtime library: what Python, device libraries built for the twin and the host headers call.
// Texts that a function returns stay valid until this thread's next call.
#pragma once
#include <cstdint>

/// The chip where none is named; Python reads it here.
#define TWIN_DEFAULT_CHIP "910B2"
#define TWIN_API __attribute__((visibility("default")))

extern "C" {

// ---- how launches run
/// Every option at once (twin::Options): mode 0 fast, 1 check, 2 cycles; kind -1: as the kernel declares.
TWIN_API void twin_set_options(int mode, uint64_t seed, int threads, int cores, int kind, int auto_sync, int skip_math,
                               int max_findings);
/// Mode by name (null: as it is), order of the cores, host threads. 0: no such mode.
TWIN_API int twin_configure(const char* mode, uint64_t seed, int threads);
TWIN_API void twin_set_tiling_key(uint64_t key);
TWIN_API int twin_checking();
/// AI cores that blocks are dealt to.
TWIN_API int twin_physical_cores();

// ---- global memory
TWIN_API void twin_register_gm(uint64_t address, uint64_t bytes, const char* name, int initialised, int read_only);
TWIN_API void twin_unregister_gm(uint64_t address);
TWIN_API void twin_initialise_gm(uint64_t address, uint64_t bytes);

/// Runs an extern "C" kernel by its two passes; null, or the text of a failure.
TWIN_API const char* twin_launch(const void* cube, const void* vec, int kind, uint64_t blocks, const uint64_t* args,
                                 uint64_t count, const float* reals, uint64_t real_count, const char* name);

// ---- what the launches left
/// Findings since the last clear, as JSON.
TWIN_API const char* twin_findings();
/// The errors (not warnings) since the last clear, one per line; null when there are none.
TWIN_API const char* twin_error_text();
/// What kernels printed since the last call.
TWIN_API const char* twin_output();
/// Forgets findings; recorded launches stay.
TWIN_API void twin_clear_findings();
/// Forgets findings and recorded launches.
TWIN_API void twin_clear();

// ---- the timeline
/// Launches recorded in cycles mode since the last clear.
TWIN_API int twin_recorded();
/// Lines of recorded launch `index`: what one timeline of it adds to the progress.
TWIN_API uint64_t twin_recorded_lines(int index);
/// JSON report of recorded launch `index`; text that does not start with '{' is an error. `changes`: "cost=value,...".
/// Blocks below `traced` contribute the intervals of their first `traced_us` microseconds; of `runs` in a row the last
/// one is reported.
TWIN_API const char* twin_simulate(int index, const char* chip, const char* changes, int traced, double traced_us,
                                   int runs);
/// Predicted microseconds, launch overhead included, of the launches recorded since the last call, which are forgotten;
/// 0 without any. `chip`: a name of twin_chips; null: TWIN_DEFAULT_CHIP.
TWIN_API double twin_take_predicted_us(const char* chip);
/// Lines that the timelines of this process have issued, and lines of all that were begun, since twin_clear_progress.
TWIN_API uint64_t twin_progress_done();
TWIN_API uint64_t twin_progress_whole();
TWIN_API void twin_clear_progress();

// ---- constants of the model
/// The cost table as JSON: name -> [value, low, high, unit, confidence, source].
TWIN_API const char* twin_costs();
/// The corners as a JSON list: names of the costs that are tried at both ends of their range.
TWIN_API const char* twin_corners();
/// The chips as JSON: name -> [AI cores, MHz, HBM bandwidth and L2 bandwidth relative to hbm_tbps and l2_tbps].
TWIN_API const char* twin_chips();

}  // extern "C"
