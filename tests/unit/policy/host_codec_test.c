/* SPDX-License-Identifier: Apache-2.0
 *
 * What lazaret-prepare writes down is what lazaret-shim reads: each key of `host` and of the host's
 * file is in it, and nothing that is cut off or out of range is taken.
 */
#include "loading.h"
#include "policy/fields.h"
#include "policy/host_policy.h"

#define TEXT_MAX  2000
#define WHOLE_MAX ((size_t)1 << 20)

/* ---- texts with one key ---- */

/* "a.b.c" and a value as "a: {b: {c: value}}", with what else the last mapping needs. */
static void nest(struct laz_buf *ret, const char *path, const char *value)
{
    size_t depth = 0;
    enum laz_field_id id = laz_field_by_path(path);
    enum laz_field_id in = laz_field_at(id)->parent;
    for (const char *at = path; *at != '\0' && *at != '['; at++) { /* "list[]" */
        laz_buf_printf(ret, *at == '.' ? ": {" : "%c", *at);
        depth += *at == '.' ? 1 : 0;
    }
    laz_buf_printf(ret, ": %s", value);
    for (unsigned other = in + 1; id != LAZ_FIELD_ROOT && other < LAZ_FIELD_COUNT; other++) {
        const struct laz_field *field = laz_field_at((enum laz_field_id)other);
        if (field->parent == in && field->is_required && other != id) {
            laz_buf_printf(ret, ", %s: %s", field->key, field->example);
        }
    }
    while (depth-- > 0) {
        laz_buf_char(ret, '}');
    }
    laz_buf_char(ret, '\n');
}

static bool is_below(enum laz_field_id id, enum laz_field_id top)
{
    while (id != top && id != laz_field_at(id)->parent && id != LAZ_FIELD_ROOT) {
        id = laz_field_at(id)->parent;
    }
    return id == top;
}

/* Of the row alone: a mapping's keys are rows of their own, and those of a list's entries come with
 * the list. */
static bool has_value(enum laz_field_id id, enum laz_field_id top)
{
    const struct laz_field *field = laz_field_at(id);
    const struct laz_field *parent = laz_field_at(field->parent);
    return id != top && is_below(id, top) &&
            (field->type != LAZ_TYPE_MAP || field->shape == LAZ_SHAPE_LIST) &&
            (field->parent == top || parent->shape != LAZ_SHAPE_LIST);
}

typedef void encode_fn(struct laz_buf *ret, const char *path, const char *value);

/* Whether some value makes another encoding than the key's absence. */
static bool tells(enum laz_field_id id, encode_fn *encode)
{
    char path[LAZ_NAME_LENGTH_MAX];
    const struct laz_field *field = laz_field_at(id);
    static const struct laz_word booleans[] = {{.word = "true"}, {.word = "false"}, {.word = NULL}};
    static const struct laz_word none[] = {{.word = NULL}};
    laz_cleanup_buf struct laz_buf without;
    bool differs = false;
    const char *example = field->example != NULL ? field->example : "/another/place";
    laz_buf_init_heap(&without, WHOLE_MAX);
    laz_field_path(id, path, sizeof(path));
    encode(&without, NULL, NULL);
    const struct laz_word *word = field->type == LAZ_TYPE_BOOL ? booleans
            : field->words == NULL                             ? none
                                                               : field->words;
    for (bool is_example = word->word == NULL; word->word != NULL || is_example; word++) {
        char value[TEXT_MAX];
        laz_cleanup_buf struct laz_buf with;
        laz_buf_init_heap(&with, WHOLE_MAX);
        (void)snprintf(value, sizeof(value),
                field->shape == LAZ_SHAPE_LIST && !is_example ? "[%s]" : "%s",
                is_example ? example : word->word);
        encode(&with, path, value);
        differs = differs || with.len != without.len ||
                memcmp(with.data, without.data, with.len) != 0;
        if (is_example) {
            break;
        }
    }
    return differs;
}

static struct laz_policy *policy_with(const char *path, const char *value)
{
    char text[TEXT_MAX];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_str(&buf, MINIMAL "extends: [builtin/web-api]\n");
    if (path != NULL) {
        nest(&buf, path, value);
    }
    cr_assert(!buf.overflow);
    return must_load(text);
}

static void put_policy(struct laz_buf *ret, struct laz_policy *policy)
{
    struct laz_host_policy *of = calloc(1, sizeof(*of));
    cr_assert_not_null(of);
    laz_host_policy_of(policy, of);
    (void)memset(of->source_digest, 0, sizeof(of->source_digest));
    laz_host_policy_put(ret, of);
    free(of);
    laz_policy_free(policy);
}

static void encode_policy(struct laz_buf *ret, const char *path, const char *value)
{
    put_policy(ret, policy_with(path, value));
}

