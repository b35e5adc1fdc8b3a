// SPDX-License-Identifier: BSD-3-Clause
// Measures what this machine can do at most: fp32 FMA, bf16 products (AVX512-BF16 dot, AMX) and memory reads.
// Compiled with -march=native by machine.py. Usage: machine_probe THREADS. Prints one "name value" per line.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#if defined(__AVX512BF16__) || defined(__AMX_BF16__)
#include <immintrin.h>
#endif
#if defined(__AMX_BF16__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
constexpr int kLanes = kVectorBytes / 4;
typedef float Vector __attribute__((vector_size(kVectorBytes)));
typedef int32_t IntVector __attribute__((vector_size(kVectorBytes)));

volatile float g_sink;  // keeps results alive

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Runs body(thread) on all threads at once; the best time of several attempts, as neighbours only ever add.
double best_seconds(int threads, int attempts, const std::function<void(int)>& body) {
    double best = 1e30;
    for (int attempt = 0; attempt < attempts; ++attempt) {
        const double start = seconds();
        std::vector<std::thread> others;
        for (int t = 1; t < threads; ++t) others.emplace_back(body, t);
        body(0);
        for (std::thread& other : others) other.join();
        best = std::min(best, seconds() - start);
    }
    return best;
}

// 12 independent chains: latency 4 times 2 per cycle, with room to spare, and few enough for 16 registers.
void fma_chains(int64_t steps) {
    constexpr int kChains = 12;
    std::mt19937 random(1);
    std::uniform_real_distribution<float> uniform(0.5f, 1.0f);
    Vector accumulator[kChains], factor, term;
    for (int lane = 0; lane < kLanes; ++lane) {
        factor[lane] = uniform(random);
        term[lane] = uniform(random);
        for (Vector& a : accumulator) a[lane] = uniform(random);
    }
    for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
        for (int chain = 0; chain < kChains; ++chain) accumulator[chain] = accumulator[chain] * factor + term;
    }
    Vector sum = accumulator[0];
    for (int chain = 1; chain < kChains; ++chain) sum += accumulator[chain];
    g_sink = sum[0];
}

double fma_gflops(int threads) {
    constexpr int64_t kSteps = 8'000'000;
    const double time = best_seconds(threads, 10, [](int) { fma_chains(kSteps); });
    return 2.0 * kLanes * 12 * kSteps * threads / time / 1e9;
}

#if defined(__AVX512BF16__)
void bf16_dot_chains(int64_t steps) {
    constexpr int kChains = 24;
    std::mt19937 random(2);
    std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
    float values[2][16];
    for (auto& row : values) {
        for (float& value : row) value = uniform(random);
    }
    const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(values[0]), _mm512_loadu_ps(values[1]));
    const __m512bh b = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(values[1]), _mm512_loadu_ps(values[0]));
    __m512 accumulator[kChains];
    for (__m512& x : accumulator) x = _mm512_setzero_ps();
    for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
        for (int chain = 0; chain < kChains; ++chain) accumulator[chain] = _mm512_dpbf16_ps(accumulator[chain], a, b);
    }
    __m512 sum = accumulator[0];
    for (int chain = 1; chain < kChains; ++chain) sum = _mm512_add_ps(sum, accumulator[chain]);
    g_sink = _mm512_cvtss_f32(sum);
}

double bf16_dot_gflops(int threads) {
    constexpr int64_t kSteps = 2'000'000;
    const double time = best_seconds(threads, 10, [](int) { bf16_dot_chains(kSteps); });
    return 64.0 * 24 * kSteps * threads / time / 1e9;
}
#endif

#if defined(__AMX_BF16__) && defined(__linux__)
bool amx_permitted() { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }  // ARCH_REQ_XCOMP_PERM, XTILEDATA

struct alignas(64) TileConfig {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
};

// 2x2 accumulators, operands reloaded from L1 as a kernel must. On random data: zeros run faster.
void amx_tiles(int64_t steps) {
    TileConfig config;
    for (int tile = 0; tile < 8; ++tile) {
        config.row_bytes[tile] = 64;
        config.rows[tile] = 16;
    }
    alignas(64) uint16_t operands[4][512];
    alignas(64) float result[256];
    std::mt19937 random(3);
    std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
    for (auto& tile : operands) {
        for (uint16_t& value : tile) {
            const float x = uniform(random);
            uint32_t bits;
            std::memcpy(&bits, &x, 4);
            value = static_cast<uint16_t>(bits >> 16);
        }
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(config) : "memory");
    __asm__ volatile("tilezero %%tmm0; tilezero %%tmm1; tilezero %%tmm2; tilezero %%tmm3" ::: "memory");
    for (int64_t step = 0; step < steps; ++step) {
        __asm__ volatile(
            "tileloadd (%0,%4,1), %%tmm4\n\ttileloadd (%1,%4,1), %%tmm6\n\ttdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\t"
            "tileloadd (%2,%4,1), %%tmm5\n\ttdpbf16ps %%tmm6, %%tmm5, %%tmm1\n\t"
            "tileloadd (%3,%4,1), %%tmm7\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm5, %%tmm3" ::"r"(
                operands[0]),
            "r"(operands[1]), "r"(operands[2]), "r"(operands[3]), "r"(int64_t{64})
            : "memory");
    }
    __asm__ volatile("tilestored %%tmm0, (%0,%1,1)" ::"r"(result), "r"(int64_t{64}) : "memory");
    __asm__ volatile("tilerelease");
    g_sink = result[0];
}

double amx_gflops(int threads) {
    constexpr int64_t kSteps = 500'000;
    const double time = best_seconds(threads, 10, [](int) { amx_tiles(kSteps); });
    return 4.0 * 2 * 16 * 16 * 32 * kSteps * threads / time / 1e9;
}
#endif

// Reads memory that has been written before: untouched pages all map to one page of zeros, which stays in the cache.
double read_gb_per_s(int threads) {
    constexpr size_t kBytes = size_t{512} << 20;
    const size_t share = kBytes / threads / (8 * kVectorBytes) * (8 * kVectorBytes);
    std::vector<IntVector*> parts(threads);
    const auto fill = [&](int t) {
        parts[t] = static_cast<IntVector*>(std::aligned_alloc(64, share));
        for (size_t i = 0; i < share / kVectorBytes; ++i) parts[t][i] = IntVector{} + static_cast<int32_t>(i + t);
    };
    const auto read = [&](int t) {
        IntVector sum[8] = {};
        for (size_t i = 0; i < share / kVectorBytes; i += 8) {
            for (int n = 0; n < 8; ++n) sum[n] ^= parts[t][i + n];
        }
        for (int n = 1; n < 8; ++n) sum[0] ^= sum[n];
        g_sink = static_cast<float>(sum[0][0]);
    };
    best_seconds(threads, 1, fill);
    const double time = best_seconds(threads, 10, read);
    for (IntVector* part : parts) std::free(part);
    return static_cast<double>(share) * threads / time / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
    const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
    if (threads < 1) return 1;
    std::printf("fp32_gflops %.1f\n", fma_gflops(threads));
#if defined(__AVX512BF16__)
    std::printf("bf16_dot_gflops %.1f\n", bf16_dot_gflops(threads));
#endif
#if defined(__AMX_BF16__) && defined(__linux__)
    if (amx_permitted()) std::printf("amx_bf16_gflops %.1f\n", amx_gflops(threads));
#endif
    std::printf("read_gb_per_s %.1f\n", read_gb_per_s(threads));
    return 0;
}
