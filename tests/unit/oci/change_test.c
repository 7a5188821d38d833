/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/oci/change: each change says what it is to say, leaves every other byte alone, and changes
 * nothing in its own output.
 */
#include "oci/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define LIST(...)                                                                                  \
    {                                                                                              \
        .items = (const char *const[]){__VA_ARGS__},                                               \
        .n = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)                     \
    }

static struct laz_err err;

typedef int change_function(struct laz_oci_change *change);

/* The text after the change; owned by the caller. NULL: refused, with `err`. */
static char *changed(const char *text, enum laz_oci_form form, change_function *make)
{
    struct laz_oci_spec spec;
    struct laz_oci_change change;
    struct laz_buf ret;
    err = (struct laz_err){0};
    laz_buf_init_heap(&ret, LAZ_OCI_TEXT_MAX);
    laz_buf_str(&ret, "");
    cr_assert_eq(laz_oci_spec_open(text, strlen(text), form, &spec, &err), 0, "%s", err.message);
    cr_assert_eq(laz_oci_change_init(&change, &spec, &err), 0);
    int result = make(&change);
    if (result == 0) {
        result = laz_oci_change_apply(&change, &ret, &err);
    }
    laz_oci_change_done(&change);
    laz_oci_spec_done(&spec);
    if (result < 0) {
        laz_buf_done(&ret);
        return NULL;
    }
    return ret.data;
}

static void expect_form(
        const char *text, enum laz_oci_form form, change_function *make, const char *expected)
{
    char *once = changed(text, form, make);
    cr_assert_not_null(once, "%s", err.message);
    cr_assert_str_eq(once, expected, "%s", once);
    char *twice = changed(once, form, make);
    cr_assert_not_null(twice, "%s", err.message);
    cr_assert_str_eq(twice, once, "a second pass changes nothing");
    free(once);
    free(twice);
}

static void expect(const char *text, change_function *make, const char *expected)
{
    expect_form(text, LAZ_OCI_CONFIG, make, expected);
}

static void expect_refusal(const char *text, change_function *make, const char *expected)
{
    char *once = changed(text, LAZ_OCI_CONFIG, make);
    cr_assert_null(once, "%s", once);
    cr_assert_eq(err.kind, LAZ_E_OCI);
    cr_assert_str_eq(err.message, expected, "%s", err.message);
}

/* ---- the process ---- */

static int clamp_to_kill(struct laz_oci_change *change)
{
    const struct laz_oci_strings names = LIST("CAP_KILL");
    return laz_oci_clamp_capabilities(change, &names, &err);
}

Test(oci_change, capabilities_are_clamped)
{
    expect("{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_CHOWN\", \"CAP_KILL\"],"
           "\"effective\":[\"cap_kill\"],\"inheritable\":null,\"permitted\":[\"CAP_KILL\"]}}}",
            clamp_to_kill,
            "{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_KILL\"],"
            "\"effective\":[],\"inheritable\":[],\"permitted\":[\"CAP_KILL\"],\"ambient\":[]}}}");
    expect_form("{\"args\":[]}", LAZ_OCI_PROCESS, clamp_to_kill,
            "{\"args\":[],\"capabilities\":{\"bounding\":[],\"effective\":[],\"inheritable\":[],"
            "\"permitted\":[],\"ambient\":[]}}");
}

static int set_flag(struct laz_oci_change *change)
{
    return laz_oci_set_no_new_privileges(change, &err);
}

Test(oci_change, no_new_privileges_is_said)
{
    expect("{\"process\":{ \"noNewPrivileges\" : false }}", set_flag,
            "{\"process\":{ \"noNewPrivileges\" : true }}");
    expect("{\"process\":{}}", set_flag, "{\"process\":{\"noNewPrivileges\":true}}");
    expect("{\"process\":null}", set_flag, "{\"process\":{\"noNewPrivileges\":true}}");
    expect_form("{}", LAZ_OCI_PROCESS, set_flag, "{\"noNewPrivileges\":true}");
}

static int put_init(struct laz_oci_change *change)
{
    const struct laz_oci_strings args = LIST("/init", "--");
    return laz_oci_prepend_args(change, 0, &args, &err);
}

