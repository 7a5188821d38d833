/* SPDX-License-Identifier: Apache-2.0
 *
 * From the number of a system call to its name, for the architecture it is compiled for. Linked
 * into PID 1: no pointers that need relocation, no allocation, none of the other tables.
 */
#include "policy/tables/sysname.h"

#include <stddef.h>

#include "policy/tables/tables.h"

#if defined(__x86_64__) && !defined(__ILP32__)
#define NATIVE(x86_64, aarch64) (x86_64)
#elif defined(__aarch64__)
#define NATIVE(x86_64, aarch64) (aarch64)
#else
#error "only x86-64 and aarch64 have a column in syscalls.def"
#endif

/* All names, one after the other. */
struct names {
#define LAZ_SYSCALL(name, ...) char name[sizeof(#name)];
#include "policy/tables/syscalls.def"
#undef LAZ_SYSCALL
};

static const struct names names = {
#define LAZ_SYSCALL(name, ...) #name,
#include "policy/tables/syscalls.def"
#undef LAZ_SYSCALL
};

/* Where a name begins, plus one. Calls that this architecture lacks share the last slot, which no
 * lookup reads: hence the overridden initialisers. */
#define ABSENT   (LAZ_SYSCALL_NR_MAX + 1)
#define SLOT(nr) ((nr) < 0 ? ABSENT : (nr))
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const uint16_t offsets[ABSENT + 1] = {
#define LAZ_SYSCALL(name, x86_64, aarch64, ...)                                                    \
    [SLOT(NATIVE(x86_64, aarch64))] = offsetof(struct names, name) + 1,
#include "policy/tables/syscalls.def"
#undef LAZ_SYSCALL
};
#pragma GCC diagnostic pop

const char *laz_sysname(uint32_t nr)
{
    if (nr > LAZ_SYSCALL_NR_MAX || offsets[nr] == 0) {
        return NULL;
    }
    return (const char *)&names + offsets[nr] - 1;
}
