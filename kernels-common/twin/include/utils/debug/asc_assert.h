// assert in kernels: the host's.
#pragma once
#include <cassert>
