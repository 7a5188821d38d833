/* SPDX-License-Identifier: Apache-2.0
 *
 * The field table: that it hangs together, that its examples and defaults are what the loader
 * takes, and that what is generated from it is what is committed.
 */
#include "policy/fields.h"

#include <stdlib.h>
#include <string.h>

#include "loading.h"
#include "policy/runtime.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX      3000
#define GENERATED_MAX (1024 * 1024)

Test(policy_fields, are_in_pre_order_and_documented)
{
    for (enum laz_field_id id = LAZ_FIELD_ROOT + 1; id < LAZ_FIELD_END; id++) {
        const struct laz_field *field = laz_field_at(id);
        if (id == LAZ_FIELD_RUNTIME) {
            continue;
        }
        char path[TEXT_MAX];
        laz_field_path(id, path, sizeof(path));
        enum laz_field_id above = id - 1;
        while (above != field->parent && above != laz_field_root_of(id)) {
            above = laz_field_at(above)->parent;
        }
        cr_expect_eq(above, field->parent, "%s does not follow its parent's block", path);
        cr_expect_eq(laz_field_at(field->parent)->type, LAZ_TYPE_MAP, "%s", path);
        cr_expect_eq(laz_field_find(field->parent, field->key, strlen(field->key)), id, "%s", path);
        if (field->type == LAZ_TYPE_LATER) {
            continue;
        }
        cr_assert_not_null(field->doc, "%s", path);
        cr_expect_eq(field->doc[strlen(field->doc) - 1], '.', "%s: %s", path, field->doc);
        bool is_shown =
                field->preset != NULL || field->example != NULL || field->type == LAZ_TYPE_MAP;
        cr_expect(is_shown, "%s has neither default nor example", path);
        cr_expect(field->type != LAZ_TYPE_WORD || field->words != NULL, "%s has no words", path);
        cr_expect(field->type != LAZ_TYPE_INT || field->max > 0, "%s has no range", path);
        cr_expect(field->type != LAZ_TYPE_DURATION || field->max > 0, "%s has no range", path);
    }
}

static void check_call(enum laz_field_id id, const char *word, size_t length)
{
    enum laz_field_id parent = laz_field_at(id)->parent;
    char path[TEXT_MAX];
    laz_field_path(id, path, sizeof(path));
    cr_expect_eq(laz_field_find(parent, word, length), LAZ_FIELD_ROOT,
            "%s: \"%.*s\" is a key there", path, (int)length, word);
    cr_expect_eq(
            laz_field_called(parent, word, length), id, "%s: \"%.*s\"", path, (int)length, word);
}

/* A hint that is a key itself would never be given, and one that two rows have names one of them.
 */
Test(policy_fields, are_each_called_by_words_that_are_nobodys_key)
{
    size_t n = 0;
    for (enum laz_field_id id = LAZ_FIELD_ROOT + 1; id < LAZ_FIELD_COUNT; id++) {
        const char *at = laz_field_at(id)->others;
        while (at != NULL && *at != '\0') {
            size_t length = strcspn(at, " ");
            check_call(id, at, length);
            at += length + strspn(at + length, " ");
            n++;
        }
    }
    cr_expect_gt(n, 30, "%zu words", n);
    static const char *const spelt[] = {"periodSeconds", "period_seconds", "PERIOD-SECONDS"};
    for (size_t i = 0; i < sizeof(spelt) / sizeof(spelt[0]); i++) {
        cr_expect_eq(laz_field_called(LAZ_FIELD_READY_CHECKS, spelt[i], strlen(spelt[i])),
                LAZ_FIELD_CHECK_EVERY, "%s", spelt[i]);
    }
    cr_expect_eq(laz_field_called(LAZ_FIELD_LIVE_CHECKS, "retries", 7), LAZ_FIELD_LIVE_FALL);
    cr_expect_eq(laz_field_called(LAZ_FIELD_SHUTDOWN, "retries", 7), LAZ_FIELD_ROOT);
    cr_expect_eq(laz_field_called(LAZ_FIELD_READY_CHECKS, "perio", 5), LAZ_FIELD_ROOT);
}

