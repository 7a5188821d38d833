/* SPDX-License-Identifier: Apache-2.0
 *
 * secrets: what is fetched and delivered by default and by what several files say; and the names
 * that ECS has for them.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "loading.h"
#include "policy/value_from.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define ARN           "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbCdEf"

static struct laz_policy *load_with(const char *more)
{
    char text[2000];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_printf(&buf, MINIMAL "extends: [builtin/web-api]\n%s", more);
    cr_assert(!buf.overflow);
    return must_load(text);
}

static const struct laz_path_rule *find_rule(const struct laz_policy *policy, const char *path)
{
    for (size_t i = 0; i < policy->n_paths; i++) {
        if (strcmp(policy->paths[i].path, path) == 0) {
            return &policy->paths[i];
        }
    }
    return NULL;
}

Test(policy_secrets, are_none_where_nobody_says_them)
{
    struct laz_policy *policy = load_with("");
    cr_expect_eq(policy->secrets.config.n_items, 0);
    cr_expect_null(find_rule(policy, "/run/secrets"));
    laz_policy_free(policy);
}

Test(policy_secrets, have_the_defaults_of_the_reference)
{
    struct laz_policy *policy =
            load_with("secrets: {items: [{name: a, from: /a, file: {path: a}}]}\n");
    const struct laz_policy_secrets *secrets = &policy->secrets;
    const struct laz_fetch_item *item = &secrets->config.items[0];
    cr_expect_str_eq(secrets->dir, "/run/secrets");
    cr_expect(secrets->config.wait_ms == 60000 && !secrets->config.fips && !secrets->config.imds);
    cr_expect_str_eq(secrets->config.region, "");
    cr_expect_str_eq(secrets->config.ca, "");
    cr_expect_str_eq(secrets->config.endpoint[LAZ_FETCH_KMS], "");
    cr_assert_eq(secrets->config.n_items, 1);
    cr_expect(item->source == LAZ_SECRET_PARAMETER && !item->optional && !item->newline);
    cr_expect(item->decode == LAZ_SECRET_FORM_RAW && item->form == LAZ_SECRET_FORM_RAW);
    cr_expect(item->min_bytes == 1 && item->max_bytes == 65536);
    cr_expect(item->kms_key[0] == '\0' && item->n_context == 0 && item->json_key[0] == '\0');
    cr_expect_str_eq(secrets->deliveries[0].path, "a");
    cr_expect(secrets->deliveries[0].mode == 0400 && secrets->deliveries[0].fd == 0);
    cr_expect(!secrets->renewal.is_said && !secrets->renewal.is_renewed[0]);
    cr_expect_eq(policy->relaxations.n, 0);
    laz_policy_free(policy);
}

Test(policy_secrets, are_renewed_where_they_can_be_if_refresh_is_said)
{
    struct laz_policy *policy =
            load_with("secrets:\n  refresh: {}\n  stale: {then: keep}\n  items:\n"
                      "    - {name: a, from: /a, file: {path: a}, on-change: {signal: USR1}}\n"
                      "    - {name: b, from: /b, fd: {number: 20}}\n"
                      "    - {name: c, from: /c, file: {path: c}, fd: {number: 21}}\n"
                      "    - {name: d, from: {variable: D}, file: {path: d}}\n"
                      "    - {name: e, from: /e, file: {path: e}, refresh: false}\n");
    const struct laz_policy_renewal *renewal = &policy->secrets.renewal;
    cr_expect(renewal->interval_ms == 300000 && renewal->jitter == 20);
    cr_expect(renewal->least_ms == 5000 && renewal->stale_ms == 86400000);
    cr_expect(renewal->then == LAZ_STALE_KEEP && renewal->grace_ms == 30000);
    cr_expect(renewal->is_renewed[0] && renewal->signal[0] == SIGUSR1);
    cr_expect(!renewal->is_renewed[1], "a descriptor alone");
    cr_expect(renewal->is_renewed[2] && renewal->signal[2] == 0);
    cr_expect(!renewal->is_renewed[3], "a variable");
    cr_expect(!renewal->is_renewed[4], "it is not to be");
    cr_assert_eq(policy->relaxations.n, 1);
    cr_expect_str_eq(policy->relaxations.items[0], "secrets: what is stale counts as good");
    laz_policy_free(policy);
}

/* Every key, as the file with all of them says it. */
Test(policy_secrets, arrive)
{
    struct loaded loaded = load_path("tests/data/good/every-key.yaml");
    cr_assert_eq(loaded.result, 0, "%s", loaded.err.message);
    const struct laz_policy_secrets *secrets = &loaded.policy->secrets;
    const struct laz_fetch_config *config = &secrets->config;
    const struct laz_fetch_item *items = config->items;
    cr_expect_str_eq(secrets->dir, "/run/secrets");
    cr_expect_eq(config->wait_ms, 30000);
    cr_expect(secrets->renewal.interval_ms == 600000 && secrets->renewal.jitter == 10);
    cr_expect(secrets->renewal.least_ms == 2000 && secrets->renewal.stale_ms == 43200000);
    cr_expect(secrets->renewal.then == LAZ_STALE_STOP && secrets->renewal.grace_ms == 5000);
    cr_expect_eq(secrets->renewal.signal[4], SIGHUP);
    cr_expect_str_eq(config->region, "eu-west-1");
    cr_expect_str_eq(config->ca, "/etc/ssl/aws.pem");
    cr_expect_str_eq(config->endpoint[LAZ_FETCH_SECRETS_MANAGER], "https://sm.internal");
    cr_expect_str_eq(config->endpoint[LAZ_FETCH_PARAMETERS], "https://ssm.internal:8443");
    cr_expect_str_eq(config->endpoint[LAZ_FETCH_KMS], "https://[fd00::1]");
    cr_assert_eq(config->n_items, 20, "five, two of a key, and thirteen of the identities");
    cr_expect(config->identities[0].renew_at == 0 && config->identities[0].renew_jitter == 0);
    cr_expect(config->identities[2].renew_at == 50 && config->identities[2].renew_jitter == 2);
    for (uint32_t i = 7; i < config->n_items; i++) {
        bool is_part = items[i].source == LAZ_SECRET_IDENTITY;
        uint32_t identity = items[i].identity;
        cr_expect_eq(secrets->renewal.group[i], is_part ? identity + 1 : 0, "%s", items[i].name);
        cr_expect_eq(secrets->renewal.is_renewed[i], is_part && identity > 0,
                "%s: the first is made of a variable", items[i].name);
        cr_expect_eq(secrets->renewal.signal[i], is_part && identity == 2 ? SIGUSR1 : 0);
    }
    cr_expect_eq(config->identities[0].password, 4, "one more than the number of \"file\"");
    cr_expect_str_eq(items[11].name, "web.p12");
    cr_expect_str_eq(secrets->deliveries[11].path, "tls/web/bundle.p12");
    cr_expect(secrets->deliveries[11].mode == 0440 && items[11].part == LAZ_IDENTITY_P12);
    cr_expect_str_eq(items[0].from, ARN, "without what ECS puts behind it");
    cr_expect_str_eq(items[0].region, "us-east-1");
    cr_expect_str_eq(items[0].json_key, "password");
    cr_expect(items[0].stage[0] == '\0' && items[0].version[0] == '\0');
    cr_expect_eq(secrets->deliveries[0].mode, 0440);
    cr_expect_str_eq(items[1].from, "prod/phi");
    cr_expect(items[1].region[0] == '\0' && items[1].optional && items[1].newline);
    cr_expect_str_eq(items[1].stage, "AWSCURRENT");
    cr_expect_str_eq(items[1].version, "0123456789abcdef0123456789abcdef");
    cr_expect_str_eq(items[1].json_key, "key");
    cr_expect(items[1].decode == LAZ_SECRET_FORM_BASE64 &&
            items[1].form == LAZ_SECRET_FORM_BASE64URL);
    cr_expect(items[1].min_bytes == 32 && items[1].max_bytes == 32);
    cr_assert_eq(items[1].n_context, 1);
    cr_expect_str_eq(items[1].context_name[0], "app");
    cr_expect_str_eq(items[1].context_value[0], "emr");
    cr_expect(secrets->deliveries[1].fd == 20 && secrets->deliveries[1].path[0] == '\0');
    cr_expect(items[2].source == LAZ_SECRET_VARIABLE && strcmp(items[2].from, "OLD_TOKEN") == 0);
    cr_expect(items[3].source == LAZ_SECRET_FILE && items[3].max_bytes == 32);
    cr_expect(items[4].source == LAZ_SECRET_PARAMETER && strcmp(items[4].from, "/prod/a:3") == 0);
    cr_expect(items[5].is_key && items[5].form == LAZ_SECRET_FORM_JWKS && !items[5].optional);
    cr_expect(items[5].previous == 7 && items[5].min_bytes == 32 && items[5].max_bytes == 32);
    cr_expect_str_eq(items[6].name, "phi.previous");
    unload(&loaded);
}

