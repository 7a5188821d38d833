/* SPDX-License-Identifier: Apache-2.0
 *
 * Stands in for a FIPS module that does not work, in the way that the macro DOES says: 1 does not
 * let itself be loaded, 2 fails when it tests itself, 3 works and computes nothing. It is no
 * cryptography, and nobody may take it for some.
 */
#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/err.h>

static int test_itself(void *context)
{
    (void)context;
    return DOES != 2;
}

static const OSSL_ALGORITHM *tell(void *context, int operation, int *no_store)
{
    (void)context;
    (void)operation;
    *no_store = 0;
    return NULL;
}

static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_SELF_TEST, (void (*)(void))test_itself},
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))tell},
        {0, NULL},
};

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
        const OSSL_DISPATCH **out, void **context)
{
    (void)in;
    *out = functions;
    *context = (void *)handle;
    return DOES != 1;
}