Test(policy_fields, have_the_words_of_the_vocabulary)
{
    for (unsigned i = 0; i < LAZ_REQUIRE_COUNT; i++) {
        const char *name = laz_require_name((enum laz_require)i);
        cr_expect_neq(
                laz_field_find(LAZ_FIELD_REQUIRES, name, strlen(name)), LAZ_FIELD_ROOT, "%s", name);
    }
    for (unsigned i = 0; i < LAZ_PATH_COUNT; i++) {
        const char *name = laz_path_class_name((enum laz_path_class)i);
        cr_expect_neq(laz_field_find(LAZ_FIELD_FILESYSTEM, name, strlen(name)), LAZ_FIELD_ROOT,
                "%s", name);
    }
    cr_expect_eq(laz_field_by_path("requires.landlock.min-abi"), LAZ_FIELD_LANDLOCK_MIN_ABI);
    cr_expect_eq(laz_field_by_path("requires.landlock.max-abi"), LAZ_FIELD_ROOT);
}

/* ---- Examples ---- */

/* What a policy needs, so that a value for one more key can be tried. */
static const struct {
    enum laz_field_id section;
    const char *key;
    const char *value;
} needed[] = {
        {LAZ_FIELD_WORKLOAD, "user", "\"1:1\""},
        {LAZ_FIELD_FILESYSTEM, "read-exec", "[/usr, /bin]"},
        {LAZ_FIELD_FILESYSTEM, "read", "[/lib64]"},
        {LAZ_FIELD_SYSCALLS, "groups", "[basic-io]"},
        {LAZ_FIELD_SECRETS, "items", "[{name: a, from: /a, file: {path: a}}]"},
        {LAZ_FIELD_SECRETS, "refresh", "{interval: 10s}"},
        {LAZ_FIELD_TLS, "trust", "[{name: rds, file: /a}]"},
        {LAZ_FIELD_TLS, "identities", "[{name: web, from: {file: {certificate: /a, key: /b}}}]"},
};

static bool is_inside_list(enum laz_field_id id)
{
    for (id = laz_field_at(id)->parent; id != LAZ_FIELD_ROOT; id = laz_field_at(id)->parent) {
        if (laz_field_at(id)->shape != LAZ_SHAPE_ONE) {
            return true;
        }
    }
    return false;
}

/* What a key needs in its own mapping. */
static const struct {
    enum laz_field_id mapping;
    enum laz_field_id key; /* the first one that needs it, and */
    enum laz_field_id last;
    const char *member;
} beside[] = {
        {LAZ_FIELD_TLS_PLAIN, LAZ_FIELD_PLAIN_MODE, LAZ_FIELD_PLAIN_MODE, "tls-only: [80], "},
        {LAZ_FIELD_TLS_PLAIN, LAZ_FIELD_PLAIN_ALLOW, LAZ_FIELD_PLAIN_ALLOW, "tls-only: [80], "},
        {LAZ_FIELD_SHUTDOWN, LAZ_FIELD_SHUTDOWN_LB_LEAST, LAZ_FIELD_SHUTDOWN_THRESHOLD,
                "lb-grace: 4s, "},
        {LAZ_FIELD_HEALTH, LAZ_FIELD_HEALTH_TLS, LAZ_FIELD_HEALTH_EXPOSE, "listen: \"[::]:9\", "},
        {LAZ_FIELD_HEALTH_STARTUP, LAZ_FIELD_STARTUP_DEADLINE, LAZ_FIELD_STARTUP_DEADLINE,
                "checks: [{name: a, tcp: \"a:1\"}], "},
        {LAZ_FIELD_HEALTH_STARTUP, LAZ_FIELD_STARTUP_CHECKS, LAZ_FIELD_STARTUP_CHECKS,
                "deadline: 9s, "},
        {LAZ_FIELD_HEALTH_READY, LAZ_FIELD_READY_RISE, LAZ_FIELD_READY_FALL,
                "checks: [{name: a, tcp: \"a:1\"}], "},
        {LAZ_FIELD_HEALTH_LIVE, LAZ_FIELD_LIVE_FALL, LAZ_FIELD_LIVE_FALL,
                "checks: [{name: a, tcp: \"a:1\"}], "},
        {LAZ_FIELD_HOST_HEALTH_CHECK, LAZ_FIELD_HOST_HEALTH_CHECK_EXEC,
                LAZ_FIELD_HOST_HEALTH_CHECK_EXEC, "argv: [a], "},
};

