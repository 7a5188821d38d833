/* SPDX-License-Identifier: Apache-2.0
 *
 * The seccomp profile around a container: what becomes of the engine's by each word of
 * host.seccomp, what ours has in it, and that a second pass changes nothing.
 */
#include "shim/seccomp.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/json_read.h"
#include "policy/load.h"
#include "shim/profile.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX      4096

/* Calls that ours lets happen: a, b under conditions, read. */
static const char ours[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
                           "{\"names\":[\"a\",\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
                           "{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[]},"
                           "{\"names\":[\"c\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"}]}";

#define DENIES(syscalls) "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[" syscalls "]}"
#define LETS(syscalls)   "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[" syscalls "]}"
#define RULE(names, act) "{\"names\":[" names "],\"action\":\"SCMP_ACT_" act "\"}"

/* A config.json with this profile, NULL: with none; by one word of host.seccomp. LAZ_E_NONE: *ret
 * is what the container gets. */
static enum laz_err_kind put(
        enum laz_host_seccomp word, const char *engine, struct laz_buf *ret, struct laz_err *err)
{
    char text[TEXT_MAX];
    struct laz_buf buf;
    struct laz_buf profile;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_init_heap(&profile, TEXT_MAX);
    laz_buf_printf(&profile, "%s\n", ours);
    laz_buf_printf(&buf, "{\"ociVersion\":\"1.0.2\",\"linux\":{%s%s}}",
            engine == NULL ? "" : "\"seccomp\":", engine == NULL ? "" : engine);
    const struct laz_policy_host host = {.seccomp = word};
    struct laz_oci_spec spec = {.form = LAZ_OCI_CONFIG};
    struct laz_oci_change change = {0};
    cr_assert_eq(laz_oci_spec_open(buf.data, buf.len, LAZ_OCI_CONFIG, &spec, err), 0, "%s: %s",
            text, err->message);
    cr_assert_eq(laz_oci_change_init(&change, &spec, err), 0);
    int result = laz_seccomp_put(&change, &host, &profile, err);
    if (result == 0) {
        result = laz_oci_change_apply(&change, ret, err);
    }
    laz_oci_change_done(&change);
    laz_oci_spec_done(&spec);
    laz_buf_done(&profile);
    return result == 0 ? LAZ_E_NONE : err->kind;
}

static const struct {
    const char *name;
    const char *engine; /* NULL: it gives none */
    const char *keep;   /* NULL: ours; "": refused */
    const char *narrow; /* NULL: ours; "": refused */
} rows[] = {
        {"none", NULL, NULL, NULL},
        {"null", "null", NULL, NULL},
        {"nothing in it", "{}", NULL, NULL},
        {"all is let happen", LETS(""), NULL, NULL},
        {"all is logged", "{\"defaultAction\":\"SCMP_ACT_LOG\"}", NULL, NULL},
        {"all is let happen, in two ways", LETS(RULE("\"a\"", "LOG")), NULL, NULL},
        {"nobody is asked", LETS(RULE("\"a\"", "NOTIFY")), "", ""},
        {"nobody is asked by default", "{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", "", ""},
        {"no default", "{\"syscalls\":[" RULE("\"a\"", "ALLOW") "]}", "", ""},
        {"all but one", LETS(RULE("\"z\"", "ERRNO")), "", ""},
        {"all but what nobody calls", LETS(RULE("\"nothing_has_this_name\"", "ERRNO")), "", ""},
        {"all but one, by a kill", LETS(RULE("\"a\"", "ALLOW") "," RULE("\"z\"", "KILL")), "", ""},
        {"nothing", DENIES(""), DENIES(""), DENIES("")},
        {"names of ours and others", DENIES(RULE("\"a\", \"z\",\"b\"", "ALLOW")),
                DENIES(RULE("\"a\", \"z\",\"b\"", "ALLOW")), DENIES(RULE("\"a\",\"b\"", "ALLOW"))},
        {"a name that ours kills for", DENIES(RULE("\"c\"", "ALLOW") "," RULE("\"read\"", "ALLOW")),
                DENIES(RULE("\"c\"", "ALLOW") "," RULE("\"read\"", "ALLOW")),
                DENIES(RULE("\"read\"", "ALLOW"))},
};

