/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles in both directions, with libseccomp as the second opinion: what it makes of an exported
 * profile, as a runtime would ask it, allows nothing that the policy refuses, and all that it
 * allows; an imported one refuses what libseccomp refuses of the original.
 */
#include "filter/profile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <seccomp.h>

#include "core/json_read.h"
#include "filter/filter.h"
#include "tests/fixture/policy.h"

#define TRIES         400 /* arguments that each call is asked about */
#define RANDOM        24  /* policies */
#define ROOM          (1024 * 1024)
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char minimal[] = "version: 1\n"
                              "workload: {user: \"1:1\"}\n"
                              "filesystem: {read-exec: [/usr]}\n";

/* ---- A profile, as runc hands it to libseccomp ---- */

struct profile {
    struct laz_json_doc doc;
    struct laz_json_node *nodes;
    scmp_filter_ctx context;
};

static const struct laz_json_node *at(
        const struct profile *profile, const struct laz_json_node *object, const char *key)
{
    return laz_json_member(&profile->doc, object, key);
}

static uint64_t number_at(
        const struct profile *profile, const struct laz_json_node *object, const char *key)
{
    uint64_t number = 0;
    const struct laz_json_node *node = at(profile, object, key);
    cr_assert(node == NULL || laz_json_number(&profile->doc, node, UINT64_MAX, &number), "%s", key);
    return number;
}

static uint32_t action_at(const struct profile *profile, const struct laz_json_node *object,
        const char *key, const char *number)
{
    const struct laz_json_node *node = at(profile, object, key);
    if (laz_json_is(&profile->doc, node, "SCMP_ACT_ALLOW")) {
        return SCMP_ACT_ALLOW;
    }
    if (laz_json_is(&profile->doc, node, "SCMP_ACT_LOG")) {
        return SCMP_ACT_LOG;
    }
    if (laz_json_is(&profile->doc, node, "SCMP_ACT_KILL_PROCESS")) {
        return SCMP_ACT_KILL_PROCESS;
    }
    cr_assert(laz_json_is(&profile->doc, node, "SCMP_ACT_ERRNO"), "%s", key);
    return SCMP_ACT_ERRNO(number_at(profile, object, number));
}

static enum scmp_compare compare_at(const struct profile *profile, const struct laz_json_node *arg)
{
    static const struct {
        const char *name;
        enum scmp_compare compare;
    } rows[] = {{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}, {"SCMP_CMP_EQ", SCMP_CMP_EQ},
            {"SCMP_CMP_NE", SCMP_CMP_NE}, {"SCMP_CMP_LT", SCMP_CMP_LT},
            {"SCMP_CMP_LE", SCMP_CMP_LE}, {"SCMP_CMP_GE", SCMP_CMP_GE},
            {"SCMP_CMP_GT", SCMP_CMP_GT}};
    for (size_t i = 0; i < LENGTH(rows); i++) {
        if (laz_json_is(&profile->doc, at(profile, arg, "op"), rows[i].name)) {
            return rows[i].compare;
        }
    }
    cr_assert_fail("an operator");
    return SCMP_CMP_EQ;
}

static void add_entry(struct profile *profile, const struct laz_json_node *entry, uint32_t fallback)
{
    uint32_t action = action_at(profile, entry, "action", "errnoRet");
    struct scmp_arg_cmp tests[6];
    unsigned n = 0;
    const struct laz_json_node *arg = NULL;
    while ((arg = laz_json_next(&profile->doc, at(profile, entry, "args"), arg)) != NULL) {
        tests[n++] = (struct scmp_arg_cmp){(unsigned)number_at(profile, arg, "index"),
                compare_at(profile, arg), number_at(profile, arg, "value"),
                number_at(profile, arg, "valueTwo")};
    }
    const struct laz_json_node *item = NULL;
    while ((item = laz_json_next(&profile->doc, at(profile, entry, "names"), item)) != NULL) {
        char name[64];
        cr_assert(laz_json_copy(&profile->doc, item, name, sizeof(name)));
        int nr = seccomp_syscall_resolve_name(name);
        if (nr != __NR_SCMP_ERROR && action != fallback) { /* as runc passes over them */
            int result = seccomp_rule_add_array(profile->context, action, nr, n, tests);
            cr_assert_eq(result, 0, "%s: %d for %#x with %u tests", name, result, action, n);
        }
    }
}

