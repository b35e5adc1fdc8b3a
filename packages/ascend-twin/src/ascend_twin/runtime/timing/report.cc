// SPDX-License-Identifier: BSD-3-Clause
// What a timeline came to, as JSON.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

#include "machine/json.h"
#include "timing/timeline.h"

namespace twin {
namespace {

const char* name_of_path(int path) {
    static const char* names[] = {"GM->L1", "GM->UB", "L0C->GM", "L0C->L1", "L1->GM", "L1->L0A", "L1->L0B", "UB->GM"};
    return names[path];
}

}  // namespace

std::map<std::string, Stall> Timeline::stalls_by_place() const {
    std::map<std::string, Stall> all;
    for (const CoreState& c : cores_)
        for (size_t i = 0; i < c.stalls.size(); ++i) {
            if (c.stalls[i].times == 0) continue;
            const Record& r = c.source->program.records[i / kReasons];
            const Reason reason = static_cast<Reason>(i % kReasons);
            const Loc& loc = c.source->program.places[r.place];
            const char* file = std::strrchr(loc.file, '/');
            const Pipe pipe = reason == kScalarWaits ? Pipe::kS : r.pipe;
            std::string key =
                std::string(c.source->cube ? "AIC " : "AIV ") + twin::name_of(pipe) + "|" + name_of(reason) + "|";
            if (r.kind == RecordKind::kWait)
                key += std::string(twin::name_of(r.other)) + "_" + twin::name_of(r.pipe) + " event " +
                       std::to_string(r.id);
            else if (r.kind == RecordKind::kCrossWait)
                key += "cross-core flag " + std::to_string(r.id);
            else
                key += loc.api;
            key += std::string("|") + (file ? file + 1 : loc.file) + ":" + std::to_string(loc.line);
            Stall& s = all[key];
            s.cycles += c.stalls[i].cycles;
            s.times += c.stalls[i].times;
        }
    return all;
}

std::pair<int, int> Timeline::cores_at_once() const {
    int cubes = 0, vectors = 0;
    for (const CoreState& c : cores_) (c.source->cube ? cubes : vectors)++;
    return {std::min(cubes, chip_.cores), std::min(vectors, 2 * chip_.cores)};
}

void Timeline::report_totals(std::ostream& out) const {
    const double total = total_, us = total / chip_.mhz;
    const auto [cube_cores, _] = cores_at_once();
    double macs = 0;
    for (const CoreState& c : cores_) macs += c.macs;
    const double mac_cycles = macs / 4096;  // of half; other types are reported through busy M
    const double cube_bound = cube_cores ? mac_cycles / chip_.cores : 0;
    const double hbm_bound = hbm_bytes_ / hbm_rate_, l2_bound = l2_bytes_ / l2_rate_;
    const double bound = std::max(cube_bound, std::max(hbm_bound, l2_bound));
    out << "{\"kernel\":" << quoted(launch_.kernel) << ",\"chip\":" << quoted(chip_.name)
        << ",\"blocks\":" << launch_.blocks << ",\"cycles\":" << total << ",\"us\":" << us
        << ",\"task_us\":" << task_us() << ",\"mhz\":" << chip_.mhz
        << ",\"tflops\":" << (us > 0 ? 2 * macs / us * 1e-6 : 0)
        << ",\"cube_utilisation\":" << (total > 0 ? mac_cycles / total / chip_.cores : 0)
        << ",\"roofline\":{\"fraction\":" << (total > 0 ? bound / total : 0)
        << ",\"cube_us\":" << cube_bound / chip_.mhz << ",\"hbm_us\":" << hbm_bound / chip_.mhz
        << ",\"l2_us\":" << l2_bound / chip_.mhz << "}"
        << ",\"l2\":{\"bytes\":" << l2_bytes_ << ",\"hbm_bytes\":" << hbm_bytes_
        << ",\"hit_rate\":" << (l2_.hits + l2_.misses ? static_cast<double>(l2_.hits) / (l2_.hits + l2_.misses) : 0)
        << ",\"tbps\":" << (us > 0 ? l2_bytes_ / us * 1e-6 : 0)
        << ",\"hbm_tbps\":" << (us > 0 ? hbm_bytes_ / us * 1e-6 : 0) << "}";
}

void Timeline::report_pipes(std::ostream& out) const {
    const double total = total_;
    const auto [cube_cores, vector_cores] = cores_at_once();
    double busy[2][kPipes] = {};
    for (const CoreState& c : cores_)
        for (int p = 0; p < kPipes; ++p) busy[c.source->cube][p] += p == 0 ? c.scalar_busy : c.pipes[p].busy_cycles;
    out << ",\"busy\":{";
    bool first = true;
    for (int cube = 1; cube >= 0; --cube)
        for (int p = 0; p < kPipes; ++p) {
            const int n = cube ? cube_cores : vector_cores;
            if (!n || busy[cube][p] == 0) continue;
            out << (first ? "" : ",") << "\"" << (cube ? "AIC " : "AIV ") << name_of(static_cast<Pipe>(p))
                << "\":" << busy[cube][p] / n / total;
            first = false;
        }
    out << "},\"bytes\":{";
    first = true;
    for (int path = 0; path < kPaths; ++path) {
        if (!moved_[path].used) continue;
        out << (first ? "" : ",") << quoted(name_of_path(path)) << ":" << moved_[path].bytes;
        first = false;
    }
}

void Timeline::report_stalls(std::ostream& out) const {
    const double total = total_;
    const auto [cube_cores, vector_cores] = cores_at_once();
    out << "},\"stalls\":[";
    const auto by_place = stalls_by_place();
    std::vector<std::pair<std::string, Stall>> all(by_place.begin(), by_place.end());
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second.cycles > b.second.cycles; });
    for (size_t i = 0; i < all.size() && i < 20; ++i) {
        std::vector<std::string> parts;
        std::istringstream in(all[i].first);
        std::string part;
        while (std::getline(in, part, '|')) parts.push_back(part);
        parts.resize(4);
        const int n = parts[0].compare(0, 3, "AIC") == 0 ? cube_cores : vector_cores;
        out << (i ? "," : "") << "{\"pipe\":" << quoted(parts[0]) << ",\"reason\":" << quoted(parts[1])
            << ",\"on\":" << quoted(parts[2]) << ",\"where\":" << quoted(parts[3])
            << ",\"share\":" << all[i].second.cycles / std::max(1, n) / total << ",\"times\":" << all[i].second.times
            << "}";
    }
}

