/* SPDX-License-Identifier: Apache-2.0
 *
 * sense: its defaults, what several files come to, and what the helper is told of it.
 */
#include <stdio.h>
#include <string.h>

#include "loading.h"
#include "tests/fixture/block.h"

static const char with_sink[] =
        MINIMAL "extends: [builtin/web-api]\nsinks: [{name: a, type: stdout}]\n";

static struct laz_policy *load_with(const char *more)
{
    char text[2000];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_printf(&buf, "%s%s", with_sink, more);
    cr_assert(!buf.overflow);
    return must_load(text);
}

Test(policy_sense, is_nothing_where_nobody_says_it)
{
    struct laz_policy *policy = load_with("");
    cr_expect(!policy->sensing.is_said);
    laz_policy_free(policy);
}

Test(policy_sense, has_the_defaults_of_the_reference)
{
    struct laz_policy *policy = load_with("name: p\nnetwork: {tcp-bind: [8080]}\nsense: {}\n");
    const struct laz_sense_config *config = &policy->sensing.config;
    cr_expect(policy->sensing.is_said);
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        cr_expect_eq(config->level[i], LAZ_LEVEL_PREFERRED, "%s",
                laz_detector_name((enum laz_detector)i));
    }
    cr_expect(config->interval_ms == 500 && config->window_ms == 10000);
    cr_expect(config->rehash_ms == 60000 && config->n_watch == 0 && config->n_foreign == 0);
    cr_assert_eq(config->n_ports, 1, "what may be bound is expected");
    cr_expect(config->ports[0].port == 8080 && config->ports[0].protocol == LAZ_SENSE_TCP);
    cr_expect_eq(policy->sensing.n_ports_said, 0);
    cr_expect_str_eq(config->name, "p");
    cr_expect(config->uid == 10001 && config->gid == 10001 && config->keep_capabilities == 0);
    cr_expect(!config->is_bounded);
    laz_policy_free(policy);
}

Test(policy_sense, knows_what_a_process_of_the_workload_is_to_be)
{
    struct laz_policy *policy = load_with("privileges: {capabilities: {keep: [SETUID, NET_RAW]}}\n"
                                          "requires: {bounding-set: required}\nsense: {}\n");
    const struct laz_sense_config *config = &policy->sensing.config;
    cr_expect(config->is_bounded);
    cr_expect_eq(config->keep_capabilities, 1 << 7 | 1 << 13);
    laz_policy_free(policy);
}

Test(policy_sense, adds_lists_up_and_replaces_single_values)
{
    struct loaded loaded = load_path("tests/data/good/sense-merged.yaml");
    cr_assert_eq(loaded.result, 0, "%s", loaded.err.message);
    const struct laz_sense_config *config = &loaded.policy->sensing.config;
    cr_expect_eq(config->level[LAZ_DETECTOR_FOREIGN], LAZ_LEVEL_REQUIRED);
    cr_expect_eq(config->level[LAZ_DETECTOR_EXECUTABLES], LAZ_LEVEL_PREFERRED);
    cr_assert(config->n_watch == 3 && config->n_except == 3);
    cr_expect_str_eq(config->watch[0], "/app");
    cr_expect_str_eq(config->watch[2], "/data");
    cr_expect_str_eq(config->except[1], "/app/cache/a");
    cr_assert_eq(config->n_foreign, 1);
    cr_expect_str_eq(config->foreign[0], "curl");
    cr_assert_eq(config->n_ports, 1);
    cr_expect(config->interval_ms == 500 && config->rehash_ms == 10000);
    unload(&loaded);
}

Test(policy_sense, looks_at_volumes_alone_where_nobody_wants_more)
{
    struct laz_policy *policy = load_with("volumes: [{path: /a}, {path: /b, require: any}]\n");
    const struct laz_sense_config *config = &policy->sensing.config;
    cr_expect(!policy->sensing.is_said);
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        cr_expect_eq(config->level[i], LAZ_LEVEL_DISABLED);
    }
    cr_assert_eq(config->n_volumes, 2);
    cr_expect_str_eq(config->volumes[0].path, "/a");
    cr_expect_eq(config->volumes[0].require, LAZ_VOLUME_REQUIRE_ENCRYPTED, "by default");
    cr_expect(laz_string_list_has(&policy->relaxations, "volumes: /b need not be encrypted"));
    cr_expect_not(laz_string_list_has(&policy->relaxations, "volumes: /a need not be encrypted"));
    laz_policy_free(policy);
    policy = load_with("sense: {}\nvolumes: [{path: /a}]\n");
    cr_expect_eq(policy->sensing.config.level[LAZ_DETECTOR_FILES], LAZ_LEVEL_PREFERRED);
    laz_policy_free(policy);
}

