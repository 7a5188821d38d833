/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/policy/fetch_codec: what fetch is told is read back, and nothing else is taken.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "policy/fetch.h"
#include "tests/fixture/block.h"

static struct laz_fetch_item make_item(
        const char *name, enum laz_secret_source source, const char *from, uint32_t max_bytes)
{
    return (struct laz_fetch_item){.name = name,
            .source = source,
            .from = from,
            .region = "",
            .json_key = "",
            .stage = "",
            .version = "",
            .kms_key = "",
            .min_bytes = 1,
            .max_bytes = max_bytes};
}

/* One with the key of before, or the key of before. */
static struct laz_fetch_item make_key(const char *name, uint32_t previous)
{
    struct laz_fetch_item item = make_item(name, LAZ_SECRET_SECRETS_MANAGER, "phi", 32);
    item.is_key = true;
    item.optional = previous == 0;
    item.form = previous == 0 ? LAZ_SECRET_FORM_RAW : LAZ_SECRET_FORM_JWKS;
    item.alg = previous == 0 ? LAZ_SECRET_ALG_NONE : LAZ_SECRET_ALG_A256GCM;
    item.previous = previous;
    return item;
}

/* Every field has a value of its own. */
static struct laz_fetch_config make_config(void)
{
    return (struct laz_fetch_config){.region = "eu-west-1",
            .endpoint = {"https://sm.internal", "https://ssm.internal", "https://kms.internal",
                    "https://pca.internal"},
            .ca = "/etc/ssl/aws.pem",
            .fips = true,
            .imds = true,
            .tls_profile = LAZ_TLS_MODERN,
            .tls_fips = LAZ_TLS_FIPS_REQUIRED,
            .wait_ms = LAZ_FETCH_WAIT_MAX,
            .vault = {.address = "https://vault.internal:8200",
                    .ca = "/etc/ssl/vault.pem",
                    .name_space = "admin/claims",
                    .login = LAZ_FETCH_LOGIN_AWS,
                    .token_file = "",
                    .token_variable = "",
                    .role = "app",
                    .mount = "aws",
                    .server_id = "vault.internal",
                    .region = "eu-west-1"},
            .workload = {.uid = 10001, .gid = 10002, .n_groups = 2, .groups = {5, UINT32_MAX}},
            .n_items = 6,
            .items = {{.name = "db-password",
                              .optional = true,
                              .source = LAZ_SECRET_SECRETS_MANAGER,
                              .from = "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-"
                                      "AbCdEf",
                              .region = "us-east-1",
                              .json_key = "password",
                              .stage = "AWSPREVIOUS",
                              .version = "0f2c",
                              .decode = LAZ_SECRET_FORM_BASE64URL,
                              .kms_key = "arn:aws:kms:us-east-1:111122223333:key/1234",
                              .n_context = 2,
                              .context_name = {"app", "purpose"},
                              .context_value = {"emr", ""},
                              .min_bytes = 32,
                              .max_bytes = 64,
                              .form = LAZ_SECRET_FORM_HEX,
                              .newline = true},
                    make_item("file", LAZ_SECRET_FILE, "/mnt/key", LAZ_FETCH_VALUE_MAX),
                    make_item("old", LAZ_SECRET_VARIABLE, "OLD_TOKEN", 1),
                    make_item("kv", LAZ_SECRET_VAULT, "kv/data/prod/db", 9), make_key("phi", 6),
                    make_key("phi.previous", 0)}};
}

static void encode(const struct laz_fetch_config *config, struct block *ret)
{
    struct laz_buf buf = block_buf(ret);
    struct laz_err err = {0};
    cr_assert_eq(laz_fetch_encode(config, &buf, &err), 0, "%s", err.message);
    ret->length = buf.len;
}

static const char *decode(const struct block *block, struct laz_fetch_config *ret)
{
    struct laz_err err = {0};
    int result = laz_fetch_decode(block->bytes, block->length, ret, &err);
    return block_wrong(result, &err, "compiled policy, what fetch is told: ");
}