/* Without any capability, on amd64, as an engine would. */
static bool counts(const struct profile *profile, const struct laz_json_node *entry)
{
    const struct laz_json_node *includes = at(profile, entry, "includes");
    const struct laz_json_node *arches = at(profile, includes, "arches");
    bool has_caps = laz_json_next(&profile->doc, at(profile, includes, "caps"), NULL) != NULL;
    const struct laz_json_node *first = laz_json_next(&profile->doc, arches, NULL);
    bool is_here = first == NULL || laz_json_is(&profile->doc, first, "amd64");
    return !has_caps && is_here;
}

static size_t compile(const char *json, size_t length, struct sock_filter insns[BPF_MAXINSNS])
{
    struct profile profile = {.nodes = calloc(ROOM, sizeof(*profile.nodes))};
    struct laz_err err = {0};
    const struct laz_json_room room = {.nodes = profile.nodes, .max = ROOM, .kind = LAZ_E_OCI};
    cr_assert_eq(laz_json_read(json, length, &room, &profile.doc, &err), 0, "%s", err.message);
    const struct laz_json_node *root = laz_json_root(&profile.doc);
    uint32_t fallback = action_at(&profile, root, "defaultAction", "defaultErrnoRet");
    profile.context = seccomp_init(fallback);
    cr_assert_not_null(profile.context);
    const struct laz_json_node *entry = NULL;
    while ((entry = laz_json_next(&profile.doc, at(&profile, root, "syscalls"), entry)) != NULL) {
        if (counts(&profile, entry)) {
            add_entry(&profile, entry, fallback);
        }
    }
    int fd = memfd_create("bpf", MFD_CLOEXEC);
    cr_assert_eq(seccomp_export_bpf(profile.context, fd), 0);
    ssize_t size = pread(fd, insns, BPF_MAXINSNS * sizeof(*insns), 0);
    cr_assert(size > 0 && laz_bpf_is_valid(insns, (size_t)size / sizeof(*insns)));
    (void)close(fd);
    seccomp_release(profile.context);
    free(profile.nodes);
    return (size_t)size / sizeof(*insns);
}

/* ---- Arguments near what a call is asked for ---- */

static const struct laz_cond *any_condition(
        struct choices *choices, const struct laz_decision *decision, unsigned arg)
{
    const struct laz_clauses *lists[] = {&decision->refuse, &decision->guard, &decision->allow};
    const struct laz_cond *found = NULL;
    uint32_t n = 0;
    for (size_t i = 0; i < LENGTH(lists); i++) {
        for (size_t k = 0; k < lists[i]->n; k++) {
            const struct laz_clause *clause = &lists[i]->items[k];
            for (size_t j = 0; j < clause->n_conds; j++) {
                n += clause->conds[j].arg == arg ? 1 : 0;
                if (clause->conds[j].arg == arg && choose(choices, n) == 0) {
                    found = &clause->conds[j];
                }
            }
        }
    }
    return found;
}

static void near_args(
        struct choices *choices, const struct laz_decision *decision, uint64_t args[6])
{
    for (unsigned i = 0; i < 6; i++) {
        const struct laz_cond *condition = any_condition(choices, decision, i);
        args[i] = choose(choices, 3);
        if (condition != NULL && condition->n_values > 0) {
            uint64_t other =
                    (uint64_t)choose(choices, UINT32_MAX) << 32 | choose(choices, UINT32_MAX);
            args[i] = condition->values[choose(choices, (uint32_t)condition->n_values)];
            args[i] |= choose(choices, 2) == 0 ? 0 : other & ~condition->mask;
            args[i] ^= choose(choices, 2) == 0 ? 0 : 1ULL << choose(choices, 64);
        }
    }
}

