/* SPDX-License-Identifier: Apache-2.0
 *
 * laz_policy_find_widening: right in the cases of the table (the widenings are in
 * tests/data/bad/sealed-*), and never wrong in saying "narrower": random pairs of policies are
 * asked about every value that their conditions can tell apart.
 */
#include "policy/narrow.h"

#include <stdlib.h>
#include <string.h>

#include "loading.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define WHAT_MAX      300
#define TEXT_MAX      3000

/* The YAML and what it lacks to be a policy. */
static void complete(const char *yaml, char *ret_text)
{
    static const struct {
        const char *key;
        const char *text;
    } parts[] = {{"workload", "workload: {user: \"1:1\"}\n"},
            {"filesystem", "filesystem: {read-exec: [/usr]}\n"},
            {"syscalls", "syscalls: {allow: [read]}\n"}};
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret_text, TEXT_MAX);
    laz_buf_printf(&buf, "version: 1\n%s", yaml);
    for (size_t i = 0; i < LENGTH(parts); i++) {
        laz_buf_str(&buf, strstr(yaml, parts[i].key) == NULL ? parts[i].text : "");
    }
    cr_assert(!buf.overflow);
}

/* If not, ret_what says why: key, value and both positions. */
static bool adds_nothing(
        const struct laz_policy *child, const struct laz_policy *parent, char *ret_what)
{
    struct laz_widening found = {0};
    if (!laz_policy_find_widening(child, parent, &found)) {
        return true;
    }
    char child_pos[LAZ_DIAGNOSTIC_FILE_MAX];
    char parent_pos[LAZ_DIAGNOSTIC_FILE_MAX];
    laz_policy_pos_format(child, found.child_pos, child_pos, sizeof(child_pos));
    laz_policy_pos_format(parent, found.parent_pos, parent_pos, sizeof(parent_pos));
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret_what, WHAT_MAX);
    laz_buf_printf(
            &buf, "%s: %s (%s; the other: %s)", found.key, found.value, child_pos, parent_pos);
    return false;
}

static bool is_narrower(const char *child, const char *parent, char *ret_what)
{
    struct laz_policy *a = must_load(child);
    struct laz_policy *b = must_load(parent);
    bool result = adds_nothing(a, b, ret_what);
    laz_policy_free(a);
    laz_policy_free(b);
    return result;
}

