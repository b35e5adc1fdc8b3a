// SPDX-License-Identifier: BSD-3-Clause
// The twin without Python, for host machines on which no Python runs: a program whose kernels compute and synchronise,
// and must be found right, clean or faulty as they are. `nox -s portable` builds and runs it, for aarch64 too.
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "acl/acl.h"
#include "kernels/matmul.cpp"

using namespace AscendC;

extern "C" void twin_set_options(int mode, uint64_t seed, int threads, int cores, int kind, int auto_sync,
                                 int skip_math, int max_findings);
extern "C" const char* twin_findings();
extern "C" void twin_clear();

namespace {

enum Mode { kFast, kCheck, kCycles };

/// Device memory of one array.
template <typename T>
class Array {
public:
    explicit Array(const std::vector<T>& values) : Array(values.size()) {
        aclrtMemcpy(data_, bytes(), values.data(), bytes(), ACL_MEMCPY_HOST_TO_DEVICE);
    }
    explicit Array(size_t size) : size_(size) { aclrtMalloc(&data_, bytes(), ACL_MEM_MALLOC_HUGE_FIRST); }
    ~Array() { aclrtFree(data_); }
    GM_ADDR device() const { return static_cast<GM_ADDR>(data_); }
    const T& operator[](size_t i) const { return static_cast<const T*>(data_)[i]; }

private:
    size_t bytes() const { return size_ * sizeof(T); }
    size_t size_;
    void* data_ = nullptr;
};

int failures = 0;

void expect(bool right, const std::string& what) {
    std::printf("%s  %s\n", right ? "right" : "WRONG", what.c_str());
    failures += !right;
}

/// The findings of `mode` must be none (kind == ""), or contain `kind`.
void expect_findings(const std::string& what, const std::string& kind) {
    const std::string found = twin_findings();
    const bool none = found.find("\"findings\":[]") != std::string::npos;
    const bool as_expected = kind.empty() ? none : found.find("\"" + kind + "\"") != std::string::npos;
    expect(as_expected,
           what + (kind.empty() ? ": nothing found" : ": " + kind) + (as_expected ? "" : ", got " + found));
    twin_clear();
}

void use(Mode mode) { twin_set_options(mode, /*seed=*/mode == kCheck ? 7 : 0, 0, 24, -1, 0, 0, 200); }

LocalTensor<float> ub(TPipe& pipe, uint32_t bytes) {
    TBuf<TPosition::VECCALC> buffer;
    pipe.InitBuffer(buffer, bytes);
    return buffer.Get<float>();
}

}  // namespace

/// y = exp(x) as half and back, with scalar half arithmetic on the way; `bad` leaves out a flag.
extern "C" __global__ __aicore__ void exponential(GM_ADDR x, GM_ADDR y, uint32_t bad) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    if ASCEND_IS_AIV {
        TPipe pipe;
        LocalTensor<float> wide = ub(pipe, 4096);
        LocalTensor<half> narrow = ub(pipe, 4096).ReinterpretCast<half>();
        GlobalTensor<float> from, to;
        from.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x));
        to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(y));
        const int32_t count = 256;
        DataCopy(wide, from[GetBlockIdx() * count], count);
        SetFlag<HardEvent::MTE2_V>(0);
        WaitFlag<HardEvent::MTE2_V>(0);
        Cast(narrow, wide, RoundMode::CAST_RINT, count);
        PipeBarrier<PIPE_V>();
        const half third = half(1.0f) / half(3.0f);
        Muls(narrow, narrow, third, count);
        PipeBarrier<PIPE_V>();
        Exp(narrow, narrow, count);
        PipeBarrier<PIPE_V>();
        Cast(wide, narrow, RoundMode::CAST_NONE, count);
        if (!bad) {
            SetFlag<HardEvent::V_MTE3>(0);
            WaitFlag<HardEvent::V_MTE3>(0);
        }
        DataCopy(to[GetBlockIdx() * count], wide, count);
    }
}

/// Cube and vector cores take turns; with `bad` the vector cores wait for a flag nobody sets.
extern "C" __global__ __aicore__ void relay(GM_ADDR x, GM_ADDR y, uint32_t bad) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    TPipe pipe;
    GlobalTensor<float> from, to;
    from.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(x));
    to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(y));
    if ASCEND_IS_AIC {
        CrossCoreWaitFlag(0);
        CrossCoreSetFlag<2, PIPE_FIX>(1);
    }
    if ASCEND_IS_AIV {
        LocalTensor<float> tile = ub(pipe, 4096);
        CrossCoreSetFlag<2, PIPE_MTE3>(0);
        CrossCoreWaitFlag(bad ? 2 : 1);
        const uint64_t at = GetBlockIdx() * 64;
        DataCopy(tile, from[at], 64);
        SetFlag<HardEvent::MTE2_MTE3>(0);
        WaitFlag<HardEvent::MTE2_MTE3>(0);
        DataCopy(to[at], tile, 64);
    }
}

