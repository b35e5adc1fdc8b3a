// SPDX-License-Identifier: BSD-3-Clause
// Runs the cpu backend without Python and compares it with attention written out in double: the check that a machine
// whose Python we cannot run (aarch64 under qemu-user) computes the right thing.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "cpu/backend.h"
#include "cpu/tile/numeric.h"
#include "flash_attn_npu/request.h"

namespace {

using namespace flash_attn_npu;

struct Config {
    const char* name;
    DType dtype;
    int32_t seqlen_q, heads_q, heads_kv, head_dim, head_dim_v;
    int32_t page_size;  // 0: dense
    bool causal;
    int32_t num_splits;
    double tolerance;
};

constexpr int32_t kBatch = 2;
constexpr int32_t kCapacity = 96;
const int32_t kCacheSeqlens[kBatch] = {77, 40};

// Values that every storage type holds exactly, so that the only errors are the backend's own.
std::vector<double> random_values(size_t n, std::mt19937& rng) {
    std::vector<double> values(n);
    for (double& x : values) x = (static_cast<int32_t>(rng() % 65) - 32) / 16.0;
    return values;
}

std::vector<unsigned char> stored(const std::vector<double>& values, DType dtype) {
    std::vector<unsigned char> bytes(values.size() * size_of(dtype));
    for (size_t i = 0; i < values.size(); ++i) {
        const float x = static_cast<float>(values[i]);
        unsigned char* at = bytes.data() + i * size_of(dtype);
        const uint16_t half = dtype == DType::kFloat16 ? cpu::fp16_from_float(x) : cpu::bf16_from_float(x);
        if (dtype == DType::kFloat32) {
            std::memcpy(at, &x, sizeof(x));
        } else {
            std::memcpy(at, &half, sizeof(half));
        }
    }
    return bytes;
}

double loaded(const std::vector<unsigned char>& bytes, size_t i, DType dtype) {
    if (dtype == DType::kFloat32) {
        float x;
        std::memcpy(&x, bytes.data() + i * sizeof(x), sizeof(x));
        return x;
    }
    uint16_t half;
    std::memcpy(&half, bytes.data() + i * sizeof(half), sizeof(half));
    return dtype == DType::kFloat16 ? cpu::float_from_fp16(half) : cpu::float_from_bf16(half);
}

// The largest error of out and of the LSE.
double largest_error(const Config& c) {
    std::mt19937 rng(1);
    const int32_t rows = kBatch * kCapacity;
    const auto q = random_values(size_t(kBatch) * c.seqlen_q * c.heads_q * c.head_dim, rng);
    const auto k = random_values(size_t(rows) * c.heads_kv * c.head_dim, rng);
    const auto v = random_values(size_t(rows) * c.heads_kv * c.head_dim_v, rng);
    auto q_bytes = stored(q, c.dtype);
    auto k_bytes = stored(k, c.dtype);
    auto v_bytes = stored(v, c.dtype);
    // Pages in reverse order: sequence n, page i is page (pages - 1 - (n * per_sequence + i)).
    const int32_t page = c.page_size ? c.page_size : kCapacity;
    const int32_t per_sequence = kCapacity / page;
    std::vector<int32_t> table(size_t(kBatch) * per_sequence);
    for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<int32_t>(table.size() - 1 - i);

    Forward p;
    p.dtype = p.out_dtype = c.dtype;
    p.batch = kBatch;
    p.num_heads_q = c.heads_q;
    p.num_heads_kv = c.heads_kv;
    p.head_dim = c.head_dim;
    p.head_dim_v = c.head_dim_v;
    p.max_seqlen_q = c.seqlen_q;
    p.max_seqlen_k = kCapacity;
    p.total_q = int64_t{kBatch} * c.seqlen_q;
    p.q = RowTensor{q_bytes.data(), int64_t{c.seqlen_q} * c.heads_q * c.head_dim, int64_t{c.heads_q} * c.head_dim,
                    c.head_dim};
    p.k_cache =
        KvTensor{k_bytes.data(), int64_t{page} * c.heads_kv * c.head_dim, int64_t{c.heads_kv} * c.head_dim, c.head_dim};
    p.v_cache = KvTensor{v_bytes.data(), int64_t{page} * c.heads_kv * c.head_dim_v, int64_t{c.heads_kv} * c.head_dim_v,
                         c.head_dim_v};
    std::vector<unsigned char> out(size_t(p.total_q) * c.heads_q * c.head_dim_v * size_of(c.dtype));
    std::vector<float> lse(size_t(p.total_q) * c.heads_q);
    p.out = RowTensor{out.data(), int64_t{c.seqlen_q} * c.heads_q * c.head_dim_v, int64_t{c.heads_q} * c.head_dim_v,
                      c.head_dim_v};
    p.lse = lse.data();
    p.lse_stride_head = c.seqlen_q;
    p.lse_stride_batch = int64_t{c.heads_q} * c.seqlen_q;
    p.lse_of_masked_row = -std::numeric_limits<float>::infinity();
    p.cache_seqlens = kCacheSeqlens;
    p.kv_index.capacity = kCapacity;
    p.kv_index.num_blocks = kBatch * per_sequence;
    p.kv_index.index_rows = c.page_size ? kBatch : p.kv_index.num_blocks;
    if (c.page_size) {
        p.kv_index.page_table = table.data();
        p.kv_index.page_table_stride = per_sequence;
        p.kv_index.page_size = page;
    }
    p.mask.window_right = c.causal ? 0 : -1;
    p.score.scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
    p.num_splits = c.num_splits;

    BackendStatus status;
    Execution execution;
    execution.threads = 2;
    cpu::backend().forward(&p, &execution, &status);
    if (status.code != 0) {
        std::printf("%s: %s\n", c.name, status.message);
        return std::numeric_limits<double>::infinity();
    }

    double worst = 0;
    for (int32_t n = 0; n < kBatch; ++n) {
        const int32_t keys = kCacheSeqlens[n];
        for (int32_t i = 0; i < c.seqlen_q; ++i) {
            for (int32_t head = 0; head < c.heads_q; ++head) {
                const int32_t kv_head = head / (c.heads_q / c.heads_kv);
                const int32_t seen = c.causal ? i + keys - c.seqlen_q + 1 : keys;
                std::vector<double> weights(seen);
                double sum = 0;
                const size_t q_row = (size_t(n) * c.seqlen_q + i) * c.heads_q + head;
                const auto cache_row = [&](int32_t j) {
                    const int32_t block = c.page_size ? table[n * per_sequence + j / page] : n;
                    return (size_t(block) * page + j % page) * c.heads_kv + kv_head;
                };
                for (int32_t j = 0; j < seen; ++j) {
                    double s = 0;
                    for (int32_t f = 0; f < c.head_dim; ++f) {
                        s += q[q_row * c.head_dim + f] * k[cache_row(j) * c.head_dim + f];
                    }
                    weights[j] = std::exp(s / std::sqrt(double(c.head_dim)));
                    sum += weights[j];
                }
                for (int32_t f = 0; f < c.head_dim_v; ++f) {
                    double expected = 0;
                    for (int32_t j = 0; j < seen; ++j)
                        expected += weights[j] / sum * v[cache_row(j) * c.head_dim_v + f];
                    worst = std::max(worst, std::fabs(loaded(out, q_row * c.head_dim_v + f, c.dtype) - expected));
                }
                const double got = lse[(size_t(n) * c.heads_q + head) * c.seqlen_q + i];
                worst = std::max(worst, std::fabs(got - std::log(sum)));
            }
        }
    }
    return worst;
}

}  // namespace

