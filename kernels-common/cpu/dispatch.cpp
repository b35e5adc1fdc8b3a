// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/dispatch.h"

#include <cstdlib>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace flash_attn_npu::cpu {

namespace {

struct Level {
    const char* name;
    const IsaKernels& (*kernels)();
    bool available;
    bool automatic;  // a candidate when the user names no level
};

#if defined(__x86_64__)

struct Registers {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
    Registers r;
    __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
    return r;
}

bool bit(unsigned value, int i) { return (value >> i) & 1u; }

// What the operating system saves on a context switch. A CPU feature without its state bits must not be used.
uint64_t enabled_state() {
    if (!bit(cpuid(1, 0).ecx, 27)) return 0;  // OSXSAVE
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t{high} << 32) | low;
}

// Linux hands out the 8 KB of tile state only to processes that ask.
bool amx_permitted() {
    constexpr long kArchReqXcompPerm = 0x1023;
    constexpr long kXfeatureXtiledata = 18;
    return syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureXtiledata) == 0;
}

std::vector<Level> levels() {
    const Registers one = cpuid(1, 0);
    const Registers seven = cpuid(7, 0);
    const Registers seven_one = cpuid(7, 1);
    const uint64_t state = enabled_state();
    const bool ymm_state = (state & 0x6) == 0x6;
    const bool zmm_state = (state & 0xe6) == 0xe6;
    const bool tile_state = (state & 0x60000) == 0x60000;
    const bool avx2 = ymm_state && bit(seven.ebx, 5) && bit(one.ecx, 12) && bit(one.ecx, 29);  // AVX2, FMA, F16C
    const bool avx512 = avx2 && zmm_state && bit(seven.ebx, 16) && bit(seven.ebx, 17) && bit(seven.ebx, 30) &&
                        bit(seven.ebx, 31);  // F, DQ, BW, VL
    const bool avx512_bf16 = avx512 && bit(seven_one.eax, 5);
    const bool amx = avx512_bf16 && tile_state && bit(seven.edx, 22) && bit(seven.edx, 24);  // AMX-BF16, AMX-TILE
    // vdpbf16ps does twice the work of an FMA on AMD's cores, but runs at half the FMA's rate where AMX exists: such a
    // CPU without permission for AMX is better off with plain AVX-512.
    const bool dot_pays = !(bit(seven.edx, 22) && bit(seven.edx, 24));
    return {
#ifdef FLASH_ATTN_NPU_TEST_ISAS
        {"amx_emulated", isa_amx_emulated, avx512_bf16, false},
#endif
        {"amx_bf16", isa_amx_bf16, amx && amx_permitted(), true},
        {"avx512_bf16", isa_avx512_bf16, avx512_bf16, dot_pays},
        {"avx512", isa_avx512, avx512, true},
        {"avx2", isa_avx2, avx2, true},
        {"portable", isa_portable, true, true},
    };
}

#else

std::vector<Level> levels() { return {{"portable", isa_portable, true, true}}; }

#endif

std::pair<const IsaKernels*, std::string> select() {
    const char* wanted = std::getenv("FLASH_ATTN_NPU_CPU_ISA");
    const bool any = wanted == nullptr || *wanted == '\0';
    std::string available;
    for (const Level& level : levels()) {
        if (!level.available) continue;
        if (any ? level.automatic : level.name == std::string(wanted)) return {&level.kernels(), ""};
        available += (available.empty() ? "" : ", ") + std::string(level.name);
    }
    return {nullptr, "FLASH_ATTN_NPU_CPU_ISA: got " + std::string(any ? "" : wanted) + ", expected one of " +
                         available + " (what this CPU and build offer)"};
}

}  // namespace

const IsaKernels* selected_isa(std::string& error) {
    static const std::pair<const IsaKernels*, std::string> selected = select();
    error = selected.second;
    return selected.first;
}

}  // namespace flash_attn_npu::cpu
