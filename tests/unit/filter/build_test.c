/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/filter/build and expect: the block that PID 1 gets has everything that the policy says, and
 * none is made of a policy whose own tests do not hold.
 */
#include <errno.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <criterion/criterion.h>

#include "policy/image.h"
#include "policy/ship.h"
#include "tests/fixture/policy.h"

#define TEST(name, ...)                                                                            \
    {                                                                                              \
        .call = laz_syscall_by_name(name, strlen(name)), __VA_ARGS__, .pos = {                     \
            .line = 14,                                                                            \
            .col = 5                                                                               \
        }                                                                                          \
    }

/* A policy owns its strings, so they are not constants. */
static char texts[][16] = {
        "PATH", "LANG", "TZ=UTC", "allow-root", "web.yaml", "claims-api", "/app", "/usr", "/tmp"};
static char *words[] = {texts[0], texts[1], texts[2], texts[3]};
static struct laz_pos nowhere[4];
static uint32_t groups[] = {5, 6};
static uint16_t ports[] = {443, 8443};
static struct laz_path_rule paths[] = {
        {.path = texts[7], .class = LAZ_PATH_READ_EXEC},
        {.path = texts[8], .class = LAZ_PATH_WRITE, .optional = true},
};
static struct laz_exit_map exits[] = {{.from = 143, .to = 0, .only_if_stop_requested = true}};

static struct laz_ship_config make_config(void)
{
    struct laz_ship_config config = {.pipe_bytes = 65536,
            .max_line = 4096,
            .multiline_start = "",
            .multiline_wait_ms = 200,
            .mrn = "",
            .durability_acked = true,
            .checkpoint_records = 256,
            .checkpoint_ms = 5000,
            .spool_max_bytes = 64 << 20,
            .spool_segment_bytes = 4 << 20,
            .open_with = "",
            .n_sinks = 3,
            .sinks = {{.name = "a",
                              .type = LAZ_SINK_FILE,
                              .required = true,
                              .classes = 1,
                              .path = "/var/a"},
                    {.name = "b", .type = LAZ_SINK_STDOUT, .classes = 1 << LAZ_SHIP_CLASS_LOG},
                    {.name = "c", .type = LAZ_SINK_FILE, .classes = 1, .path = "/var/c"}}};
    for (uint32_t i = 0; i < config.n_sinks; i++) {
        laz_ship_sink_fill(&config.sinks[i]);
    }
    return config;
}

/* Every field of the policy has a value of its own. */
static struct fixture *make_policy(void)
{
    struct fixture *fixture = fixture_new();
    struct laz_policy *policy = &fixture->policy;
    policy->n_files = 1;
    policy->files[0].name = texts[4];
    policy->name = texts[5];
    policy->source_digest[31] = 9;
    policy->require[LAZ_REQUIRE_LANDLOCK] = LAZ_LEVEL_DISABLED;
    policy->landlock_min_abi = 4;
    policy->uid = 10001;
    policy->gid = 10002;
    policy->n_groups = 2;
    policy->groups = groups;
    policy->cwd = texts[6];
    policy->umask = 077;
    policy->env_pass = (struct laz_string_list){2, words, nowhere};
    policy->env_set = (struct laz_string_list){1, words + 2, nowhere};
    policy->relaxations = (struct laz_string_list){1, words + 3, nowhere};
    policy->exec_budget = 2;
    policy->keep_capabilities = 0x400;
    policy->limits[RLIMIT_CORE] = (struct laz_limit_value){.set = true};
    policy->limits[RLIMIT_NOFILE] = (struct laz_limit_value){.set = true, .value = 4096};
    policy->n_paths = 2;
    policy->paths = paths;
    policy->isolate_abstract_sockets = true;
    policy->tcp_bind.any = true;
    policy->tcp_connect = (struct laz_port_list){.n = 2, .ports = ports};
    policy->flood = (struct laz_flood){1, 2, 3, 4};
    policy->signal_map[15] = 2;
    policy->signal_guard = 5;
    policy->signal_group = 6;
    policy->signal_stop = 7;
    policy->n_exit_map = 1;
    policy->exit_map = exits;
    policy->shutdown = (struct laz_shutdown){10, 11, 12, 13, 14};
    policy->shipping = (struct laz_policy_shipping){.config = make_config(),
            .capture = true,
            .start_wait_ms = 1500,
            .spool_dir = "/run/spool"};
    decision_of(fixture, "read")->base = verdict_of(LAZ_ACTION_ALLOW, 0);
    decision_of(fixture, "geteuid")->base = verdict_of(LAZ_ACTION_LOG, 0);
    decision_of(fixture, "ptrace")->base = verdict_of(LAZ_ACTION_KILL, 0);
    struct laz_decision *socket_call = decision_of(fixture, "socket");
    (void)add_cond(fixture,
            add_clause(fixture, &socket_call->allow, verdict_of(LAZ_ACTION_ALLOW, 0)), IS(0),
            (uint64_t[]){AF_UNIX, AF_INET}, 2);
    return fixture;
}

