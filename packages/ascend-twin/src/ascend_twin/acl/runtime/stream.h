// SPDX-License-Identifier: BSD-3-Clause
// Streams and events. Every stream is a queue with a worker thread of its own: work is done in order and later.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace acl_emulation {

struct Task {
    const char* name;             // of static storage duration
    std::function<double()> run;  // returns the device's time in microseconds, as far as it is modelled
    bool touches_memory = true;
    int other_device = -1;  // also touched by copies between devices
};

// Tasks recorded while a stream is captured (aclmdlRI), replayed by aclmdlRIExecuteAsync.
struct Graph {
    std::deque<Task> tasks;
};

class Event {
public:
    // The number of this record; a wait names the record it waits for.
    uint64_t record_started();
    void record_done(uint64_t record, double time_us);
    uint64_t last_record();
    void wait(uint64_t record);
    bool done(uint64_t record);
    double time_us();  // of the last record; negative when it is not done

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    uint64_t started_ = 0, done_ = 0;
    double time_us_ = -1;
};

class Stream {
public:
    Stream(int device, int id);

    int device() const { return device_; }
    int id() const { return id_; }

    // Runs the task after all that were enqueued before, or records it while the stream is captured.
    void enqueue(Task task);
    void record(std::shared_ptr<Event> event);
    void wait(std::shared_ptr<Event> event);
    void replay(const Graph& graph);

    // False when `timeout_ms` (negative: none) passed first.
    bool synchronise(int32_t timeout_ms);
    bool idle();
    // Ends the worker when the queue is empty.
    void close();

    // Text of the first failure, empty if none. A failed stream drops the tasks after it.
    std::string error();
    void fail(const std::string& message);

    bool capturing() { return captured() != nullptr; }
    void begin_capture();
    Graph* captured();     // null unless the stream is being captured
    Graph* end_capture();  // for the caller to delete

    // The stream whose worker calls; null elsewhere.
    static Stream*& current();

private:
    void work();
    void execute(Task& task);
    void push(Task task);
    double now_us();

    const int device_, id_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Task> queue_;
    bool busy_ = false, closing_ = false;
    std::string error_;
    Graph* capture_ = nullptr;
    double clock_us_ = 0;  // the stream's own time when the cycle model keeps it; touched by the worker only
};

// All streams by handle; a handle that is not in here is a caller's bug and fatal.
class Streams {
public:
    static Streams& get();
    Stream* create(int device);
    void destroy(void* handle);
    // Null stands for the default stream of the calling thread's device.
    Stream* find(void* handle, const char* function);
    std::set<Stream*> of_device(int device);

private:
    std::mutex mutex_;
    std::set<Stream*> all_;
    Stream* default_[16] = {};
    int next_id_ = 0;
};

}  // namespace acl_emulation
