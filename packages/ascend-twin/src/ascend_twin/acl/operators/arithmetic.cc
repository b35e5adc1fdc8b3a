// SPDX-License-Identifier: BSD-3-Clause
// Element-wise operators, reductions and products. `dtype` is an aclDataType; `cube_math` chooses precisions of the
// cube.
#include "tensor.h"

using namespace acl_emulation::operators;

// ---------------------------------------------------------------------------------------------------------- arithmetic
ACLNN(aclnnAdd, (Tensor self, Tensor other, Scalar alpha, Tensor out), (self, other, alpha, out),
      out->copy_(at::add(*self, *other, *alpha)))
ACLNN(aclnnAdds, (Tensor self, Scalar other, Scalar alpha, Tensor out), (self, other, alpha, out),
      out->copy_(at::add(*self, *other, *alpha)))
ACLNN(aclnnInplaceAdd, (Tensor self, Tensor other, Scalar alpha), (self, other, alpha), self->add_(*other, *alpha))
ACLNN(aclnnInplaceAdds, (Tensor self, Scalar other, Scalar alpha), (self, other, alpha), self->add_(*other, *alpha))
ACLNN(aclnnSub, (Tensor self, Tensor other, Scalar alpha, Tensor out), (self, other, alpha, out),
      out->copy_(at::sub(*self, *other, *alpha)))
ACLNN(aclnnSubs, (Tensor self, Scalar other, Scalar alpha, Tensor out), (self, other, alpha, out),
      out->copy_(at::sub(*self, *other, *alpha)))
ACLNN(aclnnInplaceSub, (Tensor self, Tensor other, Scalar alpha), (self, other, alpha), self->sub_(*other, *alpha))
ACLNN(aclnnInplaceSubs, (Tensor self, Scalar other, Scalar alpha), (self, other, alpha), self->sub_(*other, *alpha))
ACLNN(aclnnMul, (Tensor self, Tensor other, Tensor out), (self, other, out), out->copy_(at::mul(*self, *other)))
ACLNN(aclnnMuls, (Tensor self, Scalar other, Tensor out), (self, other, out), out->copy_(at::mul(*self, *other)))
ACLNN(aclnnInplaceMul, (Tensor self, Tensor other), (self, other), self->mul_(*other))
ACLNN(aclnnInplaceMuls, (Tensor self, Scalar other), (self, other), self->mul_(*other))
ACLNN(aclnnDiv, (Tensor self, Tensor other, Tensor out), (self, other, out), out->copy_(at::div(*self, *other)))
ACLNN(aclnnDivs, (Tensor self, Scalar other, Tensor out), (self, other, out), out->copy_(at::div(*self, *other)))
ACLNN(aclnnInplaceDiv, (Tensor self, Tensor other), (self, other), self->div_(*other))
ACLNN(aclnnInplaceDivs, (Tensor self, Scalar other), (self, other), self->div_(*other))
ACLNN(aclnnPowTensorScalar, (Tensor self, Scalar exponent, Tensor out), (self, exponent, out),
      out->copy_(at::pow(*self, *exponent)))
ACLNN(aclnnPowScalarTensor, (Scalar self, Tensor exponent, Tensor out), (self, exponent, out),
      out->copy_(at::pow(*self, *exponent)))

#define UNARY(name, function) ACLNN(aclnn##name, (Tensor self, Tensor out), (self, out), out->copy_(function(*self)))
#define INPLACE_UNARY(name, function) ACLNN(aclnnInplace##name, (Tensor self), (self), self->copy_(function(*self)))
UNARY(Abs, at::abs)
UNARY(Neg, at::neg)
UNARY(Exp, at::exp)
UNARY(Sqrt, at::sqrt)
UNARY(Rsqrt, at::rsqrt)
UNARY(Reciprocal, at::reciprocal)
UNARY(Sin, at::sin)
UNARY(Cos, at::cos)
UNARY(Tanh, at::tanh)
UNARY(Sigmoid, at::sigmoid)
UNARY(Silu, at::silu)
UNARY(Gelu, at::gelu)
UNARY(IsFinite, at::isfinite)
UNARY(LogicalNot, at::logical_not)
UNARY(BitwiseNot, at::bitwise_not)
UNARY(Ceil, at::ceil)
UNARY(Floor, at::floor)
UNARY(Log, at::log)
UNARY(Relu, at::relu)
INPLACE_UNARY(Neg, at::neg)
INPLACE_UNARY(Exp, at::exp)
INPLACE_UNARY(Sqrt, at::sqrt)
INPLACE_UNARY(Rsqrt, at::rsqrt)
INPLACE_UNARY(Reciprocal, at::reciprocal)
INPLACE_UNARY(Sin, at::sin)
INPLACE_UNARY(Cos, at::cos)
INPLACE_UNARY(Tanh, at::tanh)
INPLACE_UNARY(Sigmoid, at::sigmoid)
INPLACE_UNARY(LogicalNot, at::logical_not)
INPLACE_UNARY(Relu, at::relu)

