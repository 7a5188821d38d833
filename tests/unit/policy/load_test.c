/* SPDX-License-Identifier: Apache-2.0
 *
 * The loader beyond what the files in tests/data say: values that arrive in the policy, files and
 * their safety, limits, digests, order and number of diagnostics.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "loading.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Values ---- */

/* Not on the ports that a later file says, which change nothing. */
Test(policy_load, any_is_blamed_on_the_line_that_says_it)
{
    struct loaded loaded = load_path("tests/data/good/warnings-lists.yaml");
    cr_assert_not_null(loaded.policy, "%s", loaded.err.message);
    struct laz_pos pos = laz_policy_pos_of(loaded.policy, "network.tcp-connect");
    cr_expect_str_eq(loaded.policy->files[pos.file].name, "tests/data/good/lists-parent.part.yaml");
    cr_expect_eq(pos.line, 6);
    unload(&loaded);
}

Test(policy_load, every_key_arrives)
{
    struct loaded loaded = load_path("tests/data/good/every-key.yaml");
    struct laz_policy *policy = loaded.policy;
    cr_assert_not_null(policy, "%s", loaded.err.message);
    cr_expect_str_eq(policy->name, "every.key_1");
    cr_expect(policy->sealed);
    cr_expect_eq(policy->mode, LAZ_MODE_OBSERVE);
    for (unsigned i = 0; i < LAZ_REQUIRE_COUNT; i++) {
        bool is_budget = i == LAZ_REQUIRE_EXEC_BUDGET; /* which observing does not go with */
        cr_expect_eq(policy->require[i], is_budget ? LAZ_LEVEL_PREFERRED : LAZ_LEVEL_REQUIRED, "%s",
                laz_require_name(i));
    }
    cr_expect_eq(policy->landlock_min_abi, 1);
    cr_expect_eq(policy->uid, 10001);
    cr_expect_eq(policy->gid, 10001);
    cr_assert_eq(policy->n_groups, 2);
    cr_expect_eq(policy->groups[0], 10002);
    cr_expect_eq(policy->groups[1], 10007);
    cr_expect_str_eq(policy->cwd, "/");
    cr_expect_eq(policy->umask, 027);
    cr_expect_eq(policy->exec_budget, 3);
    cr_assert_eq(policy->env_pass.n, 3);
    cr_expect_str_eq(policy->env_pass.items[2], "HOME");
    cr_assert_eq(policy->env_set.n, 4);
    cr_expect_str_eq(policy->env_set.items[0], "GREETING=a: b # c");
    cr_expect_str_eq(policy->env_set.items[1], "EMPTY=");
    cr_expect_str_eq(policy->env_set.items[2], "NORWAY=no");
    cr_expect_str_eq(policy->env_set.items[3], "PHI_KEY_FD=20"); /* of an item of secrets */
    cr_expect_eq(policy->flood.burst, 100);
    cr_expect_eq(policy->flood.per_second, 10);
    cr_expect_eq(policy->flood.hold_ms, 20);
    cr_expect_eq(policy->flood.kill_after, 1000);
    cr_expect_eq(policy->shutdown.stop_timeout_ms, 30000);
    cr_expect_eq(policy->shutdown.lb_grace_ms, 5000);
    cr_expect_eq(policy->shutdown.grace_ms, 20000);
    cr_expect_eq(policy->shutdown.drain_ms, 2500);
    cr_expect_eq(policy->n_tests, 1);
    unload(&loaded);
}