static bool lets(uint32_t returned)
{
    uint32_t action = returned & SECCOMP_RET_ACTION_FULL;
    return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

/* ---- Export ---- */

struct exported {
    struct laz_buf json;
    struct laz_buf losses;
    size_t n;
    struct sock_filter *insns;
    size_t n_insns;
    const struct laz_profile_outer *outer;
};

static struct exported export_around(
        const struct laz_policy *policy, const struct laz_profile_outer *outer)
{
    struct exported exported = {
            .insns = calloc(BPF_MAXINSNS, sizeof(*exported.insns)), .outer = outer};
    struct laz_err err = {0};
    laz_buf_init_heap(&exported.json, ROOM);
    laz_buf_init_heap(&exported.losses, ROOM);
    struct laz_profile_losses losses = {.text = &exported.losses};
    cr_assert_eq(
            laz_profile_export(policy, laz_arch_native(), outer, &exported.json, &losses, &err), 0,
            "%s", err.message);
    exported.n = losses.n;
    exported.n_insns = compile(exported.json.data, exported.json.len, exported.insns);
    return exported;
}

static struct exported export_of(const struct laz_policy *policy)
{
    return export_around(policy, NULL);
}

static void forget(struct exported *exported)
{
    laz_buf_done(&exported->json);
    laz_buf_done(&exported->losses);
    free(exported->insns);
}

static bool loses(const struct exported *exported, const char *what, const char *name)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "%s: %s", what, name);
    return exported->n > 0 && strstr(exported->losses.data, text) != NULL;
}

static bool is_let_or_seen(
        const struct laz_policy *policy, const struct laz_syscall *call, struct laz_verdict verdict)
{
    uint32_t inside = laz_filter_return(policy, LAZ_FILTER_WITH_EVENTS, call, verdict);
    return lets(inside) || inside == SECCOMP_RET_USER_NOTIF;
}

/* What of one call a profile may let through at most, where it has to be no closer. */
static bool may_let(const struct exported *exported, const struct laz_policy *policy,
        const struct laz_syscall *call, const struct laz_decision *decision)
{
    const struct laz_profile_outer *outer = exported->outer;
    bool may = decision->allow.n > 0 || is_let_or_seen(policy, call, decision->base);
    may = may || (decision->guard.n > 0 && is_let_or_seen(policy, call, decision->otherwise));
    for (size_t i = 0; i < decision->refuse.n; i++) {
        may = may || is_let_or_seen(policy, call, decision->refuse.items[i].verdict);
    }
    for (size_t i = 0; i < outer->n; i++) {
        may = may || strcmp(outer->calls[i].name, call->name) == 0;
    }
    return may;
}

/* What `outer` adds to what the policy allows. */
static bool adds(const struct exported *exported, const struct laz_policy *policy,
        const struct laz_syscall *call, struct laz_verdict verdict, const uint64_t args[6])
{
    const struct laz_profile_outer *outer = exported->outer;
    bool is_loose = outer != NULL && outer->is_loose;
    bool is_added = is_loose && is_let_or_seen(policy, call, verdict);
    for (size_t i = 0; outer != NULL && i < outer->n; i++) {
        const struct laz_profile_call *own = &outer->calls[i];
        int arg = own->arg == NULL ? 0 : laz_syscall_arg_by_name(call, own->arg, strlen(own->arg));
        is_added = is_added ||
                (strcmp(own->name, call->name) == 0 && arg >= 0 &&
                        (own->arg == NULL || (args[arg] & own->mask) == own->value));
    }
    return is_added;
}

