// SPDX-License-Identifier: BSD-3-Clause
// What one AIC or AIV did, in program order.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "timing/cost.h"

namespace twin {

enum class RecordKind : uint8_t { kInstruction, kSet, kWait, kBarrier, kBarrierAll, kCrossSet, kCrossWait, kScalar };

struct Record {
    RecordKind kind;
    Pipe pipe;       // executes it (kSet: source, kWait: destination)
    Pipe other;      // kSet: destination, kWait: source
    uint8_t id;      // event or flag
    uint32_t place;  // source place
    uint8_t mode;    // kCrossSet: who takes part
    Quantities what;
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
    void add(const Record&, uint64_t address = 0);
    uint32_t place(const Loc&);
    std::unordered_map<const char*, std::vector<uint32_t>> places_at_;  // by API name: few places share one
    std::vector<std::vector<uint32_t>> records_at_;                     // by place, most recent last
};

}  // namespace twin