Test(policy_load, limits_signals_and_exit_codes_arrive)
{
    struct loaded loaded = load_path("tests/data/good/every-key.yaml");
    struct laz_policy *policy = loaded.policy;
    cr_assert_not_null(policy, "%s", loaded.err.message);
    static const struct {
        int resource;
        uint64_t value;
    } limits[] = {{RLIMIT_CPU, 3600}, {RLIMIT_FSIZE, 1u << 30}, {RLIMIT_STACK, 8u << 20},
            {RLIMIT_CORE, 0}, {RLIMIT_RSS, 1u << 30}, {RLIMIT_NPROC, 64}, {RLIMIT_NOFILE, 256},
            {RLIMIT_MEMLOCK, 64 * 1024}, {RLIMIT_AS, UINT64_C(8) << 30}, {RLIMIT_RTTIME, 0}};
    for (size_t i = 0; i < LENGTH(limits); i++) {
        const struct laz_limit_value *limit = &policy->limits[limits[i].resource];
        cr_expect(limit->set && limit->value == limits[i].value, "%s is %ju",
                laz_rlimit_name(limits[i].resource), (uintmax_t)limit->value);
    }
    cr_expect_eq(policy->signal_map[SIGTERM], SIGQUIT);
    cr_expect_eq(policy->signal_map[SIGUSR1], SIGHUP);
    cr_expect_eq(policy->signal_map[37], SIGTERM);
    cr_expect_eq(policy->signal_map[SIGHUP], 0);
    cr_expect_eq(policy->signal_map[SIGINT], SIGINT);
    cr_expect_eq(policy->signal_guard, LAZ_SIGNAL_BIT(SIGUSR1) | LAZ_SIGNAL_BIT(SIGUSR2));
    cr_expect_eq(policy->signal_group, LAZ_SIGNAL_BIT(SIGINT));
    cr_expect_eq(policy->signal_stop, LAZ_SIGNAL_BIT(SIGTERM) | LAZ_SIGNAL_BIT(SIGPWR));
    cr_assert_eq(policy->n_exit_map, 2);
    cr_expect_eq(policy->exit_map[0].from, 143);
    cr_expect_eq(policy->exit_map[0].to, 0);
    cr_expect(policy->exit_map[0].only_if_stop_requested);
    cr_expect(!policy->exit_map[1].only_if_stop_requested);
    unload(&loaded);
}

Test(policy_load, defaults_are_those_of_the_reference)
{
    struct laz_policy *policy = must_load(MINIMAL "syscalls: {allow: [read]}\n");
    cr_expect_str_eq(policy->name, "test");
    cr_expect_eq(policy->mode, LAZ_MODE_ENFORCE);
    cr_expect_eq(policy->require[LAZ_REQUIRE_EVENTS], LAZ_LEVEL_PREFERRED);
    cr_expect_eq(policy->require[LAZ_REQUIRE_WRITE_XOR_EXECUTE], LAZ_LEVEL_DISABLED);
    cr_expect_eq(policy->landlock_min_abi, 1);
    cr_expect_eq(policy->umask, 077);
    cr_expect_eq(policy->exec_budget, 1);
    cr_expect_str_eq(policy->cwd, "/");
    cr_expect_eq(policy->signal_stop, LAZ_SIGNAL_BIT(SIGTERM) | LAZ_SIGNAL_BIT(SIGINT));
    cr_expect_eq(policy->shutdown.stop_timeout_ms, 10000);
    cr_expect_eq(policy->shutdown.grace_ms, 7000); /* what is left */
    cr_expect_eq(policy->flood.kill_after, 0);
    cr_expect_eq(policy->default_verdict.action, LAZ_ACTION_NOTIFY);
    cr_expect_eq(policy->unknown_verdict.action, LAZ_ACTION_ERRNO);
    cr_expect_eq(policy->default_verdict.pos.line, 0);
    cr_expect_eq(policy->relaxations.n, 0);
    cr_expect_eq(laz_policy_pos_of(policy, "workload.user").line, 2);
    cr_expect_eq(laz_policy_pos_of(policy, "workload.user").col, 18);
    cr_expect_eq(laz_policy_pos_of(policy, "workload.umask").line, 0);
    cr_expect_eq(laz_policy_pos_of(policy, "no.such.key").line, 0);
    laz_policy_free(policy);
}

Test(policy_load, each_file_of_a_diamond_applies_once)
{
    struct loaded loaded = load_path("tests/data/good/diamond.yaml");
    cr_assert_not_null(loaded.policy, "%s", loaded.err.message);
    cr_expect_eq(loaded.policy->n_files, 4);
    cr_expect_eq(loaded.policy->limits[RLIMIT_NOFILE].value, 2);
    cr_expect_eq(loaded.policy->limits[RLIMIT_NPROC].value, 3);
    /* What both sides have is there once, and sorted; a later exit code takes an earlier one's
     * place. */
    const struct laz_policy *policy = loaded.policy;
    cr_assert_eq(policy->n_groups, 3);
    cr_expect(policy->groups[0] == 7 && policy->groups[1] == 9 && policy->groups[2] == 10002);
    const struct laz_port_list *ports = &policy->tcp_bind;
    cr_assert_eq(ports->n, 3);
    cr_expect(ports->ports[0] == 80 && ports->ports[1] == 443 && ports->ports[2] == 8080);
    cr_expect_eq(policy->n_paths, 4, "%zu", policy->n_paths);
    cr_assert_eq(policy->n_exit_map, 1);
    cr_expect_eq(policy->exit_map[0].to, 3);
    unload(&loaded);
}