int main() {
    // Allowed are two eps of the type: values are below 2, and probabilities and results are rounded by half an eps of
    // that. For fp32 the sums over 96 keys count for more: up to 96 roundings of half an eps.
    const Config configs[] = {
        {"fp32 decode", DType::kFloat32, 1, 4, 2, 64, 64, 0, false, 1, 1e-5},
        {"fp32 causal prefill", DType::kFloat32, 33, 4, 2, 64, 64, 0, true, 1, 1e-5},
        {"fp16 paged decode, splits", DType::kFloat16, 1, 8, 2, 128, 128, 16, false, 3, 2e-3},
        {"fp16 causal paged prefill", DType::kFloat16, 29, 4, 1, 72, 72, 16, true, 1, 2e-3},
        {"bf16 decode", DType::kBFloat16, 2, 4, 4, 80, 80, 0, true, 1, 1.6e-2},
        {"bf16 prefill, odd dims", DType::kBFloat16, 17, 6, 2, 37, 45, 0, true, 2, 1.6e-2},
    };
    std::printf("cpu backend: %s\n", cpu::backend().describe());
    int failed = 0;
    int passed = 0;
    for (const Config& c : configs) {
        const double error = largest_error(c);
        const bool ok = error <= c.tolerance;  // also false for NaN
        std::printf("%-28s largest error %.3g, allowed %.3g: %s\n", c.name, error, c.tolerance, ok ? "ok" : "WRONG");
        ++(ok ? passed : failed);
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