Test(policy_secrets, have_keys_as_items_and_the_key_of_before_as_one_more)
{
    struct laz_policy *policy = load_with(
            "secrets: {refresh: {interval: 1m}}\nkeys:\n"
            "  - {name: phi, from: \"" ARN ":key::\", decode: hex, bytes: 32, form: jwks,\n"
            "     previous: {}, file: {path: keys/phi}, on-change: {signal: HUP}}\n"
            "  - {name: old, from: {secrets-manager: b, stage: a}, bytes: {min: 16, max: 32},\n"
            "     form: jwks, alg: A256GCM, previous: {stage: b}, fd: {number: 20, variable: "
            "OLD}}\n"
            "  - {name: raw, from: {variable: RAW}, bytes: 16, file: {path: raw}}\n");
    const struct laz_policy_secrets *secrets = &policy->secrets;
    const struct laz_fetch_item *items = secrets->config.items;
    cr_assert_eq(secrets->config.n_items, 5);
    cr_expect(items[0].previous == 4 && items[1].previous == 5 && items[2].previous == 0);
    cr_expect(items[0].is_key && items[1].is_key && items[2].is_key);
    for (size_t i = 3; i < 5; i++) {
        const struct laz_fetch_item *key = &items[i - 3];
        cr_expect(items[i].optional && items[i].is_key && items[i].previous == 0);
        cr_expect(items[i].source == key->source && items[i].decode == key->decode);
        cr_expect_str_eq(items[i].from, key->from);
        cr_expect_str_eq(items[i].json_key, key->json_key);
        cr_expect(items[i].min_bytes == 32 && items[i].max_bytes == 32);
        cr_expect(items[i].form == LAZ_SECRET_FORM_RAW && items[i].alg == LAZ_SECRET_ALG_NONE);
        cr_expect(secrets->deliveries[i].path[0] == '\0' && secrets->deliveries[i].fd == 0);
        cr_expect(!secrets->renewal.is_renewed[i] && secrets->renewal.signal[i] == 0);
    }
    cr_expect_str_eq(items[3].name, "phi.previous");
    cr_expect_str_eq(items[3].stage, "AWSPREVIOUS");
    cr_expect_str_eq(items[4].stage, "b");
    cr_expect(secrets->renewal.is_renewed[0] && secrets->renewal.signal[0] == SIGHUP);
    cr_expect(!secrets->renewal.is_renewed[1] && !secrets->renewal.is_renewed[2]);
    cr_assert_not_null(find_rule(policy, "/run/secrets"));
    laz_policy_free(policy);
}