Test(policy_load, tests_are_resolved)
{
    struct loaded loaded = load_path("tests/data/good/claims-api.yaml");
    const struct laz_policy *policy = loaded.policy;
    cr_assert_not_null(policy, "%s", loaded.err.message);
    cr_assert_eq(policy->n_tests, 8);
    cr_expect_str_eq(policy->tests[1].call->name, "socket");
    cr_expect_eq(policy->tests[1].args[0], 2);
    cr_expect_eq(policy->tests[1].args[2], 262);
    cr_expect_eq(policy->tests[1].expect_errno, 1);
    cr_expect_eq(policy->tests[5].abi, LAZ_ABI_I386);
    cr_expect_null(policy->tests[7].call);
    cr_expect_eq(policy->tests[7].nr, 999);
    cr_expect_eq(policy->tests[7].args[0], 0xFFFFFFFF);
    unload(&loaded);
}

/* ---- Digest ---- */

Test(policy_load, the_digest_covers_every_byte_of_every_file)
{
    static const char one[] = MINIMAL "syscalls: {allow: [read]}\n";
    static const char two[] = MINIMAL "syscalls: {allow: [read]} \n";
    static const char three[] = MINIMAL "extends: [builtin/static]\n";
    uint8_t wanted[LAZ_SHA256_SIZE];
    struct laz_sha256 hash;
    const uint8_t length[8] = {sizeof(one) - 1};
    laz_sha256_init(&hash);
    laz_sha256_add(&hash, length, sizeof(length));
    laz_sha256_add(&hash, one, sizeof(one) - 1);
    laz_sha256_end(&hash, wanted);
    struct laz_policy *a = must_load(one);
    struct laz_policy *b = must_load(two);
    struct laz_policy *c = must_load(three);
    struct laz_policy *d = must_load(three);
    cr_expect_eq(memcmp(a->source_digest, wanted, sizeof(wanted)), 0);
    cr_expect_neq(memcmp(a->source_digest, b->source_digest, sizeof(wanted)), 0);
    cr_expect_eq(memcmp(c->source_digest, d->source_digest, sizeof(wanted)), 0);
    cr_expect_eq(c->n_files, 2);
    laz_policy_free(a);
    laz_policy_free(b);
    laz_policy_free(c);
    laz_policy_free(d);
}

/* ---- Files ---- */

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "we");
    cr_assert_not_null(file, "%s", path);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(chmod(path, mode), 0);
}

/* Load ./policy.yaml as init does. */
static struct loaded load_owned(void)
{
    const struct laz_policy_source source = {.path = "policy.yaml", .check_ownership = true};
    return load_source(&source);
}

static const char whole[] = MINIMAL "syscalls: {allow: [read]}\n";

Test(policy_load, files_that_others_could_change_are_refused)
{
    char folder[] = "/tmp/lazaret-load-XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
    static const struct {
        const char *name;
        mode_t mode;
        bool is_link;
        bool is_fifo;
        enum laz_err_kind kind;
    } rows[] = {
            {"fine", 0644, false, false, LAZ_E_NONE},
            {"group", 0664, false, false, LAZ_E_POLICY_UNSAFE},
            {"others", 0646, false, false, LAZ_E_POLICY_UNSAFE},
            {"link", 0644, true, false, LAZ_E_POLICY_UNSAFE},
            {"fifo", 0644, false, true, LAZ_E_POLICY_UNSAFE},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        if (rows[i].is_fifo) {
            cr_assert_eq(mkfifo("policy.yaml", 0644), 0);
        } else {
            const char *path = rows[i].is_link ? "target.yaml" : "policy.yaml";
            write_file(path, whole, rows[i].mode);
        }
        cr_assert(!rows[i].is_link || symlink("target.yaml", "policy.yaml") == 0);
        struct loaded loaded = load_owned();
        enum laz_err_kind kind = geteuid() == 0 ? rows[i].kind : LAZ_E_POLICY_UNSAFE; /* all ours */
        cr_expect_eq(loaded.err.kind, kind, "%s: %s", rows[i].name, loaded.err.message);
        cr_expect_eq(loaded.diagnostics->n_errors, kind != LAZ_E_NONE, "%s", rows[i].name);
        unload(&loaded);
        cr_assert_eq(unlink("policy.yaml"), 0);
    }
    struct loaded loaded = load_owned();
    cr_expect_eq(loaded.err.kind, LAZ_E_POLICY_ABSENT, "%s", loaded.err.message);
    unload(&loaded);
    write_file("policy.yaml", "version: 1\nextends: [target.yaml]\n", 0644);
    cr_assert_eq(chmod("target.yaml", 0666), 0);
    loaded = load_owned();
    cr_expect_eq(loaded.err.kind, LAZ_E_POLICY_UNSAFE, "a parent: %s", loaded.err.message);
    unload(&loaded);
    cr_assert_eq(unlink("policy.yaml") + unlink("target.yaml") + rmdir(folder), 0);
}