static int put_init_for_dockers(struct laz_oci_change *change)
{
    const struct laz_oci_strings args = LIST("/init", "--");
    struct laz_oci_process process;
    cr_assert_eq(laz_oci_process(change->spec, &process, &err), 0);
    bool is_dockers = laz_oci_is(change->spec,
            laz_json_next(&change->spec->doc, process.args, NULL), "/sbin/docker-init");
    return laz_oci_prepend_args(change, is_dockers ? 2 : 0, &args, &err);
}

Test(oci_change, arguments_come_first_and_once)
{
    expect("{\"process\":{\"args\":[\"sh\"]}}", put_init,
            "{\"process\":{\"args\":[\"/init\",\"--\",\"sh\"]}}");
    expect("{\"process\":{\"args\":[]}}", put_init, "{\"process\":{\"args\":[\"/init\",\"--\"]}}");
    expect("{\"process\":{\"args\":[\"/sbin/docker-init\",\"--\",\"sh\"]}}", put_init_for_dockers,
            "{\"process\":{\"args\":[\"/init\",\"--\",\"sh\"]}}");
    expect_refusal(
            "{\"process\":{}}", put_init, "process.args: there are none to put anything before");
}

static int clamp_limits(struct laz_oci_change *change)
{
    return laz_oci_clamp_rlimit(change, "RLIMIT_CORE", 0, 0, &err) < 0 ||
                    laz_oci_clamp_rlimit(change, "RLIMIT_NOFILE", 1024, 4096, &err) < 0
            ? -1
            : 0;
}

Test(oci_change, limits_only_fall)
{
    expect("{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":18446744073709551615,"
           "\"soft\":18446744073709551615},{\"type\":\"RLIMIT_NOFILE\",\"hard\":2000,\"soft\":10},"
           "{\"type\":\"RLIMIT_NOFILE\",\"hard\":5000,\"soft\":5000}]}}",
            clamp_limits,
            "{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":0,"
            "\"soft\":0},{\"type\":\"RLIMIT_NOFILE\",\"hard\":2000,\"soft\":10},"
            "{\"type\":\"RLIMIT_NOFILE\",\"hard\":4096,\"soft\":1024}]}}");
    expect("{\"process\":{}}", clamp_limits,
            "{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":0,\"soft\":0},"
            "{\"type\":\"RLIMIT_NOFILE\",\"hard\":4096,\"soft\":1024}]}}");
    expect_refusal("{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_CORE\","
                   "\"hard\":18446744073709551616}]}}",
            clamp_limits, "process.rlimits: hard is not a number of 64 bits");
}

static int clean_environment(struct laz_oci_change *change)
{
    return laz_oci_drop_environment(change, "LD_", &err) < 0 ||
                    laz_oci_drop_environment(change, "LD_PRE", &err) < 0
            ? -1
            : 0;
}

Test(oci_change, variables_go_by_prefix)
{
    expect("{\"process\":{\"env\":[\"LD_PRELOAD=x\",\"LD\",\"A=LD_\",\"LD_\",\"\\u004cD_X\"]}}",
            clean_environment, "{\"process\":{\"env\":[\"LD\",\"A=LD_\"]}}");
    expect("{}", clean_environment, "{}");
}

static int set_root(struct laz_oci_change *change)
{
    return laz_oci_set_user(change, 0, 0, &err);
}

Test(oci_change, the_user_is_set_and_the_groups_stay)
{
    expect("{\"process\":{\"user\":{\"uid\":5,\"gid\":6,\"additionalGids\":[7]}}}", set_root,
            "{\"process\":{\"user\":{\"uid\":0,\"gid\":0,\"additionalGids\":[7]}}}");
}

static int set_groups(struct laz_oci_change *change)
{
    static const uint32_t groups[] = {7, 4294967295};
    return laz_oci_set_groups(change, groups, 2, &err);
}

static int drop_groups(struct laz_oci_change *change)
{
    return laz_oci_set_groups(change, NULL, 0, &err);
}

static int set_group_0(struct laz_oci_change *change)
{
    static const uint32_t group = 0;
    return laz_oci_set_groups(change, &group, 1, &err);
}

