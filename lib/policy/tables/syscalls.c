/* SPDX-License-Identifier: Apache-2.0
 *
 * System calls and architectures: lookups over syscalls.def. Pure functions over constant data; the
 * name of a call in an event is sysname.c's business, because PID 1 must not carry this table.
 */
#include <assert.h>
#include <string.h>

#include "policy/tables/tables.h"

/* clang-format off */
#define V(major, minor) LAZ_KERNEL_VERSION(major, minor)
#define U16(name) {#name, LAZ_ARG_INT16}
#define U32(name) {#name, LAZ_ARG_INT32}
#define U64(name) {#name, LAZ_ARG_INT64}
#define PTR(name) {#name, LAZ_ARG_POINTER}
#define ARGS0                   0, {{NULL, LAZ_ARG_NONE}}
#define ARGS1(a)                1, {a}
#define ARGS2(a, b)             2, {a, b}
#define ARGS3(a, b, c)          3, {a, b, c}
#define ARGS4(a, b, c, d)       4, {a, b, c, d}
#define ARGS5(a, b, c, d, e)    5, {a, b, c, d, e}
#define ARGS6(a, b, c, d, e, f) 6, {a, b, c, d, e, f}

static const struct laz_syscall syscalls[] = {
#define LAZ_SYSCALL(name, x86_64, aarch64, since, ...) \
    {#name, {x86_64, aarch64}, since, __VA_ARGS__},
#include "policy/tables/syscalls.def"
#undef LAZ_SYSCALL
};
/* clang-format on */

#define SYSCALL_COUNT (sizeof(syscalls) / sizeof(syscalls[0]))
static_assert(SYSCALL_COUNT <= LAZ_SYSCALL_TABLE_MAX, "raise LAZ_SYSCALL_TABLE_MAX");

enum {
#define LAZ_SYSCALL(name, ...) INDEX_##name,
#include "policy/tables/syscalls.def"
#undef LAZ_SYSCALL
};

/* Position in the table plus one, by number. Calls that an architecture lacks share the last slot,
 * which no lookup reads: hence the overridden initialisers. */
#define ABSENT   (LAZ_SYSCALL_NR_MAX + 1)
#define SLOT(nr) ((nr) < 0 ? ABSENT : (nr))
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const uint16_t by_nr[LAZ_ARCH_COUNT][ABSENT + 1] = {
        [LAZ_ARCH_X86_64] =
                {
#define LAZ_SYSCALL(name, x86_64, aarch64, ...) [SLOT(x86_64)] = INDEX_##name + 1,
#include "policy/tables/syscalls.def"
#undef LAZ_SYSCALL
                },
        [LAZ_ARCH_AARCH64] =
                {
#define LAZ_SYSCALL(name, x86_64, aarch64, ...) [SLOT(aarch64)] = INDEX_##name + 1,
#include "policy/tables/syscalls.def"
#undef LAZ_SYSCALL
                },
};
#pragma GCC diagnostic pop

static const struct {
    const char *name;
    uint32_t audit;
} arches[LAZ_ARCH_COUNT] = {
        [LAZ_ARCH_X86_64] = {"x86-64", UINT32_C(0xc000003e)},
        [LAZ_ARCH_AARCH64] = {"aarch64", UINT32_C(0xc00000b7)},
};

enum laz_arch laz_arch_native(void)
{
#if defined(__x86_64__) && !defined(__ILP32__)
    return LAZ_ARCH_X86_64;
#elif defined(__aarch64__)
    return LAZ_ARCH_AARCH64;
#else
#error "only x86-64 and aarch64 have a column in syscalls.def"
#endif
}

uint32_t laz_arch_audit(enum laz_arch arch)
{
    return arches[arch].audit;
}

const char *laz_arch_name(enum laz_arch arch)
{
    return arches[arch].name;
}

uint64_t laz_arg_mask(enum laz_arg_kind kind)
{
    switch (kind) {
    case LAZ_ARG_INT16:
        return UINT16_MAX;
    case LAZ_ARG_INT32:
        return UINT32_MAX;
    case LAZ_ARG_INT64:
        return UINT64_MAX;
    case LAZ_ARG_NONE:
    case LAZ_ARG_POINTER:
        break;
    }
    return 0;
}

uint64_t laz_arg_value_mask(const struct laz_syscall *call, unsigned arg)
{
    const char *name = call->args[arg].name;
    bool is_type = strncmp(call->name, "socket", strlen("socket")) == 0 && name != NULL &&
            strcmp(name, "type") == 0;
    return is_type ? LAZ_SOCKET_TYPE_MASK : laz_arg_mask((enum laz_arg_kind)call->args[arg].kind);
}

const struct laz_syscall *laz_syscall_by_name(const char *name, size_t len)
{
    size_t low = 0;
    size_t high = SYSCALL_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct laz_syscall *call = &syscalls[middle];
        int order = strncmp(name, call->name, len);
        if (order == 0 && call->name[len] == '\0') {
            return call;
        }
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle; /* also where the word is only the beginning of the name */
        }
    }
    return NULL;
}

const struct laz_syscall *laz_syscall_by_nr(enum laz_arch arch, uint32_t nr)
{
    if (nr > LAZ_SYSCALL_NR_MAX || by_nr[arch][nr] == 0) {
        return NULL;
    }
    return &syscalls[by_nr[arch][nr] - 1];
}

size_t laz_syscall_count(void)
{
    return SYSCALL_COUNT;
}

const struct laz_syscall *laz_syscall_at(size_t i)
{
    assert(i < SYSCALL_COUNT);
    return &syscalls[i];
}

size_t laz_syscall_index(const struct laz_syscall *call)
{
    assert(call >= syscalls && call < syscalls + SYSCALL_COUNT);
    return (size_t)(call - syscalls);
}

int laz_syscall_arg_by_name(const struct laz_syscall *call, const char *name, size_t len)
{
    for (int i = 0; i < call->n_args; i++) {
        const char *arg = call->args[i].name;
        if (strncmp(arg, name, len) == 0 && arg[len] == '\0') {
            return i;
        }
    }
    bool is_number = len == 4 && memcmp(name, "arg", 3) == 0 && name[3] >= '0' && name[3] <= '9';
    return is_number && name[3] - '0' < call->n_args ? name[3] - '0' : -1;
}
