/* SPDX-License-Identifier: Apache-2.0
 *
 * Build tool: makes a C header of a list of system calls, as a BPF program. It goes the way of
 * every policy: a struct laz_policy, our compiler, our proof; a program that is not proved stops
 * the build. Runs as the target's program, because constants differ between architectures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/filter.h"
#include "init/filter_words.h"

struct entry {
    const char *call;
    const char *arg; /* NULL: in any case */
    uint32_t mask;
    uint32_t value;
};

#define LAZ_CALL(name, reason) {#name, NULL, 0, 0},
#define LAZ_CALL_IF(name, arg, mask, value, reason)                                                \
    {#name, #arg, (uint32_t)(mask), (uint32_t)(value)},

static const struct entry pid1_calls[] = {
#include "init/pid1/filter.def"
};

static const struct entry setup_calls[] = {
#include "init/setup/filter.def"
};

static const struct entry ship_calls[] = {
#include "init/ship/filter.def"
};

static const struct entry sense_calls[] = {
#include "init/sense/filter.def"
};

static const struct entry fetch_calls[] = {
#include "init/fetch/filter.def"
};
static const struct entry tunnel_calls[] = {
#include "init/tunnel/filter.def"
};

static const struct entry health_calls[] = {
#include "init/health/filter.def"
};

/* What a sanitizer's runtime needs besides: only where the build asks for it. */
#define LAZ_PID1(name, reason) LAZ_CALL(name, reason)
#define LAZ_SETUP(name, reason)
#define LAZ_HELPER(name, reason)
static const struct entry pid1_instrumented_calls[] = {
#include "init/instrumented_filter.def"
};
#undef LAZ_PID1
#undef LAZ_SETUP

#define LAZ_PID1(name, reason)
#define LAZ_SETUP(name, reason) LAZ_CALL(name, reason)
static const struct entry setup_instrumented_calls[] = {
#include "init/instrumented_filter.def"
};
#undef LAZ_SETUP
#undef LAZ_HELPER

#define LAZ_SETUP(name, reason)
#define LAZ_HELPER(name, reason) LAZ_CALL(name, reason)
static const struct entry helper_instrumented_calls[] = {
#include "init/instrumented_filter.def"
};

struct list {
    const struct entry *entries;
    size_t n;
};

#define LIST(calls)                                                                                \
    {                                                                                              \
        (calls), sizeof(calls) / sizeof((calls)[0])                                                \
    }

static const struct {
    const char *name;
    struct list own;
    struct list instrumented;
} lists[] = {
        {"pid1", LIST(pid1_calls), LIST(pid1_instrumented_calls)},
        {"setup", LIST(setup_calls), LIST(setup_instrumented_calls)},
        {"ship", LIST(ship_calls), LIST(helper_instrumented_calls)},
        {"sense", LIST(sense_calls), LIST(helper_instrumented_calls)},
        {"fetch", LIST(fetch_calls), LIST(helper_instrumented_calls)},
        {"tunnel", LIST(tunnel_calls), LIST(helper_instrumented_calls)},
        {"health", LIST(health_calls), LIST(helper_instrumented_calls)},
};

#define ENTRIES_MAX 128

/* A policy that allows what a list has and kills for the rest. */
struct listed {
    struct laz_policy policy;
    struct laz_decision decisions[LAZ_SYSCALL_TABLE_MAX];
    struct laz_clause clauses[ENTRIES_MAX]; /* one for each entry that has a condition */
    uint64_t values[ENTRIES_MAX];
};

static int fail(const char *what, const char *detail)
{
    (void)fprintf(stderr, "filter_gen: %s: %s\n", what, detail);
    return EXIT_FAILURE;
}

/* Entries of one call must stand together: their clauses are one array. */
static int add_entry(struct listed *listed, size_t i, const struct entry *entry)
{
    const struct laz_syscall *call = laz_syscall_by_name(entry->call, strlen(entry->call));
    if (call == NULL) {
        return fail("no such system call", entry->call);
    }
    struct laz_decision *decision = &listed->decisions[laz_syscall_index(call)];
    if (entry->arg == NULL) {
        decision->base.action = LAZ_ACTION_ALLOW;
        decision->allow.n = 0; /* a runtime may need in any case what its program needs in one */
        return 0;
    }
    int arg = laz_syscall_arg_by_name(call, entry->arg, strlen(entry->arg));
    struct laz_clauses *clauses = &decision->allow;
    if (arg < 0) {
        return fail(entry->call, "no such argument");
    }
    if (clauses->n > 0 && clauses->items + clauses->n != &listed->clauses[i]) {
        return fail(entry->call, "its lines do not stand together");
    }
    listed->values[i] = entry->value;
    listed->clauses[i] = (struct laz_clause){.verdict.action = LAZ_ACTION_ALLOW,
            .n_conds = 1,
            .conds[0] = {.arg = (uint8_t)arg,
                    .width_bits = 32,
                    .mask = entry->mask,
                    .n_values = 1,
                    .values = &listed->values[i]}};
    clauses->items = clauses->n == 0 ? &listed->clauses[i] : clauses->items;
    clauses->n++;
    return 0;
}

static int add_list(struct listed *listed, size_t at, const struct list *list)
{
    int result = 0;
    for (size_t i = 0; i < list->n && result == 0; i++) {
        result = add_entry(listed, at + i, &list->entries[i]);
    }
    return result;
}

static int make_policy(
        struct listed *listed, const struct list *own, const struct list *instrumented)
{
    const struct laz_verdict kill = {.action = LAZ_ACTION_KILL};
    listed->policy.unknown_verdict = kill;
    listed->policy.foreign_abi_verdict = kill;
    listed->policy.decisions = listed->decisions;
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        listed->decisions[i].base = kill;
        listed->decisions[i].otherwise = kill;
    }
    if (own->n + instrumented->n > ENTRIES_MAX) {
        return fail("too many lines", "raise ENTRIES_MAX");
    }
    int result = add_list(listed, 0, own);
    return result == 0 ? add_list(listed, own->n, instrumented) : result;
}

