// SPDX-License-Identifier: BSD-3-Clause
// Checks one SIMD level (compile with -DSIMD_HEADER=... -DSIMD=...) against scalar double arithmetic; prints every kind
// of failure once and exits with their number.
#include SIMD_HEADER

#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace flash_attn_npu::cpu {
namespace {

using S = SIMD;
constexpr int kWidth = S::kWidth;
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
int failures = 0;

void fail(const std::string& what, double input, double got, double expected) {
    if (++failures <= 20) std::printf("%s: input %.9g got %.9g expected %.9g\n", what.c_str(), input, got, expected);
}

bool same(double a, double b) { return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b); }

void expect_same(const std::string& what, double input, double got, double expected) {
    if (!same(got, expected)) fail(what, input, got, expected);
}

// Decodes a float format from its definition.
double decode(uint32_t bits, int exponent_bits, int mantissa_bits, bool has_infinity) {
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
    const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    const bool negative = (bits >> (mantissa_bits + exponent_bits)) & 1;
    const int top = (1 << exponent_bits) - 1;
    double value;
    if (has_infinity && exponent == top) {
        value = mantissa ? NAN : INFINITY;
    } else if (!has_infinity && exponent == top && mantissa == (1u << mantissa_bits) - 1) {
        value = NAN;
    } else if (exponent == 0) {
        value = std::ldexp(mantissa, 1 - bias - mantissa_bits);
    } else {
        value = std::ldexp((1u << mantissa_bits) + mantissa, exponent - bias - mantissa_bits);
    }
    return negative ? -value : value;
}

template <DType kType>
double decode(uint32_t bits) {
    if (kType == DType::kFloat16) return decode(bits, 5, 10, true);
    if (kType == DType::kBFloat16) return decode(bits, 8, 7, true);
    return decode(bits, 4, 3, false);
}

template <DType kType>
void check_load(const std::string& name) {
    constexpr uint32_t kPatterns = 1u << (8 * sizeof(Storage<kType>));
    std::vector<Storage<kType>> all(kPatterns);
    for (uint32_t x = 0; x < kPatterns; ++x) all[x] = static_cast<Storage<kType>>(x);
    for (uint32_t x = 0; x < kPatterns; x += kWidth) {
        float wide[kWidth];
        S::store(wide, S::load_as_f32<kType>(&all[x]));
        for (int i = 0; i < kWidth; ++i) {
            expect_same("load " + name, x + i, wide[i], decode<kType>(x + i));
            expect_same("to_float " + name, x + i, to_float<kType>(all[x + i]), decode<kType>(x + i));
        }
        const int n = x / kWidth % kWidth;
        S::store(wide, S::load_as_f32_n<kType>(&all[x], n));
        for (int i = 0; i < kWidth; ++i) {
            expect_same("load_n " + name, x + i, wide[i], i < n ? decode<kType>(x + i) : 0.0);
        }
    }
}

template <DType kType>
void expect_stored(const std::string& name, const std::vector<float>& values, const std::vector<uint16_t>& expected) {
    for (size_t x = 0; x + kWidth <= values.size(); x += kWidth) {
        Storage<kType> narrow[kWidth + 1];
        S::store_as<kType>(narrow, S::load(&values[x]));
        for (int i = 0; i < kWidth; ++i) {
            const double want = decode<kType>(expected[x + i]);
            expect_same("store " + name, values[x + i], decode<kType>(narrow[i]), want);
            const auto scalar = from_float<kType>(values[x + i]);
            expect_same("from_float " + name, values[x + i], decode<kType>(scalar), want);
        }
        const int n = x / kWidth % (kWidth + 1);
        Storage<kType> partly[kWidth + 1];
        for (auto& word : partly) word = 0x1234;
        S::store_as_n<kType>(partly, S::load(&values[x]), n);
        for (int i = 0; i <= kWidth; ++i) {
            if (partly[i] != (i < n ? narrow[i] : 0x1234)) fail("store_n " + name, values[x], partly[i], n);
        }
    }
}

// Every value, every midpoint of neighbours and the floats next to that midpoint.
template <DType kType>
void check_store(const std::string& name, uint16_t infinity) {
    std::vector<float> values;
    std::vector<uint16_t> expected;
    const auto add = [&](float value, uint16_t bits) {
        values.insert(values.end(), {value, -value});
        expected.insert(expected.end(), {bits, static_cast<uint16_t>(bits | 0x8000)});
    };
    for (uint16_t x = 0; x < infinity; ++x) {
        const uint16_t next = x + 1;
        const double a = decode<kType>(x);
        const double b = next == infinity ? 2 * decode<kType>(x) - decode<kType>(x - 1) : decode<kType>(next);
        const float middle = static_cast<float>((a + b) / 2);
        add(static_cast<float>(a), x);
        add(std::nextafter(middle, -kInf), x);
        add(middle, x % 2 ? next : x);
        add(std::nextafter(middle, kInf), next);
    }
    add(kInf, infinity);
    add(FLT_MAX, infinity);
    add(kNan, infinity + 1);
    add(bit_cast<float>(0x7f800001u), infinity + 1);
    while (values.size() % kWidth) add(0.0f, 0);
    expect_stored<kType>(name, values, expected);
}