/* What an exception leaves of what is watched, in the words of the warning. */
Test(policy_sense, warns_of_exceptions_that_take_nothing_or_everything)
{
    static const struct {
        const char *except;
        const char *warning; /* "": none */
    } rows[] = {{"/app/cache", ""}, {"/data/cache", ""},
            {"/opt", "excepts nothing: it is below nothing of \"sense.files.watch\""},
            {"/ap", "excepts nothing: it is below nothing of \"sense.files.watch\""},
            {"/app",
                    "excepts all of \"/app\", which \"sense.files.watch\" names: it is not "
                    "watched"},
            {"/etc",
                    "excepts all of \"/etc/ssl\", which \"sense.files.watch\" names: it is not "
                    "watched"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text),
                "%ssense: {files: {watch: [/app, /etc/ssl, /data], except: [%s]}}\n", with_sink,
                rows[i].except);
        struct loaded loaded = load_text(text);
        cr_assert_eq(loaded.result, 0, "%s", loaded.err.message);
        const char *warning = "";
        for (size_t k = 0; k < loaded.diagnostics->n; k++) {
            const char *message = loaded.diagnostics->items[k].message;
            warning = strstr(message, "except") != NULL ? message : warning;
        }
        cr_expect(strstr(warning, rows[i].warning) != NULL &&
                        (*warning == '\0') == (rows[i].warning[0] == '\0'),
                "%s: %s", rows[i].except, warning);
        unload(&loaded);
    }
}

/* ---- What the helper is told ---- */

/* Every field has a value of its own. */
static struct laz_sense_config make_config(void)
{
    return (struct laz_sense_config){.name = "claims",
            .level = {LAZ_LEVEL_REQUIRED, LAZ_LEVEL_PREFERRED, LAZ_LEVEL_DISABLED,
                    LAZ_LEVEL_PREFERRED, LAZ_LEVEL_REQUIRED, LAZ_LEVEL_DISABLED},
            .interval_ms = LAZ_SENSE_INTERVAL_MIN,
            .window_ms = LAZ_SENSE_WINDOW_MAX,
            .rehash_ms = LAZ_SENSE_REHASH_MAX,
            .n_foreign = 2,
            .foreign = {"curl", "a-name-of-15-ch"},
            .n_ports = 2,
            .ports = {{8443, LAZ_SENSE_TCP}, {65535, LAZ_SENSE_UDP}},
            .n_watch = 2,
            .watch = {"/app", "/etc/ssl"},
            .n_except = 1,
            .except = {"/app/cache"},
            .plain = true,
            .n_tls_only = 2,
            .tls_only = {5432, 6379},
            .n_peers = 1,
            .peers = {{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, 80}},
            .n_volumes = 2,
            .volumes = {{"/var/lib/app", LAZ_VOLUME_REQUIRE_ENCRYPTED, ""},
                    {"/data", LAZ_VOLUME_REQUIRE_ATTESTED, "arn:aws:ec2:r:1:volume/vol-0"}},
            .uid = 10001,
            .gid = 10002,
            .n_groups = 2,
            .groups = {3, UINT32_MAX},
            .keep_capabilities = UINT64_C(1) << 40 | 1,
            .is_bounded = true};
}

static void encode(const struct laz_sense_config *config, struct block *ret)
{
    struct laz_buf buf = block_buf(ret);
    struct laz_err err = {0};
    cr_assert_eq(laz_sense_encode(config, &buf, &err), 0, "%s", err.message);
    ret->length = buf.len;
}

static const char *decode(const struct block *block, struct laz_sense_config *ret)
{
    struct laz_err err = {0};
    int result = laz_sense_decode(block->bytes, block->length, ret, &err);
    return block_wrong(result, &err, "compiled policy, what sense is told: ");
}

static bool rewrite(const struct block *block, struct block *ret_again)
{
    struct laz_sense_config out = {.uid = 77};
    if (decode(block, &out) != NULL) {
        cr_assert_eq(out.uid, 77, "the result is left alone");
        return false;
    }
    encode(&out, ret_again);
    return true;
}

static const struct block_codec codec = {.rewrite = rewrite};

Test(sense_codec, reads_back_every_field)
{
    const struct laz_sense_config in = make_config();
    struct laz_sense_config out;
    struct block block;
    encode(&in, &block);
    cr_assert_null(decode(&block, &out));
    cr_expect_str_eq(out.name, in.name);
    cr_expect_eq(memcmp(out.level, in.level, sizeof(in.level)), 0);
    cr_expect(out.interval_ms == in.interval_ms && out.window_ms == in.window_ms);
    cr_expect_eq(out.rehash_ms, in.rehash_ms);
    cr_assert(out.n_foreign == 2 && out.n_ports == 2 && out.n_watch == 2 && out.n_except == 1);
    cr_expect_str_eq(out.foreign[1], in.foreign[1]);
    cr_expect(out.ports[0].port == 8443 && out.ports[0].protocol == LAZ_SENSE_TCP);
    cr_expect(out.ports[1].port == 65535 && out.ports[1].protocol == LAZ_SENSE_UDP);
    cr_expect_str_eq(out.watch[1], in.watch[1]);
    cr_expect_str_eq(out.except[0], in.except[0]);
    cr_expect(out.plain && out.n_tls_only == 2 && out.n_peers == 1);
    cr_expect(out.tls_only[0] == 5432 && out.tls_only[1] == 6379 && out.peers[0].port == 80);
    cr_expect_eq(memcmp(out.peers[0].address, in.peers[0].address, 16), 0);
    cr_assert_eq(out.n_volumes, 2);
    cr_expect_str_eq(out.volumes[1].path, "/data");
    cr_expect_eq(out.volumes[1].require, LAZ_VOLUME_REQUIRE_ATTESTED);
    cr_expect_str_eq(out.volumes[1].attested_by, in.volumes[1].attested_by);
    cr_expect(out.uid == in.uid && out.gid == in.gid);
    cr_assert_eq(out.n_groups, 2);
    cr_expect_eq(out.groups[1], UINT32_MAX);
    cr_expect(out.keep_capabilities == in.keep_capabilities && out.is_bounded);
}

