/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/policy/ship_codec: what the helper is told is what was written, and nothing else is taken.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "policy/ship.h"
#include "tests/fixture/block.h"

/* Every field has a value of its own. */
static struct laz_ship_config make_config(void)
{
    struct laz_ship_config config = {.pipe_bytes = 4096,
            .logs_block = true,
            .max_line = 131072,
            .multiline_start = "^x",
            .multiline_wait_ms = 10,
            .redact = 1 << LAZ_REDACT_PAN | 1 << LAZ_REDACT_MRN | 1 << LAZ_REDACT_LITERAL,
            .mrn = "M[0-9]",
            .n_literals = 2,
            .literals = {"word", "other"},
            .durability_acked = true,
            .checkpoint_records = 4096,
            .checkpoint_ms = 1000,
            .spool_max_bytes = UINT64_C(1) << 36,
            .spool_segment_bytes = 1 << 24,
            .n_seal_to = 1,
            .seal_to = {"/key"},
            .open_with = "/private",
            .sync_audit_ms = 0,
            .sync_log_ms = 60000,
            .tls_profile = LAZ_TLS_MODERN,
            .tls_fips = LAZ_TLS_FIPS_REQUIRED,
            .n_sinks = 6,
            .sinks = {{.name = "file",
                              .type = LAZ_SINK_FILE,
                              .required = true,
                              .classes = 7,
                              .min_severity = 10,
                              .path = "/f"},
                    {.name = "std", .type = LAZ_SINK_STDOUT, .classes = 2},
                    {.name = "relp",
                            .type = LAZ_SINK_RELP,
                            .classes = 1,
                            .host = "h.internal",
                            .port = 2514,
                            .window = 1024,
                            .has_tls = true,
                            .tls_ca = "/ca",
                            .tls_cert = "/cert",
                            .tls_key = "/key",
                            .tls_peer = "peer"},
                    {.name = "sys",
                            .type = LAZ_SINK_SYSLOG,
                            .classes = 4,
                            .format = LAZ_FORMAT_OSSEC,
                            .transport = LAZ_TRANSPORT_UNIX,
                            .path = "/dev/log"},
                    {.name = "cloud",
                            .type = LAZ_SINK_CLOUDWATCH,
                            .classes = 1,
                            .port = 443,
                            .has_tls = true,
                            .tls_ca = "/ca",
                            .group = "/a/b",
                            .stream = "{policy}",
                            .region = "us-east-1",
                            .fips = true,
                            .create = true,
                            .imds = true},
                    {.name = "meter", .type = LAZ_SINK_EMF, .space = "Space", .interval_ms = 1000}},
            .workload = {.uid = 10001, .gid = 10002, .n_groups = 2, .groups = {7, 10003}}};
    for (uint32_t i = 0; i < config.n_sinks; i++) {
        laz_ship_sink_fill(&config.sinks[i]);
    }
    return config;
}

static void encode(const struct laz_ship_config *config, struct block *ret)
{
    struct laz_buf buf = block_buf(ret);
    struct laz_err err = {0};
    cr_assert_eq(laz_ship_encode(config, &buf, &err), 0, "%s", err.message);
    ret->length = buf.len;
}

static const char *decode(const struct block *block, struct laz_ship_config *ret)
{
    struct laz_err err = {0};
    int result = laz_ship_decode(block->bytes, block->length, ret, &err);
    return block_wrong(result, &err, "compiled policy, what ship is told: ");
}

static bool rewrite(const struct block *block, struct block *ret_again)
{
    struct laz_ship_config out = {.pipe_bytes = 77};
    if (decode(block, &out) != NULL) {
        cr_assert_eq(out.pipe_bytes, 77, "the result is left alone");
        return false;
    }
    encode(&out, ret_again);
    return true;
}

static const struct block_codec codec = {.rewrite = rewrite};