template <int kDegree>
void check_exp2(double tolerance) {
    for (double t = -125.9; t < 126.9; t += kWidth * 1.37e-4) {
        float x[kWidth], y[kWidth];
        for (int i = 0; i < kWidth; ++i) x[i] = static_cast<float>(t + i * 1.37e-4);
        S::store(y, S::exp2<kDegree>(S::load(x)));
        for (int i = 0; i < kWidth; ++i) {
            const double want = std::exp2(double{x[i]});
            if (!(std::fabs(y[i] / want - 1) < tolerance))
                fail("exp2 of degree " + std::to_string(kDegree), x[i], y[i], want);
        }
    }
    for (float t : {-kInf, -1e30f, -2000.0f, -200.0f}) {
        float y[kWidth];
        S::store(y, S::exp2<kDegree>(S::set1(t)));
        for (float value : y) expect_same("exp2 of a very negative number", t, value, 0.0);
    }
    float y[kWidth];
    S::store(y, S::exp2<kDegree>(S::set1(-135.5f)));
    if (!(y[0] >= 0 && y[0] < 0x1p-125f)) fail("exp2 below the normal range", -135.5, y[0], std::exp2(-135.5));
    S::store(y, S::exp2<kDegree>(S::set1(kNan)));
    for (float value : y) expect_same("exp2 of NaN", kNan, value, kNan);
}

void check_tanh() {
    std::vector<float> inputs = {0.0f, -0.0f, 1e-30f, -1e-30f, 20.0f, -20.0f, 1e30f, -1e30f, kInf, -kInf, kNan};
    for (double x = 1e-6; x < 12; x *= 1.0001)
        inputs.insert(inputs.end(), {static_cast<float>(x), static_cast<float>(-x)});
    while (inputs.size() % kWidth) inputs.push_back(1.0f);
    for (size_t x = 0; x < inputs.size(); x += kWidth) {
        float y[kWidth];
        S::store(y, S::tanh(S::load(&inputs[x])));
        for (int i = 0; i < kWidth; ++i) {
            const double want = std::tanh(double{inputs[x + i]});
            const bool close = std::fabs(y[i] - want) <= 5e-7 * std::fabs(want);
            if (!close && !(std::isnan(y[i]) && std::isnan(want))) fail("tanh", inputs[x + i], y[i], want);
        }
    }
}

struct Vectors {
    float a[kWidth], b[kWidth], c[kWidth], d[kWidth];
    int32_t i[kWidth], j[kWidth];
};

