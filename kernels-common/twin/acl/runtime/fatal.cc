#include "fatal.h"

#include <unistd.h>

#include <cstdlib>

namespace acl_emulation {

void fatal(const std::string& text) {
    const std::string line = "acl emulation: " + text + "\n";
    // Not through stdio: the process may be inside it, or in a signal handler.
    for (size_t done = 0; done < line.size();) {
        const ssize_t n = write(STDERR_FILENO, line.data() + done, line.size() - done);
        if (n <= 0) break;
        done += static_cast<size_t>(n);
    }
    std::abort();
}

void not_implemented(const char* function, const std::string& detail) {
    fatal(std::string(function) + (detail.empty() ? "" : " (" + detail + ")") +
          " was called: the emulated runtime does not implement it");
}

}  // namespace acl_emulation
