// SPDX-License-Identifier: BSD-3-Clause
// Happens-before: vector clocks per (core, pipe), accesses per 32-byte block, races by comparison.
//
// A pipe's clock holds, for every (core, pipe), how many of its instructions are known to be complete. Set
// releases the source pipe's knowledge plus its own earlier instructions; Wait acquires. An instruction knows what
// the scalar unit knew when it was issued (CrossCoreWaitFlag, barriers of all pipes) and nothing of other pipes.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "twin/abi.h"

namespace twin {

class Core;

/// Completed-instruction counts, indexed by core * 8 + pipe.
class Clock {
public:
    void join(const Clock& other) {
        if (other.at_.size() > at_.size()) at_.resize(other.at_.size(), 0);
        for (size_t i = 0; i < other.at_.size(); ++i)
            if (other.at_[i] > at_[i]) at_[i] = other.at_[i];
    }
    uint32_t operator[](uint32_t thread) const { return thread < at_.size() ? at_[thread] : 0; }
    void raise(uint32_t thread, uint32_t count) {
        if (thread >= at_.size()) at_.resize(thread + 1, 0);
        if (at_[thread] < count) at_[thread] = count;
    }
    bool empty() const { return at_.empty(); }

private:
    std::vector<uint32_t> at_;
};

enum class Touch : uint8_t { kRead, kWrite, kAtomic };

/// One earlier access to some bytes of a 32-byte block.
struct AccessEntry {
    uint16_t thread;
    Touch touch;
    uint32_t epoch;
    uint32_t bytes;  // bit per byte
    uint32_t place;  // index into the launch's table of source places
};

class BlockTable {
public:
    explicit BlockTable(uint64_t bytes = 0) : blocks_((bytes + 31) / 32) {}
    std::vector<AccessEntry>& operator[](uint64_t block) { return blocks_[block]; }
    void resize(uint64_t bytes) { blocks_.resize((bytes + 31) / 32); }
    void clear() {
        for (auto& block : blocks_) block.clear();
    }
    uint64_t size() const { return blocks_.size(); }

private:
    std::vector<std::vector<AccessEntry>> blocks_;
};

/// What a read of bytes nobody has written is: an error; something the mover passes on; a warning, the result being as
/// undefined as the operand (vector lanes that nobody looks at are common practice; an error follows if one gets out).
enum class Uninit : uint8_t { kReport, kCarry, kTaint };

class CoreChecker {
public:
    explicit CoreChecker(Core& core);

    /// Starts the next instruction of `pipe`, with what the scalar unit knows now (or knew at issue).
    void begin(Pipe pipe);
    void begin(Pipe pipe, const Clock& at_issue);
    /// Declares an access of the running instruction: races and uninitialised reads are found here.
    /// Returns false when some of the bytes were never written.
    bool access(Pipe pipe, const Ref&, uint64_t bytes, Touch, Uninit, const Loc&);
    /// cached: global memory through the data cache.
    void scalar_access(const Ref&, uint64_t bytes, bool write, bool cached, const Loc&);

    Clock release(Pipe pipe);               // at SetFlag / CrossCoreSetFlag
    void acquire(Pipe pipe, const Clock&);  // at WaitFlag
    void acquire_scalar(const Clock&);      // at CrossCoreWaitFlag
    void barrier(Pipe pipe);
    void barrier_all();
    uint32_t issued(Pipe pipe) const { return issued_[static_cast<int>(pipe)]; }
    uint32_t known(Pipe by, Pipe of) const;
    const Clock& scalar_clock() const { return clocks_[0]; }

private:
    uint32_t thread(Pipe pipe) const;
    void touch_block(std::vector<AccessEntry>& block, Pipe pipe, uint32_t mask, Touch, const Ref&,
                     uint64_t block_address, const Loc&, uint32_t place);
    Core& core_;
    Clock clocks_[8];
    uint32_t issued_[8] = {};
    Loc last_loc_{nullptr, 0, nullptr};
    uint32_t last_place_ = 0;
    uint32_t scalar_version_ = 1, seen_version_[8] = {};
};

/// Source places of this launch, so that an entry can say where the other access was made.
uint32_t place_of(const Loc&);
Loc place_at(uint32_t);
void clear_places();
std::string thread_name(uint32_t thread);

}  // namespace twin