Test(sense_codec, refuses_every_truncation_and_extension)
{
    const struct laz_sense_config in = make_config();
    struct laz_sense_config out;
    struct block block;
    encode(&in, &block);
    block_cut_everywhere(&block, &codec);
    block.bytes[block.length++] = 0;
    cr_assert_str_eq(decode(&block, &out), "bytes are left over");
}

Test(sense_codec, has_one_block_for_each_configuration)
{
    const struct laz_sense_config in = make_config();
    struct block block;
    encode(&in, &block);
    cr_assert_gt(block_flip_every_bit(&block, &codec), 100);
}

/* Each row changes one thing of a configuration that is fine. */
static const char *spoil(int row, struct laz_sense_config *config)
{
    static const char number[] = "a number is out of range";
    static const char string[] = "a string is too short or too long";
    static const char path[] = "a path is not absolute";
    switch (row) {
    case 0:
        config->interval_ms--;
        return number;
    case 1:
        config->window_ms++;
        return number;
    case 2:
        config->rehash_ms = LAZ_SENSE_REHASH_MIN - 1;
        return number;
    case 3:
        config->level[4] = LAZ_LEVEL_COUNT;
        return number;
    case 4:
        config->foreign[0] = "a-name-of-16-chr";
        return string;
    case 5:
        config->foreign[1] = "";
        return string;
    case 6:
        config->ports[1].port = 0;
        return number;
    case 7:
        config->ports[0].protocol = LAZ_SENSE_PROTOCOL_COUNT;
        return number;
    case 8:
        config->watch[0] = "app";
        return path;
    case 9:
        config->except[0] = "";
        return string;
    case 10:
        config->name = "";
        return string;
    case 11:
        config->tls_only[1] = 5432;
        return "ports are out of order";
    case 12:
        config->tls_only[0] = 0;
        return number;
    case 13:
        config->peers[0].port = 0;
        return number;
    case 14:
        config->plain = false;
        return "clear text is not looked for";
    case 15:
        config->volumes[0].path = "data";
        return path;
    case 16:
        config->volumes[0].require = LAZ_VOLUME_REQUIRE_COUNT;
        return number;
    case 17:
        config->volumes[0].require = LAZ_VOLUME_REQUIRE_ATTESTED;
        return "a volume does not fit together";
    case 18:
        config->volumes[1].require = LAZ_VOLUME_REQUIRE_ENCRYPTED;
        return "a volume does not fit together";
    default:
        return NULL;
    }
}

Test(sense_codec, names_what_does_not_hold)
{
    const char *wanted = "";
    for (int row = 0; wanted != NULL; row++) {
        struct laz_sense_config config = make_config();
        struct laz_sense_config out;
        struct block block;
        wanted = spoil(row, &config);
        encode(&config, &block);
        const char *got = decode(&block, &out);
        cr_assert_eq(got == NULL, wanted == NULL, "row %d", row);
        if (wanted != NULL) {
            cr_expect_str_eq(got, wanted, "row %d", row);
        }
    }
}

Test(sense_codec, refuses_to_write_what_is_too_large)
{
    for (int row = 0; row < 6; row++) {
        struct laz_sense_config config = make_config();
        uint32_t *counts[] = {&config.n_foreign, &config.n_ports, &config.n_watch, &config.n_except,
                &config.n_groups, &config.n_volumes};
        static const uint32_t ceilings[] = {LAZ_SENSE_FOREIGN_MAX, LAZ_SENSE_PORTS_MAX,
                LAZ_SENSE_WATCH_MAX, LAZ_SENSE_WATCH_MAX, LAZ_SENSE_GROUPS_MAX,
                LAZ_SENSE_VOLUMES_MAX};
        char memory[BLOCK_MAX];
        struct laz_buf buf;
        struct laz_err err = {0};
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        *counts[row] = ceilings[row] + 1;
        cr_expect_eq(laz_sense_encode(&config, &buf, &err), -1, "row %d", row);
        cr_expect_eq(err.kind, LAZ_E_POLICY_TOO_LARGE, "row %d", row);
    }
}

Test(sense_codec, has_a_name_for_every_detector)
{
    cr_expect_str_eq(laz_detector_name(LAZ_DETECTOR_FILES), "files");
    cr_expect_str_eq(laz_detector_name(LAZ_DETECTOR_COUNT), "?");
}