static struct laz_runtime *runtime_with(const char *path, const char *value)
{
    char text[TEXT_MAX];
    struct laz_buf buf;
    struct laz_err err = {0};
    struct laz_runtime *runtime = NULL;
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    cr_assert_not_null(diagnostics);
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_str(&buf, path != NULL && strcmp(path, "version") == 0 ? "" : "version: 1\n");
    laz_buf_str(&buf, path != NULL && strcmp(path, "runtime") == 0 ? "" : "runtime: /other/runc\n");
    laz_buf_str(&buf,
            path != NULL && strcmp(path, "default-policy") == 0 ? "" : "default-policy: another\n");
    if (path != NULL) {
        nest(&buf, path, value);
    }
    const struct laz_policy_source source = {
            .path = "/etc/lazaret/runtime.yaml", .text = text, .text_length = buf.len};
    cr_assert_eq(
            laz_runtime_load(&source, diagnostics, &runtime, &err), 0, "%s: %s", text, err.message);
    free(diagnostics);
    return runtime;
}

static void encode_runtime(struct laz_buf *ret, const char *path, const char *value)
{
    struct laz_runtime *runtime = runtime_with(path, value);
    (void)memset(runtime->digest, 0, sizeof(runtime->digest));
    laz_runtime_put(ret, runtime);
    laz_runtime_free(runtime);
}

Test(host_codec, every_key_of_host_is_written)
{
    unsigned n = 0;
    for (unsigned id = 0; id < LAZ_FIELD_COUNT; id++) {
        if (has_value((enum laz_field_id)id, LAZ_FIELD_HOST)) {
            cr_expect(tells((enum laz_field_id)id, encode_policy), "host: %s is lost",
                    laz_field_at((enum laz_field_id)id)->key);
            n++;
        }
    }
    cr_expect_geq(n, LAZ_HOST_LIST_COUNT);
}

Test(host_codec, every_key_of_the_hosts_file_is_written)
{
    for (unsigned id = LAZ_FIELD_RUNTIME; id < LAZ_FIELD_END; id++) {
        if (id != LAZ_FIELD_RUNTIME_VERSION &&
                has_value((enum laz_field_id)id, LAZ_FIELD_RUNTIME)) {
            cr_expect(tells((enum laz_field_id)id, encode_runtime), "%s is lost",
                    laz_field_at((enum laz_field_id)id)->key);
        }
    }
}

Test(host_codec, what_a_policy_gives_a_process_is_written)
{
#define USER "user: \"10001:10001\""
    static const char *const texts[] = {
            "workload: {" USER "}",
            "name: other\nworkload: {" USER "}",
            "mode: observe\nworkload: {" USER "}",
            "workload: {user: \"10002:10001\"}",
            "workload: {user: \"10001:10002\"}",
            "workload: {" USER ", groups: [\"4711\"]}",
            "workload: {" USER "}\nprivileges: {capabilities: {keep: [NET_BIND_SERVICE]}}",
            "workload: {" USER "}\nlimits: {open-files: 77}",
            "workload: {" USER "}\n"
            "secrets: {items: [{name: x, from: {file: /run/lazaret/host-secrets/x}, "
            "file: {path: x}}]}",
    };
#undef USER
    laz_cleanup_buf struct laz_buf first;
    laz_buf_init_heap(&first, WHOLE_MAX);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char text[TEXT_MAX];
        laz_cleanup_buf struct laz_buf other;
        laz_buf_init_heap(&other, WHOLE_MAX);
        (void)snprintf(text, sizeof(text),
                "version: 1\nextends: [builtin/web-api]\nfilesystem: {read-exec: [/usr]}\n%s\n",
                texts[i]);
        put_policy(i == 0 ? &first : &other, must_load(text));
        cr_expect(
                i == 0 || other.len != first.len || memcmp(other.data, first.data, first.len) != 0,
                "%s is lost", texts[i]);
    }
}