Test(oci_change, groups_are_these_and_no_others)
{
    static const char *const rows[] = {"7", "7,4294967295,8", "8,4294967295", "4294967295,7",
            "7,4294967296", "7,7", "7,4294967294", ""};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text),
                "{\"process\":{\"user\":{\"uid\":5,\"additionalGids\":[%s]}}}", rows[i]);
        expect(text, set_groups,
                "{\"process\":{\"user\":{\"uid\":5,\"additionalGids\":[7,4294967295]}}}");
    }
    expect("{\"process\":{\"user\":{\"additionalGids\":[ 7, 4294967295 ]}}}", set_groups,
            "{\"process\":{\"user\":{\"additionalGids\":[ 7, 4294967295 ]}}}");
    expect("{\"process\":{\"user\":{\"additionalGids\":[0]}}}", drop_groups,
            "{\"process\":{\"user\":{\"additionalGids\":[]}}}");
    expect("{\"process\":{}}", drop_groups, "{\"process\":{}}");
    expect("{\"process\":{\"user\":{\"additionalGids\":[4294967296]}}}", set_group_0,
            "{\"process\":{\"user\":{\"additionalGids\":[0]}}}");
    expect_form("{\"user\":null}", LAZ_OCI_PROCESS, set_groups,
            "{\"user\":{\"additionalGids\":[7,4294967295]}}");
}

static int drop_labels(struct laz_oci_change *change)
{
    return laz_oci_drop_labels(change, &err);
}

Test(oci_change, labels_go)
{
    expect_form("{\"apparmorProfile\":\"a\",\"cwd\":\"/\",\"selinuxLabel\":\"s\"}", LAZ_OCI_PROCESS,
            drop_labels, "{\"cwd\":\"/\"}");
}

/* ---- the container ---- */

static int add_mount(struct laz_oci_change *change)
{
    const struct laz_oci_new_mount mount = {.destination = "/run/lazaret",
            .type = "tmpfs",
            .source = "tmpfs",
            .options = LIST("nosuid", "nodev")};
    return laz_oci_add_mount(change, &mount, &err);
}