Test(ship_codec, reads_back_every_field)
{
    const struct laz_ship_config in = make_config();
    struct laz_ship_config out;
    struct block block;
    encode(&in, &block);
    cr_assert_null(decode(&block, &out));
    cr_expect(out.pipe_bytes == in.pipe_bytes && !out.passthrough && out.logs_block);
    cr_expect(out.max_line == in.max_line && out.multiline_wait_ms == in.multiline_wait_ms);
    cr_expect_str_eq(out.multiline_start, in.multiline_start);
    cr_expect_eq(out.redact, in.redact);
    cr_expect_str_eq(out.mrn, in.mrn);
    cr_expect(out.workload.uid == 10001 && out.workload.gid == 10002);
    cr_expect(out.workload.n_groups == 2 && out.workload.groups[1] == 10003);
    cr_expect_eq(out.tls_profile, LAZ_TLS_MODERN);
    cr_expect_eq(out.tls_fips, LAZ_TLS_FIPS_REQUIRED);
    cr_assert_eq(out.n_literals, 2);
    cr_expect_str_eq(out.literals[1], "other");
    cr_expect(out.durability_acked && out.checkpoint_records == in.checkpoint_records);
    cr_expect_eq(out.checkpoint_ms, in.checkpoint_ms);
    cr_expect_eq(out.spool_max_bytes, in.spool_max_bytes);
    cr_expect_eq(out.spool_segment_bytes, in.spool_segment_bytes);
    cr_assert_eq(out.n_seal_to, 1);
    cr_expect_str_eq(out.seal_to[0], "/key");
    cr_expect_str_eq(out.open_with, "/private");
    cr_expect(out.sync_audit_ms == 0 && out.sync_log_ms == 60000);
    cr_assert_eq(out.n_sinks, 6);
    for (uint32_t i = 0; i < 6; i++) {
        const struct laz_ship_sink *a = &in.sinks[i];
        const struct laz_ship_sink *b = &out.sinks[i];
        cr_expect(a->type == b->type && a->required == b->required && a->classes == b->classes &&
                        a->min_severity == b->min_severity && a->port == b->port &&
                        a->transport == b->transport && a->window == b->window &&
                        a->has_tls == b->has_tls && a->fips == b->fips && a->create == b->create &&
                        a->imds == b->imds && a->interval_ms == b->interval_ms,
                "%s", a->name);
        cr_expect_str_eq(a->name, b->name);
        cr_expect_str_eq(a->path, b->path);
        cr_expect_str_eq(a->host, b->host);
        cr_expect_str_eq(a->tls_ca, b->tls_ca);
        cr_expect_str_eq(a->tls_cert, b->tls_cert);
        cr_expect_str_eq(a->tls_key, b->tls_key);
        cr_expect_str_eq(a->tls_peer, b->tls_peer);
        cr_expect_str_eq(a->group, b->group);
        cr_expect_str_eq(a->stream, b->stream);
        cr_expect_str_eq(a->region, b->region);
        cr_expect_str_eq(a->space, b->space);
        cr_expect_eq(a->format, b->format);
    }
}

Test(ship_codec, refuses_every_truncation_and_extension)
{
    const struct laz_ship_config in = make_config();
    struct laz_ship_config out;
    struct block block;
    encode(&in, &block);
    block_cut_everywhere(&block, &codec);
    block.bytes[block.length++] = 0;
    cr_assert_str_eq(decode(&block, &out), "bytes are left over");
}

Test(ship_codec, has_one_block_for_each_configuration)
{
    const struct laz_ship_config in = make_config();
    struct block block;
    encode(&in, &block);
    cr_assert_gt(block_flip_every_bit(&block, &codec), 100);
}

static char long_host[LAZ_SHIP_HOST_MAX + 2];
static char long_word[LAZ_SHIP_LITERAL_MAX + 2];

/* One row: if it is its turn, the change is made, and `wanted` and `change` say what it is. */
#define SPOIL(says, ...)                                                                           \
    do {                                                                                           \
        if (at++ == row) {                                                                         \
            __VA_ARGS__;                                                                           \
            wanted = (says);                                                                       \
            *ret_change = #__VA_ARGS__;                                                            \
        }                                                                                          \
    } while (0)

/* A syslog sink over TLS, but for the TLS. */
static void make_plain_tls(struct laz_ship_sink *sinks)
{
    sinks[3] = sinks[2];
    sinks[3].name = "sys";
    sinks[3].type = LAZ_SINK_SYSLOG;
    sinks[3].window = 0;
    sinks[3].has_tls = false;
    sinks[3].tls_ca = sinks[3].tls_cert = sinks[3].tls_key = sinks[3].tls_peer = "";
}