/* Every call of the table, at points of its own; returns how many were allowed by both. */
static uint64_t compare(
        struct choices *choices, const struct laz_policy *policy, const struct exported *exported)
{
    uint64_t n_allowed = 0;
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_syscall *call = laz_syscall_at(i);
        const struct laz_decision *decision = &policy->decisions[i];
        bool is_known = seccomp_syscall_resolve_name(call->name) != __NR_SCMP_ERROR;
        bool has_conditions = decision->refuse.n + decision->guard.n + decision->allow.n > 0;
        if (call->nr[laz_arch_native()] < 0) {
            continue;
        }
        has_conditions = has_conditions || exported->outer != NULL;
        for (int k = 0; k < (has_conditions ? TRIES : 1); k++) {
            struct seccomp_data data = {
                    .arch = laz_arch_audit(laz_arch_native()), .nr = call->nr[laz_arch_native()]};
            uint64_t args[6];
            near_args(choices, decision, args);
            for (size_t j = 0; j < 6; j++) {
                data.args[j] = args[j];
            }
            struct laz_verdict verdict = laz_policy_decide(
                    policy, laz_arch_native(), data.arch, (uint32_t)data.nr, args);
            bool ours = verdict.action == LAZ_ACTION_ALLOW || verdict.action == LAZ_ACTION_LOG ||
                    adds(exported, policy, call, verdict, args);
            bool theirs = lets(laz_bpf_evaluate(exported->insns, exported->n_insns, &data, NULL));
            bool may = exported->outer != NULL && exported->outer->is_loose
                    ? may_let(exported, policy, call, decision)
                    : ours;
            cr_assert(may || !theirs, "%s is let through (%llx %llx %llx %llx %llx %llx)",
                    call->name, (unsigned long long)args[0], (unsigned long long)args[1],
                    (unsigned long long)args[2], (unsigned long long)args[3],
                    (unsigned long long)args[4], (unsigned long long)args[5]);
            bool is_lost = !is_known || loses(exported, "conditions", call->name);
            cr_assert(theirs || !ours || is_lost, "%s is refused", call->name);
            n_allowed += ours && theirs ? 1 : 0;
        }
    }
    return n_allowed;
}

static struct laz_policy *policy_of(const char *text)
{
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    const struct laz_policy_source source = {
            .path = "test.yaml", .text = text, .text_length = strlen(text)};
    struct laz_policy *policy = NULL;
    struct laz_err err = {0};
    cr_assert_eq(
            laz_policy_load(&source, diagnostics, &policy, &err), 0, "%s\n%s", err.message, text);
    free(diagnostics);
    return policy;
}

Test(filter_profile, exported_built_in_policies_allow_the_same)
{
    static const char *const names[] = {"static", "web-api", "web-api, builtin/jvm",
            "web-api, builtin/node", "web-api, builtin/python"};
    for (size_t i = 0; i < LENGTH(names); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text), "%sextends: [builtin/%s]\n", minimal, names[i]);
        struct choices choices = {.seed = i};
        struct laz_policy *policy = policy_of(text);
        struct exported exported = export_of(policy);
        cr_expect_gt(compare(&choices, policy, &exported), 100, "%s", names[i]);
        cr_expect_not(loses(&exported, "conditions", ""), "%s", exported.losses.data);
        forget(&exported);
        laz_policy_free(policy);
    }
}

/* As the loader leaves them: what is refused under conditions has `refused`, and kills by turns. */
static void as_loaded(
        struct fixture *fixture, struct laz_verdict otherwise, enum laz_action refused)
{
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        struct laz_decision *decision = &fixture->decisions[i];
        decision->otherwise = otherwise;
        decision->base.errno_value = 38; /* there are errnos that libseccomp does not take */
        for (size_t k = 0; k < decision->refuse.n; k++) {
            decision->refuse.items[k].verdict =
                    verdict_of(k % 2 == 0 ? LAZ_ACTION_KILL : refused, 1);
        }
        for (size_t k = 0; k < decision->allow.n; k++) {
            decision->allow.items[k].verdict = verdict_of(LAZ_ACTION_ALLOW, 0);
        }
    }
}

Test(filter_profile, exported_random_policies_allow_nothing_more)
{
    uint64_t n_allowed = 0;
    for (uint64_t seed = 0; seed < RANDOM; seed++) {
        struct choices choices = {.seed = seed};
        cleanup_fixture struct fixture *fixture = fixture_random(&choices);
        as_loaded(fixture, verdict_of(LAZ_ACTION_ERRNO, 1), LAZ_ACTION_KILL);
        fixture->policy.default_verdict = verdict_of(LAZ_ACTION_ERRNO, 1);
        struct exported exported = export_of(&fixture->policy);
        n_allowed += compare(&choices, &fixture->policy, &exported);
        forget(&exported);
    }
    cr_assert_gt(n_allowed, 1000);
}

