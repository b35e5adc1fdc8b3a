// SPDX-License-Identifier: BSD-3-Clause
// Layouts (nested tuples of sizes and strides), coordinates in them, and element types that carry a layout.
#pragma once
#include "ascendc/enums.h"
#include "ascendc/std.h"

namespace AscendC {

template <typename... T>
using Shape = Std::tuple<T...>;
template <typename... T>
using Stride = Std::tuple<T...>;
template <typename... T>
using Coord = Std::tuple<T...>;
template <typename... T>
constexpr Shape<T...> MakeShape(const T&... sizes) {
    return {sizes...};
}
template <typename... T>
constexpr Stride<T...> MakeStride(const T&... strides) {
    return {strides...};
}
template <typename... T>
constexpr Coord<T...> MakeCoord(const T&... at) {
    return {at...};
}

/// Number of leaves of a nested tuple.
template <typename T>
struct nesting_depth {
    static constexpr size_t value = 1;
};
template <typename... T>
struct nesting_depth<Std::tuple<T...>> {
    static constexpr size_t value = (0 + ... + nesting_depth<T>::value);
};
template <typename T>
constexpr size_t nesting_depth_v = nesting_depth<T>::value;

/// Product of all leaves.
template <typename T>
constexpr auto TwinProduct(const T& sizes) {
    if constexpr (Std::is_tuple_v<T>) {
        return std::apply([](const auto&... each) { return (Std::Int<1>{} * ... * TwinProduct(each)); }, sizes);
    } else {
        return sizes;
    }
}
/// Element offset of a coordinate. A plain number over several modes counts through them, the first fastest.
template <typename C, typename S, typename D>
constexpr auto Crd2Idx(const C& coord, const S& shape, const D& stride);
template <size_t mode, typename C, typename S, typename D>
constexpr auto TwinIndexFrom(const C& coord, const S& shape, const D& stride) {
    if constexpr (mode + 1 == Std::tuple_size_v<S>) {
        return Crd2Idx(coord, Std::get<mode>(shape), Std::get<mode>(stride));
    } else {
        const auto size = TwinProduct(Std::get<mode>(shape));
        return Crd2Idx(coord % size, Std::get<mode>(shape), Std::get<mode>(stride)) +
               TwinIndexFrom<mode + 1>(coord / size, shape, stride);
    }
}
template <typename C, typename S, typename D, size_t... I>
constexpr auto TwinIndexEach(const C& coord, const S& shape, const D& stride, Std::index_sequence<I...>) {
    return (... + Crd2Idx(Std::get<I>(coord), Std::get<I>(shape), Std::get<I>(stride)));
}
template <typename C, typename S, typename D>
constexpr auto Crd2Idx(const C& coord, const S& shape, const D& stride) {
    if constexpr (Std::is_tuple_v<C>) {
        static_assert(Std::is_tuple_v<S>, "Crd2Idx: a tuple of coordinates needs a tuple of sizes");
        static_assert(Std::tuple_size_v<C> == Std::tuple_size_v<S>, "Crd2Idx: coordinate and shape differ in rank");
        return TwinIndexEach(coord, shape, stride, Std::make_index_sequence<Std::tuple_size_v<C>>{});
    } else if constexpr (Std::is_tuple_v<S>) {
        static_assert(Std::tuple_size_v<S> == Std::tuple_size_v<D>, "Crd2Idx: shape and stride differ in rank");
        return TwinIndexFrom<0>(coord, shape, stride);
    } else {
        return coord * stride;
    }
}

/// Elements a layout of 2 or of 2 x 2 modes spans: the larger of rows times their stride and columns times theirs.
template <typename S, typename D>
constexpr auto TwinSpan(const S& shape, const D& stride) {
    if constexpr (nesting_depth_v<S> == 4 && Std::tuple_size_v<S> == 2) {
        return Std::max(Std::get<1>(Std::get<0>(shape)) * Std::get<1>(Std::get<0>(stride)),
                        Std::get<1>(Std::get<1>(shape)) * Std::get<1>(Std::get<1>(stride)));
    } else if constexpr (nesting_depth_v<S> == 2 && Std::tuple_size_v<S> == 2) {
        return Std::max(Std::get<0>(shape) * Std::get<0>(stride), Std::get<1>(shape) * Std::get<1>(stride));
    } else {
        return size_t(0);
    }
}
template <typename T>
struct TwinIsStatic : Std::false_type {};
template <size_t n>
struct TwinIsStatic<Std::Int<n>> : Std::true_type {};
template <typename... T>
struct TwinIsStatic<Std::tuple<T...>> : Std::bool_constant<(TwinIsStatic<T>::value && ...)> {};

template <typename S, typename D>
struct Layout {
    static_assert(Std::is_tuple_v<S> && Std::is_tuple_v<D>, "Layout: shape and stride are tuples");
    static constexpr size_t StaticSize() {
        if constexpr (TwinIsStatic<S>::value && TwinIsStatic<D>::value) return TwinSpan(S{}, D{});
        return 0;
    }
    static constexpr size_t size = StaticSize();

