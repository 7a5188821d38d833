/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/policy/health_codec: what the helper is told is what was written, and nothing else is taken.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "policy/health.h"
#include "tests/fixture/block.h"

/* Every field has a value of its own. */
static struct laz_health_config make_config(void)
{
    return (struct laz_health_config){.workload = {1000, 1001, 1, {44}},
            .host = "0.0.0.0",
            .port = 9100,
            .has_identity = true,
            .profile = LAZ_TLS_MODERN,
            .fips = LAZ_TLS_FIPS_PREFER,
            .expose_full = true,
            .startup_deadline_ms = 120000,
            .ready_rise = 1,
            .ready_fall = 2,
            .live_fall = 3,
            .n_checks = 4,
            .checks = {{.name = "port",
                               .list = LAZ_HEALTH_STARTUP,
                               .kind = LAZ_HEALTH_TCP,
                               .host = "127.0.0.1",
                               .port = 8080,
                               .path = "",
                               .ca = "",
                               .server_name = "",
                               .service = "",
                               .command = LAZ_HEALTH_NONE,
                               .every_ms = 1000,
                               .timeout_ms = 500},
                    {.name = "web",
                            .list = LAZ_HEALTH_READY,
                            .kind = LAZ_HEALTH_HTTP,
                            .host = "localhost",
                            .port = 8443,
                            .path = "/health?deep=1",
                            .is_tls = true,
                            .ca = "/ca.pem",
                            .server_name = "app.internal",
                            .expect_min = 200,
                            .expect_max = 299,
                            .service = "",
                            .command = LAZ_HEALTH_NONE,
                            .every_ms = 5000,
                            .timeout_ms = 2000},
                    {.name = "rpc",
                            .list = LAZ_HEALTH_READY,
                            .kind = LAZ_HEALTH_GRPC,
                            .host = "::1",
                            .port = 50051,
                            .path = "",
                            .ca = "",
                            .server_name = "",
                            .service = "claims.Api",
                            .command = LAZ_HEALTH_NONE,
                            .every_ms = 5000,
                            .timeout_ms = 2000},
                    {.name = "alive",
                            .list = LAZ_HEALTH_LIVE,
                            .kind = LAZ_HEALTH_EXEC,
                            .host = "",
                            .path = "",
                            .ca = "",
                            .server_name = "",
                            .service = "",
                            .command = 7,
                            .every_ms = 300000,
                            .timeout_ms = 60000}},
            .certificate_s = 259200,
            .n_sinks = 1,
            .sinks = {"trail"},
            .spool_percent = 95,
            .require_enforce = true,
            .lb_max_ms = 25000,
            .lb_least_ms = 3000,
            .lb_quiet_ms = 2000,
            .lb_threshold = 4,
            .n_items = 2,
            .items = {"web", "web.key"},
            .n_own_ports = 2,
            .own_ports = {9100, 5432}};
}

static void encode(const struct laz_health_config *config, struct block *ret)
{
    struct laz_buf buf = block_buf(ret);
    struct laz_err err = {0};
    cr_assert_eq(laz_health_encode(config, &buf, &err), 0, "%s", err.message);
    ret->length = buf.len;
}

static const char *decode(const struct block *block, struct laz_health_config *ret)
{
    struct laz_err err = {0};
    int result = laz_health_decode(block->bytes, block->length, ret, &err);
    return block_wrong(result, &err, "compiled policy, what health is told: ");
}

static bool rewrite(const struct block *block, struct block *ret_again)
{
    struct laz_health_config out = {.port = 77};
    if (decode(block, &out) != NULL) {
        cr_assert_eq(out.port, 77, "the result is left alone");
        return false;
    }
    encode(&out, ret_again);
    return true;
}

static const struct block_codec codec = {.rewrite = rewrite};

Test(health_codec, reads_back_every_field)
{
    const struct laz_health_config in = make_config();
    struct laz_health_config out;
    struct block block;
    struct block again;
    encode(&in, &block);
    cr_assert_null(decode(&block, &out));
    cr_expect(out.workload.uid == 1000 && out.workload.gid == 1001 && out.workload.groups[0] == 44);
    cr_expect(strcmp(out.host, "0.0.0.0") == 0 && out.port == 9100 && out.has_identity);
    cr_expect(out.profile == LAZ_TLS_MODERN && out.fips == LAZ_TLS_FIPS_PREFER && out.expose_full);
    cr_expect(out.startup_deadline_ms == 120000 && out.ready_rise == 1 && out.ready_fall == 2 &&
            out.live_fall == 3);
    cr_assert_eq(out.n_checks, in.n_checks);
    for (uint32_t i = 0; i < in.n_checks; i++) {
        const struct laz_health_check *a = &in.checks[i];
        const struct laz_health_check *b = &out.checks[i];
        cr_expect_str_eq(a->name, b->name);
        cr_expect(a->list == b->list && a->kind == b->kind && a->port == b->port);
        cr_expect_str_eq(a->host, b->host);
        cr_expect_str_eq(a->path, b->path);
        cr_expect_str_eq(a->ca, b->ca);
        cr_expect_str_eq(a->server_name, b->server_name);
        cr_expect_str_eq(a->service, b->service);
        cr_expect(a->is_tls == b->is_tls && a->expect_min == b->expect_min &&
                a->expect_max == b->expect_max && a->command == b->command);
        cr_expect(a->every_ms == b->every_ms && a->timeout_ms == b->timeout_ms);
    }
    cr_expect(out.certificate_s == 259200 && out.n_sinks == 1 && out.spool_percent == 95 &&
            out.require_enforce);
    cr_expect_str_eq(out.sinks[0], "trail");
    cr_expect(out.lb_max_ms == 25000 && out.lb_least_ms == 3000 && out.lb_quiet_ms == 2000 &&
            out.lb_threshold == 4);
    cr_expect(out.n_items == 2 && strcmp(out.items[1], "web.key") == 0);
    cr_expect(out.n_own_ports == 2 && out.own_ports[1] == 5432);
    cr_assert(rewrite(&block, &again));
    cr_expect(again.length == block.length && memcmp(again.bytes, block.bytes, block.length) == 0);
}