/* ---- Limits ---- */

static void fill(char *text, size_t length, const char *pattern)
{
    for (size_t i = 0; i < length; i++) {
        text[i] = pattern[i % strlen(pattern)];
    }
}

Test(policy_load, hostile_texts_end_quickly)
{
    static const struct {
        const char *name;
        const char *head;
        const char *pattern;
        enum laz_err_kind kind;
    } rows[] = {
            {"brackets", "", "[", LAZ_E_POLICY_TOO_LARGE},
            {"braces", "", "{", LAZ_E_POLICY_SYNTAX},
            {"dashes", "", "- ", LAZ_E_POLICY_TOO_LARGE},
            {"question marks", "", "? ", LAZ_E_POLICY_SYNTAX},
            {"list", "syscalls: {allow: [", "x,", LAZ_E_POLICY_TOO_LARGE},
            {"keys", "", "a:\n", LAZ_E_POLICY_TOO_LARGE},
            {"one key", "", "a", LAZ_E_POLICY_TOO_LARGE},
            {"quote", "a: \"", "x", LAZ_E_POLICY_SYNTAX},
            {"lines", "", "\n", LAZ_E_POLICY_SYNTAX},
            {"comment", "#", "x", LAZ_E_POLICY_SYNTAX},
            {"lists of lists", "a:\n", "- [1,2,3,4,5]\n", LAZ_E_POLICY_TOO_LARGE},
            {"nearly known", "syscalls:\n  allow:\n", "    - opnat\n", LAZ_E_POLICY_TOO_LARGE},
    };
    static char text[LAZ_POLICY_FILE_MAX];
    for (size_t i = 0; i < LENGTH(rows); i++) {
        size_t head = strlen(rows[i].head);
        (void)memcpy(text, rows[i].head, head);
        fill(text + head, sizeof(text) - head, rows[i].pattern);
        struct timespec before;
        struct timespec after;
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        struct loaded loaded = load_bytes(text, sizeof(text));
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        double seconds = (double)(after.tv_sec - before.tv_sec) +
                (double)(after.tv_nsec - before.tv_nsec) / 1e9;
        cr_expect_eq(loaded.result, -1, "%s", rows[i].name);
        cr_expect_eq(loaded.err.kind, rows[i].kind, "%s: %s", rows[i].name, loaded.err.message);
        cr_expect_lt(seconds, 2.0, "%s took %.1f s", rows[i].name, seconds);
        unload(&loaded);
    }
}

Test(policy_load, a_file_above_the_limit_is_refused)
{
    static char text[LAZ_POLICY_FILE_MAX + 1];
    fill(text, sizeof(text), "#\n");
    struct loaded loaded = load_bytes(text, sizeof(text));
    cr_expect_eq(loaded.err.kind, LAZ_E_POLICY_TOO_LARGE, "%s", loaded.err.message);
    unload(&loaded);
}

/* Each exit code may be mapped twice, but not all of them. */
Test(policy_load, more_exit_codes_than_there_is_room_for_are_refused)
{
    for (int extra = 0; extra < 2; extra++) {
        laz_cleanup_buf struct laz_buf buf;
        laz_buf_init_heap(&buf, LAZ_POLICY_FILE_MAX);
        laz_buf_str(&buf, MINIMAL "syscalls: {allow: [read]}\nexit:\n  map:\n");
        for (int n = 0; n < 256; n++) {
            laz_buf_printf(&buf, "    - {from: %d, to: 1}\n", n);
        }
        laz_buf_str(&buf, extra ? "    - {from: 7, to: 1, only-if: stop-requested}\n" : "");
        struct loaded loaded = load_bytes(buf.data, buf.len);
        cr_expect_eq(loaded.result, -extra, "%s", loaded.err.message);
        cr_expect_eq(loaded.err.kind, extra ? LAZ_E_POLICY_TOO_LARGE : LAZ_E_NONE);
        cr_expect(extra == 0 || strstr(loaded.err.message, "exit.map[256]: more than 256") != NULL,
                "%s", loaded.err.message);
        unload(&loaded);
    }
}

