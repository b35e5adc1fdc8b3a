// AscendC::Std: the device's small standard library, mapped to the host's.
#pragma once
#include <algorithm>
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
template <typename T>
constexpr T min(const T a, const T b) {
    return b < a ? b : a;
}
template <typename T, typename U, typename = std::enable_if_t<!std::is_same<T, U>::value>>
constexpr T min(const T a, const U b) {
    return static_cast<T>(b) < a ? static_cast<T>(b) : a;
}
template <typename T>
constexpr T max(const T a, const T b) {
    return a < b ? b : a;
}
template <typename T, typename U, typename = std::enable_if_t<!std::is_same<T, U>::value>>
constexpr T max(const T a, const U b) {
    return a < static_cast<T>(b) ? static_cast<T>(b) : a;
}
using std::apply;
using std::bool_constant;
using std::conditional;
using std::conditional_t;
using std::decay;
using std::decay_t;
using std::enable_if;
using std::enable_if_t;
using std::false_type;
using std::forward;
using std::get;
using std::index_sequence;
using std::integer_sequence;
using std::integral_constant;
using std::is_base_of;
using std::is_base_of_v;
using std::is_const;
using std::is_convertible;
using std::is_convertible_v;
using std::is_integral;
using std::is_integral_v;
using std::is_pointer;
using std::is_reference;
using std::is_same;
using std::is_same_v;
using std::is_void;
using std::make_index_sequence;
using std::make_integer_sequence;
using std::make_tuple;
using std::move;
using std::remove_const;
using std::remove_cv;
using std::remove_cv_t;
using std::remove_pointer;
using std::remove_reference;
using std::remove_reference_t;
using std::tie;
using std::true_type;
using std::tuple;
using std::tuple_element;
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
struct is_one_of : std::bool_constant<is_one_of_v<T, U...>> {};
template <size_t N>
using Int = std::integral_constant<size_t, N>;
template <typename A, typename B>
using IsSame = std::is_same<A, B>;
}  // namespace Std
}  // namespace AscendC