Test(health_codec, takes_nothing_that_is_nearly_right)
{
    const struct laz_health_config in = make_config();
    struct block block;
    encode(&in, &block);
    block_cut_everywhere(&block, &codec);
    cr_expect_gt(block_flip_every_bit(&block, &codec), 0, "letters of names");
}

Test(health_codec, names_what_is_out_of_range)
{
    struct block block;
    for (int row = 0; row < 21; row++) {
        struct laz_health_config in = make_config();
        struct laz_health_config out;
        const char *wanted = "a number is out of range";
        const char *unfit = "a check does not fit together";
        switch (row) {
        case 0:
            in.port = 0;
            wanted = "where it listens does not fit together";
            break;
        case 1:
            in.host = "";
            in.port = 0;
            wanted = "where it listens does not fit together";
            break;
        case 2:
            in.startup_deadline_ms = 0;
            wanted = "start-up checks and their deadline do not fit together";
            break;
        case 3:
            in.checks[0].list = LAZ_HEALTH_LIVE;
            wanted = "start-up checks and their deadline do not fit together";
            break;
        case 4:
            in.startup_deadline_ms = 999;
            wanted = "start-up checks and their deadline do not fit together";
            break;
        case 5:
            in.ready_rise = 0;
            break;
        case 6:
            in.live_fall = LAZ_HEALTH_IN_A_ROW_MAX + 1;
            break;
        case 7:
            in.checks[2].name = "web";
            wanted = "two checks have one name";
            break;
        case 8:
            in.checks[0].host = "";
            wanted = unfit;
            break;
        case 9:
            in.checks[0].path = "/";
            wanted = unfit;
            break;
        case 10:
            in.checks[1].ca = "";
            wanted = unfit;
            break;
        case 11:
            in.checks[1].is_tls = false;
            wanted = unfit;
            break;
        case 12:
            in.checks[1].expect_min = 0;
            wanted = "a status or a command is out of range";
            break;
        case 13:
            in.checks[1].expect_max = 199;
            break;
        case 14:
            in.checks[0].service = "x";
            wanted = unfit;
            break;
        case 15:
            in.checks[3].command = LAZ_HEALTH_NONE;
            wanted = unfit;
            break;
        case 16:
            in.checks[3].command = LAZ_HEALTH_COMMANDS_MAX;
            wanted = "a status or a command is out of range";
            break;
        case 17:
            in.checks[0].timeout_ms = 1000;
            wanted = unfit;
            break;
        case 18:
            in.spool_percent = 101;
            break;
        case 19:
            in.lb_least_ms = 25001;
            break;
        default:
            in.own_ports[0] = 0;
            break;
        }
        encode(&in, &block);
        const char *got = decode(&block, &out);
        cr_assert_not_null(got, "row %d", row);
        cr_expect_str_eq(got, wanted, "row %d: %s", row, got);
    }
}

Test(health_codec, refuses_to_write_too_much)
{
    struct laz_health_config config = make_config();
    struct laz_err err = {0};
    struct laz_buf buf;
    char longest[LAZ_HEALTH_PATH_MAX + 1];
    (void)memset(longest, 'x', sizeof(longest) - 1);
    longest[0] = '/';
    longest[sizeof(longest) - 1] = '\0';
    laz_buf_init_heap(&buf, (size_t)2 * LAZ_HEALTH_MAX);
    config.n_checks = LAZ_HEALTH_CHECKS_MAX + 1;
    cr_assert_eq(laz_health_encode(&config, &buf, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_POLICY_TOO_LARGE);
    config = make_config();
    err = (struct laz_err){0};
    config.n_checks = LAZ_HEALTH_CHECKS_MAX;
    for (uint32_t i = 0; i < config.n_checks; i++) {
        config.checks[i] = config.checks[1];
        config.checks[i].path = longest;
        config.checks[i].ca = longest;
    }
    cr_assert_eq(laz_health_encode(&config, &buf, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_POLICY_TOO_LARGE);
    cr_expect_not_null(strstr(err.message, "longer than 12288 bytes"), "%s", err.message);
    laz_buf_done(&buf);
}