Test(policy_narrow, both_ways)
{
    static const struct {
        const char *name;
        const char *wide;
        const char *narrow;
        const char *what; /* the child adds, when the two are swapped; "" if they are equal */
    } rows[] = {
            {"equal", "mode: enforce\n", "", ""},
            {"mode", "mode: observe\n", "",
                    "mode: observe (/nowhere/test.yaml:2:7; the other: default)"},
            {"group by name", "syscalls: {groups: [basic-io]}\n",
                    "syscalls: {allow: [read, write]}\n",
                    "syscalls: close (/nowhere/test.yaml:2:21; the other: default)"},
            {"path below", "filesystem: {read-exec: [/usr], write: [/var]}\n",
                    "filesystem: {read-exec: [/usr/bin], write: [/var/a], read: [/var/b, "
                    "/usr/c]}\n",
                    "filesystem.read-exec: /usr (/nowhere/test.yaml:2:26; the other: "
                    "/nowhere/test.yaml:2:25)"},
            {"a prefix is not a parent", "filesystem: {read-exec: [/usr, /usrlocal]}\n",
                    "filesystem: {read-exec: [/usr]}\n",
                    "filesystem.read-exec: /usrlocal (/nowhere/test.yaml:2:32; the other: "
                    "/nowhere/test.yaml:2:25)"},
            {"rights of several rules add up",
                    "filesystem: {read-exec: [/usr], write: [/], write-exec: [/usr/x]}\n",
                    "filesystem: {read-exec: [/usr], write: [/]}\n", ""},
            {"any port", "network: {tcp-bind: any}\n", "network: {tcp-bind: [1, 65535]}\n",
                    "network.tcp-bind: any (/nowhere/test.yaml:2:21; the other: "
                    "/nowhere/test.yaml:2:21)"},
            {"isolation", "filesystem: {read-exec: [/usr], isolate: []}\n",
                    "filesystem: {read-exec: [/usr], isolate: [signals]}\n",
                    "filesystem.isolate: without signals (/nowhere/test.yaml:2:42; the other: "
                    "/nowhere/test.yaml:2:42)"},
            {"no limit", "", "limits: {core-size: 0}\n",
                    "limits: core-size (default; the other: /nowhere/test.yaml:2:21)"},
            {"no budget", "workload: {user: \"1:1\", exec-budget: -1}\n", "",
                    "workload.exec-budget: -1 (/nowhere/test.yaml:2:38; the other: default)"},
            {"groups", "workload: {user: \"1:1\", groups: [\"5\", \"6\", \"7\"]}\n",
                    "workload: {user: \"1:1\", groups: [\"7\", \"5\"]}\n",
                    "workload.groups: 6 (/nowhere/test.yaml:2:33; the other: "
                    "/nowhere/test.yaml:2:33)"},
            {"without Landlock paths and ports are words", "requires: {landlock: disabled}\n",
                    "filesystem: {write-exec: [/]}\nnetwork: {tcp-bind: any}\n",
                    "requires.landlock: disabled (/nowhere/test.yaml:2:22; the other: default)"},
            {"multipath", "network: {multipath-tcp: allow}\n", "",
                    "network.multipath-tcp: allow (/nowhere/test.yaml:2:26; the other: default)"},
            {"abstract sockets", "",
                    "filesystem: {read-exec: [/usr], isolate: [abstract-sockets]}\n",
                    "filesystem.isolate: without abstract-sockets (default; the other: "
                    "/nowhere/test.yaml:2:42)"},
            {"unknown numbers", "syscalls: {allow: [read], unknown: {action: errno}}\n",
                    "syscalls: {allow: [read], unknown: {action: notify}}\n",
                    "syscalls.unknown: errno (/nowhere/test.yaml:2:36; the other: "
                    "/nowhere/test.yaml:2:36)"},
            {"families", "network: {families: [unix, vsock]}\nsyscalls: {allow: [read, socket]}\n",
                    "network: {families: [unix]}\nsyscalls: {allow: [read, socket]}\n",
                    "network.families: socket (/nowhere/test.yaml:2:28; the other: "
                    "/nowhere/test.yaml:2:22)"},
            {"no sockets", "network: {families: [unix]}\nsyscalls: {allow: [read, socket]}\n",
                    "syscalls: {allow: [read, socket]}\n",
                    "syscalls: socket (/nowhere/test.yaml:3:26; the other: default)"},
            {"a sink", "", "sinks: [{name: a, type: stdout}]\n",
                    "sinks.a.name: no such sink (default; the other: /nowhere/test.yaml:2:16)"},
            {"what a sink gets", "sinks: [{name: a, type: stdout, min-severity: 3}]\n",
                    "sinks: [{name: a, type: stdout, classes: [ids, log, audit]}]\n",
                    "sinks.a.classes: without log (/nowhere/test.yaml:2:9; the other: "
                    "/nowhere/test.yaml:2:42)"},
            {"a key that seals", "sinks: [{name: a, type: stdout}]\nspool: {seal-to: [/b]}\n",
                    "sinks: [{name: a, type: stdout}]\nspool: {seal-to: [/k, /b]}\n",
                    "spool.seal-to: without /k (/nowhere/test.yaml:3:18; the other: "
                    "/nowhere/test.yaml:3:19)"},
            {"a pattern", "sinks: [{name: a, type: stdout}]\nlogs: {max-line: 1KiB}\n",
                    "sinks: [{name: a, type: stdout}]\nlogs: {redact: {patterns: [ssn, jwt]}}\n",
                    "logs.redact.patterns: without ssn (default; the other: "
                    "/nowhere/test.yaml:3:27)"},
            {"a literal", "sinks: [{name: a, type: stdout}]\n",
                    "sinks: [{name: a, type: stdout}]\nlogs: {redact: {literals: [abcd]}}\n",
                    "logs.redact.literals: without abcd (default; the other: "
                    "/nowhere/test.yaml:3:28)"},
            {"checkpoints and sizes are no requirement",
                    "sinks: [{name: a, type: stdout}]\n"
                    "audit: {checkpoint: {records: 1}}\nspool: {max: 4MiB, dir: /a}\n",
                    "sinks: [{name: a, type: stdout}]\n", ""},
            {"environment is no permission", "", "exit: {map: [{from: 1, to: 2}]}\n", ""},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char wide[TEXT_MAX];
        char narrow[TEXT_MAX];
        complete(rows[i].wide, wide);
        complete(rows[i].narrow, narrow);
        char what[WHAT_MAX] = "";
        cr_expect(is_narrower(narrow, wide, what), "%s: %s", rows[i].name, what);
        bool is_equal = rows[i].what[0] == '\0';
        cr_expect_eq(is_narrower(wide, narrow, what), is_equal, "%s: %s", rows[i].name, what);
        cr_expect(is_equal || strncmp(what, rows[i].what, strlen(rows[i].what)) == 0, "%s: %s",
                rows[i].name, what);
    }
}

/* ---- Random pairs ---- */

#define POINTS 16 /* of each of the two arguments that the rules look at */

struct random {
    uint64_t state;
};

static uint64_t next(struct random *random, uint64_t below)
{
    random->state ^= random->state << 13; /* xorshift64: the same run everywhere */
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return (random->state >> 11) % below;
}

