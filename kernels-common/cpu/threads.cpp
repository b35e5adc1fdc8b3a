// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/threads.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace flash_attn_npu::cpu {

namespace {

using ThreadFn = void (*)(void*, int32_t);

// ---------------------------------------------------------------------------------------------------------------------
// torch's OpenMP runtime, when the process has one. After a parallel torch operation its workers keep spinning for
// milliseconds; threads of our own would share the cores with them, so we run on those very workers. Nothing links
// OpenMP: the runtime is the one that is loaded, whatever its file is called, or none.

using GompParallel = void (*)(void (*)(void*), void*, unsigned, unsigned);

int find_openmp(dl_phdr_info* info, size_t, void* result) {
    const char* slash = std::strrchr(info->dlpi_name, '/');
    const std::string name = slash ? slash + 1 : info->dlpi_name;
    // GNU's, LLVM's and Intel's runtimes all export GNU's entry point.
    for (const char* prefix : {"libgomp", "libomp", "libiomp5"}) {
        if (name.rfind(prefix, 0) != 0) continue;
        if (void* library = dlopen(info->dlpi_name, RTLD_NOLOAD | RTLD_LAZY)) {
            *static_cast<void**>(result) = dlsym(library, "GOMP_parallel");
            if (*static_cast<void**>(result)) return 1;
        }
    }
    return 0;
}

GompParallel gomp_parallel() {
    static const GompParallel function = [] {
        void* symbol = nullptr;
        dl_iterate_phdr(find_openmp, &symbol);
        return reinterpret_cast<GompParallel>(symbol);
    }();
    return function;
}

struct GompRun {
    ThreadFn fn;
    void* context;
    std::atomic<int32_t> next{0};
};

void gomp_entry(void* data) {
    auto* run = static_cast<GompRun*>(data);
    run->fn(run->context, run->next.fetch_add(1, std::memory_order_relaxed));
}

// ---------------------------------------------------------------------------------------------------------------------
// Own workers, for processes without OpenMP and for forked children, whose inherited OpenMP pool is dead.

class Pool {
public:
    // False when another Python thread is using the pool.
    bool try_run(int32_t threads, ThreadFn fn, void* context) {
        std::unique_lock<std::mutex> one_at_a_time(running_, std::try_to_lock);
        if (!one_at_a_time) return false;
        {
            std::lock_guard<std::mutex> lock(mutex_);
            while (static_cast<int32_t>(workers_.size()) < threads - 1) {
                const int32_t t = static_cast<int32_t>(workers_.size()) + 1;
                workers_.emplace_back([this, t, seen = generation_]() mutable { work(t, seen); });
            }
            fn_ = fn;
            context_ = context;
            threads_ = threads;
            pending_ = threads - 1;
            ++generation_;
        }
        start_.notify_all();
        fn(context, 0);
        std::unique_lock<std::mutex> lock(mutex_);
        done_.wait(lock, [this] { return pending_ == 0; });
        return true;
    }

private:
    void work(int32_t t, uint64_t seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            start_.wait(lock, [&] { return generation_ != seen; });
            seen = generation_;
            if (t >= threads_) continue;
            const ThreadFn fn = fn_;
            void* const context = context_;
            lock.unlock();
            fn(context, t);
            lock.lock();
            if (--pending_ == 0) done_.notify_one();
        }
    }

    std::mutex running_;
    std::mutex mutex_;
    std::condition_variable start_;
    std::condition_variable done_;
    std::vector<std::thread> workers_;
    ThreadFn fn_ = nullptr;
    void* context_ = nullptr;
    int32_t threads_ = 0;
    int32_t pending_ = 0;
    uint64_t generation_ = 0;
};

alignas(Pool) unsigned char pool_storage[sizeof(Pool)];
std::atomic<bool> forked{false};

// Never destroyed: at exit the workers wait on it, and destroying a pool with waiting threads would hang the process.
Pool& pool() {
    static Pool* const instance = new (pool_storage) Pool;
    return *instance;
}

// In a child only the forking thread exists: the parent's workers are gone and its locks are in an unknown state.
void after_fork_in_child() {
    pool();
    new (pool_storage) Pool;
    forked = true;
}

}  // namespace

void parallel_run(int32_t threads, ThreadFn fn, void* context) {
    if (threads <= 1) return fn(context, 0);
    static const int registered = pthread_atfork(nullptr, nullptr, after_fork_in_child);
    (void)registered;
    if (!forked && gomp_parallel()) {
        GompRun run{fn, context};
        return gomp_parallel()(gomp_entry, &run, static_cast<unsigned>(threads), 0);
    }
    if (!pool().try_run(threads, fn, context)) fn(context, 0);
}

}  // namespace flash_attn_npu::cpu