/* What PID 1 reads of the image of a policy. */
static void build(const struct laz_policy *policy, enum laz_arch arch, struct laz_buf *buf,
        struct laz_image *ret)
{
    struct laz_err err = {0};
    buf->len = 0;
    cr_assert_eq(laz_filter_build_image(policy, arch, buf, &err), 0, "%s", err.message);
    cr_assert_eq(laz_image_decode(buf->data, buf->len, ret, &err), 0, "%s", err.message);
}

Test(filter_build_image, carries_over_everything)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    const struct laz_policy *policy = &fixture->policy;
    laz_cleanup_buf struct laz_buf buf;
    struct laz_image image;
    laz_buf_init_heap(&buf, LAZ_IMAGE_MAX);
    build(policy, LAZ_ARCH_AARCH64, &buf, &image);
    cr_expect_eq(image.audit_arch, AUDIT_ARCH_AARCH64);
    cr_expect_eq(memcmp(image.source_digest, policy->source_digest, LAZ_SHA256_SIZE), 0);
    cr_expect_str_eq(image.name, "claims-api");
    cr_expect_eq(image.mode, LAZ_MODE_ENFORCE);
    cr_expect_eq(image.require[LAZ_REQUIRE_LANDLOCK], LAZ_LEVEL_DISABLED);
    cr_expect_eq(image.require[LAZ_REQUIRE_EVENTS], LAZ_LEVEL_REQUIRED);
    cr_expect_eq(image.landlock_min_abi, 4);
    cr_expect(image.uid == 10001 && image.gid == 10002);
    cr_expect(image.n_groups == 2 && image.groups[0] == 5 && image.groups[1] == 6);
    cr_expect_str_eq(image.cwd, "/app");
    cr_expect_eq(image.umask, 077);
    cr_expect(image.env_pass.n == 2 && memcmp(image.env_pass.first, "PATH\0LANG", 10) == 0);
    cr_expect(image.env_set.n == 1 && strcmp(image.env_set.first, "TZ=UTC") == 0);
    cr_expect(image.relaxations.n == 1 && strcmp(image.relaxations.first, "allow-root") == 0);
    cr_expect_eq(image.exec_budget, 2);
    cr_expect_eq(image.keep_capabilities, 0x400);
    cr_assert_eq(image.n_limits, 2);
    cr_expect(image.limits[0].resource == RLIMIT_CORE && image.limits[0].value == 0);
    cr_expect(image.limits[1].resource == RLIMIT_NOFILE && image.limits[1].value == 4096);
    cr_expect(!image.isolate_signals && image.isolate_abstract_sockets);
    cr_expect(image.tcp_bind_any && !image.tcp_connect_any && image.n_tcp_bind == 0);
    cr_expect(image.n_tcp_connect == 2 && image.tcp_connect[1] == 8443);
    cr_expect(image.flood_burst == 1 && image.flood_per_second == 2);
    cr_expect(image.flood_hold_ms == 3 && image.flood_kill_after == 4);
    cr_expect_eq(image.signal_map[15], 2);
    cr_expect(image.signal_guard == 5 && image.signal_group == 6 && image.signal_stop == 7);
    cr_expect(image.n_exit_map == 1 && image.exit_map[0].from == 143);
    cr_expect(image.exit_map[0].to == 0 && image.exit_map[0].only_if_stop_requested);
    cr_expect(image.stop_timeout_ms == 10 && image.lb_grace_ms == 11);
    cr_expect(image.grace_ms == 12 && image.drain_ms == 13 && image.flush_ms == 14);
    cr_expect(image.ships && image.capture && !image.passthrough && image.start_acked);
    cr_expect(image.pipe_bytes == 65536 && image.start_wait_ms == 1500);
    cr_expect_str_eq(image.spool_dir, "/run/spool");
    const uint8_t *cursor = image.paths;
    struct laz_image_path path;
    cr_assert_eq(image.n_paths, 2);
    laz_image_path_next(&cursor, &path);
    cr_expect(path.class == LAZ_PATH_READ_EXEC && !path.optional && strcmp(path.path, "/usr") == 0);
    laz_image_path_next(&cursor, &path);
    cr_expect(path.class == LAZ_PATH_WRITE && path.optional && strcmp(path.path, "/tmp") == 0);
}