#define OURS                                                                                       \
    "{\"destination\":\"/run/lazaret\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":["      \
    "\"nosuid\",\"nodev\"]}"

Test(oci_change, a_mount_is_the_last_and_nothing_covers_it)
{
    expect("{}", add_mount, "{\"mounts\":[" OURS "]}");
    expect("{\"mounts\":[{\"destination\":\"/run\"}]}", add_mount,
            "{\"mounts\":[{\"destination\":\"/run\"}," OURS "]}");
    expect("{\"mounts\":[" OURS
           ",{\"destination\":\"/run/lazarets\"},{\"destination\":\"/data\"}]}",
            add_mount,
            "{\"mounts\":[" OURS ",{\"destination\":\"/run/lazarets\"},{\"destination\":\"/data\"}]"
            "}");
    static const char *const covers[] = {"/run", "/", "/run/lazaret/x", "/run//./lazaret/",
            "run/lazaret", "/data/../run/lazaret"};
    for (size_t i = 0; i < sizeof(covers) / sizeof(covers[0]); i++) {
        char text[512];
        (void)snprintf(
                text, sizeof(text), "{\"mounts\":[" OURS ",{\"destination\":\"%s\"}]}", covers[i]);
        expect_refusal(
                text, add_mount, "mounts[1]: would hide what the host mounts at /run/lazaret");
    }
    expect_refusal("{\"mounts\":[{\"destination\":\"/run/lazaret\",\"type\":\"bind\"}]}", add_mount,
            "mounts[0]: would hide what the host mounts at /run/lazaret");
    expect_refusal("{\"mounts\":[{\"destination\":\"/run/lazaret\",\"type\":\"ramfs\",\"source\":"
                   "\"tmpfs\",\"options\":[\"nosuid\",\"nodev\"]}]}",
            add_mount, "mounts[0]: would hide what the host mounts at /run/lazaret");
    expect_refusal("{\"mounts\":[{\"type\":\"bind\"}]}", add_mount,
            "mounts[0].destination: absent, or too long");
}

static int add_file(struct laz_oci_change *change)
{
    const struct laz_oci_new_mount mount = {.destination = "/p",
            .type = "bind",
            .source = "/images/new",
            .options = LIST("ro"),
            .before = "/images/"};
    return laz_oci_add_mount(change, &mount, &err);
}

#define FILE_OF(source)                                                                            \
    "{\"destination\":\"/p\",\"type\":\"bind\",\"source\":\"" source "\",\"options\":[\"ro\"]}"

Test(oci_change, an_earlier_mount_gets_the_new_source_where_it_is_the_only_one)
{
    expect("{\"mounts\":[" FILE_OF("/images/old") ",{\"destination\":\"/x\"}]}", add_file,
            "{\"mounts\":[" FILE_OF("/images/new") ",{\"destination\":\"/x\"}]}");
    expect("{\"mounts\":[" FILE_OF("/images/new") "," FILE_OF("/images/new") "]}", add_file,
            "{\"mounts\":[" FILE_OF("/images/new") "," FILE_OF("/images/new") "]}");
    static const char *const rows[] = {
            FILE_OF("/images/old") "," FILE_OF("/images/old"),
            FILE_OF("/images/new") "," FILE_OF("/images/old"),
            FILE_OF("/images/old") "," FILE_OF("/images/new"),
            "{\"destination\":\"/x\"}," FILE_OF("/image/old"),
            "{\"destination\":\"/x\"},"
            "{\"destination\":\"/p\",\"type\":\"bind\",\"source\":\"/images/old\"}",
            FILE_OF("/images/old") ",{\"destination\":\"/\"}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text), "{\"mounts\":[%s]}", rows[i]);
        expect_refusal(text, add_file, "mounts[1]: would hide what the host mounts at /p");
    }
}

static int add_hooks(struct laz_oci_change *change)
{
    const struct laz_oci_new_hook hook = {
            .path = "/hook", .args = LIST("hook", "x"), .env = LIST("A=B"), .timeout_s = 10};
    return laz_oci_add_hook(change, LAZ_OCI_CREATE_RUNTIME, &hook, &err) < 0 ||
                    laz_oci_add_hook(change, LAZ_OCI_POSTSTOP, &hook, &err) < 0
            ? -1
            : 0;
}

#define HOOK "{\"path\":\"/hook\",\"args\":[\"hook\",\"x\"],\"env\":[\"A=B\"],\"timeout\":10}"

Test(oci_change, hooks_are_behind_those_that_are_there)
{
    expect("{}", add_hooks, "{\"hooks\":{\"createRuntime\":[" HOOK "],\"poststop\":[" HOOK "]}}");
    expect("{\"hooks\":{\"prestart\":[],\"poststop\":[{\"path\":\"/x\"}]}}", add_hooks,
            "{\"hooks\":{\"prestart\":[],\"poststop\":[{\"path\":\"/x\"}," HOOK "],"
            "\"createRuntime\":[" HOOK "]}}");
}

/* What differs in one member is another's, and is not taken for it. */
Test(oci_change, a_hook_is_there_only_if_all_of_it_is)
{
    static const char *const others[] = {
            "{\"path\":\"/hooks\",\"args\":[\"hook\",\"x\"],\"env\":[\"A=B\"],\"timeout\":10}",
            "{\"path\":\"/hook\",\"args\":[\"hook\"],\"env\":[\"A=B\"],\"timeout\":10}",
            "{\"path\":\"/hook\",\"args\":[\"hook\",\"x\",\"y\"],\"env\":[\"A=B\"],\"timeout\":10}",
            "{\"path\":\"/"
            "hook\",\"args\":[\"hook\",\"x\"],\"env\":[\"A=B\",\"C=D\"],\"timeout\":10}",
            "{\"path\":\"/hook\",\"args\":[\"hook\",\"x\"],\"env\":[],\"timeout\":10}",
            "{\"path\":\"/hook\",\"args\":[\"hook\",\"x\"],\"timeout\":10}",
            "{\"path\":\"/hook\",\"args\":[\"hook\",\"x\"],\"env\":[\"A=B\"],\"timeout\":11}",
            "{\"path\":\"/"
            "hook\",\"args\":[\"hook\",\"x\"],\"env\":[\"A=B\"],\"timeout\":4294967306}",
            "{\"path\":\"/hook\",\"args\":[\"hook\",\"x\"],\"env\":[\"A=B\"]}",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char text[512];
        char expected[512];
        (void)snprintf(text, sizeof(text),
                "{\"hooks\":{\"createRuntime\":[%s],\"poststop\":[" HOOK "]}}", others[i]);
        (void)snprintf(expected, sizeof(expected),
                "{\"hooks\":{\"createRuntime\":[%s," HOOK "],\"poststop\":[" HOOK "]}}", others[i]);
        expect(text, add_hooks, expected);
    }
}

Test(oci_change, a_hook_says_its_environment_and_its_time_out)
{
    const struct laz_oci_new_hook rows[] = {
            {.path = "hook", .env = LIST("A=B"), .timeout_s = 10},
            {.path = "/hook", .timeout_s = 10},
            {.path = "/hook", .env = LIST("A=B")},
    };
    struct laz_oci_spec spec;
    struct laz_oci_change change;
    cr_assert_eq(laz_oci_spec_open("{}", 2, LAZ_OCI_CONFIG, &spec, &err), 0);
    cr_assert_eq(laz_oci_change_init(&change, &spec, &err), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err = (struct laz_err){0};
        cr_assert_eq(laz_oci_add_hook(&change, LAZ_OCI_PRESTART, &rows[i], &err), -1, "%zu", i);
        cr_assert_eq(err.kind, LAZ_E_INTERNAL);
    }
    laz_oci_change_done(&change);
    laz_oci_spec_done(&spec);
}

static int hide_paths(struct laz_oci_change *change)
{
    const struct laz_oci_strings masked = LIST("/proc/kcore", "/sys/firmware");
    const struct laz_oci_strings readonly = LIST("/proc/sys");
    return laz_oci_mask_paths(change, &masked, &err) < 0 ||
                    laz_oci_readonly_paths(change, &readonly, &err) < 0
            ? -1
            : 0;
}

Test(oci_change, paths_are_hidden)
{
    expect("{\"linux\":{\"maskedPaths\":[\"/sys/firmware\"]}}", hide_paths,
            "{\"linux\":{\"maskedPaths\":[\"/sys/firmware\",\"/proc/kcore\"],"
            "\"readonlyPaths\":[\"/proc/sys\"]}}");
}

static int part_root(struct laz_oci_change *change)
{
    return laz_oci_part_root(change, &err);
}

Test(oci_change, the_root_is_parted_from_the_hosts)
{
    expect("{\"linux\":{\"rootfsPropagation\":\"rshared\"}}", part_root,
            "{\"linux\":{\"rootfsPropagation\":\"rprivate\"}}");
    expect("{}", part_root, "{\"linux\":{\"rootfsPropagation\":\"rprivate\"}}");
}

static int set_filter(struct laz_oci_change *change)
{
    static const char filter[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\"}";
    return laz_oci_set_seccomp(change, filter, strlen(filter), &err);
}

static bool keep_read(void *context, const char *name)
{
    *(unsigned *)context += 1;
    return strcmp(name, "read") == 0 || strcmp(name, "write") == 0;
}

static int narrow_filter(struct laz_oci_change *change)
{
    unsigned asked = 0;
    return laz_oci_narrow_seccomp(change, keep_read, &asked, &err);
}

Test(oci_change, a_filter_is_set_or_narrowed)
{
    expect("{\"linux\":{\"seccomp\":null}}", set_filter,
            "{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\"}}}");
    expect("{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
           "{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\"},"
           "{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ERRNO\"},"
           "{\"names\":[\"read\",\"mount\",\"write\",\"bpf\"],\"action\":\"SCMP_ACT_ALLOW\"},"
           "{\"names\":[\"ptrace\",\"write\"],\"action\":\"SCMP_ACT_NOTIFY\"},"
           "{\"names\":[],\"action\":\"SCMP_ACT_ALLOW\"}]}}}",
            narrow_filter,
            "{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
            "{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ERRNO\"},"
            "{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ALLOW\"},"
            "{\"names\":[\"write\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}}}");
    expect_refusal("{\"linux\":{}}", narrow_filter, "linux.seccomp: there is none to be narrowed");
    expect_refusal("{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}}}",
            narrow_filter,
            "linux.seccomp.defaultAction: lets calls happen, and cannot be narrowed by name");
    expect_refusal("{\"linux\":{\"seccomp\":{}}}", narrow_filter,
            "linux.seccomp.defaultAction: lets calls happen, and cannot be narrowed by name");
}

Test(oci_change, a_filter_refuses_by_what_its_actions_are)
{
    static const struct {
        const char *action;
        bool refuses;
        bool is_any; /* does anything but let calls happen */
    } rows[] = {
            {"SCMP_ACT_ERRNO", true, true},
            {"SCMP_ACT_KILL", true, true},
            {"SCMP_ACT_KILL_THREAD", true, true},
            {"SCMP_ACT_KILL_PROCESS", true, true},
            {"SCMP_ACT_TRAP", true, true},
            {"SCMP_ACT_ALLOW", false, false},
            {"SCMP_ACT_LOG", false, false},
            {"SCMP_ACT_TRACE", false, true},
            {"SCMP_ACT_NOTIFY", false, true},
            {"SCMP_ACT_ERRN", false, true},
            {"", false, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_oci_spec spec;
        char text[128];
        (void)snprintf(text, sizeof(text), "{\"linux\":{\"seccomp\":{\"defaultAction\":\"%s\"}}}",
                rows[i].action);
        cr_assert_eq(laz_oci_spec_open(text, strlen(text), LAZ_OCI_CONFIG, &spec, &err), 0);
        cr_expect_eq(laz_oci_seccomp_refuses_by_default(&spec), rows[i].refuses, "%s", text);
        cr_expect_eq(laz_oci_seccomp_refuses(&spec), rows[i].is_any, "%s", text);
        laz_oci_spec_done(&spec);
    }
}

static int set_no_filter(struct laz_oci_change *change)
{
    return laz_oci_set_seccomp(change, "[]", 2, &err);
}

Test(oci_change, the_new_text_is_read_as_strictly_as_the_old_one)
{
    expect_refusal("{\"linux\":{}}", set_no_filter,
            "after the change: config.json: linux.seccomp: not an object");
}

static int drop_annotations(struct laz_oci_change *change)
{
    return laz_oci_drop_annotations(change, "run.oci.", &err);
}

Test(oci_change, annotations_go_by_prefix)
{
    expect("{}", drop_annotations, "{}");
    expect("{\"annotations\":{\"run.oci.a\":\"1\",\"b\":\"2\",\"run\\u002eoci.c\":\"3\"}}",
            drop_annotations, "{\"annotations\":{\"b\":\"2\"}}");
}

/* ---- what cannot be done ---- */

/* With room for so many edits, and how many there were. */
static int make_within(const char *text, change_function *make, uint32_t max, uint32_t *ret_n)
{
    struct laz_oci_spec spec;
    struct laz_oci_change change;
    err = (struct laz_err){0};
    cr_assert_eq(laz_oci_spec_open(text, strlen(text), LAZ_OCI_CONFIG, &spec, &err), 0);
    cr_assert_eq(laz_oci_change_init(&change, &spec, &err), 0);
    change.edits.max = max;
    int result = make(&change);
    *ret_n = change.edits.n;
    laz_oci_change_done(&change);
    laz_oci_spec_done(&spec);
    return result;
}

/* What could not be taken away would stay. */
Test(oci_change, whatever_has_no_room_for_its_edits_is_refused)
{
    static const char all[] =
            "{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_CHOWN\"],"
            "\"effective\":[],\"inheritable\":[],\"permitted\":[],\"ambient\":[]}}}";
    static const char four[] = "{\"process\":{\"capabilities\":{\"bounding\":[],"
                               "\"effective\":[],\"inheritable\":[],\"permitted\":[]}}}";
#define CORE "{\"type\":\"RLIMIT_CORE\",\"hard\":0,\"soft\":0}"
    static const struct {
        const char *text;
        change_function *make;
    } rows[] = {
            {all, clamp_to_kill},
            {four, clamp_to_kill},
            {"{}", clamp_to_kill},
            {"{\"process\":{}}", set_flag},
            {"{}", set_flag},
            {"{\"process\":{\"args\":[\"sh\"]}}", put_init},
            {"{\"process\":{\"args\":[\"/sbin/docker-init\",\"--\"]}}", put_init_for_dockers},
            {"{\"process\":{\"rlimits\":[" CORE "]}}", clamp_limits},
            {"{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":9999}," CORE "]}}",
                    clamp_limits},
            {"{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":9999}," CORE "]}}",
                    clamp_limits},
            {"{}", clamp_limits},
            {"{\"process\":{\"env\":[\"LD_A=\"]}}", clean_environment},
            {"{\"process\":{\"user\":{\"uid\":5,\"gid\":0}}}", set_root},
            {"{\"process\":{\"user\":{\"uid\":0,\"gid\":5}}}", set_root},
            {"{}", set_root},
            {"{\"process\":{\"user\":{}}}", set_groups},
            {"{\"process\":{}}", set_groups},
            {"{}", set_groups},
            {"{\"process\":{\"apparmorProfile\":\"a\"}}", drop_labels},
            {"{\"process\":{\"selinuxLabel\":\"a\"}}", drop_labels},
            {"{}", add_mount},
            {"{\"mounts\":[" FILE_OF("/images/old") "]}", add_file},
            {"{\"hooks\":{\"createRuntime\":[" HOOK "]}}", add_hooks},
            {"{}", add_hooks},
            {"{\"linux\":{\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":[\"/proc/sys\"]}}",
                    hide_paths},
            {"{}", hide_paths},
            {"{}", part_root},
            {"{}", set_filter},
            {"{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_TRAP\",\"syscalls\":["
             "{\"names\":[\"bpf\"],\"action\":\"\"}]}}}",
                    narrow_filter},
            {"{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_TRAP\",\"syscalls\":["
             "{\"names\":[\"read\",\"bpf\"],\"action\":\"\"}]}}}",
                    narrow_filter},
            {"{\"annotations\":{\"run.oci.a\":\"\"}}", drop_annotations},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t n = 0;
        uint32_t unused = 0;
        cr_assert_eq(make_within(rows[i].text, rows[i].make, LAZ_OCI_EDITS_MAX, &n), 0);
        cr_assert_gt(n, 0, "row %zu changes something", i);
        for (uint32_t max = 0; max < n; max++) {
            char expected[64];
            (void)snprintf(
                    expected, sizeof(expected), "cannot be changed: more than %u edits", max);
            cr_assert_eq(make_within(rows[i].text, rows[i].make, max, &unused), -1,
                    "row %zu: %u edits", i, max);
            cr_assert_eq(err.kind, LAZ_E_OCI);
            cr_assert_str_eq(err.message, expected, "row %zu: %s", i, err.message);
        }
    }
}