void check_lanes(const Vectors& v) {
    const S::F a = S::load(v.a), b = S::load(v.b), c = S::load(v.c), d = S::load(v.d);
    const S::I i = S::load_i(v.i), j = S::load_i(v.j);
    const auto each = [&](const char* name, S::F result, auto expected, double tolerance = 0) {
        float r[kWidth];
        S::store(r, result);
        for (int l = 0; l < kWidth; ++l) {
            const double want = expected(l);
            if (!(std::fabs(r[l] - want) <= tolerance)) fail(name, v.a[l], r[l], want);
        }
    };
    each("add", S::add(a, b), [&](int l) { return v.a[l] + v.b[l]; });
    each("sub", S::sub(a, b), [&](int l) { return v.a[l] - v.b[l]; });
    each("mul", S::mul(a, b), [&](int l) { return v.a[l] * v.b[l]; });
    each("div", S::div(a, b), [&](int l) { return v.a[l] / v.b[l]; });
    // Values are below 128: two roundings of half a unit in the last place, where a and b are multiplied first.
    each("fma", S::fma(a, b, c), [&](int l) { return double{v.a[l]} * v.b[l] + v.c[l]; }, 1e-5);
    each("max", S::max(a, b), [&](int l) { return std::max(v.a[l], v.b[l]); });
    each("min", S::min(a, b), [&](int l) { return std::min(v.a[l], v.b[l]); });
    each("abs", S::abs(a), [&](int l) { return std::fabs(v.a[l]); });
    each("set1", S::set1(v.a[0]), [&](int) { return v.a[0]; });
    each("zero", S::zero(), [&](int) { return 0.0f; });
    each("lt", S::select(S::lt(a, b), c, d), [&](int l) { return v.a[l] < v.b[l] ? v.c[l] : v.d[l]; });
    each("le", S::select(S::le(a, b), c, d), [&](int l) { return v.a[l] <= v.b[l] ? v.c[l] : v.d[l]; });
    each("eq", S::select(S::eq(a, b), c, d), [&](int l) { return v.a[l] == v.b[l] ? v.c[l] : v.d[l]; });
    each("lt int", S::select(S::lt(i, j), c, d), [&](int l) { return v.i[l] < v.j[l] ? v.c[l] : v.d[l]; });
    each("ge int", S::select(S::ge(i, j), c, d), [&](int l) { return v.i[l] >= v.j[l] ? v.c[l] : v.d[l]; });
    each("both", S::select(S::both(S::lt(a, b), S::lt(i, j)), c, d),
         [&](int l) { return v.a[l] < v.b[l] && v.i[l] < v.j[l] ? v.c[l] : v.d[l]; });
    each("int to float", S::to_f32(S::add_i(i, S::add_i(S::set1_i(7), S::iota_i()))),
         [&](int l) { return static_cast<float>(v.i[l] + 7 + l); });

    double sums[4] = {}, largest = -INFINITY;
    int less = 0;
    for (int l = 0; l < kWidth; ++l) {
        sums[0] += v.a[l], sums[1] += v.b[l], sums[2] += v.c[l], sums[3] += v.d[l];
        largest = std::fmax(largest, v.a[l]);
        less += v.a[l] < v.b[l];
    }
    // A tree of four additions, whose results are below 256: half a unit in the last place each, 3.1e-5 together.
    float sums4[4];
    S::reduce_add4(a, b, c, d, sums4);
    for (int s = 0; s < 4; ++s) {
        if (!(std::fabs(sums4[s] - sums[s]) < 1e-4)) fail("reduce_add4", s, sums4[s], sums[s]);
    }
    if (!(std::fabs(S::reduce_add(a) - sums[0]) < 1e-4)) fail("reduce_add", 0, S::reduce_add(a), sums[0]);
    expect_same("reduce_max", 0, S::reduce_max(a), largest);
    if (S::any(S::lt(a, b)) != (less > 0)) fail("any", less, S::any(S::lt(a, b)), less > 0);
    if (S::all(S::lt(a, b)) != (less == kWidth)) fail("all", less, S::all(S::lt(a, b)), less == kWidth);

    for (int n = 0; n <= kWidth; ++n) {
        float partly[kWidth + 1];
        for (float& x : partly) x = 99.0f;
        S::store_n(partly, a, n);
        for (int l = 0; l <= kWidth; ++l) expect_same("store_n", n, partly[l], l < n ? v.a[l] : 99.0f);
        each("load_n", S::load_n(v.a, n), [&](int l) { return l < n ? v.a[l] : 0.0f; });
    }
}

void check_transpose() {
    S::F rows[kWidth];
    for (int i = 0; i < kWidth; ++i) rows[i] = S::add(S::set1(100.0f * i), S::to_f32(S::iota_i()));
    S::transpose(rows);
    for (int i = 0; i < kWidth; ++i) {
        float row[kWidth];
        S::store(row, rows[i]);
        for (int j = 0; j < kWidth; ++j) expect_same("transpose", i, row[j], 100.0 * j + i);
    }
}

void check_max_keeps_nan() {
    float r[kWidth];
    S::store(r, S::max(S::set1(1.0f), S::set1(kNan)));
    expect_same("max(1, NaN)", kNan, r[0], kNan);
    S::store(r, S::min(S::set1(1.0f), S::set1(kNan)));
    expect_same("min(1, NaN)", kNan, r[0], kNan);
}

}  // namespace
}  // namespace flash_attn_npu::cpu

int main() {
    using namespace flash_attn_npu;
    using namespace flash_attn_npu::cpu;
    check_load<DType::kFloat16>("fp16");
    check_load<DType::kBFloat16>("bf16");
    check_load<DType::kFloat8E4M3>("fp8");
    check_store<DType::kFloat16>("fp16", 0x7c00);
    check_store<DType::kBFloat16>("bf16", 0x7f80);
    // The error of the best polynomial of the degree on [-1/2, 1/2], and a rounding of fp32.
    check_exp2<3>(8e-5);
    check_exp2<4>(3e-6);
    check_exp2<5>(4e-7);
    check_tanh();
    check_max_keeps_nan();
    check_transpose();
    std::mt19937 random(20240607);
    for (int round = 0; round < 2000; ++round) {
        Vectors v;
        // Few distinct values, so that equal lanes, all-less and none-less vectors all occur.
        const auto number = [&] {
            return static_cast<float>(static_cast<int>(random() % 9) - 4) * (round % 3 ? 1.0f : 1.3f);
        };
        for (int l = 0; l < kWidth; ++l) {
            v.a[l] = number(), v.c[l] = number(), v.d[l] = number();
            v.b[l] = number() + (round % 5 == 0 ? 10.0f : round % 5 == 1 ? -10.0f : 0.125f * (round % 2));
            if (v.b[l] == 0.0f) v.b[l] = 0.5f;
            v.i[l] = static_cast<int>(random() % 7) - 3;
            v.j[l] = static_cast<int>(random() % 7) - 3;
        }
        check_lanes(v);
    }
    std::printf("%d failures\n", failures);
    return failures != 0;
}