/* Each row changes one thing of a configuration that is fine. NULL behind the last one. */
static const char *spoil(int row, struct laz_ship_config *config, const char **ret_change)
{
    static const char number[] = "a number is out of range";
    static const char string[] = "a string is too short or too long";
    static const char sink[] = "a sink does not fit together";
    static const char redaction[] = "what is to be redacted does not fit together";
    struct laz_ship_sink *sinks = config->sinks;
    struct laz_ship_sink *cloud = &sinks[4];
    struct laz_ship_sink *meter = &sinks[5];
    const char *wanted = NULL;
    int at = 0;
    SPOIL(number, config->pipe_bytes--);
    SPOIL(number, config->pipe_bytes = LAZ_SHIP_PIPE_MAX + 1);
    SPOIL(number, config->max_line++);
    SPOIL(number, config->multiline_wait_ms--);
    SPOIL(number, config->redact = 1U << LAZ_REDACT_COUNT);
    SPOIL(redaction, config->redact &= (uint8_t) ~(1U << LAZ_REDACT_MRN));
    SPOIL(redaction, config->mrn = "");
    SPOIL(redaction, config->n_literals = 0);
    SPOIL(string, config->literals[0] = "abc");
    SPOIL(string, config->literals[0] = long_word);
    SPOIL(number, config->checkpoint_records = 0);
    SPOIL(number, config->checkpoint_ms--);
    SPOIL(number, config->spool_max_bytes++);
    SPOIL(number, config->spool_max_bytes = LAZ_SHIP_SPOOL_MIN - 1);
    SPOIL(number, config->spool_segment_bytes++);
    SPOIL("a segment is larger than a quarter of the spool",
            config->spool_max_bytes = (1 << 26) - 1);
    SPOIL("a path is empty", config->seal_to[0] = "");
    SPOIL("a path is not absolute", config->seal_to[0] = "key");
    SPOIL("a path is not absolute", config->open_with = "x");
    SPOIL(number, config->sync_log_ms++);
    SPOIL(number, config->tls_profile = LAZ_TLS_PROFILE_COUNT);
    SPOIL(number, config->tls_fips = LAZ_TLS_FIPS_COUNT);
    SPOIL(number, config->n_sinks = 0);
    SPOIL("two sinks have one name", sinks[1].name = "file");
    SPOIL(string, sinks[1].name = "");
    SPOIL(string, sinks[1].name = "abcdefghijklmnopqrstuvwxyz-012345");
    SPOIL("the name of a sink is none", sinks[1].name = "A");
    SPOIL(number, sinks[1].type = LAZ_SINK_TYPE_COUNT);
    SPOIL(sink, sinks[1].classes = 0);
    SPOIL(number, sinks[1].classes = 8);
    SPOIL(number, sinks[0].min_severity++);
    SPOIL(sink, sinks[0].path = "");
    SPOIL(sink, sinks[0].host = "h");
    SPOIL(sink, sinks[1].path = "/f");
    SPOIL(sink, sinks[1].has_tls = true);
    SPOIL(sink, sinks[2].port = 0);
    SPOIL(sink, sinks[2].host = "");
    SPOIL(string, sinks[2].host = long_host);
    SPOIL(sink, sinks[2].window = 0);
    SPOIL(number, sinks[2].window++);
    SPOIL(sink, sinks[2].transport = LAZ_TRANSPORT_TCP);
    SPOIL(sink, sinks[2].tls_key = "");
    SPOIL(sink, sinks[2].tls_ca = "");
    SPOIL(sink, sinks[2].tls_peer = "");
    SPOIL(sink, sinks[2].has_tls = false);
    SPOIL(sink, sinks[3].path = "");
    SPOIL(sink, sinks[3].transport = LAZ_TRANSPORT_TLS);
    SPOIL(number, sinks[3].transport = LAZ_TRANSPORT_COUNT);
    SPOIL(sink, sinks[3].window = 1);
    SPOIL(string, config->multiline_start = long_word);
    SPOIL(sink, make_plain_tls(sinks));
    SPOIL(sink, sinks[1].format = LAZ_FORMAT_OSSEC);
    SPOIL(number, sinks[0].format = LAZ_FORMAT_COUNT);
    SPOIL(sink, sinks[2].enrol_host = "h", sinks[2].enrol_port = 1);
    SPOIL(sink, cloud->group = "");
    SPOIL(sink, cloud->stream = "");
    SPOIL(sink, cloud->path = "/f");
    SPOIL(sink, cloud->host = "h.internal"); /* and FIPS */
    SPOIL(sink, cloud->port = 0);
    SPOIL(sink, cloud->port = 444);
    SPOIL(sink, cloud->has_tls = false);
    SPOIL(sink, cloud->tls_cert = "/c");
    SPOIL(sink, cloud->tls_key = "/k");
    SPOIL(sink, cloud->tls_peer = "p");
    SPOIL(sink, cloud->window = 1);
    SPOIL(sink, cloud->transport = LAZ_TRANSPORT_TCP);
    SPOIL(sink, cloud->type = LAZ_SINK_STDOUT);
    SPOIL("the name of a region is none", cloud->region = "US");
    SPOIL(sink, cloud->has_tls = cloud->fips = false, cloud->host = "h.internal"); /* and a CA */
    SPOIL(sink, meter->classes = 1);
    SPOIL(sink, meter->required = true);
    SPOIL(sink, meter->space = "");
    SPOIL(sink, meter->interval_ms--);
    SPOIL(sink, meter->group = "/g"); /* and no stream */
    SPOIL(sink, meter->host = "h");
    SPOIL(sink, meter->type = LAZ_SINK_STDOUT);
    SPOIL(sink, meter->min_severity = 1);
    SPOIL(sink, meter->imds = true);
    return wanted;
}