Test(oci_change, a_process_that_cannot_be_read_is_not_changed)
{
    change_function *const all[] = {
            put_init, clamp_limits, clean_environment, set_groups, drop_groups, drop_labels};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        expect_refusal("{\"process\":{\"args\":[\"a\"],\"user\":{\"uid\":4294967296}}}", all[i],
                "config.json: process.user.uid: not a number of 32 bits");
    }
}

/* ---- as engines write them ---- */

static int make_all(struct laz_oci_change *change)
{
    change_function *const all[] = {clamp_to_kill, set_flag, put_init, clamp_limits,
            clean_environment, set_root, add_mount, add_hooks, hide_paths, drop_annotations};
    int result = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && result == 0; i++) {
        result = all[i](change);
    }
    return result == 0 && laz_oci_container(change->spec).seccomp != NULL ? narrow_filter(change)
                                                                          : result;
}

static int make_nothing(struct laz_oci_change *change)
{
    (void)change;
    return 0;
}

static char *read_file(const char *path)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(path, "re");
    cr_assert(file != NULL && text != NULL && fread(text, 1, 65535, file) > 0, "%s", path);
    (void)fclose(file);
    return text;
}

Test(oci_change, all_changes_at_once_on_what_engines_wrote)
{
    static const char *const files[] = {"docker-default", "docker-limits", "docker-privileged",
            "docker-dropped", "podman-default", "podman-annotated", "runc-spec", "crun-spec"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "tests/data/oci/%s.config.json", files[i]);
        char *text = read_file(path);
        char *same = changed(text, LAZ_OCI_CONFIG, make_nothing);
        cr_assert_str_eq(same, text, "%s: without an edit it is the same text", path);
        char *once = changed(text, LAZ_OCI_CONFIG, make_all);
        cr_assert_not_null(once, "%s: %s", path, err.message);
        cr_assert_str_neq(once, text);
        char *twice = changed(once, LAZ_OCI_CONFIG, make_all);
        cr_assert_not_null(twice, "%s: %s", path, err.message);
        cr_assert_str_eq(once, twice, "%s", path);
        free(text);
        free(same);
        free(once);
        free(twice);
    }
}