Test(filter_build_image, tells_the_helper_what_the_policy_says)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_buf struct laz_buf buf;
    struct laz_image image;
    struct laz_ship_config told;
    struct laz_err err = {0};
    laz_buf_init_heap(&buf, LAZ_IMAGE_MAX);
    struct laz_policy *policy = &fixture->policy;
    build(policy, LAZ_ARCH_X86_64, &buf, &image);
    cr_assert_eq(laz_ship_decode(image.ship, image.ship_length, &told, &err), 0, "%s", err.message);
    cr_expect_eq(image.sense_length, 0, "nothing is watched where nobody says so");
    cr_expect(told.n_sinks == 3 && told.durability_acked && told.spool_segment_bytes == 4 << 20);
    cr_expect_str_eq(told.sinks[2].path, "/var/c");
    /* Whether a stream is captured is both: wanted, and taken by somebody. */
    policy->shipping.config.sinks[1].classes = 1;
    build(policy, LAZ_ARCH_X86_64, &buf, &image);
    cr_expect(image.ships && !image.capture);
    policy->shipping.config.sinks[1].classes = 1 << LAZ_SHIP_CLASS_LOG;
    policy->shipping.capture = false;
    build(policy, LAZ_ARCH_X86_64, &buf, &image);
    cr_expect(image.ships && !image.capture);
    struct laz_sense_config watched;
    policy->sensing = (struct laz_sensing){.is_said = true,
            .config = {.name = "p", .interval_ms = 500, .window_ms = 1000, .rehash_ms = 1000}};
    build(policy, LAZ_ARCH_X86_64, &buf, &image);
    cr_assert_eq(laz_sense_decode(image.sense, image.sense_length, &watched, &err), 0, "%s",
            err.message);
    cr_expect_eq(watched.interval_ms, 500);
    policy->shipping.config.n_sinks = 0;
    build(policy, LAZ_ARCH_X86_64, &buf, &image);
    cr_expect(!image.ships && image.spool_dir == NULL && image.sense_length == 0);
}

