// SPDX-License-Identifier: BSD-3-Clause
// Which device the calling thread uses.
#pragma once

namespace acl_emulation {

// -1 before the first aclrtSetDevice of this thread.
int& current_device();

// Keeps the text for aclGetRecentErrMsg of this thread and returns `code`.
int error(int code, const char* text);

}  // namespace acl_emulation