Test(fetch_codec, reads_back_every_field)
{
    const struct laz_fetch_config in = make_config();
    static struct laz_fetch_config out;
    struct block block;
    encode(&in, &block);
    cr_assert_null(decode(&block, &out));
    cr_expect_str_eq(out.region, in.region);
    for (unsigned i = 0; i < LAZ_FETCH_SERVICE_COUNT; i++) {
        cr_expect_str_eq(out.endpoint[i], in.endpoint[i]);
    }
    cr_expect_str_eq(out.ca, in.ca);
    cr_expect(out.fips && out.imds && out.wait_ms == in.wait_ms);
    cr_expect_eq(out.tls_profile, LAZ_TLS_MODERN);
    cr_expect_eq(out.tls_fips, LAZ_TLS_FIPS_REQUIRED);
    cr_assert_eq(out.n_items, 6);
    cr_expect_str_eq(out.vault.address, in.vault.address);
    cr_expect_str_eq(out.vault.ca, in.vault.ca);
    cr_expect_str_eq(out.vault.name_space, in.vault.name_space);
    cr_expect_eq(out.vault.login, in.vault.login);
    cr_expect_str_eq(out.vault.token_file, in.vault.token_file);
    cr_expect_str_eq(out.vault.token_variable, in.vault.token_variable);
    cr_expect_str_eq(out.vault.role, in.vault.role);
    cr_expect_str_eq(out.vault.mount, in.vault.mount);
    cr_expect_str_eq(out.vault.server_id, in.vault.server_id);
    cr_expect_str_eq(out.vault.region, in.vault.region);
    cr_expect_eq(memcmp(&out.workload, &in.workload, sizeof(in.workload)), 0);
    for (uint32_t i = 0; i < in.n_items; i++) {
        const struct laz_fetch_item *a = &in.items[i];
        const struct laz_fetch_item *b = &out.items[i];
        cr_expect_str_eq(b->name, a->name);
        cr_expect(b->optional == a->optional && b->source == a->source);
        cr_expect(b->is_key == a->is_key && b->previous == a->previous && b->alg == a->alg);
        cr_expect_str_eq(b->from, a->from);
        cr_expect_str_eq(b->region, a->region);
        cr_expect_str_eq(b->json_key, a->json_key);
        cr_expect_str_eq(b->stage, a->stage);
        cr_expect_str_eq(b->version, a->version);
        cr_expect_str_eq(b->kms_key, a->kms_key);
        cr_expect(b->decode == a->decode && b->form == a->form && b->newline == a->newline);
        cr_expect(b->min_bytes == a->min_bytes && b->max_bytes == a->max_bytes);
        cr_assert_eq(b->n_context, a->n_context);
        for (uint32_t k = 0; k < a->n_context; k++) {
            cr_expect_str_eq(b->context_name[k], a->context_name[k]);
            cr_expect_str_eq(b->context_value[k], a->context_value[k]);
        }
    }
}

static bool rewrite(const struct block *block, struct block *ret_again)
{
    static struct laz_fetch_config out;
    out.wait_ms = 77;
    if (decode(block, &out) != NULL) {
        cr_assert_eq(out.wait_ms, 77, "the result is left alone");
        return false;
    }
    encode(&out, ret_again);
    return true;
}

static const struct block_codec codec = {.rewrite = rewrite};

Test(fetch_codec, refuses_every_truncation_and_extension)
{
    const struct laz_fetch_config in = make_config();
    static struct laz_fetch_config out;
    struct block block;
    encode(&in, &block);
    block_cut_everywhere(&block, &codec);
    block.bytes[block.length++] = 0;
    cr_assert_str_eq(decode(&block, &out), "bytes are left over");
}

Test(fetch_codec, has_one_block_for_each_configuration)
{
    const struct laz_fetch_config in = make_config();
    struct block block;
    encode(&in, &block);
    cr_assert_gt(block_flip_every_bit(&block, &codec), 100);
}

static const char *spoil_key(int row, struct laz_fetch_item *key, struct laz_fetch_item *previous)
{
    static const char fit[] = "an item does not fit together";
    static const char before[] = "a key has none before it";
    switch (row) {
    case 0:
        key->previous = LAZ_FETCH_ITEMS_MAX + 1;
        return "a number is out of range";
    case 1:
        key->previous = 7;
        return before;
    case 2:
        key->previous = 5; /* itself */
        return before;
    case 3:
        key->previous = 1;
        return before;
    case 4:
        previous->optional = false;
        return before;
    case 5:
        previous->form = LAZ_SECRET_FORM_HEX;
        return before;
    case 6:
        previous->is_key = false;
        return before;
    case 7:
        key->form = LAZ_SECRET_FORM_JWK;
        return fit;
    case 8:
        key->is_key = false;
        return fit;
    default:
        return NULL;
    }
}

