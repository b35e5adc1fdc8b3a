// SPDX-License-Identifier: BSD-3-Clause
// Copies, fills, creation and indexing. Parameters follow the aclnn interface; `dtype` is an aclDataType.
#include "tensor.h"

using namespace acl_emulation::operators;

// ---------------------------------------------------------------------------------------------------- copies and fills
ACLNN(aclnnInplaceCopy, (Tensor self, Tensor source), (self, source), self->copy_(*source))
ACLNN(aclnnCast, (Tensor self, int dtype, Tensor out), (self, dtype, out), out->copy_(*self))
ACLNN(aclnnInplaceZero, (Tensor self), (self), self->zero_())
ACLNN(aclnnInplaceOne, (Tensor self), (self), self->fill_(1))
ACLNN(aclnnNanToNum, (Tensor self, float nan, float posinf, float neginf, Tensor out), (self, nan, posinf, neginf, out),
      out->copy_(at::nan_to_num(*self, nan, posinf, neginf)))
ACLNN(aclnnInplaceFillScalar, (Tensor self, Scalar value), (self, value), self->fill_(*value))
ACLNN(aclnnInplaceFillTensor, (Tensor self, Tensor value), (self, value), self->fill_(value->item()))
ACLNN(aclnnInplaceMaskedFillScalar, (Tensor self, Tensor mask, Scalar value), (self, mask, value),
      self->masked_fill_(*mask, *value))
ACLNN(aclnnInplaceMaskedFillTensor, (Tensor self, Tensor mask, Tensor value), (self, mask, value),
      self->masked_fill_(*mask, value->item()))

// ------------------------------------------------------------------------------------------------------------ creation
ACLNN(aclnnArange, (Scalar start, Scalar end, Scalar step, Tensor out), (start, end, step, out),
      out->copy_(at::arange(*start, *end, *step, at::TensorOptions(out->scalar_type()))))
ACLNN(aclnnInplaceNormal, (Tensor self, float mean, float std, int64_t seed, int64_t offset),
      (self, mean, std, seed, offset), self->normal_(mean, std, at::detail::createCPUGenerator(seed + offset)))
ACLNN(aclnnInplaceUniform, (Tensor self, double from, double to, uint64_t seed, uint64_t offset),
      (self, from, to, seed, offset), self->uniform_(from, to, at::detail::createCPUGenerator(seed + offset)))
ACLNN(aclnnInplaceRandom, (Tensor self, int64_t from, int64_t to, int64_t seed, int64_t offset),
      (self, from, to, seed, offset), self->random_(from, to, at::detail::createCPUGenerator(seed + offset)))
ACLNN(aclnnRandperm, (int64_t n, int64_t seed, int64_t offset, Tensor out), (n, seed, offset, out),
      out->copy_(at::randperm(n, at::detail::createCPUGenerator(seed + offset))))

// ---------------------------------------------------------------------------------------------- joining and reordering
ACLNN(aclnnCat, (Tensors tensors, int64_t dim, Tensor out), (tensors, dim, out), out->copy_(at::cat(*tensors, dim)))
ACLNN(aclnnStack, (Tensors tensors, int64_t dim, Tensor out), (tensors, dim, out), out->copy_(at::stack(*tensors, dim)))
ACLNN(aclnnRepeat, (Tensor self, Ints repeats, Tensor out), (self, repeats, out), out->copy_(self->repeat(*repeats)))
ACLNN(aclnnRepeatInterleaveIntWithDim, (Tensor self, int64_t repeats, int64_t dim, int64_t size, Tensor out),
      (self, repeats, dim, size, out), out->copy_(at::repeat_interleave(*self, repeats, dim)))
ACLNN(aclnnTril, (Tensor self, int64_t diagonal, Tensor out), (self, diagonal, out), out->copy_(self->tril(diagonal)))
ACLNN(aclnnTriu, (Tensor self, int64_t diagonal, Tensor out), (self, diagonal, out), out->copy_(self->triu(diagonal)))
ACLNN(aclnnSWhere, (Tensor condition, Tensor self, Tensor other, Tensor out), (condition, self, other, out),
      out->copy_(at::where(*condition, *self, *other)))

// ------------------------------------------------------------------------------------------------------------ indexing
namespace {

c10::List<std::optional<at::Tensor>> indices_of(const Tensors& list) {
    c10::List<std::optional<at::Tensor>> indices;
    for (const at::Tensor& index : *list) {
        // A dimension that is not indexed comes as an empty tensor.
        const bool used = index.defined() && (index.numel() != 0 || index.scalar_type() != at::kFloat);
        indices.push_back(used ? std::make_optional(index) : std::nullopt);
    }
    return indices;
}

}  // namespace

ACLNN(aclnnIndex, (Tensor self, Tensors indices, Tensor out), (self, indices, out),
      out->copy_(at::index(*self, indices_of(indices))))
ACLNN(aclnnIndexPutImpl, (Tensor self, Tensors indices, Tensor values, bool accumulate, bool unsafe),
      (self, indices, values, accumulate, unsafe),
      at::index_put_(const_cast<at::Tensor&>(*self), indices_of(indices), *values, accumulate))
ACLNN(aclnnIndexSelect, (Tensor self, int64_t dim, Tensor index, Tensor out), (self, dim, index, out),
      out->copy_(self->index_select(dim, *index)))
ACLNN(aclnnGather, (Tensor self, int64_t dim, Tensor index, Tensor out), (self, dim, index, out),
      out->copy_(self->gather(dim, index->to(at::kLong))))
ACLNN(aclnnEmbedding, (Tensor weight, Tensor indices, Tensor out), (weight, indices, out),
      out->copy_(at::embedding(*weight, *indices)))

// Results whose size the device finds out: `out` is large enough for all; the caller asks aclGetViewShape afterwards.
namespace {

void shrink_to(const Tensor& out, const at::Tensor& result) {
    at::Tensor rows = result.dim() == 0 ? *out : out->narrow(0, 0, result.size(0));
    rows.copy_(result);
    out.object->tensor = rows;
}

}  // namespace

ACLNN(aclnnMaskedSelect, (Tensor self, Tensor mask, Tensor out), (self, mask, out),
      shrink_to(out, at::masked_select(*self, *mask)))
ACLNN(aclnnNonzero, (Tensor self, Tensor out), (self, out), shrink_to(out, at::nonzero(*self)))