void Timeline::report_cores(std::ostream& out) const {
    const double total = total_;
    // Every core: when it worked and how busy its computing pipe was; cores of programs that issued nothing are left
    // out.
    out << "],\"cycles_per_step\":" << activity_.width() << ",\"cores\":[";
    bool first = true;
    out.precision(4);
    for (size_t i = 0; i < cores_.size(); ++i) {
        const CoreState& c = cores_[i];
        if (c.source->program.lines.empty()) continue;
        out << (first ? "" : ",") << "{\"name\":" << quoted(c.source->name) << ",\"start_us\":" << c.began / chip_.mhz
            << ",\"end_us\":" << c.finished / chip_.mhz << ",\"busy\":[";
        const auto steps = static_cast<size_t>(std::ceil(total / activity_.width()));
        for (size_t s = 0; s < std::min(steps, activity_.of(static_cast<int>(i)).size()); ++s)
            out << (s ? "," : "") << activity_.of(static_cast<int>(i))[s] / activity_.width();
        out << "]}";
        first = false;
    }
}

void Timeline::report_intervals(std::ostream& out) const {
    out << "],\"intervals\":[";
    out.precision(9);
    for (size_t i = 0; i < intervals_.size(); ++i) {
        const Interval& v = intervals_[i];
        const Record& r = record(v.core, v.record);
        const Loc& loc = cores_[v.core].source->program.places[r.place];
        out << (i ? "," : "") << "[" << quoted(cores_[v.core].source->name) << ",\"" << name_of(v.pipe) << "\","
            << v.start << "," << v.end << "," << quoted(loc.api) << "," << loc.line << "]";
    }
    out << "]}";
}

std::string Timeline::report() const {
    std::ostringstream out;
    out.precision(10);
    report_totals(out);
    report_pipes(out);
    report_stalls(out);
    report_cores(out);
    report_intervals(out);
    return out.str();
}

}  // namespace twin