/* Each row changes one thing of a configuration that is fine. */
static const char *spoil_item(int row, struct laz_fetch_item *items)
{
    static const char number[] = "a number is out of range";
    static const char string[] = "a string is too short or too long";
    static const char fit[] = "an item does not fit together";
    switch (row) {
    case 0:
        items[0].name = "";
        return string;
    case 1:
        items[0].name = "a name";
        return "a name is none";
    case 2:
        items[2].name = "file";
        return "a name is there twice";
    case 3:
        items[0].source = LAZ_SECRET_SOURCE_COUNT;
        return number;
    case 4:
        items[1].from = "key";
        return fit;
    case 5:
        items[1].from = "";
        return string;
    case 6:
        items[2].region = "eu-west-1";
        return fit;
    case 7:
        items[0].source = LAZ_SECRET_PARAMETER; /* which has no stage */
        return fit;
    case 8:
        items[0].stage = "";
        items[0].source = LAZ_SECRET_PARAMETER; /* nor a version */
        return fit;
    case 9:
        items[0].kms_key = "";
        return fit;
    case 10:
        items[0].context_name[1] = "app";
        return "a name is there twice";
    case 11:
        items[0].min_bytes = 65;
        return fit;
    case 12:
        items[0].min_bytes = 0;
        return number;
    case 13:
        items[1].max_bytes = LAZ_FETCH_VALUE_MAX + 1;
        return number;
    case 14:
        items[0].form = LAZ_SECRET_FORM_COUNT;
        return number;
    case 16:
        items[0].alg = LAZ_SECRET_ALG_HS512; /* of a form that has none */
        return fit;
    case 17:
        items[0].alg = LAZ_SECRET_ALG_COUNT;
        return number;
    case 15:
        items[0].decode = LAZ_SECRET_FORM_JSON; /* no coding */
        return number;
    default:
        return row < 18 ? NULL : spoil_key(row - 18, &items[4], &items[5]);
    }
}

#define VAULT_ROWS 12

static const char *spoil_vault(int row, struct laz_fetch_config *config)
{
    struct laz_fetch_vault *vault = &config->vault;
    static const char none[] = "Vault does not fit together";
    switch (row) {
    case 0:
        vault->address = "http://vault.internal";
        return none;
    case 1:
        vault->role = "";
        return none;
    case 2:
        vault->mount = "aws//eu";
        return none;
    case 3:
        vault->server_id = "a b";
        return none;
    case 4:
        vault->token_file = "/token";
        return none;
    case 5:
        vault->login = LAZ_FETCH_LOGIN_TOKEN;
        return none;
    case 6:
        vault->login = LAZ_FETCH_LOGIN_NONE;
        return none;
    case 7:
        vault->login = LAZ_FETCH_LOGIN_COUNT;
        return "a number is out of range";
    case 8:
        vault->ca = "vault.pem";
        return none;
    case 9:
        vault->token_variable = "VAULT_TOKEN"; /* beside a role */
        return none;
    case 10:
        config->items[3].from = "kv/../data";
        return "an item does not fit together";
    default:
        config->items[3].version = "03";
        return "an item does not fit together";
    }
}

static const char *spoil(int row, struct laz_fetch_config *config)
{
    switch (row) {
    case 0:
        config->wait_ms++;
        return "a number is out of range";
    case 1:
        config->wait_ms = LAZ_FETCH_WAIT_MIN - 1;
        return "a number is out of range";
    case 2:
        config->endpoint[LAZ_FETCH_KMS] = "http://kms.internal";
        return "an endpoint is not encrypted";
    case 3:
        config->ca = "aws.pem";
        return "a path is not absolute";
    case 4:
        config->region = "eu/west";
        return "a name is none";
    case 5:
        config->n_items = 0;
        return "a number is out of range";
    case 6:
        config->tls_profile = LAZ_TLS_PROFILE_COUNT;
        return "a number is out of range";
    case 7:
        config->tls_fips = LAZ_TLS_FIPS_COUNT;
        return "a number is out of range";
    default:
        return row < 8 + VAULT_ROWS ? spoil_vault(row - 8, config)
                                    : spoil_item(row - 8 - VAULT_ROWS, config->items);
    }
}

