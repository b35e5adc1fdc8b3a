// SPDX-License-Identifier: BSD-3-Clause
// The recorder: one compact line per instruction, flag and wait of a core.
#include <algorithm>
#include <tuple>

#include "timing/program.h"

namespace twin {
namespace {

auto fields(const Record& r) { return std::tie(r.kind, r.pipe, r.other, r.id, r.mode, r.what); }

}  // namespace

uint32_t Recorder::place(const Loc& loc) {
    auto& known = places_at_[loc.api];
    for (uint32_t i : known)
        if (places[i].line == loc.line && places[i].file == loc.file) return i;
    known.push_back(static_cast<uint32_t>(places.size()));
    places.push_back(loc);
    records_at_.emplace_back();
    return known.back();
}

void Recorder::add(const Record& record, uint64_t address) {
    auto& known = records_at_[record.place];
    auto found =
        std::find_if(known.rbegin(), known.rend(), [&](uint32_t i) { return fields(records[i]) == fields(record); });
    if (found == known.rend()) {
        known.push_back(static_cast<uint32_t>(records.size()));
        records.push_back(record);
    } else {
        std::iter_swap(found, known.rbegin());
    }
    if (has_address(record.what))
        lines.add(known.back(), address);
    else
        lines.add(known.back());
}

void Recorder::instruction(Pipe pipe, const Loc& loc, const Cost& cost) {
    add({RecordKind::kInstruction, pipe, pipe, 0, place(loc), 0, cost.what}, cost.address);
}
void Recorder::set(Pipe src, Pipe dst, int id, const Loc& loc) {
    add({RecordKind::kSet, src, dst, static_cast<uint8_t>(id), place(loc), 0, {}});
}
void Recorder::wait(Pipe src, Pipe dst, int id, const Loc& loc) {
    add({RecordKind::kWait, dst, src, static_cast<uint8_t>(id), place(loc), 0, {}});
}
void Recorder::barrier(Pipe pipe, const Loc& loc) {
    add({pipe == Pipe::kAll ? RecordKind::kBarrierAll : RecordKind::kBarrier, pipe, pipe, 0, place(loc), 0, {}});
}
void Recorder::cross_set(Pipe pipe, int mode, int flag, const Loc& loc) {
    add({RecordKind::kCrossSet, pipe, pipe, static_cast<uint8_t>(flag), place(loc), static_cast<uint8_t>(mode), {}});
}
void Recorder::cross_wait(int flag, const Loc& loc) {
    add({RecordKind::kCrossWait, Pipe::kS, Pipe::kS, static_cast<uint8_t>(flag), place(loc), 0, {}});
}
void Recorder::scalar(const Loc& loc) { add({RecordKind::kScalar, Pipe::kS, Pipe::kS, 0, place(loc), 0, {}}); }

}  // namespace twin
