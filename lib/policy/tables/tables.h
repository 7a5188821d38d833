/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of the policy language and what they mean to the kernel: system calls, groups of them,
 * constants for their arguments, capabilities, errnos, signals, limits and socket families.
 * Read-only data and lookups over it: nothing here allocates, reads a file, keeps state or fails
 * other than by "not found". The data is in the .def files beside this header, one line an entry.
 * PID 1 must not carry these tables: from number to name it has sysname.h.
 */
#ifndef LAZ_POLICY_TABLES_TABLES_H
#define LAZ_POLICY_TABLES_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ceilings. Each is checked by the unit test against the data, so that a longer table cannot
 * outgrow it unseen. */
#define LAZ_SYSCALL_ARGS_MAX 6   /* the kernel's own limit */
#define LAZ_SYSCALL_NR_MAX   511 /* the numbers of x32 start above it, and x32 is a foreign ABI */
#define LAZ_GROUP_DEPTH_MAX  4   /* groups within groups */
#define LAZ_NAME_LENGTH_MAX  64  /* longest name in any table; laz_suggest() ignores longer words */

/* ---- Architectures ---- */

enum laz_arch {
    LAZ_ARCH_X86_64,
    LAZ_ARCH_AARCH64,
    LAZ_ARCH_COUNT
};

/* The architecture that this program was compiled for. */
enum laz_arch laz_arch_native(void);
/* The AUDIT_ARCH_* value that seccomp_data.arch has on this architecture. */
uint32_t laz_arch_audit(enum laz_arch arch);
/* "x86-64" or "aarch64"; static. */
const char *laz_arch_name(enum laz_arch arch);

/* ---- System calls ---- */

enum laz_arg_kind {
    LAZ_ARG_NONE,
    LAZ_ARG_INT32,   /* int, uid_t, clockid_t and such */
    LAZ_ARG_INT64,   /* unsigned long, size_t, off_t and such */
    LAZ_ARG_POINTER, /* refused in conditions: what it points to can change after the check */
    LAZ_ARG_INT16,   /* mode_t of chmod, open and their like is a short inside the kernel */
};

/* The bits of the register that the kernel looks at. A condition compares (value & mask):
 * whoever compares more can be deceived with the others. 0 for NONE and POINTER. */
uint64_t laz_arg_mask(enum laz_arg_kind kind);

#define LAZ_SOCKET_TYPE_MASK 0xF /* the kernel's SOCK_TYPE_MASK: above it are flags */

struct laz_syscall_arg {
    const char *name;
    uint8_t kind; /* enum laz_arg_kind */
};

struct laz_syscall {
    const char *name;
    int16_t nr[LAZ_ARCH_COUNT]; /* -1: this architecture does not have it */
    uint16_t since;             /* first kernel that has it, LAZ_KERNEL_VERSION; 0: 4.14 or older */
    uint8_t n_args;
    struct laz_syscall_arg args[LAZ_SYSCALL_ARGS_MAX];
};

#define LAZ_KERNEL_VERSION(major, minor) ((uint16_t)((major) << 8 | (minor)))

/* All lookups return static data, or NULL where the name or number is unknown. Names are
 * case-sensitive. */
const struct laz_syscall *laz_syscall_by_name(const char *name, size_t len);
const struct laz_syscall *laz_syscall_by_nr(enum laz_arch arch, uint32_t nr);

/* The table in name order. laz_syscall_index() is the inverse of laz_syscall_at(): below
 * laz_syscall_count(), so it can index an array that the caller sizes with
 * LAZ_SYSCALL_TABLE_MAX. */
#define LAZ_SYSCALL_TABLE_MAX 512
size_t laz_syscall_count(void);
const struct laz_syscall *laz_syscall_at(size_t i);
size_t laz_syscall_index(const struct laz_syscall *call);

/* Position of the named argument, or -1. Also accepts "arg0" to "arg5" where the call has that
 * many. */
int laz_syscall_arg_by_name(const struct laz_syscall *call, const char *name, size_t len);

/* Those of laz_arg_mask() that make the value: of a socket's type not the flags beside it, with
 * which it is the same type. */
uint64_t laz_arg_value_mask(const struct laz_syscall *call, unsigned arg);

/* ---- Groups ---- */

enum laz_group_kind {
    LAZ_GROUP_GRANT, /* may stand in `groups:` */
    LAZ_GROUP_NEVER, /* may not: its calls are allowed by their own names only, and no GRANT group
                      * reaches one */
};

struct laz_group {
    const char *name; /* systemd's, without the @, where systemd has such a group */
    const char *help; /* one line */
    uint8_t kind;     /* enum laz_group_kind */
    bool composite;   /* a whole profile (web-service) rather than a subject (network-io) */
    uint16_t n_members;
    const char *const *members; /* names of system calls, and "@name" for another group */
};

