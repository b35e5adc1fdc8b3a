// SPDX-License-Identifier: BSD-3-Clause
// What an instruction did, in quantities (bytes, repeats, tiles) rather than cycles: the timeline is computed
// afterwards, so that one run can be costed for many chips and constants. One struct per kind of instruction.
#pragma once
#include <cstdint>
#include <tuple>
#include <utility>
#include <variant>

#include "twin/abi.h"

namespace twin {

/// Structs with fields() are equal when these are.
template <typename T, typename = decltype(std::declval<const T&>().fields())>
bool operator==(const T& a, const T& b) {
    return a.fields() == b.fields();
}

/// Runs of bytes in global memory; where the first begins is the cost's address.
struct GmTransfer {
    uint32_t runs = 0;
    uint32_t run_bytes = 0;
    int64_t stride = 0;
    bool atomic = false;
    bool bypass = false;  // of L2
    auto fields() const { return std::tie(runs, run_bytes, stride, atomic, bypass); }
};

/// Sets, waits, barriers and scalar work.
struct NoCost {
    auto fields() const { return std::tuple<>(); }
};
struct VectorCost {
    VecOp op = VecOp::kAdd;
    uint32_t repeats = 0;
    uint32_t element_bytes = 0;  // of the wider of operands and result
    uint32_t conflicts = 0;      // cycles lost to UB bank conflicts
    bool count_form = false;     // sets its mask from a count
    bool changes_type = false;
    auto fields() const { return std::tie(op, repeats, element_bytes, conflicts, count_form, changes_type); }
};
struct MmadCost {
    uint32_t tiles = 0;  // of 16 x 16 x k0
    uint32_t m = 0, n = 0, k = 0;
    uint8_t unit_flag =
        0;  // 0: none, and no address; 2: within a tile of L0C, 3: its end. The address is the result's.
    auto fields() const { return std::tie(tiles, m, n, k, unit_flag); }
};
/// L1 to L0A or L0B.
struct LoadCost {
    Memory to = Memory::kL0A;
    uint32_t bytes = 0;
    auto fields() const { return std::tie(to, bytes); }
};
struct Load3dCost {
    Memory to = Memory::kL0A;
    uint32_t bytes = 0;
    auto fields() const { return std::tie(to, bytes); }
};
/// A constant into L1, L0A or L0B.
struct FillCost {
    uint32_t bytes = 0;
    auto fields() const { return std::tie(bytes); }
};
/// L1 to BT or FB.
struct TableCost {
    uint32_t bytes = 0;
    auto fields() const { return std::tie(bytes); }
};
/// Between global memory and L1 or UB.
struct GmCost {
    GmTransfer gm;
    bool write = false;
    bool to_nz = false;  // ND in global memory becomes NZ in L1
    auto fields() const { return std::tie(gm, write, to_nz); }
};
/// L0C to global memory or L1.
struct FixpipeCost {
    uint32_t elements = 0, bytes = 0;
    uint32_t block = 0;  // of 512 bytes in L0C, where the tile begins
    uint8_t unit_flag = 0;
    bool to_gm = false;
    GmTransfer gm;  // when it goes there
    auto fields() const { return std::tie(elements, bytes, block, unit_flag, to_gm, gm); }
};

using Quantities =
    std::variant<NoCost, VectorCost, MmadCost, LoadCost, Load3dCost, FillCost, TableCost, GmCost, FixpipeCost>;

/// Quantities, and the address of those that have one: loops repeat the same quantities at other addresses.
struct Cost {
    Quantities what;
    uint64_t address = 0;
};

inline bool has_address(const Quantities& what) {
    if (std::holds_alternative<GmCost>(what)) return true;
    if (const auto* fix = std::get_if<FixpipeCost>(&what)) return fix->to_gm;
    const auto* mmad = std::get_if<MmadCost>(&what);
    return mmad != nullptr && mmad->unit_flag != 0;
}

}  // namespace twin