Test(policy_load, all_signals_may_go_to_the_group)
{
    struct laz_policy *policy =
            must_load(MINIMAL "syscalls: {allow: [read]}\nsignals: {group: all}\n");
    cr_expect_eq(policy->signal_group, UINT64_MAX);
    laz_policy_free(policy);
}

/* One more than the ceiling of each list. */
Test(policy_load, ceilings_hold)
{
    static const struct {
        const char *head;
        const char *before;
        const char *after; /* of the number in each item */
        const char *tail;
        int most;
        const char *message;
    } rows[] = {
            {"syscalls: {allow: [read], rules: [",
                    "{names: [ioctl], action: errno, when: {arg: cmd, eq: ", "}}", "]}\n",
                    LAZ_POLICY_RULES_MAX, "more than 512 rules"},
            {"requires: {events: disabled}\nfilesystem: {read-exec: [", "/p", "", "]}\n",
                    LAZ_POLICY_PATHS_MAX, "more than 1000 paths"},
            {"network: {tcp-bind: [", "", "", "]}\n", 1024, "more than 1024 ports"},
            {"workload: {user: \"1:1\", groups: [", "\"", "\"", "]}\n", 64, "more than 64 groups"},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        for (int extra = 0; extra < 2; extra++) {
            laz_cleanup_buf struct laz_buf buf;
            laz_buf_init_heap(&buf, LAZ_POLICY_FILE_MAX);
            bool has_workload = strncmp(rows[i].head, "workload", 8) == 0;
            bool has_paths = strstr(rows[i].head, "filesystem") != NULL;
            laz_buf_str(&buf, "version: 1\n");
            laz_buf_str(&buf, has_workload ? "" : "workload: {user: \"1:1\"}\n");
            laz_buf_str(&buf, has_paths ? "" : "filesystem: {read-exec: [/usr]}\n");
            laz_buf_str(&buf, i == 0 ? "" : "syscalls: {allow: [read]}\n");
            laz_buf_str(&buf, rows[i].head);
            for (int n = 1; n <= rows[i].most + extra; n++) {
                laz_buf_printf(
                        &buf, "%s%s%d%s", n > 1 ? ", " : "", rows[i].before, n, rows[i].after);
            }
            laz_buf_str(&buf, rows[i].tail);
            cr_assert(!buf.overflow);
            struct loaded loaded = load_bytes(buf.data, buf.len);
            cr_expect_eq(loaded.result, -extra, "%s: %s", rows[i].message, loaded.err.message);
            cr_expect(extra == 0 || strstr(loaded.err.message, rows[i].message) != NULL, "%s: %s",
                    rows[i].message, loaded.err.message);
            cr_expect_eq(loaded.err.kind, extra == 0 ? LAZ_E_NONE : LAZ_E_POLICY_TOO_LARGE, "%s",
                    rows[i].message);
            unload(&loaded);
        }
    }
}

/* ---- Diagnostics ---- */

Test(policy_load, the_first_errors_in_source_order_are_kept)
{
    char text[LAZ_POLICY_SCALAR_MAX];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    /* A warning first, then 40 unknown calls, then a duplicate key, which is found before all
     * others. */
    laz_buf_str(
            &buf, "version: 1\nprivileges: {capabilities: {keep: [KILL]}}\nsyscalls:\n  allow:\n");
    for (int i = 0; i < 40; i++) {
        laz_buf_printf(&buf, "    - nothing%d\n", i);
    }
    laz_buf_str(&buf, "version: 1\n");
    cr_assert(!buf.overflow);
    struct loaded loaded = load_text(text);
    cr_assert_eq(loaded.diagnostics->n, LAZ_DIAGNOSTICS_MAX);
    cr_expect_eq(loaded.diagnostics->n_errors, 41 + 2, "%zu", loaded.diagnostics->n_errors);
    cr_expect_eq(loaded.diagnostics->dropped, loaded.diagnostics->n_errors - LAZ_DIAGNOSTICS_MAX);
    uint32_t line = 0;
    for (size_t i = 0; i < loaded.diagnostics->n; i++) {
        cr_expect_geq(loaded.diagnostics->items[i].line, line);
        line = loaded.diagnostics->items[i].line;
        cr_expect(!loaded.diagnostics->items[i].is_warning);
    }
    cr_expect_leq(line, 36);
    unload(&loaded);
}

