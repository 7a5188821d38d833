/* SPDX-License-Identifier: Apache-2.0
 *
 * health: what the helper is told comes from the policy, defaults included, and several files are
 * one.
 */
#include <string.h>

#include "loading.h"
#include "policy/policy.h"

static struct laz_health_config resolved(const struct loaded *loaded)
{
    cr_assert_eq(loaded->result, 0, "%s", loaded->err.message);
    return loaded->policy->watching.config;
}

Test(policy_health, tells_the_helper_what_was_said)
{
    struct loaded loaded = load_path("tests/data/good/health.yaml");
    struct laz_health_config config = resolved(&loaded);
    const struct laz_watching *watching = &loaded.policy->watching;
    cr_expect_str_eq(config.host, "::");
    cr_expect(config.port == 9100 && config.has_identity && config.expose_full);
    cr_expect(strcmp(watching->color, "APP_COLOR") == 0 &&
            strcmp(watching->version, "APP_VERSION") == 0);
    cr_expect_eq(config.startup_deadline_ms, 120000);
    cr_assert_eq(config.n_checks, 6);
    const struct laz_health_check *check = &config.checks[0];
    cr_expect(check->list == LAZ_HEALTH_STARTUP && check->kind == LAZ_HEALTH_TCP);
    cr_expect(strcmp(check->host, "127.0.0.1") == 0 && check->port == 8080);
    cr_expect(check->every_ms == 1000 && check->timeout_ms == 500, "half of every");
    check = &config.checks[1];
    cr_expect_str_eq(check->path, "/health?deep=1");
    cr_expect(check->expect_min == 200 && check->expect_max == 299 && !check->is_tls);
    check = &config.checks[2];
    cr_expect(check->is_tls && check->port == 8443 && strcmp(check->path, "/") == 0);
    cr_expect(check->expect_min == 204 && check->expect_max == 204);
    cr_expect(strcmp(check->ca, "/tmp/ca.pem") == 0);
    cr_expect_str_eq(check->server_name, "app.internal");
    cr_expect(check->every_ms == 10000 && check->timeout_ms == 2000, "by default");
    check = &config.checks[3];
    cr_expect(check->kind == LAZ_HEALTH_GRPC && strcmp(check->host, "::1") == 0);
    cr_expect_str_eq(check->service, "claims.Api");
    check = &config.checks[5];
    cr_expect(check->list == LAZ_HEALTH_LIVE && check->command == 0 && watching->n_commands == 1);
    cr_assert_eq(watching->commands[0].n, 4);
    cr_expect_eq(memcmp(watching->commands[0].first, "/usr/bin/app\0--ping\0001\0001", 24), 0);
    cr_expect_eq(config.certificate_s, 3 * 86400);
    cr_expect(config.spool_percent == 95 && config.require_enforce && config.n_sinks == 1);
    cr_expect(config.lb_max_ms == 25000 && config.lb_least_ms == 3000);
    cr_expect(config.lb_quiet_ms == 2000 && config.lb_threshold == 3);
    cr_assert_eq(config.n_items, loaded.policy->secrets.config.n_items);
    cr_expect_str_eq(config.items[0], loaded.policy->secrets.config.items[0].name);
    cr_assert_eq(config.n_own_ports, 2);
    cr_expect(config.own_ports[0] == 9100 && config.own_ports[1] == 15432);
    unload(&loaded);
}

Test(policy_health, is_written_and_read_back)
{
    struct loaded loaded = load_path("tests/data/good/health.yaml");
    struct laz_health_config config = resolved(&loaded);
    struct laz_health_config back;
    struct laz_err err = {0};
    struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_HEALTH_MAX + 1);
    cr_assert_eq(laz_health_encode(&config, &buf, &err), 0, "%s", err.message);
    cr_assert_eq(laz_health_decode(buf.data, buf.len, &back, &err), 0, "%s", err.message);
    cr_expect_eq(back.n_checks, config.n_checks);
    cr_expect_eq(back.workload.uid, 10001);
    laz_buf_done(&buf);
    unload(&loaded);
}

Test(policy_health, without_a_word_has_its_defaults)
{
    struct loaded loaded = load_path("tests/data/good/health-alone.yaml");
    struct laz_health_config config = resolved(&loaded);
    cr_expect(loaded.policy->watching.is_said);
    cr_expect(config.port == 0 && config.host[0] == '\0' && config.n_checks == 0);
    cr_expect(config.ready_rise == 1 && config.ready_fall == 2 && config.live_fall == 3);
    cr_expect(config.lb_max_ms == 2000 && config.lb_least_ms == 2000, "no more than lb-grace");
    cr_expect(config.lb_quiet_ms == 2000 && config.lb_threshold == 2);
    unload(&loaded);
    loaded = load_path("tests/data/good/plain-tunnel.yaml");
    cr_expect_not(loaded.policy->watching.is_said, "nobody says it");
    unload(&loaded);
}

Test(policy_health, a_later_file_replaces_the_check_that_it_names)
{
    struct loaded loaded = load_path("tests/data/good/sealed-health.yaml");
    struct laz_health_config config = resolved(&loaded);
    cr_assert_eq(config.n_checks, 5);
    cr_expect(strcmp(config.checks[0].name, "port") == 0 && config.checks[0].every_ms == 1000);
    cr_expect(strcmp(config.checks[1].name, "web") == 0 && config.checks[1].every_ms == 4000);
    cr_expect(strcmp(config.checks[2].name, "alive") == 0 && config.checks[2].command == 0);
    cr_expect_str_eq(config.checks[3].name, "more");
    cr_expect(strcmp(config.checks[4].name, "also") == 0 && config.checks[4].command == 1);
    cr_expect(config.ready_rise == 3 && config.live_fall == 2 && config.spool_percent == 80);
    cr_expect(
            config.n_sinks == 1 && strcmp(config.sinks[0], "trail") == 0 && config.require_enforce);
    unload(&loaded);
}

/* What Lazaret itself listens on is no find of sense. */
Test(policy_health, the_port_is_expected)
{
    struct loaded loaded = load_path("tests/data/good/health.yaml");
    const struct laz_sense_config *sense = &loaded.policy->sensing.config;
    bool is_there = false;
    for (uint32_t i = 0; i < sense->n_ports; i++) {
        is_there = is_there || (sense->ports[i].port == 9100 && sense->ports[i].protocol == 0);
    }
    cr_expect(is_there);
    unload(&loaded);
}
