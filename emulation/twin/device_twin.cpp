// SPDX-License-Identifier: BSD-3-Clause
// The twin: launches run on host threads, on host memory. With a stream (npu tensors over the emulated ACL runtime)
// they run when the stream gets there; without one, at once.
//
// FLASH_ATTN_NPU_TWIN_MODE: fast, check or cycles; unset: what the process configured, fast at first.
// FLASH_ATTN_NPU_TWIN_SEED: order in which cores take turns; 0 (default): block order.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "host/device.h"
#include "twin/c_api.h"
#include "twin_memory.h"

namespace flash_attn_npu::ascend::host {

namespace {

// What the emulated ACL runtime exports (packages/ascend-twin/src/ascend_twin/acl); it is in the process when a stream
// is.
using EmulatedRun = double (*)(void* argument);
using EmulatedDestroy = void (*)(void* argument);
using EmulatedLaunch = int (*)(void* stream, const char* name, EmulatedRun run, void* argument,
                               EmulatedDestroy destroy);
using EmulatedFail = void (*)(const char* message);
using EmulatedWatchMemory = void (*)(void (*live)(uint64_t, uint64_t, const char*, int, int), void (*dead)(uint64_t));

template <class Function>
Function emulated(const char* name) {
    void* symbol = dlsym(RTLD_DEFAULT, name);
    if (symbol == nullptr) {
        throw std::runtime_error(
            std::string("the twin got a stream, but the emulated ACL runtime is not in the process: ") + name +
            " is missing");
    }
    return reinterpret_cast<Function>(symbol);
}

// The twin is one device with one set of findings: one call at a time.
std::mutex& machine() {
    static std::mutex mutex;
    return mutex;
}

void configure(int32_t threads) {
    const char* mode = std::getenv("FLASH_ATTN_NPU_TWIN_MODE");
    const char* seed = std::getenv("FLASH_ATTN_NPU_TWIN_SEED");
    if (mode != nullptr && *mode == '\0') mode = nullptr;
    if (!twin_configure(mode, seed != nullptr ? std::strtoull(seed, nullptr, 10) : 0, threads)) {
        throw std::runtime_error(std::string("FLASH_ATTN_NPU_TWIN_MODE: got ") + mode +
                                 ", expected fast, check or cycles");
    }
}

void launch_and_look(const LaunchPlan& launches, const Execution& execution) {
    twin_clear_findings();
    launches.launch(execution.workspace, nullptr, cross_core_flags());
    if (const char* errors = twin_error_text()) throw std::runtime_error(std::string("the twin found:\n") + errors);
}

void run(const LaunchPlan& launches, const Execution& execution) {
    const std::lock_guard<std::mutex> lock(machine());
    configure(execution.threads);
    const TwinMemory memory(launches.request(), execution.workspace, execution.workspace_bytes, twin_checking());
    launch_and_look(launches, execution);
}

// A call that waits for its turn on a stream. The memory is that of the emulated device, which registers its
// allocations.
struct Queued {
    LaunchPlan launches;
    Execution execution;
};

double run_queued(void* argument) {
    const Queued& queued = *static_cast<const Queued*>(argument);
    const std::lock_guard<std::mutex> lock(machine());
    try {
        configure(queued.execution.threads);
        launch_and_look(queued.launches, queued.execution);
    } catch (const std::exception& error) {
        emulated<EmulatedFail>("acl_emulated_fail")(error.what());
    }
    return twin_take_predicted_us(nullptr);
}

void destroy_queued(void* argument) { delete static_cast<Queued*>(argument); }

void watch_memory() {
    static std::once_flag once;
    std::call_once(
        once, [] { emulated<EmulatedWatchMemory>("acl_emulated_watch_memory")(twin_register_gm, twin_unregister_gm); });
}

}  // namespace

const char* const kName = "twin";
const bool kHostMemory = true;

uint32_t core_count() { return static_cast<uint32_t>(twin_physical_cores()); }

// The twin's flags have no address; a kernel may still look whether it got one.
uint64_t cross_core_flags() { return 0x1000; }

// Launches run one after the other on the thread that makes them: that is stream order.
void set_zero(void* memory, uint64_t bytes, void*) {
    std::memset(memory, 0, bytes);
    twin_initialise_gm(reinterpret_cast<uint64_t>(memory), bytes);
}

void submit(const LaunchPlan& launches, const Execution& execution) {
    if (execution.stream == nullptr) return run(launches, execution);
    watch_memory();
    const auto launch = emulated<EmulatedLaunch>("acl_emulated_launch");
    auto queued = std::make_unique<Queued>(Queued{launches, execution});
    if (launch(execution.stream, "flash_attn_with_kvcache", run_queued, queued.get(), destroy_queued) != 0) {
        throw std::runtime_error("the emulated ACL runtime refused the launch");
    }
    queued.release();
}

const char* describe() { return "Ascend 910B, kernels on the twin (host CPU)"; }

}  // namespace flash_attn_npu::ascend::host