/* One item with both deliveries, and one that is inherited. */
Test(filter_build_image, says_what_is_fetched_and_where_it_goes)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_buf struct laz_buf buf;
    static struct laz_fetch_config told;
    struct laz_image image;
    struct laz_image_delivery got;
    struct laz_err err = {0};
    laz_buf_init_heap(&buf, LAZ_IMAGE_MAX);
    struct laz_policy *policy = &fixture->policy;
    policy->shipping.config.n_sinks = 0;
    policy->secrets.dir = "/run/secrets";
    policy->secrets.config = (struct laz_fetch_config){.region = "",
            .endpoint = {"", "", "", ""},
            .ca = "",
            .vault = {.address = "",
                    .ca = "",
                    .name_space = "",
                    .token_file = "",
                    .token_variable = "",
                    .role = "",
                    .mount = "",
                    .server_id = "",
                    .region = ""},
            .wait_ms = 5000,
            .n_items = 2};
    policy->secrets.renewal = (struct laz_policy_renewal){.is_said = true,
            .interval_ms = 10000,
            .jitter = 10,
            .least_ms = 1000,
            .stale_ms = 20000,
            .then = LAZ_STALE_KEEP,
            .grace_ms = 7,
            .is_renewed = {true},
            .signal = {1}};
    for (uint32_t i = 0; i < 2; i++) {
        policy->secrets.config.items[i] = (struct laz_fetch_item){.name = i == 0 ? "key" : "token",
                .source = i == 0 ? LAZ_SECRET_FILE : LAZ_SECRET_VARIABLE,
                .from = i == 0 ? "/etc/key" : "TOKEN",
                .region = "",
                .json_key = "",
                .stage = "",
                .version = "",
                .kms_key = "",
                .min_bytes = 1,
                .max_bytes = 2};
    }
    policy->secrets.deliveries[0] =
            (struct laz_secret_delivery){.path = "a/b", .mode = 0440, .fd = 255, .variable = ""};
    policy->secrets.deliveries[1] =
            (struct laz_secret_delivery){.path = "", .fd = 10, .exposed = "NAME"};
    cr_assert_eq(laz_filter_build_image(policy, LAZ_ARCH_X86_64, &buf, &err), 0, "%s", err.message);
    cr_assert_eq(laz_image_decode(buf.data, buf.len, &image, &err), 0, "%s", err.message);
    cr_expect(!image.ships && image.fetches && image.fetch_wait_ms == 5000);
    cr_expect_str_eq(image.secrets_dir, "/run/secrets");
    cr_assert_eq(
            laz_fetch_decode(image.fetch, image.fetch_length, &told, &err), 0, "%s", err.message);
    cr_expect_str_eq(told.items[1].from, "TOKEN");
    cr_assert(image.fetched.n == 2 && image.inherited.n == 3);
    cr_expect_eq(memcmp(image.fetched.first, "key\0token", 10), 0);
    cr_expect_eq(memcmp(image.inherited.first, "\0TOKEN\0", 8), 0, "a file is no variable");
    cr_assert_eq(image.n_deliveries, 4);
    const uint8_t *cursor = image.deliveries;
    laz_image_delivery_next(&cursor, &got);
    cr_expect(got.item == 0 && got.fd == 0 && got.mode == 0440 && strcmp(got.path, "a/b") == 0);
    laz_image_delivery_next(&cursor, &got);
    cr_expect(got.item == 0 && got.fd == 255 && got.mode == 0400 && got.path[0] == '\0');
    laz_image_delivery_next(&cursor, &got);
    cr_expect(got.item == 1 && got.fd == 10 && got.mode == 0400 && got.path[0] == '\0');
    laz_image_delivery_next(&cursor, &got);
    cr_expect(got.item == 1 && got.fd == LAZ_IMAGE_FD_VARIABLE && strcmp(got.path, "NAME") == 0);
    cr_expect(image.refresh_ms == 10000 && image.refresh_jitter == 10);
    cr_expect(image.refresh_least_ms == 1000 && image.stale_ms == 20000);
    cr_expect(image.stale_then == LAZ_STALE_KEEP && image.retire_ms == 7);
    cr_expect(laz_image_renewal_at(&image, 0).is_renewed);
    cr_expect_eq(laz_image_renewal_at(&image, 0).signal, 1);
    cr_expect_not(laz_image_renewal_at(&image, 1).is_renewed);
}

Test(filter_build_image, has_the_two_programs_of_the_policy)
{
    cleanup_fixture struct fixture *fixture = make_policy();
    laz_cleanup_filter struct laz_filter with_events = {0};
    laz_cleanup_filter struct laz_filter plain = {0};
    laz_cleanup_buf struct laz_buf buf;
    struct laz_image image;
    struct laz_err err = {0};
    laz_buf_init_heap(&buf, LAZ_IMAGE_MAX);
    const struct laz_policy *policy = &fixture->policy;
    build(policy, LAZ_ARCH_X86_64, &buf, &image);
    cr_assert_eq(
            laz_filter_compile(policy, LAZ_ARCH_X86_64, LAZ_FILTER_WITH_EVENTS, &with_events, &err),
            0);
    cr_assert_eq(laz_filter_compile(policy, LAZ_ARCH_X86_64, LAZ_FILTER_PLAIN, &plain, &err), 0);
    cr_assert_eq(image.with_events.n, with_events.n);
    cr_assert_eq(image.plain.n, plain.n);
    cr_expect_eq(memcmp(image.with_events.insns, with_events.insns, with_events.n * 8), 0);
    cr_expect_eq(memcmp(image.plain.insns, plain.insns, plain.n * 8), 0);
}