static void put_condition(struct random *random, struct laz_buf *buf)
{
    static const char *const tests[] = {
            "eq", "in", "not-in", "any-flags", "no-flags", "flags-subset-of"};
    size_t test = next(random, LENGTH(tests));
    bool is_list = test == 1 || test == 2;
    laz_buf_printf(buf, "{arg: %s, %s: ", next(random, 2) == 0 ? "fd" : "cmd", tests[test]);
    unsigned first = (unsigned)next(random, POINTS - 1) + 1;
    unsigned second = (first + 1 + (unsigned)next(random, POINTS - 2)) % POINTS;
    if (is_list && next(random, 2) == 0 && second != first) {
        laz_buf_printf(buf, "[%u, %u]}", first, second);
    } else {
        laz_buf_printf(buf, is_list ? "[%u]}" : "%u}", first);
    }
}

static void put_rule(struct random *random, struct laz_buf *buf, bool may_allow)
{
    static const char *const actions[] = {"errno", "notify", "kill", "allow", "allow", "log"};
    const char *action = actions[next(random, may_allow ? LENGTH(actions) : 3)];
    laz_buf_printf(buf, "    - {names: [ioctl], action: %s, when: [", action);
    put_condition(random, buf);
    if (next(random, 2) == 0) {
        laz_buf_str(buf, ", ");
        put_condition(random, buf);
    }
    laz_buf_str(buf, "]}\n");
}

/* A policy that says something about ioctl. */
static void put_policy(struct random *random, struct laz_buf *buf)
{
    static const char *const defaults[] = {"errno", "notify", "notify", "kill"};
    laz_buf_printf(buf, "%ssyscalls:\n  default: {action: %s}\n", MINIMAL,
            defaults[next(random, LENGTH(defaults))]);
    bool is_plain = next(random, 2) == 0;
    laz_buf_str(buf, is_plain ? "  allow: [read, ioctl]\n" : "  allow: [read]\n");
    size_t n = next(random, 4);
    if (n > 0) {
        laz_buf_str(buf, "  rules:\n");
    }
    for (size_t i = 0; i < n; i++) {
        put_rule(random, buf, !is_plain);
    }
    if (next(random, 4) == 0) {
        laz_buf_str(buf, "events: {quiet: [ioctl]}\n");
    }
}

static unsigned strictness(const struct laz_policy *policy, uint64_t fd, uint64_t cmd)
{
    static const unsigned ranks[] = {[LAZ_ACTION_ALLOW] = 0,
            [LAZ_ACTION_LOG] = 1,
            [LAZ_ACTION_ERRNO] = 2,
            [LAZ_ACTION_NOTIFY] = 3,
            [LAZ_ACTION_KILL] = 4};
    const uint64_t args[6] = {fd, cmd};
    const struct laz_syscall *call = laz_syscall_by_name("ioctl", strlen("ioctl"));
    return ranks[laz_policy_decide(policy, LAZ_ARCH_X86_64, laz_arch_audit(LAZ_ARCH_X86_64),
            (uint32_t)call->nr[LAZ_ARCH_X86_64], args)
                         .action];
}

/* Is the child at least as strict for all values? */
static bool is_truly_narrower(const struct laz_policy *child, const struct laz_policy *parent)
{
    for (uint64_t fd = 0; fd <= POINTS; fd++) {
        for (uint64_t cmd = 0; cmd <= POINTS; cmd++) {
            if (strictness(child, fd, cmd) < strictness(parent, fd, cmd)) {
                return false;
            }
        }
    }
    return true;
}

Test(policy_narrow, says_narrower_only_where_it_is_true)
{
    struct random random = {.state = 20261121};
    bool is_long = getenv("LAZARET_LONG") != NULL;
    size_t n_narrower = 0;
    size_t n_missed = 0;
    for (int i = 0; i < (is_long ? 100000 : 3000); i++) {
        char texts[2][TEXT_MAX];
        struct laz_policy *policies[2];
        for (int k = 0; k < 2; k++) {
            struct laz_buf buf;
            laz_buf_init_fixed(&buf, texts[k], TEXT_MAX);
            put_policy(&random, &buf);
            cr_assert(!buf.overflow);
            policies[k] = must_load(texts[k]);
        }
        char what[WHAT_MAX];
        bool said = adds_nothing(policies[0], policies[1], what);
        bool is = is_truly_narrower(policies[0], policies[1]);
        cr_assert(!said || is, "wrong about\n%s\nagainst\n%s", texts[0], texts[1]);
        cr_assert(adds_nothing(policies[0], policies[0], what), "not narrower than itself: %s\n%s",
                what, texts[0]);
        n_narrower += said ? 1 : 0;
        n_missed += is && !said ? 1 : 0;
        laz_policy_free(policies[0]);
        laz_policy_free(policies[1]);
    }
    /* The answer must be of use too: mostly right where the pair is narrower. These pairs are far
     * from what people write; most of the missed ones refuse by accident the very values that the
     * other allows. */
    cr_assert_gt(n_narrower, n_missed, "%zu narrower, %zu missed", n_narrower, n_missed);
}