Test(policy_load, diagnostics_show_the_line_and_a_caret)
{
    struct loaded loaded = load_text(MINIMAL "syscalls: {allow: [read,\topnat]} # é\n");
    cr_assert_eq(loaded.diagnostics->n, 1);
    char text[LAZ_POLICY_SCALAR_MAX];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_diagnostic_format(&loaded.diagnostics->items[0], &buf);
    cr_expect_str_eq(text,
            "/nowhere/test.yaml:4:26: error: syscalls.allow[1]: unknown system call \"opnat\" (did "
            "you "
            "mean \"openat\"?)\n"
            "    syscalls: {allow: [read, opnat]} # é\n"
            "                             ^\n");
    cr_expect_str_eq(loaded.err.message,
            "/nowhere/test.yaml:4:26: syscalls.allow[1]: unknown system call \"opnat\" (did you "
            "mean "
            "\"openat\"?)");
    unload(&loaded);
}

Test(policy_load, warnings_make_room_for_errors)
{
    char text[LAZ_POLICY_SCALAR_MAX];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_str(&buf,
            "version: 1\nfilesystem: {read-exec: [/usr]}\nsyscalls:\n  allow: [read]\n  remove:\n");
    for (size_t i = 0; i < 40; i++) {
        const char *name = laz_syscall_at(i)->name;
        laz_buf_printf(&buf, "%s%s\n", strcmp(name, "execve") == 0 ? "#" : "    - ", name);
    }
    laz_buf_str(&buf, "mode: on\n");
    cr_assert(!buf.overflow);
    struct loaded loaded = load_text(text);
    cr_assert_eq(loaded.diagnostics->n, LAZ_DIAGNOSTICS_MAX);
    cr_expect_eq(loaded.diagnostics->n_errors, 2); /* no user, and the mode */
    cr_expect_gt(loaded.diagnostics->dropped, 8);
    size_t n_errors = 0;
    for (size_t i = 0; i < loaded.diagnostics->n; i++) {
        n_errors += loaded.diagnostics->items[i].is_warning ? 0 : 1;
    }
    cr_expect_eq(n_errors, 2);
    unload(&loaded);
}

Test(policy_load, diagnostics_are_printed)
{
    struct loaded loaded = load_text(MINIMAL "syscalls: {allow: [read]}\nmode: on\n");
    cr_assert_eq(loaded.diagnostics->n, 1);
    FILE *file = tmpfile();
    cr_assert_not_null(file);
    laz_diagnostic_print(&loaded.diagnostics->items[0], file);
    rewind(file);
    char line[LAZ_DIAGNOSTIC_MESSAGE_MAX] = "";
    cr_assert_not_null(fgets(line, sizeof(line), file));
    cr_expect_str_eq(line,
            "/nowhere/test.yaml:5:7: error: mode: must be one of enforce, observe, not \"on\"\n");
    (void)fclose(file);
    unload(&loaded);
}

Test(policy_load, long_lines_are_cut_around_the_caret)
{
    char text[LAZ_POLICY_SCALAR_MAX];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_str(&buf, MINIMAL "limits: {core-size: 0} #");
    for (int i = 0; i < 300; i++) {
        laz_buf_str(&buf, "é");
    }
    laz_buf_str(&buf, "\nsyscalls: {allow: [");
    for (int i = 0; i < 100; i++) {
        laz_buf_printf(&buf, "%s, ", laz_syscall_at((size_t)i)->name);
    }
    laz_buf_str(&buf, "opnat]}\n");
    struct loaded loaded = load_text(text);
    cr_assert_geq(loaded.diagnostics->n, 1);
    const struct laz_diagnostic *item = &loaded.diagnostics->items[loaded.diagnostics->n - 1];
    cr_expect_eq(strncmp(item->source + item->caret - 1, "opnat", 5), 0, "%s\n%u", item->source,
            item->caret);
    unload(&loaded);
}