static void put_beside(struct laz_buf *buf, enum laz_field_id mapping, enum laz_field_id id)
{
    for (size_t i = 0; i < LENGTH(beside); i++) {
        bool needs = beside[i].mapping == mapping && id >= beside[i].key && id <= beside[i].last;
        laz_buf_str(buf, needs ? beside[i].member : "");
    }
}

/* The members that `id` needs beside itself in a section, and itself. */
static void put_members(
        struct laz_buf *buf, enum laz_field_id section, enum laz_field_id id, const char *value)
{
    enum laz_field_id below = id; /* the part of the path just inside the section */
    while (below != LAZ_FIELD_ROOT && laz_field_at(below)->parent != section) {
        below = laz_field_at(below)->parent;
    }
    for (size_t i = 0; i < LENGTH(needed); i++) {
        if (needed[i].section == section && strcmp(needed[i].key, laz_field_at(below)->key) != 0) {
            laz_buf_printf(buf, "%s: %s, ", needed[i].key, needed[i].value);
        }
    }
    if (below == LAZ_FIELD_ROOT) {
        return;
    }
    unsigned depth = laz_field_depth(id) - laz_field_depth(below);
    for (unsigned i = 0; i <= depth; i++) {
        enum laz_field_id part = id;
        for (unsigned k = i; k < depth; k++) {
            part = laz_field_at(part)->parent;
        }
        laz_buf_printf(buf, "%s: %s", laz_field_at(part)->key, i < depth ? "{" : value);
        if (i < depth) {
            put_beside(buf, part, id);
        }
    }
    for (unsigned i = 0; i < depth; i++) {
        laz_buf_char(buf, '}');
    }
}

static void try_value(enum laz_field_id id, const char *value)
{
    static const enum laz_field_id sections[] = {LAZ_FIELD_WORKLOAD, LAZ_FIELD_FILESYSTEM,
            LAZ_FIELD_SYSCALLS, LAZ_FIELD_SECRETS, LAZ_FIELD_TLS};
    char text[TEXT_MAX];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    enum laz_field_id top = id;
    while (laz_field_at(top)->parent != LAZ_FIELD_ROOT) {
        top = laz_field_at(top)->parent;
    }
    bool is_in_needed = false;
    for (size_t i = 0; i < LENGTH(sections); i++) {
        bool may_be_absent = sections[i] == LAZ_FIELD_SECRETS || sections[i] == LAZ_FIELD_TLS;
        if (may_be_absent && (top != sections[i] || id == top)) {
            continue; /* no policy needs any */
        }
        laz_buf_printf(&buf, "%s: {", laz_field_at(sections[i])->key);
        put_members(&buf, sections[i], top == sections[i] ? id : LAZ_FIELD_ROOT, value);
        laz_buf_str(&buf, "}\n");
        is_in_needed = is_in_needed || top == sections[i];
    }
    if (id != LAZ_FIELD_VERSION) {
        laz_buf_str(&buf, "version: 1\n");
    }
    if (!is_in_needed) {
        put_members(&buf, LAZ_FIELD_ROOT, id, value);
        laz_buf_str(&buf, "\n");
    }
    if (top != LAZ_FIELD_SINKS) { /* what is about records is an error without one */
        laz_buf_str(&buf, "sinks: [{name: trail, type: file, path: /a, classes: [ids, log]}]\n");
    }
    if (id == LAZ_FIELD_TLS_PLAIN || laz_field_at(id)->parent == LAZ_FIELD_TLS_PLAIN) {
        laz_buf_str(&buf, "sense: {}\n"); /* which looks for it */
    }
    if (top == LAZ_FIELD_HEALTH) {
        laz_buf_str(&buf,
                "tls: {identities: [{name: web, from: {file: {certificate: /a, key: /b}}}]}\n");
    } else if (top == LAZ_FIELD_SHUTDOWN) {
        laz_buf_str(&buf, "health: {}\n");
    }
    cr_assert(!buf.overflow);
    struct loaded loaded = load_text(text);
    cr_expect_eq(loaded.result, 0, "%s\n%s", loaded.err.message, text);
    unload(&loaded);
}

