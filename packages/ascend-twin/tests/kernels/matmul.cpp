// SPDX-License-Identifier: BSD-3-Clause
// C[m, n] = A[m, k] B[k, n] in half with float sums, in plain Ascend C. Two buffers each in L1, L0A and L0B: MTE2 loads
// the next step while MTE1 and the cube work on this one, across output tiles too; Fixpipe takes a tile over by the
// unit flag.
#include "kernel_operator.h"

using namespace AscendC;

namespace {

constexpr uint32_t kTileM = 128, kTileN = 256, kStepK = 256, kPartK = 64, kFractal = 256, kGroup = 3;
constexpr uint32_t kL1Bytes = (kTileM + kTileN) * kStepK * 2;

template <typename T>
__aicore__ inline T Smaller(T a, T b) {
    return a < b ? a : b;
}
__aicore__ inline uint32_t Parts(uint32_t whole, uint32_t part) { return (whole + part - 1) / part; }

class Matmul {
public:
    __aicore__ inline Matmul(GM_ADDR a, GM_ADDR b, GM_ADDR c, uint32_t m, uint32_t n, uint32_t k)
        : m_(m), n_(n), k_(k) {
        a_.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(a), static_cast<uint64_t>(m) * k);
        b_.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(b), static_cast<uint64_t>(k) * n);
        c_.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(c), static_cast<uint64_t>(m) * n);
        for (uint32_t i = 0; i < 2; ++i) {
            l1_a_[i] = LocalTensor<half>(TPosition::A1, i * kL1Bytes, kTileM * kStepK);
            l1_b_[i] = LocalTensor<half>(TPosition::B1, i * kL1Bytes + kTileM * kStepK * 2, kTileN * kStepK);
            l0_a_[i] = LocalTensor<half>(TPosition::A2, i * 32768, kTileM * kPartK);
            l0_b_[i] = LocalTensor<half>(TPosition::B2, i * 32768, kTileN * kPartK);
        }
        l0_c_ = LocalTensor<float>(TPosition::CO1, 0, kTileM * kTileN);
    }

    __aicore__ inline void Run() {
        const uint32_t tiles = Parts(m_, kTileM) * Parts(n_, kTileN), cores = GetBlockNum();
        uint32_t index = GetBlockIdx();
        if (index >= tiles) return;
        for (uint32_t i = 0; i < 2; ++i) {
            SetFlag<HardEvent::MTE1_MTE2>(i);
            SetFlag<HardEvent::M_MTE1>(i);
        }
        Load(TileAt(index), 0);
        for (; index < tiles; index += cores) {
            const Tile tile = TileAt(index);
            for (uint32_t k0 = 0; k0 < k_; k0 += kStepK) {
                const uint32_t stage = 1 - load_stage_;
                if (k0 + kStepK < k_) {
                    Load(tile, k0 + kStepK);
                } else if (index + cores < tiles) {
                    Load(TileAt(index + cores), 0);
                }
                MultiplyStep(tile, k0, stage);
            }
            Store(tile);
        }
        for (uint32_t i = 0; i < 2; ++i) {
            WaitFlag<HardEvent::MTE1_MTE2>(i);
            WaitFlag<HardEvent::M_MTE1>(i);
        }
    }

