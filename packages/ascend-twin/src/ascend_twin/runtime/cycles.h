// SPDX-License-Identifier: BSD-3-Clause
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
    Cost cost;       // without the address, which is the line's

    bool has_address() const {
        switch (cost.kind) {
            case CostKind::kGmRead:
            case CostKind::kGmWrite:
            case CostKind::kFixGm: return true;
            case CostKind::kMmad: return cost.gm.runs != 0;  // with a unit flag: of the result in L0C
            default: return false;
        }
    }
};

/// Lines of a program: the record of each, and the address of those that have one. Loops repeat the same few records at
/// other addresses; two or three bytes a line keep long programs (hundreds of millions of lines) in memory.
class Lines {
public:
    void add(uint32_t record) {
        if (record >= kLong) {
            records_.push_back(kLong);
            records_.push_back(static_cast<uint16_t>(record >> 16));
        }
        records_.push_back(static_cast<uint16_t>(record));
        ++size_;
    }
    void add(uint32_t record, uint64_t address) {
        add(record);
        addresses_.push_back(address);
    }
    /// Gives back what was reserved for more.
    void close() {
        records_.shrink_to_fit();
        addresses_.shrink_to_fit();
    }
    bool empty() const { return size_ == 0; }
    uint64_t size() const { return size_; }

    /// Goes through the lines once.
    class Reader {
    public:
        Reader() = default;
        explicit Reader(const Lines& lines) : at_(lines.records_.data()), address_(lines.addresses_.data()) {
            end_ = at_ + lines.records_.size();
        }
        bool at_end() const { return at_ == end_; }
        uint32_t record() const { return *at_ == kLong ? uint32_t(at_[1]) << 16 | at_[2] : *at_; }
        /// Of a line that has one.
        uint64_t address() const { return *address_; }
        void next(bool has_address) {
            at_ += *at_ == kLong ? 3 : 1;
            address_ += has_address;
        }

    private:
        const uint16_t *at_ = nullptr, *end_ = nullptr;
        const uint64_t* address_ = nullptr;
    };

private:
    static constexpr uint16_t kLong = 0xffff;
    std::vector<uint16_t> records_;
    std::vector<uint64_t> addresses_;
    size_t size_ = 0;
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
    Lines lines;
    std::vector<Record> records;  // the different ones
    std::vector<Loc> places;

private:
    void add(const Record&);
    uint32_t place(const Loc&);
    std::unordered_map<const char*, std::vector<uint32_t>> places_at_;  // by API name: few places share one
    std::vector<std::vector<uint32_t>> records_at_;                     // by place, most recent last
};

}  // namespace twin
