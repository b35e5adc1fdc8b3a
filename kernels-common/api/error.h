// SPDX-License-Identifier: BSD-3-Clause
// How a bad argument is reported: which Python exception, and a message that names the argument, what it was and what
// is allowed. Thrown before anything is written.
#pragma once

#include <stdexcept>
#include <string>

namespace flash_attn_npu::api {

enum class ErrorKind {
    kType,            // TypeError: wrong Python type or dtype
    kValue,           // ValueError: shape, stride, value or device mix
    kNotImplemented,  // NotImplementedError: a device without a backend
};

class ArgumentError : public std::runtime_error {
public:
    ArgumentError(ErrorKind kind, const std::string& argument, const std::string& got, const std::string& expected)
        : std::runtime_error(argument + ": got " + got + ", expected " + expected), kind_(kind) {}

    ErrorKind kind() const { return kind_; }

private:
    ErrorKind kind_;
};

[[noreturn]] inline void bad_value(const std::string& argument, const std::string& got, const std::string& expected) {
    throw ArgumentError(ErrorKind::kValue, argument, got, expected);
}

}  // namespace flash_attn_npu::api
