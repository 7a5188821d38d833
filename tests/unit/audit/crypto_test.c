/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/crypto.h"

#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

/* A configuration that loads something that libcrypto has in itself, and that nobody asks for. */
static void name_config(void)
{
    static const char text[] = "openssl_conf = init\n[init]\nproviders = providers\n"
                               "[providers]\nbase = base\n[base]\nactivate = 1\n";
    char path[] = "/tmp/laz-crypto-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
    (void)close(fd);
    cr_assert_eq(setenv("OPENSSL_CONF", path, 1), 0);
}

static void hash_something(void)
{
    struct laz_err err = {0};
    uint8_t digest[LAZ_SHA256_SIZE];
    struct laz_hasher *hasher = laz_hasher_new();
    cr_assert_not_null(hasher);
    laz_hasher_begin(hasher);
    laz_hasher_add(hasher, "a", 1);
    cr_assert_eq(laz_hasher_end(hasher, digest, &err), 0);
    laz_hasher_free(hasher);
}

Test(crypto, reads_no_configuration_once_it_has_begun)
{
    struct laz_err err = {0};
    name_config();
    cr_assert_eq(laz_crypto_begin(&err), 0);
    hash_something();
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL); /* as libssl does */
    cr_assert_eq(OSSL_PROVIDER_available(NULL, "base"), 0);
    (void)unlink(getenv("OPENSSL_CONF"));
}

Test(crypto, would_read_it_otherwise)
{
    name_config();
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    cr_assert_eq(OSSL_PROVIDER_available(NULL, "base"), 1);
    (void)unlink(getenv("OPENSSL_CONF"));
}
