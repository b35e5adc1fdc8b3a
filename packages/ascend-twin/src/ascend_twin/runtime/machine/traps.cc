// SPDX-License-Identifier: BSD-3-Clause
// Integer division by zero does not trap on the device. Kernels rely on that: a look-ahead past the last tile computes
// an index modulo zero that nobody uses. An Arm host gives quotient 0, remainder the dividend. On x86 the instruction
// faults: the handler steps over it with the same result. What the device itself leaves in the register is not
// documented.
#include "machine/traps.h"

#include <csignal>
#include <cstdint>
#include <cstring>

#include "machine/cores.h"

#if defined(__x86_64__)
#include <ucontext.h>
#endif

namespace twin {
namespace {

#if defined(__x86_64__)
struct sigaction previous;

/// Length of a div or idiv at `code`, 0 for anything else; `wide` and `byte_sized` describe the operand.
int division_length(const uint8_t* code, bool* wide, bool* byte_sized) {
    int at = 0;
    *wide = false;
    while (code[at] == 0x66 || code[at] == 0x2e || code[at] == 0x3e) ++at;
    if ((code[at] & 0xf0) == 0x40) *wide = code[at++] & 8;
    if (code[at] != 0xf6 && code[at] != 0xf7) return 0;
    *byte_sized = code[at++] == 0xf6;
    const uint8_t modrm = code[at++];
    if ((modrm >> 3 & 7) < 6) return 0;
    const int mod = modrm >> 6, rm = modrm & 7;
    if (mod == 3) return at;
    if (rm == 4) {
        const uint8_t sib = code[at++];
        if (mod == 0 && (sib & 7) == 5) at += 4;
    } else if (mod == 0 && rm == 5) {
        at += 4;
    }
    return at + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

void on_fault(int number, siginfo_t* info, void* context) {
    auto& regs = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    bool wide, byte_sized;
    const int length =
        current_or_null() ? division_length(reinterpret_cast<const uint8_t*>(regs[REG_RIP]), &wide, &byte_sized) : 0;
    if (length == 0 || byte_sized) {
        // Not ours: the next fault goes where it would have gone.
        sigaction(SIGFPE, &previous, nullptr);
        (void)number, (void)info;
        return;
    }
    const uint64_t dividend = wide ? regs[REG_RAX] : regs[REG_RAX] & 0xffffffffu;
    regs[REG_RDX] = static_cast<greg_t>(dividend);
    regs[REG_RAX] = 0;
    regs[REG_RIP] += length;
}
#endif

}  // namespace

DivisionTraps::DivisionTraps() {
#if defined(__x86_64__)
    struct sigaction action;
    std::memset(&action, 0, sizeof(action));
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGFPE, &action, &previous);
#endif
}

DivisionTraps::~DivisionTraps() {
#if defined(__x86_64__)
    sigaction(SIGFPE, &previous, nullptr);
#endif
}

}  // namespace twin