Test(shim_seccomp, is_by_host_seccomp_and_the_same_after_a_second_pass)
{
    static const enum laz_host_seccomp words[] = {
            LAZ_HOST_SECCOMP_KEEP, LAZ_HOST_SECCOMP_NARROW, LAZ_HOST_SECCOMP_EVENTS};
    for (size_t i = 0; i < 3 * LENGTH(rows); i++) {
        enum laz_host_seccomp word = words[i % 3];
        const char *name = rows[i / 3].name;
        const char *expected = word == LAZ_HOST_SECCOMP_KEEP ? rows[i / 3].keep
                : word == LAZ_HOST_SECCOMP_NARROW            ? rows[i / 3].narrow
                                                             : NULL;
        struct laz_err err = {0};
        laz_cleanup_buf struct laz_buf got;
        laz_cleanup_buf struct laz_buf again;
        laz_cleanup_buf struct laz_buf wanted;
        laz_buf_init_heap(&got, TEXT_MAX);
        laz_buf_init_heap(&again, TEXT_MAX);
        laz_buf_init_heap(&wanted, TEXT_MAX);
        enum laz_err_kind kind = put(word, rows[i / 3].engine, &got, &err);
        if (expected != NULL && expected[0] == '\0') {
            cr_expect_eq(kind, LAZ_E_REQUEST, "%s, word %zu", name, i % 3);
            cr_expect_str_eq(err.message,
                    "a seccomp profile that lets happen what it does not name (host.seccomp)");
            continue;
        }
        cr_assert_eq(kind, LAZ_E_NONE, "%s, word %zu: %s", name, i % 3, err.message);
        laz_buf_printf(&wanted, "{\"ociVersion\":\"1.0.2\",\"linux\":{\"seccomp\":%s}}",
                expected == NULL ? ours : expected);
        cr_expect_str_eq(got.data, wanted.data, "%s, word %zu", name, i % 3);
        const char *now = expected == NULL ? ours : expected;
        cr_assert_eq(put(word, now, &again, &err), LAZ_E_NONE, "%s", err.message);
        cr_expect_str_eq(again.data, got.data, "%s, word %zu, again", name, i % 3);
    }
}

/* ---- Ours ---- */

static struct laz_policy *policy_of(const char *more)
{
    char text[1024];
    (void)snprintf(text, sizeof(text),
            "version: 1\nextends: [builtin/web-api]\nworkload: {user: \"1:1\"}\n"
            "filesystem: {read-exec: [/usr]}\n%s\n",
            more);
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    const struct laz_policy_source source = {
            .path = "test.yaml", .text = text, .text_length = strlen(text)};
    struct laz_policy *policy = NULL;
    struct laz_err err = {0};
    cr_assert_eq(laz_policy_load(&source, diagnostics, &policy, &err), 0, "%s", err.message);
    free(diagnostics);
    return policy;
}

Test(shim_profile, names_calls_and_arguments_that_there_are)
{
    size_t n = 0;
    const struct laz_profile_call *own = laz_profile_own(&n);
    cr_assert_gt(n, 300);
    for (size_t i = 0; i < n; i++) {
        const struct laz_syscall *call = laz_syscall_by_name(own[i].name, strlen(own[i].name));
        cr_assert_not_null(call, "%s", own[i].name);
        cr_expect(own[i].arg == NULL ||
                        laz_syscall_arg_by_name(call, own[i].arg, strlen(own[i].arg)) >= 0,
                "%s: %s", own[i].name, own[i].arg);
        cr_expect_eq(own[i].value & ~own[i].mask, 0, "%s", own[i].name);
    }
}

static bool names(const struct laz_buf *profile, const char *name)
{
    char quoted[64];
    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", name);
    return strstr(profile->data, quoted) != NULL;
}

Test(shim_profile, is_loose_where_nobody_lacks_the_filter_inside_or_nothing_is_enforced)
{
    static const struct {
        const char *policy;
        bool is_loose;
    } forms[] = {{"", true}, {"host: {exec: allow}", false}, {"host: {ecs-exec: allow}", false},
            {"host: {exec: deny, ecs-exec: deny}", true}, {"host: {seccomp: events}", true},
            {"host: {seccomp: narrow}", false}, {"host: {exec: allow}\nmode: observe", true},
            {"host: {seccomp: narrow}\nmode: observe", true}};
    for (size_t i = 0; i < LENGTH(forms); i++) {
        struct laz_err err = {0};
        laz_cleanup_buf struct laz_buf profile;
        laz_buf_init_heap(&profile, LAZ_PROFILE_SIZE_MAX);
        struct laz_policy *policy = policy_of(forms[i].policy);
        cr_assert_eq(laz_profile_make(policy, &profile, &err), 0, "%s", err.message);
        cr_expect_eq(names(&profile, "keyctl"), forms[i].is_loose, "%s", forms[i].policy);
        cr_expect_eq(strstr(profile.data, "MASKED_EQ") == NULL, forms[i].is_loose, "%s: conditions",
                forms[i].policy);
        cr_expect(names(&profile, "capset") && names(&profile, "seccomp"), "%s", forms[i].policy);
        laz_policy_free(policy);
    }
}
