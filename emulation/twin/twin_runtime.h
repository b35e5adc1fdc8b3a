// SPDX-License-Identifier: BSD-3-Clause
// The C functions of the twin's runtime library that the host half calls (twin/runtime/api.cc, library.cc).
#pragma once

#include <cstdint>

extern "C" {

int twin_configure(const char* mode, uint64_t seed, int threads);
int twin_checking();
int twin_physical_cores();
void twin_register_gm(uint64_t address, uint64_t bytes, const char* name, int initialised, int read_only);
void twin_unregister_gm(uint64_t address);
void twin_initialise_gm(uint64_t address, uint64_t bytes);
void twin_clear_findings();
const char* twin_error_text();
double twin_take_predicted_us();

}  // extern "C"