Test(ship_codec, names_what_is_out_of_range)
{
    (void)memset(long_host, 'h', sizeof(long_host) - 1);
    (void)memset(long_word, 'w', sizeof(long_word) - 1);
    for (int row = 0;; row++) {
        struct laz_ship_config config = make_config();
        struct laz_ship_config out;
        struct block block;
        const char *change = NULL;
        const char *wanted = spoil(row, &config, &change);
        if (wanted == NULL) {
            cr_assert_eq(row, 78);
            break;
        }
        encode(&config, &block);
        const char *got = decode(&block, &out);
        cr_assert_not_null(got, "%s", change);
        cr_expect_str_eq(got, wanted, "%s", change);
    }
    const struct laz_ship_config good = make_config();
    struct laz_ship_config out;
    struct block block;
    encode(&good, &block);
    block.bytes[0]++;
    cr_expect_str_eq(decode(&block, &out), "another version wrote it");
}

Test(ship_codec, takes_a_syslog_sink_of_each_transport)
{
    for (unsigned transport = 0; transport < LAZ_TRANSPORT_UNIX; transport++) {
        struct laz_ship_config config = make_config();
        struct laz_ship_config out;
        struct block block;
        struct laz_ship_sink *sink = &config.sinks[3];
        *sink = config.sinks[2];
        sink->name = "sys";
        sink->type = LAZ_SINK_SYSLOG;
        sink->window = 0;
        sink->transport = (enum laz_transport)transport;
        if (transport != LAZ_TRANSPORT_TLS) {
            encode(&config, &block);
            cr_expect_not_null(decode(&block, &out), "%u with TLS", transport);
            sink->has_tls = false;
            sink->tls_ca = sink->tls_cert = sink->tls_key = sink->tls_peer = "";
        }
        encode(&config, &block);
        const char *wrong = decode(&block, &out);
        cr_expect_null(wrong, "%u: %s", transport, wrong);
    }
}

/* A sink of type ossec with its key in a file, or one that enrols. */
static void make_agent(struct laz_ship_sink *sink, bool enrols)
{
    *sink = (struct laz_ship_sink){.name = "sys",
            .type = LAZ_SINK_OSSEC,
            .classes = 2,
            .path = enrols ? "" : "/keys",
            .host = "h",
            .port = 1514,
            .has_tls = enrols,
            .tls_ca = enrols ? "/ca" : "",
            .tls_peer = enrols ? "e" : "",
            .enrol_host = enrols ? "e" : "",
            .enrol_port = enrols ? 1515 : 0,
            .enrol_password = enrols ? "/pass" : "",
            .enrol_name = enrols ? "me" : ""};
    laz_ship_sink_fill(sink);
}

