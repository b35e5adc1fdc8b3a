// printf in kernels: the host's.
#pragma once
#include <cstdio>
