// SPDX-License-Identifier: BSD-3-Clause
#include "settings.h"

#include <cstdlib>
#include <cstring>

#include "fatal.h"

namespace acl_emulation {

namespace {

int64_t number(const char* name, int64_t otherwise, int64_t lowest) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == 0) return otherwise;
    char* end = nullptr;
    const int64_t value = std::strtoll(text, &end, 10);
    if (*end != 0 || value < lowest) {
        fatal(std::string(name) + "=" + text + ": expected an integer of at least " + std::to_string(lowest));
    }
    return value;
}

std::string text(const char* name, const std::string& otherwise) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != 0 ? value : otherwise;
}

Settings read() {
    Settings s;
    s.devices = static_cast<int>(number("ASCEND_TWIN_ACL_DEVICES", s.devices, 0));
    s.soc = text("ASCEND_TWIN_ACL_SOC", s.soc);
    s.cann = text("ASCEND_TWIN_ACL_CANN", s.cann);
    s.memory = static_cast<uint64_t>(number("ASCEND_TWIN_ACL_MEMORY_GIB", static_cast<int64_t>(s.memory >> 30), 1))
               << 30;
    s.dispatch_us = number("ASCEND_TWIN_ACL_DISPATCH_US", s.dispatch_us, 0);
    s.delay_us = number("ASCEND_TWIN_ACL_DELAY_US", s.delay_us, 0);
    s.host_guard = number("ASCEND_TWIN_ACL_HOST_GUARD", 1, 0) != 0;
    s.poison = number("ASCEND_TWIN_ACL_POISON", 1, 0) != 0;
    const std::string time = text("ASCEND_TWIN_ACL_TIME", "host");
    if (time != "host" && time != "cycles") fatal("ASCEND_TWIN_ACL_TIME=" + time + ": expected host or cycles");
    s.cycles = time == "cycles";
    return s;
}

}  // namespace

const Settings& Settings::get() {
    static const Settings* const settings = new Settings(read());  // leaked: stream threads outlive static destructors
    return *settings;
}

}  // namespace acl_emulation
