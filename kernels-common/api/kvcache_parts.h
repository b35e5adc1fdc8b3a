// SPDX-License-Identifier: BSD-3-Clause
// The steps of forward_from_arguments, in the order in which a reader of the signature meets the arguments. Each fills
// its part of the request and may rely on the parts before it.
#pragma once

#include "api/arguments.h"
#include "api/rules.h"
#include "flash_attn_npu/request.h"

namespace flash_attn_npu::api {

// inputs.cpp
void read_queries(const KvCacheArguments& a, const Rules& rules, Forward& f);
void read_cache(const KvCacheArguments& a, const Rules& rules, Forward& f);
void read_cache_index(const KvCacheArguments& a, const Rules& rules, Forward& f);
void read_new_keys(const KvCacheArguments& a, Forward& f);
void read_query_value(const KvCacheArguments& a, Forward& f);
void read_rotary(const KvCacheArguments& a, const Rules& rules, Forward& f);
// score.cpp
void read_score(const KvCacheArguments& a, Forward& f);
// mask.cpp: also whether rows of q rotate by their own position, and the LSE of a row without keys
void read_mask(const KvCacheArguments& a, const Rules& rules, Forward& f);

}  // namespace flash_attn_npu::api
