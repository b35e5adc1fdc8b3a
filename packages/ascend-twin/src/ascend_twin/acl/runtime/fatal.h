// SPDX-License-Identifier: BSD-3-Clause
// What must not pass silently: torch_npu would go on with garbage after an error of its task queue.
#pragma once

#include <string>

namespace acl_emulation {

// Prints "acl emulation: TEXT" to stderr, appends it to the file that ASCEND_TWIN_ACL_REPORT names (test runners lose
// the stderr of a process that dies), and aborts.
[[noreturn]] void fatal(const std::string& text);

// As above, from the entry point `function` that nothing here implements.
[[noreturn]] void not_implemented(const char* function, const std::string& detail = "");

}  // namespace acl_emulation