Test(host_policy, is_what_the_policy_says)
{
    static const struct {
        const char *from;
        bool is_hosts;
    } rows[] = {
            {"{file: /run/lazaret/host-secrets/x}", true},
            {"{file: /run/lazaret/host-secrets-of-another/x}", false},
            {"{file: /run/secrets/x}", false},
            {"{parameter: /run/lazaret/host-secrets/x}", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[TEXT_MAX];
        struct laz_host_policy *of = calloc(1, sizeof(*of));
        cr_assert_not_null(of);
        (void)snprintf(text, sizeof(text),
                "version: 1\nextends: [builtin/web-api]\nfilesystem: {read-exec: [/usr]}\n"
                "workload: {user: \"7:8\", groups: [\"9\", \"4711\"]}\nmode: observe\n"
                "secrets: {region: us-east-1, items: [{name: x, from: %s, file: {path: x}}]}\n",
                rows[i].from);
        struct laz_policy *policy = must_load(text);
        laz_host_policy_of(policy, of);
        cr_expect_eq(of->has_host_secrets, rows[i].is_hosts, "%s", rows[i].from);
        cr_expect(of->uid == 7 && of->gid == 8 && of->mode == policy->mode);
        cr_expect(of->n_groups == 2 && of->groups[0] == 9 && of->groups[1] == 4711);
        cr_expect_arr_eq(of->source_digest, policy->source_digest, LAZ_SHA256_SIZE);
        cr_expect_arr_eq(of->limits, policy->limits, sizeof(of->limits));
        cr_expect_eq(of->keep_capabilities, policy->keep_capabilities);
        free(of);
        laz_policy_free(policy);
    }
}

/* ---- what is read ---- */

static struct laz_section section_of(const struct laz_buf *buf, size_t length)
{
    return (struct laz_section){
            .at = (const uint8_t *)buf->data, .end = (const uint8_t *)buf->data + length};
}

static void put_every_key(struct laz_buf *ret)
{
    struct loaded loaded = load_path("tests/data/good/every-key.yaml");
    struct laz_host_policy *of = calloc(1, sizeof(*of));
    cr_assert(of != NULL && loaded.result == 0, "%s", loaded.err.message);
    laz_host_policy_of(loaded.policy, of);
    (void)memset(of->image_digest, 7, sizeof(of->image_digest));
    laz_host_policy_put(ret, of);
    free(of);
    unload(&loaded);
}

Test(host_codec, what_was_written_is_read)
{
    struct laz_host_policy *policy = calloc(1, sizeof(*policy));
    laz_cleanup_buf struct laz_buf first;
    laz_cleanup_buf struct laz_buf second;
    laz_buf_init_heap(&first, WHOLE_MAX);
    laz_buf_init_heap(&second, WHOLE_MAX);
    put_every_key(&first);
    struct laz_section in = section_of(&first, first.len);
    cr_assert_not_null(policy);
    laz_host_policy_take(&in, policy);
    cr_assert_null(in.wrong, "%s", in.wrong);
    cr_expect_eq(in.at, in.end);
    cr_expect_eq(policy->host.exec, (uint32_t)LAZ_HOST_EXEC_DENY);
    cr_expect_str_eq(policy->host.devices.items[0], "/dev/fuse");
    laz_host_policy_put(&second, policy);
    cr_expect_eq(first.len, second.len);
    cr_expect_eq(memcmp(first.data, second.data, first.len), 0);
    for (size_t length = 0; length < first.len; length++) {
        in = section_of(&first, length);
        laz_host_policy_take(&in, policy);
        cr_expect_not_null(in.wrong, "cut off behind %zu", length);
    }
    free(policy);
}

Test(host_codec, a_number_out_of_its_range_is_refused)
{
    static struct laz_host_policy policy;
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, WHOLE_MAX);
    policy.name = "x";
    policy.host.exec = LAZ_HOST_EXEC_ALLOW + 1;
    laz_host_policy_put(&text, &policy);
    struct laz_section in = section_of(&text, text.len);
    laz_host_policy_take(&in, &policy);
    cr_assert_not_null(in.wrong);
    cr_expect_str_eq(in.wrong, "a number is out of range");
}

Test(host_codec, the_hosts_file_is_read_as_it_was_written)
{
    static struct laz_runtime read;
    struct laz_runtime *runtime = runtime_with("select",
            "[{cgroups-path: /ecs/, policy: a}, {runtime-name: n, policy: pass-through}]");
    runtime->n_known_inits = 2;
    runtime->known_inits[0] = "first";
    runtime->known_inits[1] = "second";
    runtime->n_names = 1;
    runtime->names[0].name = "n";
    runtime->names[0].program = "/by/name";
    laz_cleanup_buf struct laz_buf first;
    laz_cleanup_buf struct laz_buf second;
    laz_buf_init_heap(&first, WHOLE_MAX);
    laz_buf_init_heap(&second, WHOLE_MAX);
    laz_runtime_put(&first, runtime);
    struct laz_section in = section_of(&first, first.len);
    laz_runtime_take(&in, &read);
    cr_assert_null(in.wrong, "%s", in.wrong);
    cr_expect_eq(in.at, in.end);
    cr_expect_eq(read.n_known_inits, 2);
    cr_expect_str_eq(read.known_inits[1], "second");
    cr_expect_eq(read.n_rules, 2);
    cr_expect_str_eq(read.rules[0].cgroups_path, "/ecs/");
    cr_expect_null(read.rules[0].name);
    cr_expect_str_eq(read.rules[1].name, "n");
    cr_expect_str_eq(laz_runtime_select(&read, "/x/n", NULL), "pass-through");
    cr_expect_str_eq(laz_runtime_program(&read, "/x/n"), "/by/name");
    cr_expect_str_eq(laz_runtime_program(&read, "/n/x"), "/other/runc");
    laz_runtime_put(&second, &read);
    cr_expect_eq(first.len, second.len);
    cr_expect_eq(memcmp(first.data, second.data, first.len), 0);
    for (size_t length = 0; length < first.len; length++) {
        in = section_of(&first, length);
        laz_runtime_take(&in, &read);
        cr_expect_not_null(in.wrong, "cut off behind %zu", length);
    }
    laz_runtime_free(runtime);
}
