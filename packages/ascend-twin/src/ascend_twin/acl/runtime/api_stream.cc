// SPDX-License-Identifier: BSD-3-Clause
// ACL: streams, events, captured graphs, and how a kernel of a device library is launched.
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "acl_types.h"
#include "device.h"
#include "fatal.h"
#include "memory.h"
#include "settings.h"
#include "stream.h"

namespace acl_emulation {

namespace {

// What a stream's user is told after a failure. It is told again and again, as a device in error does.
aclError status_of(Stream* stream) {
    const std::string text = stream->error();
    return text.empty() ? ACL_SUCCESS : error(ACL_ERROR_RT_AICORE_EXCEPTION, text.c_str());
}

// Handles are heap objects that share the event with the tasks that name it, so that destroying the handle is safe.
using EventHandle = std::shared_ptr<Event>;

std::mutex events_mutex;
std::set<void*>& events() {
    static auto* const set = new std::set<void*>();
    return *set;
}

EventHandle event_of(aclrtEvent handle, const char* function) {
    std::lock_guard<std::mutex> lock(events_mutex);
    if (events().count(handle) == 0) fatal(std::string(function) + " with a handle that is not an event");
    return *static_cast<EventHandle*>(handle);
}

}  // namespace

}  // namespace acl_emulation

using namespace acl_emulation;

