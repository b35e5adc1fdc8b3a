// SPDX-License-Identifier: BSD-3-Clause
// What every instruction checks before it is issued.
#pragma once
#include "machine/core.h"

namespace twin {

/// A finding of class illegal_parameter.
inline void illegal(Core& core, const Loc& loc, const std::string& what) {
    core.error("illegal_parameter", std::string(loc.api) + ": " + what, loc);
}

/// The same, as the answer of a check.
inline bool refused(Core& core, const Loc& loc, const std::string& what) {
    illegal(core, loc, what);
    return false;
}

/// On the device a call meant for the other kind of core compiles to nothing.
inline bool here(Core& core, bool cube, const Loc& loc) {
    if (core.cube == cube) return true;
    core.warning("wrong_core", format("%s has no effect on %s", loc.api, core.cube ? "an AIC" : "an AIV"), loc);
    return false;
}

inline void no_path(Core& core, const Loc& loc, Memory from, Memory to) {
    core.error("no_such_path", format("%s: no path from %s to %s", loc.api, name_of(from), name_of(to)), loc);
}

inline bool skip_math() { return Device::get().options.skip_math; }

}  // namespace twin
