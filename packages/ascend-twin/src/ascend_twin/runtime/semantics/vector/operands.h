// SPDX-License-Identifier: BSD-3-Clause
// Operands of vector instructions whose lanes are not independent: bounds, ordering and validity in one place.
#pragma once
#include <cstring>

#include "machine/core.h"
#include "semantics/numeric.h"

namespace twin {

/// Operand access of one instruction: bounds, ordering and validity in one place.
class Operands {
public:
    Operands(Core& core, const Loc& loc) : core_(core), loc_(loc) {}

    /// A read of undefined bytes taints what is written until fresh().
    const uint8_t* read(const Ref& base, uint64_t offset, uint64_t bytes, const char* role) {
        return touch(base, offset, bytes, role, Touch::kRead);
    }
    uint8_t* write(const Ref& base, uint64_t offset, uint64_t bytes, const char* role) {
        uint8_t* p = touch(base, offset, bytes, role, Touch::kWrite);
        if (p && core_.checker) {
            Ref part = base;
            part.address += offset;
            if (uint8_t* valid = core_.resolve_valid(part, bytes)) std::memset(valid, !tainted_, bytes);
        }
        return p;
    }
    void fresh(bool tainted = false) { tainted_ = tainted; }
    bool is_valid(const Ref& base, uint64_t offset, uint64_t bytes) const {
        Ref part = base;
        part.address += offset;
        const uint8_t* valid = core_.checker ? core_.resolve_valid(part, bytes) : nullptr;
        return !valid || !std::memchr(valid, 0, bytes);
    }
    void set_valid(const Ref& base, uint64_t offset, uint64_t bytes, bool valid) {
        Ref part = base;
        part.address += offset;
        if (uint8_t* bits = core_.checker ? core_.resolve_valid(part, bytes) : nullptr) std::memset(bits, valid, bytes);
    }
    void error(const char* kind, const std::string& text) {
        core_.error(kind, std::string(loc_.api) + ": " + text, loc_);
    }

private:
    uint8_t* touch(const Ref& base, uint64_t offset, uint64_t bytes, const char* role, Touch kind) {
        uint8_t* p = core_.resolve(base, offset + bytes, role, loc_);
        if (!p) return nullptr;
        if (core_.checker) {
            Ref part = base;
            part.address += offset;
            if (!core_.checker->access(Pipe::kV, part, bytes, kind, Uninit::kTaint, loc_)) tainted_ = true;
        }
        return p + offset;
    }
    Core& core_;
    const Loc& loc_;
    bool tainted_ = false;
};

}  // namespace twin
