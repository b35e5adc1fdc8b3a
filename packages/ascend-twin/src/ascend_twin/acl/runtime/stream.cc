// SPDX-License-Identifier: BSD-3-Clause
#include "stream.h"

#include <chrono>
#include <thread>
#include <utility>

#include "device.h"
#include "fatal.h"
#include "memory.h"
#include "settings.h"

namespace acl_emulation {

uint64_t Event::record_started() {
    std::lock_guard<std::mutex> lock(mutex_);
    return ++started_;
}

void Event::record_done(uint64_t record, double time_us) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (record > done_) {
        done_ = record;
        time_us_ = time_us;
    }
    changed_.notify_all();
}

uint64_t Event::last_record() {
    std::lock_guard<std::mutex> lock(mutex_);
    return started_;
}

void Event::wait(uint64_t record) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return done_ >= record; });
}

bool Event::done(uint64_t record) {
    std::lock_guard<std::mutex> lock(mutex_);
    return done_ >= record;
}

double Event::time_us() {
    std::lock_guard<std::mutex> lock(mutex_);
    return done_ == started_ ? time_us_ : -1;
}

Stream*& Stream::current() {
    static thread_local Stream* stream = nullptr;
    return stream;
}

Stream::Stream(int device, int id) : device_(device), id_(id) {
    // Detached: at the end of the process a worker may be inside a kernel, and nobody waits for it, as on a device.
    std::thread([this] { work(); }).detach();
}

void Stream::push(Task task) {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        queue_.push_back(std::move(task));
    }
    changed_.notify_all();
}

void Stream::enqueue(Task task) {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (capture_) {
            capture_->tasks.push_back(std::move(task));
            return;
        }
    }
    push(std::move(task));
}

void Stream::record(std::shared_ptr<Event> event) {
    // Events order work on a live device: they are not part of a captured graph, which is replayed in one stream.
    if (capturing()) return;
    const uint64_t record = event->record_started();
    push({"aclrtRecordEvent",
          [this, event, record] {
              event->record_done(record, now_us());
              return 0.0;
          },
          false});
}

void Stream::wait(std::shared_ptr<Event> event) {
    if (capturing()) return;
    const uint64_t record = event->last_record();
    push({"aclrtStreamWaitEvent",
          [this, event, record] {
              event->wait(record);
              if (Settings::get().cycles && event->time_us() > clock_us_) clock_us_ = event->time_us();
              return 0.0;
          },
          false});
}

void Stream::replay(const Graph& graph) {
    for (const Task& task : graph.tasks) enqueue(task);
}

bool Stream::synchronise(int32_t timeout_ms) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto idle = [&] { return queue_.empty() && !busy_; };
    if (timeout_ms >= 0) return changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), idle);
    changed_.wait(lock, idle);
    return true;
}

bool Stream::idle() {
    std::lock_guard<std::mutex> lock(mutex_);
    return queue_.empty() && !busy_;
}

void Stream::close() {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    changed_.notify_all();  // under the lock: the worker deletes this object as soon as it sees the flag
}

std::string Stream::error() {
    std::lock_guard<std::mutex> lock(mutex_);
    return error_;
}

void Stream::fail(const std::string& message) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (error_.empty()) error_ = message;
}

Graph* Stream::captured() {
    std::lock_guard<std::mutex> lock(mutex_);
    return capture_;
}

void Stream::begin_capture() {
    std::lock_guard<std::mutex> lock(mutex_);
    capture_ = new Graph;
}

Graph* Stream::end_capture() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(capture_, nullptr);
}

double Stream::now_us() {
    if (Settings::get().cycles) return clock_us_;
    using namespace std::chrono;
    return duration<double, std::micro>(steady_clock::now().time_since_epoch()).count();
}

namespace {

// Kernels may have helper threads, which a fault can only be blamed on by what is running.
struct TaskOnStream {
    explicit TaskOnStream(const char* name) { any_running_task() = name; }
    ~TaskOnStream() { any_running_task() = nullptr; }
};

}  // namespace

void Stream::execute(Task& task) {
    const bool orders_only = !task.touches_memory;
    if (!orders_only && Settings::get().delay_us > 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(Settings::get().delay_us));
    }
    // Events are still recorded after a failure: whoever waits for them must wake up and be told.
    if (!orders_only && !error().empty()) return;
    running_task() = task.name;
    const TaskOnStream shown(task.name);
    double us = 0;
    if (orders_only) {
        us = task.run();
    } else {
        const DeviceAccess access(device_, task.other_device);
        us = task.run();
    }
    running_task() = nullptr;
    if (Settings::get().cycles) clock_us_ += us;
}

void Stream::work() {
    current() = this;
    current_device() = device_;
    for (;;) {
        Task task;
        {
            std::unique_lock<std::mutex> lock(mutex_);
            changed_.wait(lock, [&] { return !queue_.empty() || closing_; });
            if (queue_.empty()) break;
            task = std::move(queue_.front());
            queue_.pop_front();
            busy_ = true;
        }
        execute(task);
        task = {};  // what the task holds is released before anyone hears that it is done
        {
            std::lock_guard<std::mutex> lock(mutex_);
            busy_ = false;
        }
        changed_.notify_all();
    }
    delete this;
}

Streams& Streams::get() {
    static Streams* const streams = new Streams();
    return *streams;
}

Stream* Streams::create(int device) {
    std::lock_guard<std::mutex> lock(mutex_);
    return *all_.insert(new Stream(device, next_id_++)).first;
}

void Streams::destroy(void* handle) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto* stream = static_cast<Stream*>(handle);
    if (all_.erase(stream) == 0) fatal("aclrtDestroyStream of a handle that is not a stream");
    stream->close();
}

Stream* Streams::find(void* handle, const char* function) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (handle == nullptr) {
        const int device = current_device();
        if (device < 0) fatal(std::string(function) + " with the default stream before aclrtSetDevice");
        if (!default_[device]) all_.insert(default_[device] = new Stream(device, next_id_++));
        return default_[device];
    }
    auto* stream = static_cast<Stream*>(handle);
    if (all_.count(stream) == 0) fatal(std::string(function) + " with a handle that is not a stream");
    return stream;
}

std::set<Stream*> Streams::of_device(int device) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::set<Stream*> streams;
    for (Stream* stream : all_) {
        if (stream->device() == device) streams.insert(stream);
    }
    return streams;
}

}  // namespace acl_emulation
