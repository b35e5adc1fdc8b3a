// SPDX-License-Identifier: BSD-3-Clause
// AscendC::Std: the device's small standard library, mapped to the host's.
#pragma once
#include <algorithm>
#include <cmath>
#include <tuple>
#include <type_traits>
#include <utility>

// The device language has min and max as built-in functions of its scalar types.
#define TWIN_MIN_MAX(T)                                             \
    constexpr T min(const T a, const T b) { return b < a ? b : a; } \
    constexpr T max(const T a, const T b) { return a < b ? b : a; }
TWIN_MIN_MAX(int)
TWIN_MIN_MAX(unsigned)
TWIN_MIN_MAX(long)
TWIN_MIN_MAX(unsigned long)
TWIN_MIN_MAX(float)
#undef TWIN_MIN_MAX
constexpr bool likely(bool condition) { return condition; }
constexpr bool unlikely(bool condition) { return condition; }

namespace AscendC {
template <bool condition, typename A, typename B>
using Conditional = std::conditional<condition, A, B>;

namespace Std {
/// Of the common type, as the device's.
template <typename T, typename U>
constexpr auto min(const T& a, const U& b) {
    return a < b ? a : b;
}
template <typename T, typename U>
constexpr auto max(const T& a, const U& b) {
    return a > b ? a : b;
}
template <typename T>
constexpr T abs(const T value) {
    return value < T(0) ? -value : value;
}
template <typename T>
T sqrt(const T value) {
    return static_cast<T>(std::sqrt(static_cast<float>(value)));
}
/// Arithmetic of Int stays in the type, as layouts need it.
template <typename T, T v>
struct integral_constant {
    static constexpr const T value = v;
    using value_type = T;
    using type = integral_constant;
    constexpr operator T() const noexcept { return v; }
    constexpr T operator()() const noexcept { return v; }
};
using true_type = integral_constant<bool, true>;
using false_type = integral_constant<bool, false>;
template <bool b>
using bool_constant = integral_constant<bool, b>;
template <size_t N>
using Int = integral_constant<size_t, N>;
#define TWIN_INT_OPERATOR(OP)                             \
    template <size_t a, size_t b>                         \
    constexpr Int<(a OP b)> operator OP(Int<a>, Int<b>) { \
        return {};                                        \
    }
TWIN_INT_OPERATOR(+)
TWIN_INT_OPERATOR(-)
TWIN_INT_OPERATOR(*)
TWIN_INT_OPERATOR(/)
TWIN_INT_OPERATOR(%)
#undef TWIN_INT_OPERATOR
using std::add_const;
using std::add_const_t;
using std::add_cv;
using std::add_cv_t;
using std::add_lvalue_reference;
using std::add_lvalue_reference_t;
using std::add_pointer;
using std::add_pointer_t;
using std::add_rvalue_reference;
using std::add_rvalue_reference_t;
using std::add_volatile;
using std::add_volatile_t;
using std::apply;
using std::conditional;
using std::conditional_t;
using std::decay;
using std::decay_t;
using std::declval;
using std::enable_if;
using std::enable_if_t;
using std::forward;
using std::get;
using std::ignore;
using std::index_sequence;
using std::integer_sequence;
using std::is_array;
using std::is_array_v;
using std::is_base_of;
using std::is_base_of_v;
using std::is_class;
using std::is_class_v;
using std::is_const;
using std::is_const_v;
using std::is_convertible;
using std::is_convertible_v;
using std::is_floating_point;
using std::is_floating_point_v;
using std::is_function;
using std::is_function_v;
using std::is_integral;
using std::is_integral_v;
using std::is_pointer;
using std::is_pointer_v;
using std::is_reference;
using std::is_reference_v;
using std::is_same;
using std::is_same_v;
using std::is_union;
using std::is_union_v;
using std::is_void;
using std::is_void_v;
using std::make_index_sequence;
using std::make_integer_sequence;
using std::make_tuple;
using std::move;
using std::remove_const;
using std::remove_const_t;
using std::remove_cv;
using std::remove_cv_t;
using std::remove_extent;
using std::remove_extent_t;
using std::remove_pointer;
using std::remove_pointer_t;
using std::remove_reference;
using std::remove_reference_t;
using std::remove_volatile;
using std::remove_volatile_t;
using std::tie;
using std::tuple;
using std::tuple_cat;
using std::tuple_element;
using std::tuple_element_t;
using std::tuple_size;
using std::tuple_size_v;
template <typename T>
using remove_cvref_t = std::remove_cv_t<std::remove_reference_t<T>>;
template <typename T>
struct remove_cvref {
    using type = remove_cvref_t<T>;
};
template <typename T, typename... U>
constexpr bool is_one_of_v = (std::is_same<T, U>::value || ...);
template <typename T, typename... U>
struct is_one_of : bool_constant<is_one_of_v<T, U...>> {};
template <typename T>
struct is_tuple : false_type {};
template <typename... T>
struct is_tuple<std::tuple<T...>> : true_type {};
template <typename T>
constexpr bool is_tuple_v = is_tuple<T>::value;
/// Whether a type is a constant of value n.
template <auto n, typename T>
struct is_constant : false_type {};
template <auto n, typename T, T v>
struct is_constant<n, integral_constant<T, v>> : bool_constant<v == n> {};
template <auto n, typename T>
constexpr bool is_constant_v = is_constant<n, T>::value;
template <typename T>
struct is_referenceable : bool_constant<!std::is_void<T>::value> {};
template <typename A, typename B>
using IsSame = std::is_same<A, B>;
}  // namespace Std
}  // namespace AscendC