Test(policy_fields, examples_and_defaults_are_taken)
{
    size_t n = 0;
    for (enum laz_field_id id = LAZ_FIELD_ROOT + 1; id < LAZ_FIELD_COUNT; id++) {
        const struct laz_field *field = laz_field_at(id);
        if (is_inside_list(id)) {
            continue; /* shown by the example of the list */
        }
        if (field->preset != NULL) {
            try_value(id, field->preset);
            n++;
        }
        if (field->example != NULL) {
            char example[TEXT_MAX];
            struct laz_buf buf;
            laz_buf_init_fixed(&buf, example, sizeof(example));
            laz_buf_str(&buf, field->example);
            /* Its neighbour asks for it. */
            laz_buf_str(&buf, id == LAZ_FIELD_REDACT_MRN ? ", patterns: [mrn]" : "");
            try_value(id, example);
            n++;
        }
    }
    cr_assert_gt(n, 60, "%zu", n);
}

/* ---- What is generated ---- */

static void check_generated(
        const char *path, const char *command, void generate(struct laz_buf *ret))
{
    struct laz_buf wanted;
    laz_buf_init_heap(&wanted, GENERATED_MAX);
    generate(&wanted);
    cr_assert(!wanted.overflow && wanted.len > 0);
    char *there = calloc(1, GENERATED_MAX);
    FILE *file = fopen(path, "re");
    cr_assert(there != NULL && file != NULL, "%s", path);
    size_t length = fread(there, 1, GENERATED_MAX - 1, file);
    (void)fclose(file);
    size_t same = 0;
    while (same < length && same < wanted.len && there[same] == wanted.data[same]) {
        same++;
    }
    cr_expect(same == length && same == wanted.len,
            "%s differs from what the table says at byte %zu; write it anew: %s > %s", path, same,
            command, path);
    free(there);
    laz_buf_done(&wanted);
}

Test(policy_fields, the_committed_schema_is_current)
{
    check_generated("policies/policy-1.schema.json", "lazaret policy schema", laz_policy_schema);
}

Test(policy_fields, the_committed_reference_is_current)
{
    check_generated("docs/reference/policy.md", "lazaret policy reference", laz_policy_reference);
}

Test(policy_fields, what_is_committed_of_the_hosts_file_is_current)
{
    check_generated("policies/runtime-1.schema.json", "lazaret runtime schema", laz_runtime_schema);
    check_generated(
            "docs/reference/runtime.md", "lazaret runtime reference", laz_runtime_reference);
}

/* Two languages in one table: neither has a key of the other. */
Test(policy_fields, of_one_file_are_not_known_in_the_other)
{
    cr_expect_eq(laz_field_find(LAZ_FIELD_ROOT, "runtime", 7), LAZ_FIELD_ROOT);
    cr_expect_eq(laz_field_find(LAZ_FIELD_RUNTIME, "syscalls", 8), LAZ_FIELD_ROOT);
    cr_expect_eq(laz_field_find(LAZ_FIELD_RUNTIME, "", 0), LAZ_FIELD_ROOT);
    cr_expect_eq(laz_field_find(LAZ_FIELD_ROOT, "", 0), LAZ_FIELD_ROOT);
    cr_expect_eq(laz_field_find(LAZ_FIELD_RUNTIME, "log", 3), LAZ_FIELD_RUNTIME_LOG);
    cr_expect_eq(laz_field_by_path("unknown-container"), LAZ_FIELD_ROOT);
}