/* ---- Around another filter ---- */

static const struct laz_profile_call own_calls[] = {{"acct", NULL, 0, 0},
        {"clone", "flags", 0xf0000001U, 0x10000000U}, {"clone", "flags", 0xfU, 2},
        {"unshare", "flags", 1, 1}, {"unshare", NULL, 0, 0}, {"socket", "domain", UINT32_MAX, 2},
        {"umask", "mask", 3, 1}, {"ptrace", "no-such", 1, 1}};
static const struct laz_profile_outer fence = {own_calls, LENGTH(own_calls), false};
static const struct laz_profile_outer loose = {own_calls, LENGTH(own_calls), true};

Test(filter_profile, an_outer_one_allows_what_the_policy_and_our_programs_need_and_nothing_more)
{
    char text[512];
    (void)snprintf(text, sizeof(text), "%sextends: [builtin/web-api]\n", minimal);
    struct laz_policy *policy = policy_of(text);
    for (uint64_t i = 0; i < 2; i++) {
        struct choices choices = {.seed = i};
        struct exported exported = export_around(policy, i == 0 ? &fence : &loose);
        cr_expect_gt(compare(&choices, policy, &exported), 100);
        forget(&exported);
    }
    laz_policy_free(policy);
    uint64_t n_allowed = 0;
    for (uint64_t seed = 0; seed < RANDOM; seed++) {
        struct choices choices = {.seed = seed};
        cleanup_fixture struct fixture *fixture = fixture_random(&choices);
        enum laz_action refused = seed % 4 < 2 ? LAZ_ACTION_NOTIFY : LAZ_ACTION_ERRNO;
        as_loaded(fixture, verdict_of(refused, 1), LAZ_ACTION_NOTIFY);
        fixture->policy.mode = seed % 3 == 0 ? LAZ_MODE_OBSERVE : LAZ_MODE_ENFORCE;
        struct exported exported = export_around(&fixture->policy, seed % 2 == 0 ? &fence : &loose);
        n_allowed += compare(&choices, &fixture->policy, &exported);
        forget(&exported);
    }
    cr_expect_gt(n_allowed, 1000);
}

Test(filter_profile, export_names_what_it_cannot_say)
{
    struct laz_policy *policy = policy_of(
            "version: 1\nworkload: {user: \"1:1\"}\nfilesystem: {read-exec: [/usr]}\nmode: "
            "observe\n"
            "extends: [builtin/web-api]\nsyscalls: {rules: [{names: [kill], action: errno, errno: "
            "ESRCH, when: {arg: sig, eq: 9}}, {names: [alarm], action: log, when: {arg: seconds, "
            "eq: 1}}]}\n");
    struct exported exported = export_of(policy);
    cr_expect(loses(&exported, "events", "what is refused with an event is refused silently"));
    cr_expect(loses(
            &exported, "exec-budget", "execve is allowed as often as anybody likes, not 1 time"));
    cr_expect(loses(&exported, "unknown", "numbers"));
    cr_expect(loses(&exported, "foreign-abi", "a call"));
    cr_expect(loses(&exported, "mode", "what is only observed is refused"));
    cr_expect(loses(&exported, "answers", "kill has other answers"));
    cr_expect(loses(&exported, "log", "alarm is allowed under conditions and not logged"), "%s",
            exported.losses.data);
    cr_expect_eq(exported.n, 7, "%s", exported.losses.data);
    forget(&exported);
    laz_policy_free(policy);
}

Test(filter_profile, export_loses_nothing_of_what_a_profile_can_say)
{
    struct laz_policy *policy = policy_of(
            "version: 1\nworkload: {user: \"1:1\", exec-budget: -1}\nfilesystem: {read-exec: [/]}\n"
            "syscalls: {default: {action: errno, errno: EPERM}, unknown: {action: errno, errno: "
            "EPERM}, foreign-abi: {action: kill}, allow: [read, write], rules: [{names: [kill], "
            "action: allow, when: {arg: sig, not-in: [9, 15]}}]}\n");
    struct exported exported = export_of(policy);
    cr_expect_eq(exported.n, 0, "%s", exported.n == 0 ? "" : exported.losses.data);
    forget(&exported);
    laz_policy_free(policy);
}