Test(policy_secrets, need_no_section_of_their_own_where_there_are_keys)
{
    struct laz_policy *policy =
            load_with("keys: [{name: a, from: /a, bytes: 16, file: {path: a}}]\n");
    cr_expect_eq(policy->secrets.config.n_items, 1);
    cr_expect(policy->limits[RLIMIT_CORE].set && policy->limits[RLIMIT_CORE].value == 0);
    cr_assert_not_null(find_rule(policy, "/run/secrets"));
    laz_policy_free(policy);
    policy = load_with("keys: []\n");
    cr_expect_eq(policy->secrets.config.n_items, 0);
    laz_policy_free(policy);
}

Test(policy_secrets, replace_those_of_extended_policies_by_name)
{
    struct loaded loaded = load_path("tests/data/good/secrets-merged.yaml");
    cr_assert_eq(loaded.result, 0, "%s", loaded.err.message);
    const struct laz_policy *policy = loaded.policy;
    const struct laz_policy_secrets *secrets = &policy->secrets;
    cr_assert_eq(secrets->config.n_items, 3);
    cr_expect_str_eq(secrets->config.items[0].name, "db");
    cr_expect(secrets->config.items[0].source == LAZ_SECRET_FILE && secrets->deliveries[0].fd == 0);
    cr_expect_str_eq(secrets->deliveries[0].path, "password");
    cr_expect_str_eq(secrets->config.items[1].name, "key");
    cr_expect_str_eq(secrets->config.items[2].name, "token");
    cr_expect_eq(secrets->config.wait_ms, 30000);
    cr_expect_str_eq(secrets->dir, "/dev/shm/lazaret");
    const struct laz_path_rule *rule = find_rule(policy, "/dev/shm/lazaret");
    cr_assert_not_null(rule);
    cr_expect(rule->class == LAZ_PATH_READ && !rule->optional && rule->pos.line == 6);
    cr_expect_null(find_rule(policy, "/run/secrets"));
    /* The variable of the item that was replaced is gone, that of the other is there. */
    cr_assert_eq(policy->env_set.n, 1);
    cr_expect_str_eq(policy->env_set.items[0], "KEY_FD=21");
    cr_expect_gt(policy->env_set.pos[0].line, 0);
    unload(&loaded);
}

