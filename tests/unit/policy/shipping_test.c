/* SPDX-License-Identifier: Apache-2.0
 *
 * sinks, logs, audit and spool: what several files come to, and which defaults depend on others.
 */
#include <string.h>

#include "loading.h"

#define TEXT_MAX 2000

static struct laz_policy *load_with(const char *more)
{
    char text[TEXT_MAX];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_printf(&buf, "%sextends: [builtin/web-api]\n%s", MINIMAL, more);
    cr_assert(!buf.overflow);
    return must_load(text);
}

static void check_position(const struct laz_policy *policy, struct laz_pos pos, const char *wanted)
{
    char text[LAZ_DIAGNOSTIC_FILE_MAX];
    laz_policy_pos_format(policy, pos, text, sizeof(text));
    const char *slash = strrchr(text, '/');
    cr_expect_str_eq(slash == NULL ? text : slash + 1, wanted);
}

Test(policy_shipping, is_nothing_without_sinks)
{
    struct laz_policy *policy = load_with("shutdown: {stop-timeout: 20s}\n");
    cr_expect_eq(policy->shipping.config.n_sinks, 0);
    cr_expect_eq(policy->shutdown.flush_ms, 0);
    cr_expect_eq(policy->shutdown.grace_ms, 17000);
    cr_expect(!laz_policy_ships(policy, LAZ_SHIP_CLASS_AUDIT));
    cr_expect_eq(laz_policy_pos_of_sink(policy, 0, "name").line, 0);
    laz_policy_free(policy);
}

Test(policy_shipping, has_the_defaults_of_the_reference)
{
    struct laz_policy *policy = load_with("sinks:\n"
                                          "  - {name: a, type: relp, to: \"[::1]:2514\"}\n"
                                          "  - {name: b, type: syslog, to: \"b.internal:6514\", "
                                          "tls: {ca: /ca}}\n");
    const struct laz_policy_shipping *shipping = &policy->shipping;
    const struct laz_ship_config *config = &shipping->config;
    cr_expect(shipping->capture && shipping->start_wait_ms == 10000);
    cr_expect_str_eq(shipping->spool_dir, "/run/lazaret/spool");
    cr_expect(config->pipe_bytes == 1048576 && config->max_line == 65536);
    cr_expect(!config->passthrough && !config->logs_block && config->redact == 0);
    cr_expect(config->multiline_start[0] == '\0' && config->multiline_wait_ms == 200);
    cr_expect(!config->durability_acked && config->checkpoint_records == 256);
    cr_expect_eq(config->checkpoint_ms, 5000);
    cr_expect_eq(config->spool_max_bytes, 64 << 20);
    cr_expect_eq(config->spool_segment_bytes, 4 << 20);
    cr_expect(config->n_seal_to == 0 && config->open_with[0] == '\0');
    cr_expect(config->sync_audit_ms == 5 && config->sync_log_ms == 1000);
    cr_expect_eq(policy->shutdown.flush_ms, 2000);
    cr_expect_eq(policy->shutdown.grace_ms, 5000);
    cr_assert_eq(config->n_sinks, 2);
    const struct laz_ship_sink *relp = &config->sinks[0];
    cr_expect(relp->type == LAZ_SINK_RELP && relp->window == 128 && !relp->has_tls);
    cr_expect(strcmp(relp->host, "::1") == 0 && relp->port == 2514 && relp->path[0] == '\0');
    cr_expect(!relp->required && relp->min_severity == 0);
    cr_expect_eq(relp->classes, 1 << LAZ_SHIP_CLASS_AUDIT | 1 << LAZ_SHIP_CLASS_IDS);
    const struct laz_ship_sink *syslog = &config->sinks[1];
    cr_expect(syslog->type == LAZ_SINK_SYSLOG && syslog->transport == LAZ_TRANSPORT_TLS);
    cr_expect(syslog->has_tls && syslog->window == 0 && syslog->tls_cert[0] == '\0');
    cr_expect_str_eq(syslog->tls_ca, "/ca");
    cr_expect_str_eq(syslog->tls_peer, "b.internal", "whom it calls is who must answer");
    cr_expect(laz_policy_ships(policy, LAZ_SHIP_CLASS_IDS));
    cr_expect(!laz_policy_ships(policy, LAZ_SHIP_CLASS_LOG));
    laz_policy_free(policy);
}

