// The recorder: one compact line per instruction, flag and wait of a core.
#include <cstring>

#include "cycles.h"

namespace twin {

uint32_t Recorder::place(const Loc& loc) {
    if (loc.file == last_file_ && loc.line == last_line_ && loc.api == last_api_) return last_place_;
    last_file_ = loc.file;
    last_line_ = loc.line;
    last_api_ = loc.api;
    for (size_t i = 0; i < places.size(); ++i)
        if (places[i].file == loc.file && places[i].line == loc.line && places[i].api == loc.api)
            return last_place_ = static_cast<uint32_t>(i);
    places.push_back(loc);
    return last_place_ = static_cast<uint32_t>(places.size() - 1);
}

void Recorder::instruction(Pipe pipe, const Loc& loc, const Cost& cost) {
    records.push_back({RecordKind::kInstruction, pipe, pipe, 0, place(loc), 0, cost});
}
void Recorder::set(Pipe src, Pipe dst, int id, const Loc& loc) {
    records.push_back({RecordKind::kSet, src, dst, static_cast<uint8_t>(id), place(loc), 0, {}});
}
void Recorder::wait(Pipe src, Pipe dst, int id, const Loc& loc) {
    records.push_back({RecordKind::kWait, dst, src, static_cast<uint8_t>(id), place(loc), 0, {}});
}
void Recorder::barrier(Pipe pipe, const Loc& loc) {
    records.push_back(
        {pipe == Pipe::kAll ? RecordKind::kBarrierAll : RecordKind::kBarrier, pipe, pipe, 0, place(loc), 0, {}});
}
void Recorder::cross_set(Pipe pipe, int mode, int flag, const Loc& loc) {
    records.push_back(
        {RecordKind::kCrossSet, pipe, pipe, static_cast<uint8_t>(flag), place(loc), static_cast<uint8_t>(mode), {}});
}
void Recorder::cross_wait(int flag, const Loc& loc) {
    records.push_back({RecordKind::kCrossWait, Pipe::kS, Pipe::kS, static_cast<uint8_t>(flag), place(loc), 0, {}});
}
void Recorder::scalar(const Loc& loc) {
    records.push_back({RecordKind::kScalar, Pipe::kS, Pipe::kS, 0, place(loc), 0, {}});
}

}  // namespace twin