Test(policy_secrets, forbid_cores_unless_a_limit_is_named)
{
#define BARE    MINIMAL "syscalls: {groups: [web-service]}\n"
#define SECRETS "secrets: {items: [{name: a, from: /a, file: {path: a}}]}\n"
    struct laz_policy *policy = must_load(BARE SECRETS);
    cr_expect(policy->limits[RLIMIT_CORE].set && policy->limits[RLIMIT_CORE].value == 0);
    cr_expect_gt(policy->limits[RLIMIT_CORE].pos.line, 0);
    laz_policy_free(policy);
    policy = must_load(BARE "limits: {core-size: 4096}\n" SECRETS);
    cr_expect_eq(policy->limits[RLIMIT_CORE].value, 4096);
    laz_policy_free(policy);
    policy = must_load(BARE);
    cr_expect(!policy->limits[RLIMIT_CORE].set, "of a policy without secrets");
    laz_policy_free(policy);
}

Test(policy_secrets, open_their_folder_only_where_there_are_files)
{
    struct laz_policy *policy =
            load_with("secrets: {items: [{name: a, from: /a, fd: {number: 10}}]}\n");
    cr_expect_null(find_rule(policy, "/run/secrets"));
    cr_expect_eq(policy->env_set.n, 0, "no variable was asked for");
    laz_policy_free(policy);
    struct loaded loaded = load_path("tests/data/good/secrets-without-aws.yaml");
    cr_assert_eq(loaded.result, 0, "%s", loaded.err.message);
    size_t n = 0;
    for (size_t i = 0; i < loaded.policy->n_paths; i++) {
        n += strcmp(loaded.policy->paths[i].path, "/run/secrets") == 0 ? 1 : 0;
    }
    cr_expect_eq(n, 1, "what is there already is not there twice");
    unload(&loaded);
}

/* ---- Names ---- */

static bool is(struct laz_slice slice, const char *text)
{
    return slice.length == strlen(text) &&
            (slice.length == 0 || memcmp(slice.text, text, slice.length) == 0);
}

