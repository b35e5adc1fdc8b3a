// What one AIC or AIV did, in program order, in quantities (bytes, repeats, tiles) rather than cycles: the
// timeline is computed afterwards, so that one run can be costed for many chips and constants.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "twin/abi.h"

namespace twin {

enum class CostKind : uint8_t {
    kNone,     // scalar only
    kVector,   // a: repeats, b: VecOp, c: width class, d: conflicting repeats
    kMmad,     // a: tiles of 16x16xk0, d: 1 if float
    kLoadL0A,  // a: bytes
    kLoadL0B,
    kLoad3d,  // a: bytes, b: 1 for L0B
    kFillL0,
    kFillL1,
    kTable,    // L1 -> BT or FB, a: bytes
    kGmRead,   // gm: description, b: 1 for ND->NZ, c: rows
    kGmWrite,  // gm: description
    kFixGm,    // a: elements, gm: description
    kFixL1,    // a: elements, b: bytes
};

struct GmTransfer {
    uint64_t address = 0;
    uint32_t runs = 0;
    uint32_t run_bytes = 0;
    int64_t stride = 0;
    bool atomic = false;
    bool bypass = false;
};

struct Cost {
    CostKind kind = CostKind::kNone;
    uint32_t a = 0, b = 0, c = 0, d = 0;
    GmTransfer gm;
};

enum class RecordKind : uint8_t { kInstruction, kSet, kWait, kBarrier, kBarrierAll, kCrossSet, kCrossWait, kScalar };

struct Record {
    RecordKind kind;
    Pipe pipe;       // executes it (kSet: source, kWait: destination)
    Pipe other;      // kSet: destination, kWait: source
    uint8_t id;      // event or flag
    uint32_t place;  // source place
    uint8_t mode;    // kCrossSet: who takes part
    Cost cost;       // without the address, which is the entry's
};

/// One line of a program. Loops repeat the same few records at other addresses: 12 bytes instead of a whole record keep
/// long programs (tens of millions of lines) in memory.
struct Entry {
    uint32_t record;
    uint32_t address_low, address_high;
    uint64_t address() const { return uint64_t(address_high) << 32 | address_low; }
};

class Recorder {
public:
    void instruction(Pipe, const Loc&, const Cost&);
    void set(Pipe src, Pipe dst, int id, const Loc&);
    void wait(Pipe src, Pipe dst, int id, const Loc&);
    void barrier(Pipe, const Loc&);
    void cross_set(Pipe, int mode, int flag, const Loc&);
    void cross_wait(int flag, const Loc&);
    void scalar(const Loc&);
    std::vector<Entry> entries;
    std::vector<Record> records;  // the different ones
    std::vector<Loc> places;

private:
    void add(const Record&);
    uint32_t place(const Loc&);
    std::unordered_map<const char*, std::vector<uint32_t>> places_at_;  // by API name: few places share one
    std::vector<std::vector<uint32_t>> records_at_;                     // by place, most recent last
};

}  // namespace twin