static int write_header(const char *path, const char *name, const struct laz_filter *filter)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return fail("cannot write", path);
    }
    (void)fprintf(file,
            "/* SPDX-License-Identifier: Apache-2.0\n *\n * Made by filter_gen of "
            "init/%s_filter.def, "
            "and proved.\n */\n#include <linux/filter.h>\n\n"
            "static const struct sock_filter laz_%s_filter[] = {\n",
            name, name);
    for (size_t i = 0; i < filter->n; i++) {
        const struct sock_filter *insn = &filter->insns[i];
        (void)fprintf(file, "    {%#x, %u, %u, %#x},\n", insn->code, insn->jt, insn->jf, insn->k);
    }
    (void)fprintf(file, "};\n");
    return fclose(file) == 0 ? 0 : fail("cannot write", path);
}

static int make_header(const char *name, const struct laz_policy *policy, const char *path)
{
    struct laz_err err = {0};
    struct laz_filter filter = {0};
    struct laz_filter_proof proof;
    enum laz_arch arch = laz_arch_native();
    int result = laz_filter_compile(policy, arch, LAZ_FILTER_OWN, &filter, &err);
    if (result == 0) {
        result = laz_filter_prove(policy, arch, LAZ_FILTER_OWN, &filter, &proof, &err);
    }
    result = result == 0 ? write_header(path, name, &filter) : fail(name, err.message);
    laz_filter_done(&filter);
    return result;
}

int main(int argc, char **argv)
{
    bool is_instrumented = argc == 4 && strcmp(argv[2], "instrumented") == 0;
    if (argc != 3 && !is_instrumented) {
        return fail("usage", "filter_gen pid1|setup|ship|sense|fetch [instrumented] OUTPUT");
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (strcmp(lists[i].name, argv[1]) == 0) {
            const struct list none = {0};
            struct listed *listed = calloc(1, sizeof(*listed));
            if (listed == NULL) {
                return fail(argv[1], "no memory");
            }
            int result = make_policy(
                    listed, &lists[i].own, is_instrumented ? &lists[i].instrumented : &none);
            result = result == 0 ? make_header(argv[1], &listed->policy, argv[argc - 1]) : result;
            free(listed);
            return result;
        }
    }
    return fail("no such list", argv[1]);
}