ACL_EXPORT aclError aclrtCreateStream(aclrtStream* stream) {
    if (current_device() < 0) return error(ACL_ERROR_RT_CONTEXT_NULL, "aclrtCreateStream: no device was set");
    *stream = Streams::get().create(current_device());
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtCreateStreamWithConfig(aclrtStream* stream, uint32_t, uint32_t) {
    return aclrtCreateStream(stream);
}

ACL_EXPORT aclError aclrtDestroyStream(aclrtStream stream) {
    Streams::get().destroy(stream);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtDestroyStreamForce(aclrtStream stream) { return aclrtDestroyStream(stream); }

ACL_EXPORT aclError aclrtSetStreamFailureMode(aclrtStream, uint64_t) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclrtSetStreamAttribute(aclrtStream, int, void*) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclrtSetStreamOverflowSwitch(aclrtStream, uint32_t) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclrtGetStreamOverflowSwitch(aclrtStream, uint32_t* value) {
    *value = 0;
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtStreamGetId(aclrtStream handle, int32_t* id) {
    *id = Streams::get().find(handle, "aclrtStreamGetId")->id();
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtSynchronizeStreamWithTimeout(aclrtStream handle, int32_t timeout_ms) {
    Stream* stream = Streams::get().find(handle, "aclrtSynchronizeStream");
    if (stream->capturing()) {
        return error(ACL_ERROR_RT_CAPTURE_MODE_NOT_SUPPORT, "aclrtSynchronizeStream: the stream is being captured");
    }
    if (!stream->synchronise(timeout_ms)) return error(ACL_ERROR_RT_WAIT_TIMEOUT, "aclrtSynchronizeStream: timeout");
    return status_of(stream);
}

ACL_EXPORT aclError aclrtSynchronizeStream(aclrtStream handle) { return aclrtSynchronizeStreamWithTimeout(handle, -1); }

ACL_EXPORT aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout_ms) {
    aclError status = ACL_SUCCESS;
    for (Stream* stream : Streams::get().of_device(current_device())) {
        const aclError one = aclrtSynchronizeStreamWithTimeout(stream, timeout_ms);
        if (status == ACL_SUCCESS) status = one;
    }
    return status;
}

ACL_EXPORT aclError aclrtSynchronizeDevice() { return aclrtSynchronizeDeviceWithTimeout(-1); }

ACL_EXPORT aclError aclrtStreamQuery(aclrtStream handle, int* status) {
    Stream* stream = Streams::get().find(handle, "aclrtStreamQuery");
    *status = stream->idle() ? 0 : 1;
    return status_of(stream);
}

// --------------------------------------------------------------------------------------------------------- events

ACL_EXPORT aclError aclrtCreateEventExWithFlag(aclrtEvent* handle, uint32_t) {
    std::lock_guard<std::mutex> lock(events_mutex);
    *handle = new EventHandle(std::make_shared<Event>());
    events().insert(*handle);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtCreateEventWithFlag(aclrtEvent* handle, uint32_t flag) {
    return aclrtCreateEventExWithFlag(handle, flag);
}

ACL_EXPORT aclError aclrtDestroyEvent(aclrtEvent handle) {
    event_of(handle, "aclrtDestroyEvent");
    std::lock_guard<std::mutex> lock(events_mutex);
    events().erase(handle);
    delete static_cast<EventHandle*>(handle);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtRecordEvent(aclrtEvent handle, aclrtStream stream) {
    Streams::get().find(stream, "aclrtRecordEvent")->record(event_of(handle, "aclrtRecordEvent"));
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtStreamWaitEvent(aclrtStream stream, aclrtEvent handle) {
    Streams::get().find(stream, "aclrtStreamWaitEvent")->wait(event_of(handle, "aclrtStreamWaitEvent"));
    return ACL_SUCCESS;
}

// Only for events that are reused by resetting them; these are numbered instead.
ACL_EXPORT aclError aclrtResetEvent(aclrtEvent handle, aclrtStream) {
    event_of(handle, "aclrtResetEvent");
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtSynchronizeEvent(aclrtEvent handle) {
    const EventHandle event = event_of(handle, "aclrtSynchronizeEvent");
    event->wait(event->last_record());
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtQueryEventStatus(aclrtEvent handle, int* status) {
    const EventHandle event = event_of(handle, "aclrtQueryEventStatus");
    *status = event->done(event->last_record()) ? 1 : 0;
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtQueryEventWaitStatus(aclrtEvent handle, int* status) {
    const EventHandle event = event_of(handle, "aclrtQueryEventWaitStatus");
    *status = event->done(event->last_record()) ? 0 : 1;
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtEventElapsedTime(float* ms, aclrtEvent start, aclrtEvent end) {
    const double begin = event_of(start, "aclrtEventElapsedTime")->time_us();
    const double stop = event_of(end, "aclrtEventElapsedTime")->time_us();
    if (begin < 0 || stop < 0) {
        return error(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, "aclrtEventElapsedTime: an event is not complete");
    }
    *ms = static_cast<float>((stop - begin) * 1e-3);
    return ACL_SUCCESS;
}

// ------------------------------------------------------------------------------------------------- captured graphs

ACL_EXPORT aclError aclmdlRICaptureBegin(aclrtStream handle, int) {
    Streams::get().find(handle, "aclmdlRICaptureBegin")->begin_capture();
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclmdlRICaptureGetInfo(aclrtStream handle, int* status, aclmdlRI* graph) {
    *graph = Streams::get().find(handle, "aclmdlRICaptureGetInfo")->captured();
    *status = *graph ? ACL_MODEL_RI_CAPTURE_STATUS_ACTIVE : ACL_MODEL_RI_CAPTURE_STATUS_NONE;
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclmdlRICaptureEnd(aclrtStream handle, aclmdlRI* graph) {
    *graph = Streams::get().find(handle, "aclmdlRICaptureEnd")->end_capture();
    if (*graph) return ACL_SUCCESS;
    return error(ACL_ERROR_RT_STREAM_NOT_CAPTURED, "aclmdlRICaptureEnd: the stream is not captured");
}

ACL_EXPORT aclError aclmdlRIExecuteAsync(aclmdlRI graph, aclrtStream handle) {
    Streams::get().find(handle, "aclmdlRIExecuteAsync")->replay(*static_cast<Graph*>(graph));
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclmdlRIDestroy(aclmdlRI graph) {
    delete static_cast<Graph*>(graph);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclmdlRICaptureThreadExchangeMode(int* mode) {
    static thread_local int current = 0;
    std::swap(current, *mode);
    return ACL_SUCCESS;
}

// -------------------------------------------------------------------------------------------------------- launches

ACL_EXPORT aclError aclrtLaunchHostFunc(aclrtStream handle, void (*function)(void*), void* argument) {
    Streams::get()
        .find(handle, "aclrtLaunchHostFunc")
        ->enqueue({"host function",
                   [=] {
                       function(argument);
                       return 0.0;
                   },
                   false});
    return ACL_SUCCESS;
}

// A kernel launch of a device library that runs on the host. `run(argument)` is called on the stream's worker, once, or
// once per replay of a captured graph, and returns the device's predicted time in microseconds, 0 if it knows none;
// `destroy(argument)` follows when no call can come any more, unless the launch is refused. `name` is for messages and
// must stay valid.
ACL_EXPORT int acl_emulated_launch(aclrtStream handle, const char* name, double (*run)(void*), void* argument,
                                   void (*destroy)(void*)) {
    Stream* stream = Streams::get().find(handle, "acl_emulated_launch");
    if (stream->device() != current_device()) {
        return error(ACL_ERROR_RT_STREAM_CONTEXT, "launch on a stream of a device that is not the current one");
    }
    if (Settings::get().dispatch_us > 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(Settings::get().dispatch_us));
    }
    const std::shared_ptr<void> owned(argument, destroy);
    stream->enqueue({name, [run, owned] { return run(owned.get()); }});
    return ACL_SUCCESS;
}

// Inside a launch: the stream fails, and whoever synchronises with it is told `message`.
ACL_EXPORT void acl_emulated_fail(const char* message) {
    if (Stream::current() == nullptr) fatal("acl_emulated_fail outside of a launch: " + std::string(message));
    Stream::current()->fail(message);
}