Test(value_from, is_read_as_ecs_reads_it)
{
    static const struct {
        const char *text;
        const char *from; /* NULL: it is none */
        const char *region;
        const char *json_key;
        const char *stage;
        const char *version;
    } rows[] = {
            {ARN, ARN, "us-east-1", "", "", ""},
            {ARN ":password::", ARN, "us-east-1", "password", "", ""},
            {ARN "::AWSPREVIOUS:", ARN, "us-east-1", "", "AWSPREVIOUS", ""},
            {ARN ":::9d4c", ARN, "us-east-1", "", "", "9d4c"},
            {ARN ":a b:c:d", ARN, "us-east-1", "a b", "c", "d"},
            {ARN ":::", ARN, "us-east-1", "", "", ""},
            {"arn:aws-cn:secretsmanager:cn-north-1:000000000000:secret:a",
                    "arn:aws-cn:secretsmanager:cn-north-1:000000000000:secret:a", "cn-north-1", "",
                    "", ""},
            {"arn:aws:ssm:eu-west-1:111122223333:parameter/a/b",
                    "arn:aws:ssm:eu-west-1:111122223333:parameter/a/b", "eu-west-1", "", "", ""},
            {"arn:aws:ssm:eu-west-1:111122223333:parameter/a:3",
                    "arn:aws:ssm:eu-west-1:111122223333:parameter/a:3", "eu-west-1", "", "", ""},
            {"/a", "/a", "", "", "", ""},
            {"/a/b.c_d-e:label", "/a/b.c_d-e:label", "", "", "", ""},
            {ARN ":", NULL, NULL, NULL, NULL, NULL},
            {ARN "::", NULL, NULL, NULL, NULL, NULL},
            {ARN "::::", NULL, NULL, NULL, NULL, NULL},
            {"arn:aws:secretsmanager:us-east-1:111122223333:secret:", NULL, NULL, NULL, NULL, NULL},
            {"arn:aws:secretsmanager:us-east-1:11112222333:secret:a", NULL, NULL, NULL, NULL, NULL},
            {"arn:aws:secretsmanager:us-east-1:11112222333x:secret:a", NULL, NULL, NULL, NULL,
                    NULL},
            {"arn:aws:secretsmanager:us-east-1:111122223333:secret:a b", NULL, NULL, NULL, NULL,
                    NULL},
            {"arn:AWS:secretsmanager:us-east-1:111122223333:secret:a", NULL, NULL, NULL, NULL,
                    NULL},
            {"arn:aws:ssm:eu-west-1:111122223333:parameter/", NULL, NULL, NULL, NULL, NULL},
            {"arn:aws:ssm:eu-west-1:111122223333:parameter/a:b:c", NULL, NULL, NULL, NULL, NULL},
            {"arn:aws:ssm:eu-west-1:111122223333:document/a", NULL, NULL, NULL, NULL, NULL},
            {"arn:aws:kms:eu-west-1:111122223333:key/a", NULL, NULL, NULL, NULL, NULL},
            {"/a?b", NULL, NULL, NULL, NULL, NULL},
            {"/a:", NULL, NULL, NULL, NULL, NULL},
            {"hunter2", NULL, NULL, NULL, NULL, NULL},
            {"", NULL, NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct laz_value_from got;
        const char *why = laz_value_from_split(rows[i].text, strlen(rows[i].text), &got);
        cr_assert_eq(why == NULL, rows[i].from != NULL, "%s: %s", rows[i].text,
                why == NULL ? "taken" : why);
        if (why != NULL) {
            cr_expect_null(rows[i].text[0] == '\0' ? NULL : strstr(why, rows[i].text));
            continue;
        }
        cr_expect(is(got.from, rows[i].from), "%s", rows[i].text);
        cr_expect(is(got.region, rows[i].region), "%s", rows[i].text);
        cr_expect(is(got.json_key, rows[i].json_key), "%s", rows[i].text);
        cr_expect(is(got.stage, rows[i].stage), "%s", rows[i].text);
        cr_expect(is(got.version, rows[i].version), "%s", rows[i].text);
    }
}

/* Whatever of it is cut off is another name or none, and what is read lies inside the text. */
Test(value_from, reads_nothing_beyond_its_end)
{
    static const char text[] = ARN ":password:AWSCURRENT:0123";
    for (size_t length = 0; length < sizeof(text); length++) {
        char copy[sizeof(text)];
        struct laz_value_from got;
        (void)memset(copy, ':', sizeof(copy));
        (void)memcpy(copy, text, length);
        if (laz_value_from_split(copy, length, &got) == NULL) {
            cr_expect_leq(
                    got.from.length + got.json_key.length + got.stage.length + got.version.length,
                    length);
        }
    }
}

Test(value_from, has_names_of_secrets_parameters_and_keys)
{
    static const struct {
        const char *text;
        bool is_secret;
        bool is_parameter;
        bool is_key;
    } rows[] = {{"prod/db", true, true, false}, {"a+b=c@d", true, false, false},
            {"a:3", false, true, false}, {ARN, true, false, false},
            {ARN ":::", false, false, false}, {ARN ":k::", false, false, false},
            {"arn:aws:ssm:eu-west-1:111122223333:parameter/a", false, true, false},
            {"arn:aws:kms:eu-west-1:111122223333:key/12-ab", false, false, true},
            {"arn:aws:kms:eu-west-1:111122223333:key/mrk-12ab", false, false, true},
            {"arn:aws:kms:eu-west-1:111122223333:key/", false, false, false},
            {"arn:aws:kms:eu-west-1:111122223333:key/a:b", false, false, false},
            {"arn:aws:kms:eu-west-1:111122223333:alias/a", false, false, false},
            {"a b", false, false, false}, {"", false, false, false}};
    for (size_t i = 0; i < LENGTH(rows); i++) {
        const char *text = rows[i].text;
        size_t length = strlen(text);
        struct laz_value_from got;
        cr_expect_eq(
                laz_secret_id_split(text, length, &got) == NULL, rows[i].is_secret, "%s", text);
        cr_expect_eq(
                laz_parameter_split(text, length, &got) == NULL, rows[i].is_parameter, "%s", text);
        cr_expect_eq(laz_kms_key_is_arn(text, length), rows[i].is_key, "%s", text);
    }
}
