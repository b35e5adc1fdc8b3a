// SPDX-License-Identifier: BSD-3-Clause
// Texts in JSON.
#pragma once
#include <string>

namespace twin {

inline std::string quoted(const std::string& s) {
    std::string out = "\"";
    for (const char c : s) {
        if (c == '"' || c == '\\')
            out += {'\\', c};
        else if (c == '\n')
            out += "\\n";
        else
            out += static_cast<unsigned char>(c) < 32 ? ' ' : c;
    }
    return out + '"';
}

}  // namespace twin