/* ---- Import ---- */

static const char docker_like[] =
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"archMap\":[{"
        "\"architecture\":"
        "\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]}],"
        "\"syscalls\":[{\"names\":[\"read\",\"write\",\"exit_group\",\"execve\",\"chown32\"],"
        "\"action\":\"SCMP_ACT_ALLOW\"},"
        "{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
        "\"value\":8,"
        "\"op\":\"SCMP_CMP_EQ\"}]},"
        "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":"
        "2114060288,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}],\"excludes\":{\"caps\":["
        "\"CAP_SYS_ADMIN\"],\"arches\":[\"s390\"]}},"
        "{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38},"
        "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":40,"
        "\"op\":\"SCMP_CMP_NE\"}]},"
        "{\"names\":[\"mmap\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":2,\"value\":6,"
        "\"valueTwo\":2,\"op\":\"SCMP_CMP_MASKED_EQ\"},{\"index\":3,\"value\":3,\"op\":\"SCMP_CMP_"
        "LE\"}]},"
        "{\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_BPF\"]}},"
        "{\"names\":[\"arch_prctl\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":["
        "\"amd64\",\"x32\"]}},"
        "{\"names\":[\"cacheflush\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":["
        "\"arm\"]}}]}";

struct imported {
    int result;
    struct laz_err err;
    struct laz_buf yaml;
    struct laz_buf losses;
    size_t n;
};

static struct imported import_of(const char *json, size_t length, uint64_t capabilities)
{
    struct imported imported = {.result = -1};
    laz_buf_init_heap(&imported.yaml, ROOM);
    laz_buf_init_heap(&imported.losses, ROOM);
    struct laz_profile_losses losses = {.text = &imported.losses};
    const struct laz_profile_reader reader = {LAZ_ARCH_X86_64, capabilities};
    imported.result =
            laz_profile_import(json, length, &reader, &imported.yaml, &losses, &imported.err);
    imported.n = losses.n;
    return imported;
}

static void drop(struct imported *imported)
{
    laz_buf_done(&imported->yaml);
    laz_buf_done(&imported->losses);
}

static struct laz_policy *policy_from(const struct imported *imported)
{
    struct laz_buf text;
    laz_buf_init_heap(&text, ROOM);
    laz_buf_printf(&text, "%sworkload: {user: \"1:1\"}\nfilesystem: {read-exec: [/usr]}\n",
            imported->yaml.data);
    struct laz_policy *policy = policy_of(text.data);
    laz_buf_done(&text);
    return policy;
}

/* A policy's section `network` has a say there too. */
static bool is_of_network(const struct laz_syscall *call)
{
    return strncmp(call->name, "socket", 6) == 0 || strncmp(call->name, "send", 4) == 0;
}

/* What it makes of a profile, and what libseccomp does: arguments as the kernel looks at them. */
static uint64_t compare_imported(const struct laz_policy *policy, const struct imported *imported,
        const struct sock_filter *insns, size_t n)
{
    struct choices choices = {.seed = 7};
    uint64_t n_allowed = 0;
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_syscall *call = laz_syscall_at(i);
        bool is_known = seccomp_syscall_resolve_name(call->name) != __NR_SCMP_ERROR;
        if (call->nr[LAZ_ARCH_X86_64] < 0 || !is_known || strcmp(call->name, "execve") == 0) {
            continue;
        }
        char twice[96];
        (void)snprintf(twice, sizeof(twice), "twice: %s is allowed", call->name);
        bool is_lost = is_of_network(call) || strstr(imported->losses.data, twice) != NULL;
        for (int k = 0; k < TRIES; k++) {
            struct seccomp_data data = {
                    .arch = laz_arch_audit(LAZ_ARCH_X86_64), .nr = call->nr[LAZ_ARCH_X86_64]};
            uint64_t args[6];
            near_args(&choices, &policy->decisions[i], args);
            for (size_t j = 0; j < 6; j++) {
                uint64_t bits = laz_arg_mask((enum laz_arg_kind)call->args[j].kind);
                args[j] &= bits;
                data.args[j] = args[j];
            }
            struct laz_verdict verdict =
                    laz_policy_decide(policy, LAZ_ARCH_X86_64, data.arch, (uint32_t)data.nr, args);
            bool ours = verdict.action == LAZ_ACTION_ALLOW || verdict.action == LAZ_ACTION_LOG;
            bool theirs = lets(laz_bpf_evaluate(insns, n, &data, NULL));
            cr_assert(theirs || !ours, "%s is let through", call->name);
            cr_assert(is_lost || ours || !theirs, "%s is refused", call->name);
            n_allowed += ours ? 1 : 0;
        }
    }
    return n_allowed;
}

Test(filter_profile, imported_ones_decide_as_libseccomp_does)
{
    static struct sock_filter insns[BPF_MAXINSNS];
    struct imported imported = import_of(docker_like, strlen(docker_like), 0);
    cr_assert_eq(imported.result, 0, "%s", imported.err.message);
    struct laz_policy *policy = policy_from(&imported);
    size_t n = compile(docker_like, strlen(docker_like), insns);
    cr_expect_gt(compare_imported(policy, &imported, insns, n), TRIES);
    cr_expect_eq(imported.n, 2);
    cr_expect_str_eq(imported.losses.data,
            "network: of the sockets that the profile allows a policy allows those of its "
            "network.families\nnames: left out, because no ABI that a policy allows has them: "
            "chown32\n");
    laz_policy_free(policy);
    drop(&imported);
}

/* A policy compares a socket's type without the flags beside it, a profile with them. */
Test(filter_profile, imports_types_of_sockets_as_they_are)
{
    static const char json[] =
            "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
            "{\"names\":[\"socketpair\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,"
            "\"value\":524289,\"op\":\"SCMP_CMP_EQ\"}]},"
            "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,"
            "\"value\":3,\"op\":\"SCMP_CMP_NE\"}]}]}";
    struct imported imported = import_of(json, strlen(json), 0);
    cr_assert_eq(imported.result, 0, "%s", imported.err.message);
    cr_expect_not_null(strstr(imported.yaml.data,
            "when: [{arg: type, eq: 0x1}, {arg: type, no-flags: 0xfff7fff0}, {arg: type, "
            "any-flags: 0x80000}]"));
    cr_expect_not_null(strstr(imported.losses.data, "condition: socket is allowed"));
    drop(&imported);
}

/* The default of podman and its kin, which began as Docker's. */
Test(filter_profile, an_imported_default_of_engines_decides_as_libseccomp_does)
{
    static const char path[] = "/usr/share/containers/seccomp.json";
    static struct sock_filter insns[BPF_MAXINSNS];
    char *json = calloc(1, ROOM);
    FILE *file = fopen(path, "re");
    cr_assert(json != NULL && file != NULL, "%s: install podman", path);
    size_t length = fread(json, 1, ROOM, file);
    (void)fclose(file);
    struct imported imported = import_of(json, length, 0);
    cr_assert_eq(imported.result, 0, "%s", imported.err.message);
    struct laz_policy *policy = policy_from(&imported);
    size_t n = compile(json, length, insns);
    cr_expect_gt(compare_imported(policy, &imported, insns, n), 300 * TRIES);
    laz_policy_free(policy);
    drop(&imported);
    free(json);
}

Test(filter_profile, imports_what_a_capability_brings)
{
    struct imported with = import_of(docker_like, strlen(docker_like), UINT64_C(1) << 39);
    struct imported admin = import_of(docker_like, strlen(docker_like), UINT64_C(1) << 21);
    cr_expect_not_null(strstr(with.yaml.data, "bpf"));
    cr_expect_not_null(strstr(with.yaml.data, "[clone]"));
    cr_expect_null(strstr(admin.yaml.data, "bpf"));
    cr_expect_null(strstr(admin.yaml.data, "[clone]"));
    drop(&with);
    drop(&admin);
}

#define ONE(action, rest)                                                                          \
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"kill\"],\"action\":"        \
    "\"" action "\"" rest "}]}"
#define ARG(index, value, op)                                                                      \
    ",\"args\":[{\"index\":" #index ",\"value\":" #value ",\"op\":\"SCMP_CMP_" op "\"}]"

Test(filter_profile, import_names_what_it_cannot_say)
{
    static const struct {
        const char *json;
        const char *yaml; /* a part of it */
        const char *loss; /* NULL: none */
    } rows[] = {
            {ONE("SCMP_ACT_ALLOW", ""), "allow: [\n    kill]\n", NULL},
            {ONE("SCMP_ACT_ALLOW", ARG(1, 9, "EQ")), "when: [{arg: sig, eq: 0x9}]", NULL},
            {ONE("SCMP_ACT_ALLOW", ARG(1, 2, "LT")), "in: [0, 1]", NULL},
            {ONE("SCMP_ACT_ALLOW", ARG(1, 1, "GT")), "not-in: [0, 1]", NULL},
            {ONE("SCMP_ACT_ALLOW", ARG(1, 2, "GE")), "not-in: [0, 1]", NULL},
            {ONE("SCMP_ACT_ALLOW", ARG(1, 65, "GT")), "allow: []\n",
                    "condition: kill is allowed by the profile for arguments that a policy cannot "
                    "name: it is left out\n"},
            {ONE("SCMP_ACT_ALLOW", ARG(1, 4294967305, "EQ")), "allow: []\n", "condition: kill"},
            {ONE("SCMP_ACT_ALLOW", ARG(3, 9, "EQ")), "allow: []\n", "condition: kill"},
            {ONE("SCMP_ACT_KILL_PROCESS", ARG(1, 65, "GT")), "{names: [kill], action: kill}",
                    "condition: kill is refused by the profile for arguments that a policy cannot "
                    "name: it is refused whatever they are\n"},
            {ONE("SCMP_ACT_TRAP", ""), "{names: [kill], action: kill}",
                    "action: SCMP_ACT_TRAP becomes kill\n"},
            {ONE("SCMP_ACT_ERRNO", ",\"errnoRet\":3"), "action: errno, errno: ESRCH", NULL},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct imported imported = import_of(rows[i].json, strlen(rows[i].json), 0);
        cr_assert_eq(imported.result, 0, "row %zu: %s", i, imported.err.message);
        cr_expect_not_null(
                strstr(imported.yaml.data, rows[i].yaml), "row %zu:\n%s", i, imported.yaml.data);
        cr_expect_eq(imported.n, rows[i].loss == NULL ? 0 : 1, "row %zu", i);
        cr_expect(rows[i].loss == NULL || strstr(imported.losses.data, rows[i].loss) != NULL,
                "row %zu", i);
        drop(&imported);
    }
}

Test(filter_profile, import_refuses_what_is_no_such_profile)
{
    static const struct {
        const char *json;
        const char *message;
    } rows[] = {
            {"", "not JSON: byte 0: no value"},
            {"[]", "a profile is an object"},
            {"{}", "defaultAction is no action that seccomp knows"},
            {"{\"defaultAction\":\"SCMP_ACT_NONSENSE\"}",
                    "defaultAction is no action that seccomp knows"},
            {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":-1}",
                    "defaultErrnoRet is no errno"},
            {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[]}",
                    "defaultAction: the profile allows what it does not name, and a policy refuses "
                    "that: write down what is needed"},
            {ONE("SCMP_ACT_MAYBE", ""), "action is no action that seccomp knows"},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct imported imported = import_of(rows[i].json, strlen(rows[i].json), 0);
        cr_expect_eq(imported.result, -1, "row %zu", i);
        cr_expect_eq(imported.err.kind, LAZ_E_OCI, "row %zu", i);
        cr_expect_str_eq(
                imported.err.message, rows[i].message, "row %zu: %s", i, imported.err.message);
        drop(&imported);
    }
}