Test(filter_build_image, refuses_what_has_no_room)
{
    static uint32_t many_groups[LAZ_IMAGE_GROUPS_MAX + 1];
    static struct laz_exit_map many_exits[LAZ_IMAGE_EXIT_MAP_MAX + 1];
    static char long_word[70000];
    (void)memset(long_word, 'x', sizeof(long_word) - 1);
    static char *long_words[] = {long_word, long_word};
    static const char *const wanted[] = {"65 supplementary groups: no more than 64 are possible",
            "257 exit codes to map: no more than 256 are possible",
            "the compiled policy would be larger than 131072 bytes"};
    for (int row = 0; row < 3; row++) {
        cleanup_fixture struct fixture *fixture = make_policy();
        struct laz_policy *policy = &fixture->policy;
        if (row == 0) {
            policy->n_groups = LAZ_IMAGE_GROUPS_MAX + 1;
            policy->groups = many_groups;
        } else if (row == 1) {
            policy->n_exit_map = LAZ_IMAGE_EXIT_MAP_MAX + 1;
            policy->exit_map = many_exits;
        } else {
            policy->env_pass = (struct laz_string_list){2, long_words, nowhere};
        }
        laz_cleanup_buf struct laz_buf buf;
        struct laz_err err = {0};
        laz_buf_init_heap(&buf, LAZ_IMAGE_MAX);
        cr_expect_eq(laz_filter_build_image(policy, LAZ_ARCH_X86_64, &buf, &err), -1);
        cr_expect_eq(err.kind, LAZ_E_POLICY_TOO_LARGE, "row %d", row);
        cr_expect_str_eq(err.message, wanted[row]);
        cr_expect_eq(buf.len, 0);
    }
}

/* ---- tests: ---- */

static int run(
        struct fixture *fixture, struct laz_policy_test *tests, size_t n, struct laz_err *err)
{
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_IMAGE_MAX);
    fixture->policy.tests = tests;
    fixture->policy.n_tests = n;
    *err = (struct laz_err){0};
    int result = laz_filter_build_image(&fixture->policy, LAZ_ARCH_X86_64, &buf, err);
    cr_assert(result == 0 || buf.len == 0, "a block of a policy that is wrong");
    return result;
}

Test(filter_tests, hold_in_both_modes)
{
    struct laz_policy_test tests[] = {
            TEST("read", .expect = LAZ_ACTION_ALLOW),
            TEST("write", .expect = LAZ_ACTION_NOTIFY),
            TEST("write", .expect = LAZ_ACTION_NOTIFY, .expect_errno = EPERM),
            TEST("geteuid", .expect = LAZ_ACTION_LOG),
            TEST("ptrace", .expect = LAZ_ACTION_KILL),
            TEST("socket", .args = {AF_INET}, .expect = LAZ_ACTION_ALLOW),
            TEST("socket", .args = {AF_VSOCK}, .expect = LAZ_ACTION_NOTIFY),
            TEST("socket", .args = {0x100000000 | AF_VSOCK}, .expect = LAZ_ACTION_NOTIFY),
            TEST("execve", .expect = LAZ_ACTION_ALLOW),
            TEST("read", .abi = LAZ_ABI_I386, .expect = LAZ_ACTION_NOTIFY, .expect_errno = ENOSYS),
            TEST("read", .abi = LAZ_ABI_X32, .expect = LAZ_ACTION_NOTIFY, .expect_errno = ENOSYS),
            {.nr = 999, .expect = LAZ_ACTION_ERRNO, .expect_errno = ENOSYS},
            {.nr = 0, .expect = LAZ_ACTION_ALLOW},
    };
    cleanup_fixture struct fixture *fixture = make_policy();
    struct laz_err err;
    size_t n = sizeof(tests) / sizeof(tests[0]);
    cr_expect_eq(run(fixture, tests, n, &err), 0, "%s", err.message);
    fixture->policy.mode = LAZ_MODE_OBSERVE;
    cr_expect_eq(run(fixture, tests, n, &err), 0, "%s", err.message);
}

