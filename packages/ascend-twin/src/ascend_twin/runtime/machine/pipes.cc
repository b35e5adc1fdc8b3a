// SPDX-License-Identifier: BSD-3-Clause
// Queues of the pipes: an instruction runs when issued unless its pipe waits for a flag.
#include "machine/cores.h"

namespace twin {

void Core::drain(Pipe pipe) {
    const int p = static_cast<int>(pipe);
    if (draining[p]) return;
    draining[p] = true;
    while (!queue[p].empty() && queue[p].front().try_run()) queue[p].pop_front();
    draining[p] = false;
}

bool Core::drained() const {
    for (const auto& q : queue)
        if (!q.empty()) return false;
    return true;
}

namespace {

/// What the blocked pipes of a core wait for, for deadlock reports.
std::string blocked_pipes(const Core& core) {
    std::string text;
    for (int p = 0; p < kPipes; ++p)
        if (!core.queue[p].empty()) {
            const Queued& head = core.queue[p].front();
            text += format("%s%s waits for %s (%s:%d)", text.empty() ? "" : "; ", name_of(static_cast<Pipe>(p)),
                           head.waits_for.c_str(), head.loc.file, head.loc.line);
        }
    return text;
}

}  // namespace

void pipe_barrier(Pipe pipe, const Loc& loc) {
    Core& core = current();
    if (core.recorder) core.recorder->barrier(pipe, loc);
    if (pipe == Pipe::kAll) {
        if (!core.drained()) {
            block_until(core, [&core] { return core.drained(); }, "PipeBarrier<PIPE_ALL>: " + blocked_pipes(core), loc);
        }
        if (core.checker) core.checker->barrier_all();
        return;
    }
    const int p = static_cast<int>(pipe);
    if (!core.queue[p].empty()) {
        core.queue[p].push_back({[&core, pipe] {
                                     if (core.checker) core.checker->barrier(pipe);
                                     return true;
                                 },
                                 loc, ""});
        return;
    }
    if (core.checker) core.checker->barrier(pipe);
}

}  // namespace twin