Test(ship_codec, takes_an_agent_with_a_key_or_one_that_enrols)
{
    for (int row = 0; row < 9; row++) {
        struct laz_ship_config config = make_config();
        struct laz_ship_config out;
        struct block block;
        struct laz_ship_sink *sink = &config.sinks[3];
        make_agent(sink, row != 0 && row != 7);
        switch (row) {
        case 2:
            sink->path = "/keys";
            break;
        case 3:
            sink->enrol_port = 0;
            break;
        case 4:
            sink->enrol_host = "";
            break;
        case 5:
            sink->has_tls = false;
            sink->tls_ca = sink->tls_peer = "";
            break;
        case 6:
            sink->format = LAZ_FORMAT_OSSEC;
            break;
        case 7:
            sink->enrol_name = "me";
            break;
        case 8:
            sink->port = 0;
            break;
        default:
            break;
        }
        encode(&config, &block);
        const char *wrong = decode(&block, &out);
        if (row > 1) {
            cr_assert_not_null(wrong, "row %d", row);
            cr_expect_str_eq(wrong, "a sink does not fit together", "row %d", row);
            continue;
        }
        cr_assert_null(wrong, "row %d: %s", row, wrong);
        cr_expect_str_eq(out.sinks[3].enrol_host, sink->enrol_host);
        cr_expect_str_eq(out.sinks[3].enrol_password, sink->enrol_password);
        cr_expect_str_eq(out.sinks[3].enrol_name, sink->enrol_name);
        cr_expect_eq(out.sinks[3].enrol_port, sink->enrol_port);
    }
}

Test(ship_codec, refuses_to_write_what_is_too_large)
{
    static char long_path[LAZ_SHIP_MAX];
    (void)memset(long_path, '/', sizeof(long_path) - 1);
    for (int row = 0; row < 4; row++) {
        struct laz_ship_config config = make_config();
        uint32_t *counts[] = {&config.n_sinks, &config.n_seal_to, &config.n_literals};
        static const uint32_t ceilings[] = {
                LAZ_SHIP_SINKS_MAX, LAZ_SHIP_KEYS_MAX, LAZ_SHIP_LITERALS_MAX};
        struct laz_err err = {0};
        laz_cleanup_buf struct laz_buf buf;
        laz_buf_init_heap(&buf, (size_t)2 * LAZ_SHIP_MAX);
        if (row < 3) {
            *counts[row] = ceilings[row] + 1;
        } else {
            config.open_with = long_path;
        }
        cr_expect_eq(laz_ship_encode(&config, &buf, &err), -1, "row %d", row);
        cr_expect_eq(err.kind, LAZ_E_POLICY_TOO_LARGE, "row %d", row);
    }
}

Test(ship_words, are_those_of_the_policy)
{
    cr_expect_str_eq(laz_ship_class_name(LAZ_SHIP_CLASS_IDS), "ids");
    cr_expect_str_eq(laz_sink_type_name(LAZ_SINK_RELP), "relp");
    cr_expect_str_eq(laz_transport_name(LAZ_TRANSPORT_TCP_LF), "tcp-lf");
    cr_expect_str_eq(laz_redaction_name(LAZ_REDACT_AWS_KEY), "aws-key");
    cr_expect_str_eq(laz_sink_type_name(LAZ_SINK_TYPE_COUNT), "?");
}

/* No acknowledgement is worth more than whoever gives it; only a file and a collector give one. */
Test(ship_words, say_what_an_acknowledgement_of_each_sink_is_worth)
{
    static const struct {
        enum laz_sink_type type;
        enum laz_transport transport;
        const char *begin;
    } rows[] = {
            {LAZ_SINK_FILE, 0, "acked means written and synced; "},
            {LAZ_SINK_STDOUT, 0, "never acked: "},
            {LAZ_SINK_RELP, 0, "acked means that the collector answered for it; "},
            {LAZ_SINK_SYSLOG, LAZ_TRANSPORT_UDP, "acked means sent; "},
            {LAZ_SINK_SYSLOG, LAZ_TRANSPORT_UNIX, "acked means that the local socket took it; "},
            {LAZ_SINK_SYSLOG, LAZ_TRANSPORT_TCP, "acked means handed to the connection; "},
            {LAZ_SINK_SYSLOG, LAZ_TRANSPORT_TLS, "acked means handed to the connection; "},
            {LAZ_SINK_CLOUDWATCH, 0, "acked means that CloudWatch Logs took it, "},
            {LAZ_SINK_EMF, 0, "never acked: "},
            {LAZ_SINK_TYPE_COUNT, 0, "?"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct laz_ship_sink sink = {.type = rows[i].type, .transport = rows[i].transport};
        const char *got = laz_ship_guarantee(&sink);
        cr_expect(strncmp(got, rows[i].begin, strlen(rows[i].begin)) == 0, "row %zu: %s", i, got);
    }
}