Test(filter_tests, say_where_and_what_came_instead)
{
    const struct {
        struct laz_policy_test test;
        const char *wanted;
    } rows[] = {
            {TEST("read", .expect = LAZ_ACTION_KILL),
                    "web.yaml:14:5: tests: read: expected kill, came allow"},
            {TEST("write", .expect = LAZ_ACTION_ERRNO, .expect_errno = EPERM),
                    "web.yaml:14:5: tests: write: expected errno EPERM, came notify EPERM"},
            {TEST("write", .expect = LAZ_ACTION_NOTIFY, .expect_errno = EACCES),
                    "web.yaml:14:5: tests: write: expected notify EACCES, came notify EPERM"},
            {TEST("geteuid", .expect = LAZ_ACTION_ALLOW),
                    "web.yaml:14:5: tests: geteuid: expected allow, came log"},
            {TEST("ptrace", .expect = LAZ_ACTION_NOTIFY),
                    "web.yaml:14:5: tests: ptrace: expected notify, came kill"},
            {TEST("socket", .args = {AF_VSOCK}, .expect = LAZ_ACTION_ALLOW),
                    "web.yaml:14:5: tests: socket: expected allow, came notify EPERM"},
            {{.nr = 999, .expect = LAZ_ACTION_ALLOW, .pos = {.line = 3, .col = 1}},
                    "web.yaml:3:1: tests: call 999: expected allow, came errno ENOSYS"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_fixture struct fixture *fixture = make_policy();
        struct laz_policy_test tests[] = {TEST("read", .expect = LAZ_ACTION_ALLOW), rows[i].test};
        struct laz_err err;
        cr_expect_eq(run(fixture, tests, 2, &err), -1, "%s", rows[i].wanted);
        cr_expect_eq(err.kind, LAZ_E_TEST_FAILED, "%s", rows[i].wanted);
        cr_expect_str_eq(err.message, rows[i].wanted);
    }
}

/* A policy is one for all architectures; what one of them does not have is not tested there. */
Test(filter_tests, are_left_out_where_the_architecture_lacks_the_call)
{
    const struct {
        const char *name;
        struct laz_policy_test test;
        enum laz_arch arch;
        enum laz_filter_test_result wanted;
    } rows[] = {
            {"a call", TEST("open", .expect = LAZ_ACTION_NOTIFY), LAZ_ARCH_X86_64,
                    LAZ_FILTER_TEST_MET},
            {"a call", TEST("open", .expect = LAZ_ACTION_NOTIFY), LAZ_ARCH_AARCH64,
                    LAZ_FILTER_TEST_NOT_HERE},
            {"x32", TEST("read", .abi = LAZ_ABI_X32, .expect = LAZ_ACTION_NOTIFY), LAZ_ARCH_AARCH64,
                    LAZ_FILTER_TEST_NOT_HERE},
            {"i386", TEST("read", .abi = LAZ_ABI_I386, .expect = LAZ_ACTION_NOTIFY),
                    LAZ_ARCH_AARCH64, LAZ_FILTER_TEST_NOT_HERE},
            {"arm", TEST("open", .abi = LAZ_ABI_ARM, .expect = LAZ_ACTION_NOTIFY), LAZ_ARCH_AARCH64,
                    LAZ_FILTER_TEST_MET},
            {"arm", TEST("read", .abi = LAZ_ABI_ARM, .expect = LAZ_ACTION_NOTIFY), LAZ_ARCH_X86_64,
                    LAZ_FILTER_TEST_NOT_HERE},
    };
    cleanup_fixture struct fixture *fixture = make_policy();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        laz_cleanup_filter struct laz_filter with_events = {0};
        laz_cleanup_filter struct laz_filter plain = {0};
        struct laz_err err = {0};
        struct laz_verdict seen;
        cr_assert_eq(laz_filter_compile(&fixture->policy, rows[i].arch, LAZ_FILTER_WITH_EVENTS,
                             &with_events, &err),
                0);
        cr_assert_eq(
                laz_filter_compile(&fixture->policy, rows[i].arch, LAZ_FILTER_PLAIN, &plain, &err),
                0);
        cr_expect_eq(laz_filter_test(&with_events, &plain, rows[i].arch, &rows[i].test, &seen),
                rows[i].wanted, "%s on %s", rows[i].name, laz_arch_name(rows[i].arch));
    }
}