    constexpr Layout(const S& shape = {}, const D& stride = {}) : shape_(shape), stride_(stride) {}
    constexpr Layout layout() const { return *this; }
    constexpr size_t GetSize() const { return TwinSpan(shape_, stride_); }
    template <size_t... I>
    constexpr auto GetShape() const {
        return Pick<I...>(shape_);
    }
    template <size_t... I>
    constexpr auto GetStride() const {
        return Pick<I...>(stride_);
    }
    template <typename C>
    constexpr auto operator()(const C& coord) const {
        return Crd2Idx(coord, shape_, stride_);
    }

private:
    template <size_t... I, typename T>
    static constexpr auto Pick(const T& tuple) {
        if constexpr (sizeof...(I) == 0)
            return tuple;
        else
            return Std::make_tuple(Std::get<I>(tuple)...);
    }
    S shape_;
    D stride_;
};
template <typename S, typename D>
constexpr auto MakeLayout(const S& shape, const D& stride) {
    return Layout<S, D>(shape, stride);
}
template <typename C, typename S, typename D>
constexpr auto Crd2Idx(const C& coord, const Layout<S, D>& layout) {
    return layout(coord);
}
template <typename T>
struct is_layout : Std::false_type {};
template <typename S, typename D>
struct is_layout<Layout<S, D>> : Std::true_type {};
template <typename T>
constexpr bool is_layout_v = is_layout<T>::value;

/// An element type with the tensor's position and layout. The elements are of type T.
template <typename T, TPosition pos = TPosition::GM, typename LayoutType = Layout<Shape<>, Stride<>>>
struct TensorTrait {
    static_assert(is_layout_v<LayoutType>, "TensorTrait: the third argument is a Layout");
    using LiteType = T;
    using LiteLayoutType = LayoutType;
    static constexpr TPosition tPos = pos;

    TensorTrait(const LayoutType& layout = {}) : layout_(layout) {}
    LayoutType& GetLayout() { return layout_; }
    const LayoutType& GetLayout() const { return layout_; }
    void SetLayout(const LayoutType& layout) { layout_ = layout; }
    auto GetShape() const { return layout_.GetShape(); }
    auto GetStride() const { return layout_.GetStride(); }

private:
    LayoutType layout_;
};
template <typename T, TPosition pos, typename LayoutType>
constexpr auto MakeTensorTrait(const LayoutType& layout) {
    return TensorTrait<T, pos, LayoutType>(layout);
}
template <typename T>
struct is_tensorTrait : Std::false_type {};
template <typename T, TPosition pos, typename L>
struct is_tensorTrait<TensorTrait<T, pos, L>> : Std::true_type {};
template <typename T>
constexpr bool is_tensorTrait_v = is_tensorTrait<T>::value;

template <typename T, TPosition pos, typename L>
struct TwinPrimOf<TensorTrait<T, pos, L>> {
    using Type = T;
};
template <typename T, TPosition pos, typename L>
struct TwinTypeOf<TensorTrait<T, pos, L>> : TwinTypeOf<T> {};

}  // namespace AscendC
