// SPDX-License-Identifier: BSD-3-Clause
#include "fatal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace acl_emulation {

namespace {

// Not through stdio: the process may be inside it, or in a signal handler.
void write_all(int file, const std::string& text) {
    for (size_t done = 0; done < text.size();) {
        const ssize_t n = write(file, text.data() + done, text.size() - done);
        if (n <= 0) break;
        done += static_cast<size_t>(n);
    }
}

}  // namespace

void fatal(const std::string& text) {
    const std::string line = "acl emulation: " + text + "\n";
    write_all(STDERR_FILENO, line);
    if (const char* report = std::getenv("ASCEND_TWIN_ACL_REPORT")) {
        const int file = open(report, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (file >= 0) write_all(file, line);
    }
    std::abort();
}

void not_implemented(const char* function, const std::string& detail) {
    fatal(std::string(function) + (detail.empty() ? "" : " (" + detail + ")") +
          " was called: the emulated runtime does not implement it");
}

}  // namespace acl_emulation