private:
    struct Tile {
        uint32_t m0, n0, m, n;
    };

    /// Groups of kGroup tile rows, column by column: the cores of one wave share operands in L2.
    __aicore__ inline Tile TileAt(uint32_t index) const {
        const uint32_t columns = Parts(n_, kTileN), group = index / (kGroup * columns);
        const uint32_t inside = index % (kGroup * columns);
        const uint32_t height = Smaller(kGroup, Parts(m_, kTileM) - group * kGroup);
        const uint32_t m0 = (group * kGroup + inside % height) * kTileM, n0 = inside / height * kTileN;
        return {m0, n0, Smaller(kTileM, m_ - m0), Smaller(kTileN, n_ - n0)};
    }

    __aicore__ inline void Load(const Tile& tile, uint32_t k0) {
        const uint32_t stage = load_stage_, k = Smaller(kStepK, k_ - k0);
        WaitFlag<HardEvent::MTE1_MTE2>(stage);
        // Count, rows, columns, distance of matrices, row stride; of L1: rows of a panel, 1, distance.
        DataCopy(l1_a_[stage], a_[static_cast<uint64_t>(tile.m0) * k_ + k0],
                 Nd2NzParams(1, tile.m, k, 0, k_, kTileM, 1, 0));
        DataCopy(l1_b_[stage], b_[static_cast<uint64_t>(k0) * n_ + tile.n0],
                 Nd2NzParams(1, k, tile.n, 0, n_, kStepK, 1, 0));
        SetFlag<HardEvent::MTE2_MTE1>(stage);
        load_stage_ = 1 - stage;
    }

    __aicore__ inline void MultiplyStep(const Tile& tile, uint32_t k0, uint32_t stage) {
        const uint32_t k = Smaller(kStepK, k_ - k0), parts = Parts(k, kPartK);
        WaitFlag<HardEvent::MTE2_MTE1>(stage);
        for (uint32_t part = 0; part < parts; ++part) {
            const uint32_t part_k = Smaller(kPartK, k - part * kPartK), side = l0_stage_;
            const bool last = k0 + kStepK >= k_ && part + 1 == parts;
            WaitFlag<HardEvent::M_MTE1>(side);
            LoadL0(tile, part, part_k, stage, side);
            if (part + 1 == parts) SetFlag<HardEvent::MTE1_MTE2>(stage);
            SetFlag<HardEvent::MTE1_M>(side);
            WaitFlag<HardEvent::MTE1_M>(side);
            MmadParams params;
            params.m = Parts(tile.m, 16) * 16;  // 1 would be the vector mode, which reads L0A in another layout
            params.n = tile.n;
            params.k = part_k;
            params.unitFlag = last ? 3 : 2;
            params.cmatrixInitVal = k0 == 0 && part == 0;
            Mmad(l0_c_, l0_a_[side], l0_b_[side], params);
            if (Parts(tile.m, 16) * Parts(tile.n, 16) < 10) PipeBarrier<PIPE_M>();
            SetFlag<HardEvent::M_MTE1>(side);
            l0_stage_ = 1 - side;
        }
    }

    __aicore__ inline void LoadL0(const Tile& tile, uint32_t part, uint32_t part_k, uint32_t stage, uint32_t side) {
        const uint32_t depth = Parts(part_k, 16), columns = Parts(tile.n, 16);
        LoadData2DParams params;
        params.repeatTimes = depth;
        params.srcStride = kTileM / 16;
        for (uint32_t row = 0; row < Parts(tile.m, 16); ++row) {
            LoadData(l0_a_[side][row * depth * kFractal], l1_a_[stage][part * kPartK * kTileM + row * kFractal],
                     params);
        }
        params.repeatTimes = columns;
        params.srcStride = kStepK / 16;
        params.ifTranspose = true;
        for (uint32_t row = 0; row < depth; ++row) {
            LoadData(l0_b_[side][row * columns * kFractal], l1_b_[stage][(part * kPartK / 16 + row) * kFractal],
                     params);
        }
    }

    __aicore__ inline void Store(const Tile& tile) {
        FixpipeParamsV220 params;
        params.nSize = tile.n;
        params.mSize = tile.m;
        params.srcStride = Parts(tile.m, 16) * 16;
        params.dstStride = n_;
        params.ndNum = 1;
        params.quantPre = QuantMode_t::F322F16;
        params.unitFlag = 3;
        Fixpipe<half, float, CFG_ROW_MAJOR>(c_[static_cast<uint64_t>(tile.m0) * n_ + tile.n0], l0_c_, params);
    }

    GlobalTensor<half> a_, b_, c_;
    LocalTensor<half> l1_a_[2], l1_b_[2], l0_a_[2], l0_b_[2];
    LocalTensor<float> l0_c_;
    uint32_t m_, n_, k_, load_stage_ = 0, l0_stage_ = 0;
};

}  // namespace

/// Row-major a[m, k], b[k, n], c[m, n]; on the cube cores only.
extern "C" __global__ __aicore__ void matmul_f16(GM_ADDR a, GM_ADDR b, GM_ADDR c, uint32_t m, uint32_t n, uint32_t k) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    if ASCEND_IS_AIC {
        Matmul(a, b, c, m, n, k).Run();
    }
}