Test(policy_shipping, has_segments_of_a_quarter_at_most)
{
    static const struct {
        const char *spool;
        uint32_t segment;
    } rows[] = {{"{max: 4MiB}", 1 << 20}, {"{max: 12MiB}", 3 << 20}, {"{max: 16MiB}", 4 << 20},
            {"{max: 64GiB}", 4 << 20}, {"{max: 64MiB, segment: 16MiB}", 16 << 20},
            {"{max: 4194307}", 1 << 20}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[TEXT_MAX];
        struct laz_buf buf;
        laz_buf_init_fixed(&buf, text, sizeof(text));
        laz_buf_printf(&buf, "sinks: [{name: a, type: stdout}]\nspool: %s\n", rows[i].spool);
        struct laz_policy *policy = load_with(text);
        cr_expect_eq(policy->shipping.config.spool_segment_bytes, rows[i].segment, "%s: %u",
                rows[i].spool, policy->shipping.config.spool_segment_bytes);
        laz_policy_free(policy);
    }
}

/* A later file replaces a sink where it stands; lists add up; single values replace. */
Test(policy_shipping, of_several_files_is_merged)
{
    struct loaded loaded = load_path("tests/data/good/shipping-merged.yaml");
    cr_assert_eq(loaded.result, 0, "%s", loaded.err.message);
    const struct laz_policy *policy = loaded.policy;
    const struct laz_ship_config *config = &policy->shipping.config;
    cr_assert_eq(config->n_sinks, 3);
    cr_expect_str_eq(config->sinks[0].name, "trail");
    cr_expect_str_eq(config->sinks[1].name, "collector");
    cr_expect_str_eq(config->sinks[2].name, "console");
    cr_expect_str_eq(config->sinks[0].path, "/var/log/trail.jsonl");
    cr_expect_eq(config->sinks[1].window, 16);
    cr_expect_str_eq(config->sinks[1].tls_key, "/etc/k.pem");
    cr_expect_eq(config->sinks[1].classes, 7);
    cr_expect_eq(config->sinks[1].min_severity, 0, "it is replaced, not merged");
    cr_expect_eq(config->max_line, 8192);
    cr_expect_eq(config->redact,
            1 << LAZ_REDACT_SSN | 1 << LAZ_REDACT_PAN | 1 << LAZ_REDACT_MRN |
                    1 << LAZ_REDACT_LITERAL);
    cr_expect_str_eq(config->mrn, "MRN-[0-9]{8}");
    cr_assert_eq(config->n_literals, 1);
    cr_expect_str_eq(config->literals[0], "ward-7-terminal");
    cr_assert_eq(config->n_seal_to, 2);
    cr_expect_str_eq(config->seal_to[0], "/etc/recovery.pem");
    cr_expect_str_eq(config->seal_to[1], "/etc/second.pem");
    cr_expect_eq(config->spool_segment_bytes, 3 << 20);
    cr_expect_eq(policy->shutdown.flush_ms, 1000);
    cr_expect_eq(policy->shutdown.grace_ms, 12000);
    check_position(
            policy, laz_policy_pos_of_sink(policy, 0, "path"), "shipping-parent.part.yaml:7:37");
    check_position(
            policy, laz_policy_pos_of_sink(policy, 1, "window"), "shipping-merged.yaml:8:172");
    check_position(policy, laz_policy_pos_of_sink(policy, 2, "path"), "shipping-merged.yaml:7:5");
    unload(&loaded);
}