// --------------------------------------------------------------------------------------------------------- comparisons
// `name`Tensor, `name`Scalar and both in place.
#define FAMILY(name, function)                                                              \
    ACLNN(aclnn##name##Tensor, (Tensor self, Tensor other, Tensor out), (self, other, out), \
          out->copy_(function(*self, *other)))                                              \
    ACLNN(aclnn##name##Scalar, (Tensor self, Scalar other, Tensor out), (self, other, out), \
          out->copy_(function(*self, *other)))                                              \
    ACLNN(aclnnInplace##name##Tensor, (Tensor self, Tensor other), (self, other),           \
          self->copy_(function(*self, *other)))                                             \
    ACLNN(aclnnInplace##name##Scalar, (Tensor self, Scalar other), (self, other), self->copy_(function(*self, *other)))
FAMILY(Eq, at::eq)
FAMILY(Ne, at::ne)
FAMILY(Lt, at::lt)
FAMILY(Le, at::le)
FAMILY(Gt, at::gt)
FAMILY(Ge, at::ge)
FAMILY(BitwiseAnd, at::bitwise_and)
FAMILY(BitwiseOr, at::bitwise_or)
FAMILY(BitwiseXor, at::bitwise_xor)
ACLNN(aclnnEqual, (Tensor self, Tensor other, Tensor out), (self, other, out), out->fill_(at::equal(*self, *other)))
#define LOGICAL(name, function)                                                     \
    ACLNN(aclnn##name, (Tensor self, Tensor other, Tensor out), (self, other, out), \
          out->copy_(function(*self, *other)))                                      \
    ACLNN(aclnnInplace##name, (Tensor self, Tensor other), (self, other), self->copy_(function(*self, *other)))
ACLNN(aclnnIsClose, (Tensor self, Tensor other, double rtol, double atol, bool equal_nan, Tensor out),
      (self, other, rtol, atol, equal_nan, out), out->copy_(at::isclose(*self, *other, rtol, atol, equal_nan)))
LOGICAL(LogicalAnd, at::logical_and)
LOGICAL(LogicalOr, at::logical_or)
ACLNN(aclnnMaximum, (Tensor self, Tensor other, Tensor out), (self, other, out), out->copy_(at::maximum(*self, *other)))
ACLNN(aclnnMinimum, (Tensor self, Tensor other, Tensor out), (self, other, out), out->copy_(at::minimum(*self, *other)))
ACLNN(aclnnClampMin, (Tensor self, Scalar low, Tensor out), (self, low, out), out->copy_(at::clamp_min(*self, *low)))
ACLNN(aclnnClampMax, (Tensor self, Scalar high, Tensor out), (self, high, out), out->copy_(at::clamp_max(*self, *high)))

// ---------------------------------------------------------------------------------------------------------- reductions
ACLNN(aclnnAll, (Tensor self, Ints dims, bool keep, Tensor out), (self, dims, keep, out),
      out->copy_(at::all(*self, *dims, keep)))
ACLNN(aclnnAny, (Tensor self, Ints dims, bool keep, Tensor out), (self, dims, keep, out),
      out->copy_(at::any(*self, *dims, keep)))
ACLNN(aclnnReduceSum, (Tensor self, Ints dims, bool keep, int dtype, Tensor out), (self, dims, keep, dtype, out),
      out->copy_(at::sum(*self, *dims, keep, scalar_type(dtype))))
ACLNN(aclnnMean, (Tensor self, Ints dims, bool keep, int dtype, Tensor out), (self, dims, keep, dtype, out),
      out->copy_(at::mean(*self, *dims, keep, scalar_type(dtype))))
ACLNN(aclnnMax, (Tensor self, Tensor out), (self, out), out->copy_(at::max(*self)))
ACLNN(aclnnMin, (Tensor self, Tensor out), (self, out), out->copy_(at::min(*self)))
ACLNN(aclnnAmax, (Tensor self, Ints dims, bool keep, Tensor out), (self, dims, keep, out),
      out->copy_(at::amax(*self, *dims, keep)))
ACLNN(aclnnArgMax, (Tensor self, int64_t dim, bool keep, Tensor out), (self, dim, keep, out),
      out->copy_(at::argmax(*self, dim, keep)))
ACLNN(aclnnCumsum, (Tensor self, int64_t dim, int dtype, Tensor out), (self, dim, dtype, out),
      out->copy_(at::cumsum(*self, dim, scalar_type(dtype))))
ACLNN(aclnnSoftmax, (Tensor self, int64_t dim, Tensor out), (self, dim, out), out->copy_(at::softmax(*self, dim)))

// ------------------------------------------------------------------------------------------------------------ products
ACLNN(aclnnMm, (Tensor self, Tensor other, Tensor out, int8_t cube_math), (self, other, out, cube_math),
      out->copy_(at::mm(*self, *other)))
ACLNN(aclnnMatmul, (Tensor self, Tensor other, Tensor out, int8_t cube_math), (self, other, out, cube_math),
      out->copy_(at::matmul(*self, *other)))
ACLNN(aclnnBatchMatMul, (Tensor self, Tensor other, Tensor out, int8_t cube_math), (self, other, out, cube_math),
      out->copy_(at::bmm(*self, *other)))
ACLNN(aclnnAddmm, (Tensor self, Tensor first, Tensor second, Scalar beta, Scalar alpha, Tensor out, int8_t cube_math),
      (self, first, second, beta, alpha, out, cube_math), out->copy_(at::addmm(*self, *first, *second, *beta, *alpha)))