/// quotients[i] = dividends[i] / divisors[i], then the remainders: scalar code, where a device does not trap.
extern "C" __global__ __aicore__ void divide(GM_ADDR dividends, GM_ADDR divisors, GM_ADDR results, uint32_t count) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    if ASCEND_IS_AIV {
        GlobalTensor<int64_t> a, b, c;
        a.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(dividends));
        b.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(divisors));
        c.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(results));
        for (uint32_t i = 0; i < count; ++i) {
            const int64_t x = a.GetValue(i), y = b.GetValue(i);
            c.SetValue(4 * i, x / y);
            c.SetValue(4 * i + 1, x % y);
            c.SetValue(4 * i + 2, static_cast<uint32_t>(x) / static_cast<uint32_t>(y));
            c.SetValue(4 * i + 3, static_cast<uint32_t>(x) % static_cast<uint32_t>(y));
        }
    }
}

void test_exponential() {
    std::vector<float> x(512);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) / 64.0f - 4.0f;
    Array<float> in(x), out(x.size());
    for (Mode mode : {kFast, kCheck, kCycles}) {
        use(mode);
        exponential<<<2, nullptr, nullptr>>>(in.device(), out.device(), 0);
        double worst = 0;
        for (size_t i = 0; i < x.size(); ++i) worst = std::max(worst, std::fabs(out[i] / std::exp(x[i] / 3.0) - 1.0));
        expect(worst < 3e-3 && worst > 0, "exponential: relative error " + std::to_string(worst));
        expect_findings("exponential", "");
    }
    use(kCheck);
    exponential<<<2, nullptr, nullptr>>>(in.device(), out.device(), 1);
    expect_findings("exponential without a flag", "pipe_race");
}

void test_matmul() {
    const uint32_t m = 100, n = 130, k = 70;
    std::vector<half> a(m * k), b(k * n);
    for (size_t i = 0; i < a.size(); ++i) a[i] = half(static_cast<float>(i * 7 % 31) - 15.0f);
    for (size_t i = 0; i < b.size(); ++i) b[i] = half(static_cast<float>(i * 5 % 29) / 8.0f - 1.5f);
    Array<half> da(a), db(b), dc(m * n);
    for (Mode mode : {kFast, kCheck}) {
        use(mode);
        matmul_f16<<<3, nullptr, nullptr>>>(da.device(), db.device(), dc.device(), m, n, k);
        bool right = true;
        for (uint32_t i = 0; i < m; ++i)
            for (uint32_t j = 0; j < n; ++j) {
                float sum = 0;  // exact: small integers over 8
                for (uint32_t p = 0; p < k; ++p)
                    sum += static_cast<float>(a[i * k + p]) * static_cast<float>(b[p * n + j]);
                right = right && static_cast<float>(dc[i * n + j]) == static_cast<float>(half(sum));
            }
        expect(right, "matmul");
        expect_findings("matmul", "");
    }
}

void test_relay() {
    std::vector<float> x(6 * 64);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    Array<float> in(x), out(x.size());
    use(kCheck);
    relay<<<3, nullptr, nullptr>>>(in.device(), out.device(), 0);
    bool right = true;
    for (size_t i = 0; i < x.size(); ++i) right = right && out[i] == x[i];
    expect(right, "relay");
    expect_findings("relay", "");
    relay<<<3, nullptr, nullptr>>>(in.device(), out.device(), 1);
    expect_findings("relay with a wrong flag", "deadlock");
}

void test_divide() {
    const std::vector<int64_t> dividends{100, -100, 7, 1ll << 40}, divisors{7, 7, 0, 0};
    Array<int64_t> a(dividends), b(divisors), c(4 * dividends.size());
    use(kFast);
    divide<<<1, nullptr, nullptr>>>(a.device(), b.device(), c.device(), static_cast<uint32_t>(dividends.size()));
    bool right = true;
    for (size_t i = 0; i < dividends.size(); ++i) {
        const int64_t x = dividends[i], y = divisors[i];
        const uint32_t ux = static_cast<uint32_t>(x), uy = static_cast<uint32_t>(y);
        right = right && c[4 * i] == (y ? x / y : 0) && c[4 * i + 1] == (y ? x % y : x);
        right = right && c[4 * i + 2] == (uy ? ux / uy : 0) && c[4 * i + 3] == (uy ? ux % uy : ux);
    }
    expect(right, "integer division, by zero too");
}

int main() {
    test_exponential();
    test_matmul();
    test_relay();
    test_divide();
    std::printf(failures ? "%d failures\n" : "all right\n", failures);
    return failures ? 1 : 0;
}
