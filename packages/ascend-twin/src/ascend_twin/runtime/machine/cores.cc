// SPDX-License-Identifier: BSD-3-Clause
// Launch: blocks dealt to AI cores, every AIC and AIV a fiber, waits that switch fibers, deadlock, end-of-kernel
// checks.
#include "machine/cores.h"

#include "machine/traps.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <map>
#include <random>
#include <stdexcept>
#include <thread>

namespace twin {

struct GiveUp {};  // unwinds a program of a stopped launch
struct WrongKind {
    int kind;
};  // the kernel declares another kind than the launch assumed

std::map<std::string, KernelEntry>& kernels() {
    static std::map<std::string, KernelEntry> all;
    return all;
}

namespace {

constexpr size_t kStack = 1 << 20;
thread_local Core* running = nullptr;
thread_local ucontext_t scheduler;

}  // namespace

struct Core::Fiber {
    ucontext_t context;
    void* stack = nullptr;
    std::function<void()> body;
    std::exception_ptr failure;
    int wrong_kind = -1;
    std::function<bool()> ready;  // when blocked
    Fiber() {
        stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (stack == MAP_FAILED) throw std::bad_alloc();
    }
    ~Fiber() { munmap(stack, kStack); }
};

Core& current() {
    if (!running) throw std::logic_error("an Ascend C call outside a kernel");
    return *running;
}
Core* current_or_null() { return running; }

namespace {

void fiber_main() {
    Core& core = *running;
    try {
        core.fiber->body();
    } catch (GiveUp&) {
    } catch (WrongKind& wrong) {
        core.fiber->wrong_kind = wrong.kind;
    } catch (...) {
        core.fiber->failure = std::current_exception();
    }
    core.finished = true;
    ++core.group.launch.progress;
    swapcontext(&core.fiber->context, &scheduler);
}

void switch_to(Core& core) {
    running = &core;
    swapcontext(&scheduler, &core.fiber->context);
    running = nullptr;
}

void yield(Core& core) { swapcontext(&core.fiber->context, &scheduler); }

}  // namespace

void block_until(Core& core, const std::function<bool()>& ready, const std::string& what, const Loc& loc) {
    if (core.stopping) return;
    core.blocked_on = what;
    core.blocked_at = loc;
    core.fiber->ready = ready;
    while (!ready()) {
        yield(core);
        if (core.group.launch.stopped) {
            core.stopping = true;
            if (std::uncaught_exceptions() == 0) throw GiveUp{};
            return;
        }
    }
    core.fiber->ready = nullptr;
    core.blocked_on.clear();
    ++core.group.launch.progress;
}

void let_others_run(Core& core) {
    if (core.stopping) return;
    yield(core);
    if (core.group.launch.stopped) {
        core.stopping = true;
        if (std::uncaught_exceptions() == 0) throw GiveUp{};
    }
}

AiCore::AiCore(Launch& launch_, int block_) : launch(launch_), block(block_), vectors(launch_.vectors()) {}

namespace {

/// By worker: the launch's progress when it began to look for a core that can run and found none.
using StuckAt = std::vector<std::atomic<uint64_t>>;
constexpr uint64_t kWorks = ~uint64_t{0}, kGone = kWorks - 1;  // it found one; all its blocks are done

/// Runs one share of the blocks on this thread.
class Worker {
public:
    Worker(Launch& launch, const KernelEntry& entry, const KernelCall& call, int number, StuckAt& stuck_at,
           std::vector<RecordedCore>* recorded)
        : launch_(launch),
          entry_(entry),
          call_(call),
          number_(number),
          workers_(static_cast<int>(stuck_at.size())),
          stuck_at_(stuck_at),
          recorded_(recorded),
          random_(Device::get().options.seed) {}

    void run() {
        const Options& options = Device::get().options;
        const int per_chip = launch_.has_cube() ? options.physical_cores : options.physical_cores * 2;
        const size_t at_once = std::max(1, (per_chip + workers_ - 1) / workers_);
        uint64_t next = number_;
        while (!launch_.stopped || !live_.empty()) {
            while (live_.size() < at_once && next < launch_.blocks && !launch_.stopped) {
                start(next);
                next += workers_;
            }
            if (live_.empty()) break;
            stuck_at_[number_] = kWorks;
            const uint64_t progress = launch_.progress;
            if (!sweep()) {
                stuck_at_[number_] = progress;
                if (all_stuck_at(progress)) {
                    launch_.stopped = true;
                    deadlock_ = true;
                }
                std::this_thread::yield();
            }
            retire();
            if (wrong_kind >= 0) launch_.stopped = true;
        }
        stuck_at_[number_] = kGone;
    }