Test(fetch_codec, names_what_does_not_hold)
{
    const char *wanted = "";
    for (int row = 0; wanted != NULL; row++) {
        struct laz_fetch_config config = make_config();
        static struct laz_fetch_config out;
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

/* ---- Identities ---- */

/* One that is made of the second and the third item, with its store as the last. */
static void add_identity(struct laz_fetch_config *ret)
{
    ret->items[6] = make_item("web.p12", LAZ_SECRET_IDENTITY, "web", 9);
    ret->items[6].part = LAZ_IDENTITY_P12;
    ret->n_items = 7;
    ret->n_identities = 1;
    ret->identities[0] = (struct laz_fetch_identity){.name = "web",
            .source = LAZ_IDENTITY_FROM_ITEMS,
            .certificate_item = 1,
            .key_item = 2,
            .from = "",
            .template = "",
            .password = 4,
            .ca = "",
            .purpose = LAZ_PURPOSE_SERVER};
}

static const char *spoil_password(int row, struct laz_fetch_config *config)
{
    static const char none[] = "a password is an item that can be none";
    struct laz_fetch_identity *web = &config->identities[0];
    switch (row) {
    case 0:
        web->password = LAZ_FETCH_ITEMS_MAX + 1;
        return "a number is out of range";
    case 1:
        web->password = 8;
        return none;
    case 2:
        web->password = 7; /* its own store */
        return none;
    case 3:
        config->items[3].optional = true;
        return none;
    case 4:
        config->items[3].newline = true;
        return none;
    case 5:
        config->items[3].form = LAZ_SECRET_FORM_HEX;
        return none;
    case 6:
        web->password = 0;
        return "a PKCS#12 has no password";
    case 7:
        config->items[6].identity = 1;
        return "an item is of an identity that there is not";
    default:
        return NULL;
    }
}

Test(fetch_codec, has_a_password_for_each_store)
{
    const char *wanted = "";
    for (int row = 0; wanted != NULL; row++) {
        struct laz_fetch_config config = make_config();
        static struct laz_fetch_config out;
        struct block block;
        add_identity(&config);
        wanted = spoil_password(row, &config);
        encode(&config, &block);
        const char *got = decode(&block, &out);
        cr_assert_eq(got == NULL, wanted == NULL, "row %d: %s", row, got);
        if (wanted != NULL) {
            cr_expect_str_eq(got, wanted, "row %d", row);
            continue;
        }
        cr_expect(out.identities[0].password == 4 && out.items[6].part == LAZ_IDENTITY_P12);
        block_cut_everywhere(&block, &codec);
    }
}

Test(fetch_codec, refuses_to_write_what_is_too_large)
{
    for (int row = 0; row < 4; row++) {
        struct laz_fetch_config config = make_config();
        static char memory[2 * LAZ_FETCH_MAX];
        static char name[LAZ_FETCH_MAX];
        struct laz_buf buf;
        struct laz_err err = {0};
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        (void)memset(name, 'a', sizeof(name) - 1);
        switch (row) {
        case 0:
            config.n_items = LAZ_FETCH_ITEMS_MAX + 1;
            break;
        case 1:
            config.items[0].n_context = LAZ_FETCH_CONTEXT_MAX + 1;
            break;
        case 2:
            config.workload.n_groups = LAZ_PARTY_GROUPS_MAX + 1;
            break;
        default:
            config.items[0].from = name;
            break;
        }
        cr_expect_eq(laz_fetch_encode(&config, &buf, &err), -1, "row %d", row);
        cr_expect_eq(err.kind, LAZ_E_POLICY_TOO_LARGE, "row %d", row);
    }
}

Test(fetch_codec, has_a_name_for_every_word)
{
    cr_expect_str_eq(laz_secret_source_name(LAZ_SECRET_SECRETS_MANAGER), "secrets-manager");
    cr_expect_str_eq(laz_secret_source_name(LAZ_SECRET_SOURCE_COUNT), "?");
    cr_expect_str_eq(laz_secret_form_name(LAZ_SECRET_FORM_BASE64URL), "base64url");
    cr_expect_str_eq(laz_secret_form_name(LAZ_SECRET_FORM_COUNT), "?");
}