const struct laz_group *laz_group_by_name(const char *name, size_t len);
size_t laz_group_count(void);
const struct laz_group *laz_group_at(size_t i);

/* Called once per system call; anything but 0 ends the walk. */
typedef int laz_group_visit(void *context, const struct laz_syscall *call);
/* Visits each system call of a group and of the groups in it exactly once, on whichever
 * architecture it exists. Returns what the last visit returned, so 0 for a complete walk. */
int laz_group_each(const struct laz_group *group, laz_group_visit *visit, void *context);
bool laz_group_contains(const struct laz_group *group, const struct laz_syscall *call);

/* ---- Constants for arguments ---- */

/* Named as in the kernel's headers. The value is the same on all architectures that have it. */
struct laz_constant {
    const char *name;
    uint64_t value;
};

enum laz_constant_found {
    LAZ_CONSTANT_UNKNOWN = 0, /* *ret_value is untouched */
    LAZ_CONSTANT_SCOPED,      /* belongs to this argument */
    LAZ_CONSTANT_ELSEWHERE,   /* a constant of other arguments: usable, and most likely a mistake */
};

/* call may be NULL: then any known constant is SCOPED. Names only; numbers are the caller's to
 * parse. */
enum laz_constant_found laz_constant_lookup(const struct laz_syscall *call, unsigned arg,
        const char *name, size_t len, uint64_t *ret_value);
/* The constant of this argument that has exactly this value; NULL if there is none, or if it has
 * several meanings (6 as a protocol is IPPROTO_TCP and NETLINK_XFRM). */
const char *laz_constant_name(const struct laz_syscall *call, unsigned arg, uint64_t value);

/* ---- Small tables: name to number (-1: unknown), number to canonical name (NULL: unknown) ---- */

/* Upper case, CAP_ optional; the canonical name has it. */
int laz_capability_by_name(const char *name, size_t len);
const char *laz_capability_name(int capability);

/* The generic errnos, as positive numbers. Synonyms (EWOULDBLOCK) are understood, and printed by
 * the first name. */
int laz_errno_by_name(const char *name, size_t len);
const char *laz_errno_name(int number);
/* The synonyms, by number from 0; NULL behind the last. */
const char *laz_errno_alias_at(size_t i);

/* Upper case, SIG optional, canonical with it. SIGRTMIN+n is 34+n whatever the C library
 * reserves, SIGRTMIN+30 the last. */
int laz_signal_by_name(const char *name, size_t len);
const char *laz_signal_name(int number);

/* Keys of the policy's `limits:`, as RLIMIT_*. */
int laz_rlimit_by_name(const char *name, size_t len);
const char *laz_rlimit_name(int resource);

struct laz_socket_family {
    const char *name; /* kebab-case: unix, inet, packet, netlink-route */
    int16_t family;   /* AF_* */
    int16_t protocol; /* the only one that this name stands for, or -1: any */
};

/* The names of `network.families:`. */
const struct laz_socket_family *laz_socket_family_by_name(const char *name, size_t len);
/* The narrowest entry for the pair: (AF_NETLINK, 0) is netlink-route, (AF_NETLINK, 99) is
 * netlink. */
const struct laz_socket_family *laz_socket_family_by_value(int family, int protocol);
size_t laz_socket_family_count(void);
const struct laz_socket_family *laz_socket_family_at(size_t i);

/* ---- Suggestions ---- */

/* The i-th candidate, or NULL after the last one. An empty one is passed over. */
typedef const char *laz_name_at(const void *context, size_t i);

/* The candidate nearest to the word by Damerau-Levenshtein distance, if that is at most min(3,
 * len / 2); the first of several equally near ones; NULL if none is near. Upper and lower case are
 * the same to it. Constant memory; the word need not be terminated. */
const char *laz_suggest(const char *word, size_t len, laz_name_at *at, const void *context);

enum laz_names {
    LAZ_NAMES_SYSCALL,
    LAZ_NAMES_GROUP, /* GRANT groups only: nobody is led to one that is refused */
    LAZ_NAMES_CAPABILITY,
    LAZ_NAMES_ERRNO,
    LAZ_NAMES_SIGNAL,
    LAZ_NAMES_RLIMIT,
    LAZ_NAMES_SOCKET_FAMILY,
};

/* The same over one of the tables; first what others call it ("nofile"). CAP_ and SIG are compared,
 * and returned, only where the word has them. */
const char *laz_suggest_name(enum laz_names table, const char *word, size_t len);
/* Constants of this argument; where it has none, all constants. */
const char *laz_suggest_constant(
        const struct laz_syscall *call, unsigned arg, const char *word, size_t len);

#endif