    int wrong_kind = -1;
    std::exception_ptr failure;

private:
    void start(uint64_t block) {
        auto group = std::make_unique<AiCore>(launch_, static_cast<int>(block));
        const int stride = (launch_.has_cube() ? 1 : 0) + launch_.vectors();
        for (int i = 0; i < stride; ++i) {
            const bool cube = launch_.has_cube() && i == 0;
            const int sub = cube ? 0 : i - (launch_.has_cube() ? 1 : 0);
            auto core = std::make_unique<Core>(*group, cube, sub, static_cast<int>(block) * stride + i);
            if (Device::get().checking()) core->checker = std::make_unique<CoreChecker>(*core);
            if (Device::get().recording()) core->recorder = std::make_unique<Recorder>();
            const void* function = cube ? entry_.cube : entry_.vec;
            core->fiber = new Core::Fiber;
            Core* c = core.get();
            core->fiber->body = [this, function] {
                if (function) call_.invoke(function, call_.args);
            };
            getcontext(&c->fiber->context);
            c->fiber->context.uc_stack.ss_sp = c->fiber->stack;
            c->fiber->context.uc_stack.ss_size = kStack;
            c->fiber->context.uc_link = nullptr;
            makecontext(&c->fiber->context, fiber_main, 0);
            group->cores.push_back(std::move(core));
        }
        {
            std::lock_guard<std::mutex> lock(launch_.mutex);
            for (auto& core : group->cores) launch_.all_cores[core->cube].push_back(core.get());
        }
        live_.push_back(std::move(group));
    }

    /// Whatever lets a core go on counts as progress afterwards. So nobody can go on if everybody looked since.
    bool all_stuck_at(uint64_t progress) const {
        for (const auto& at : stuck_at_)
            if (at != progress && at != kGone) return false;
        return launch_.progress == progress;
    }

    /// Gives every runnable core a turn; false when none could run.
    bool sweep() {
        std::vector<Core*> turn;
        for (auto& group : live_)
            for (auto& core : group->cores)
                if (!core->finished) turn.push_back(core.get());
        if (Device::get().options.seed) std::shuffle(turn.begin(), turn.end(), random_);
        bool ran = false;
        for (Core* core : turn) {
            if (core->fiber->ready && !core->fiber->ready() && !launch_.stopped) continue;
            if (deadlock_ && core->fiber->ready && !core->stopping)
                core->error("deadlock",
                            format("%s waits for ever for %s", core->blocked_at.api, core->blocked_on.c_str()),
                            core->blocked_at);
            switch_to(*core);
            ran = true;
            if (core->fiber->wrong_kind >= 0) {
                wrong_kind = core->fiber->wrong_kind;
                launch_.stopped = true;
                return true;
            }
            if (core->fiber->failure && !failure) failure = core->fiber->failure;
        }
        return ran;
    }

    void retire() {
        for (size_t i = 0; i < live_.size();) {
            AiCore& group = *live_[i];
            const bool done =
                std::all_of(group.cores.begin(), group.cores.end(), [](auto& core) { return core->finished; });
            if (!done && !(wrong_kind >= 0)) {
                ++i;
                continue;
            }
            for (auto& core : group.cores) {
                if (wrong_kind < 0 && !core->stopping) finish(*core);
                if (recorded_ && core->recorder) {
                    core->recorder->lines.close();
                    std::lock_guard<std::mutex> lock(launch_.mutex);
                    recorded_->push_back(
                        {group.block, core->cube, core->sub, core->name(), std::move(*core->recorder)});
                }
                delete core->fiber;
                core->fiber = nullptr;
            }
            {
                // Finished cores stay: they may still be notified.
                std::lock_guard<std::mutex> lock(launch_.mutex);
                launch_.groups.push_back(std::move(live_[i]));
            }
            live_.erase(live_.begin() + i);
        }
    }

    static void finish(Core& core) {
        for (int p = 0; p < kPipes; ++p)
            if (!core.queue[p].empty()) {
                const Queued& head = core.queue[p].front();
                core.error("wait_never_satisfied",
                           format("%s at the end of the kernel %s still waits for %s", head.loc.api,
                                  name_of(static_cast<Pipe>(p)), head.waits_for.c_str()),
                           head.loc);
            }
        for (int s = 0; s < kPipes; ++s)
            for (int d = 0; d < kPipes; ++d)
                for (int id = 0; id < kEvents; ++id)
                    if (core.flags[s][d][id].set)
                        core.error("flag_left_set",
                                   format("%s<%s_%s>(%d) was never waited for", core.flags[s][d][id].where.api,
                                          name_of(static_cast<Pipe>(s)), name_of(static_cast<Pipe>(d)), id),
                                   core.flags[s][d][id].where);
        // Local memories of a finished core are not needed any more.
        for (auto& memory : core.memory) memory = LocalMemory();
    }

