// SPDX-License-Identifier: BSD-3-Clause
// The arguments of an operator as a table: name -> member of KvCacheArguments -> how it is read. The order in which
// they arrive is not written here: the operator's schema in Python decides it and is bound at import.
#pragma once

#include <string>
#include <vector>

#include "api/arguments.h"
#include "binding/python.h"

namespace flash_attn_npu::binding {

class ArgumentReader;

struct Field {
    using Arguments = api::KvCacheArguments;
    enum class Read {
        kInput,            // a tensor that is only read: copied when its last dimension is not contiguous
        kInPlace,          // a tensor that is written, or so large that a silent copy would be wrong
        kContents,         // a small tensor whose contents check_contents reads
        kInteger,          // also from a 0-dim tensor
        kOptionalInteger,  // or None
        kNumber,
        kOptionalNumber,
        kFlag,
    };

    const char* name;   // in the schema
    const char* shown;  // to users, in errors
    Read read;
    union {
        api::TensorArgument Arguments::* tensor;
        int64_t Arguments::* integer;
        std::optional<int64_t> Arguments::* optional_integer;
        double Arguments::* number;
        std::optional<double> Arguments::* optional_number;
        bool Arguments::* flag;
    };

    constexpr Field(const char* n, Read how, api::TensorArgument Arguments::* m)
        : name(n), shown(n), read(how), tensor(m) {}
    // `s`: what users call it, when the schema had to split an argument of theirs.
    constexpr Field(const char* n, int64_t Arguments::* m, const char* s = nullptr)
        : name(n), shown(s ? s : n), read(Read::kInteger), integer(m) {}
    constexpr Field(const char* n, std::optional<int64_t> Arguments::* m, const char* s = nullptr)
        : name(n), shown(s ? s : n), read(Read::kOptionalInteger), optional_integer(m) {}
    constexpr Field(const char* n, double Arguments::* m) : name(n), shown(n), read(Read::kNumber), number(m) {}
    constexpr Field(const char* n, std::optional<double> Arguments::* m)
        : name(n), shown(n), read(Read::kOptionalNumber), optional_number(m) {}
    constexpr Field(const char* n, bool Arguments::* m) : name(n), shown(n), read(Read::kFlag), flag(m) {}
};

// The fields of one operator in the order of its schema.
class Signature {
public:
    template <size_t kCount>
    explicit Signature(const Field (&fields)[kCount]) : fields_(fields), count_(kCount) {}

    // `names`: a tuple of the schema's argument names, q first. Throws std::runtime_error when a name is unknown,
    // missing or given twice, or when another order was bound before.
    void bind(PyObject* names);

    // Arguments of a call: the fields, and then the current stream.
    Py_ssize_t call_size() const { return static_cast<Py_ssize_t>(order_.size()) + 1; }
    void read(ArgumentReader& in, api::KvCacheArguments& arguments) const;

private:
    const Field* find(const std::string& name) const;

    const Field* fields_;
    size_t count_;
    std::vector<const Field*> order_;
};

}  // namespace flash_attn_npu::binding