    Launch& launch_;
    const KernelEntry& entry_;
    const KernelCall& call_;
    const int number_, workers_;
    StuckAt& stuck_at_;
    std::vector<RecordedCore>* recorded_;
    std::vector<std::unique_ptr<AiCore>> live_;
    std::mt19937_64 random_;
    bool deadlock_ = false;
};

void check_cross_flags(const Launch& launch) {
    for (int cube = 0; cube < 2; ++cube)
        for (Core* core : launch.all_cores[cube])
            for (int flag = 0; flag < kCrossFlags; ++flag)
                if (core->cross_count[flag] > 0 && !core->stopping)
                    core->error("cross_flag_left_set",
                                format("CrossCoreSetFlag(%d): the kernel ends with %d notifications nobody waited for",
                                       flag, core->cross_count[flag].load()),
                                core->cross_where[flag].file ? core->cross_where[flag]
                                                             : Loc{"kernel end", 0, "CrossCoreSetFlag"});
}

}  // namespace

std::vector<RecordedLaunch>& recorded_launches() {
    static std::vector<RecordedLaunch> all;
    return all;
}

bool register_kernel(const char* key, bool uses_cube, bool cube, const void* function) {
    KernelEntry& entry = kernels()[key];
    entry.uses_cube |= uses_cube;
    (cube ? entry.cube : entry.vec) = function;
    return true;
}

void kernel_task_type(int value, const Loc&) {
    Core& core = current();
    if (core.group.launch.kind != value) throw WrongKind{value};
}

void launch_entry(KernelEntry& entry, const KernelCall& call, uint64_t blocks) {
    Device& device = Device::get();
    DivisionTraps traps;
    int kind = device.options.kernel_kind >= 0 ? device.options.kernel_kind
               : entry.kind >= 0               ? entry.kind
               : entry.uses_cube               ? 5
                                               : 0;
    for (int attempt = 0; attempt < 2; ++attempt) {
        device.reset_gm_races();
        clear_places();
        Launch launch;
        launch.blocks = blocks;
        launch.kind = kind;
        const int hardware =
            device.options.threads > 0 ? device.options.threads : static_cast<int>(std::thread::hardware_concurrency());
        const int workers = device.checking() ? 1 : static_cast<int>(std::min<uint64_t>(std::max(1, hardware), blocks));
        StuckAt stuck_at(workers);
        for (auto& at : stuck_at) at = kWorks;
        RecordedLaunch record;
        record.kernel = entry.name;
        record.blocks = blocks;
        std::vector<std::unique_ptr<Worker>> all;
        for (int i = 0; i < workers; ++i)
            all.push_back(std::make_unique<Worker>(launch, entry, call, i, stuck_at,
                                                   device.recording() ? &record.cores : nullptr));
        std::vector<std::thread> threads;
        for (int i = 1; i < workers; ++i) threads.emplace_back([&all, i] { all[i]->run(); });
        all[0]->run();
        for (auto& thread : threads) thread.join();
        int wrong = -1;
        for (auto& worker : all) {
            if (worker->failure) std::rethrow_exception(worker->failure);
            if (worker->wrong_kind >= 0) wrong = worker->wrong_kind;
        }
        if (wrong >= 0) {
            kind = entry.kind = wrong;
            continue;
        }
        check_cross_flags(launch);
        if (device.recording()) {
            record.whole = !launch.stopped;
            std::sort(record.cores.begin(), record.cores.end(), [](const RecordedCore& a, const RecordedCore& b) {
                return std::make_tuple(a.block, !a.cube, a.sub) < std::make_tuple(b.block, !b.cube, b.sub);
            });
            recorded_launches().push_back(std::move(record));
        }
        return;
    }
    throw std::runtime_error("the kernel declares two kinds");
}

void launch_kernel(const char* key, const char* name, const KernelCall& call, uint64_t blocks) {
    auto found = kernels().find(key);
    if (found == kernels().end()) throw std::runtime_error(std::string("no such kernel: ") + key);
    found->second.name = name;
    launch_entry(found->second, call, blocks);
}

int64_t block_idx() { return current().group.block; }
int64_t block_num() { return static_cast<int64_t>(current().group.launch.blocks); }
int64_t sub_block_idx() { return current().sub; }
int64_t sub_block_num() { return current().cube ? 1 : current().group.vectors; }
bool on_cube() { return current().cube; }

}  // namespace twin
