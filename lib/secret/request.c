/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and requests, by OpenSSL.
 */
#include "secret/request.h"

#include <string.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "secret/names.h"
#include "secret/pem.h"

int laz_request_make_key(enum laz_identity_key kind, EVP_PKEY **ret, struct laz_err *err)
{
    EVP_PKEY *key = NULL;
    switch (kind) {
    case LAZ_IDENTITY_KEY_EC_P256:
        key = EVP_EC_gen("P-256");
        break;
    case LAZ_IDENTITY_KEY_EC_P384:
        key = EVP_EC_gen("P-384");
        break;
    case LAZ_IDENTITY_KEY_RSA_2048:
        key = EVP_RSA_gen(2048);
        break;
    case LAZ_IDENTITY_KEY_RSA_3072:
        key = EVP_RSA_gen(3072);
        break;
    case LAZ_IDENTITY_KEY_COUNT:
        break;
    }
    if (key == NULL) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0, "libcrypto makes no key of this kind");
    }
    *ret = key;
    return 0;
}

/* Appends; false: there is no memory. */
static bool add_extension(
        STACK_OF(X509_EXTENSION) * *all, int nid, bool is_critical, const void *value)
{
    return value != NULL &&
            X509V3_add1_i2d(
                    all, nid, laz_unconst(value), is_critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

static bool add_usage(uint32_t purpose, STACK_OF(X509_EXTENSION) * *all)
{
    ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    EXTENDED_KEY_USAGE *extended = sk_ASN1_OBJECT_new_null();
    bool is_good = usage != NULL && extended != NULL &&
            ASN1_BIT_STRING_set_bit(usage, 0, 1) == 1; /* digitalSignature */
    if (is_good && (purpose & LAZ_PURPOSE_SERVER) != 0) {
        is_good = sk_ASN1_OBJECT_push(extended, OBJ_nid2obj(NID_server_auth)) > 0;
    }
    if (is_good && (purpose & LAZ_PURPOSE_CLIENT) != 0) {
        is_good = sk_ASN1_OBJECT_push(extended, OBJ_nid2obj(NID_client_auth)) > 0;
    }
    is_good = is_good && add_extension(all, NID_key_usage, true, usage) &&
            add_extension(all, NID_ext_key_usage, false, extended);
    ASN1_BIT_STRING_free(usage);
    sk_ASN1_OBJECT_pop_free(extended, ASN1_OBJECT_free);
    return is_good;
}

static bool add_extensions(
        const struct laz_fetch_identity *identity, X509_REQ *request, struct laz_err *err)
{
    STACK_OF(X509_EXTENSION) *all = NULL;
    GENERAL_NAMES *names = NULL;
    bool is_good = laz_names_make(identity, &names, err) == 0 &&
            add_extension(&all, NID_subject_alt_name, false, names) &&
            add_usage(identity->purpose, &all) && X509_REQ_add_extensions(request, all) == 1;
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
    return is_good;
}

static bool fill(const struct laz_fetch_identity *identity, EVP_PKEY *key, X509_REQ *request,
        struct laz_err *err)
{
    const char *common = laz_names_common(identity);
    const EVP_MD *digest = identity->key == LAZ_IDENTITY_KEY_EC_P384 ? EVP_sha384() : EVP_sha256();
    X509_NAME *subject = X509_REQ_get_subject_name(request);
    return X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
            X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
                    (const unsigned char *)common, -1, -1, 0) == 1 &&
            X509_REQ_set_pubkey(request, key) == 1 && add_extensions(identity, request, err) &&
            X509_REQ_sign(request, key, digest) > 0;
}

int laz_request_make(const struct laz_fetch_identity *identity, EVP_PKEY *key, struct laz_buf *ret,
        struct laz_err *err)
{
    X509_REQ *request = X509_REQ_new();
    int result = request != NULL && fill(identity, key, request, err)
            ? laz_pem_write_request(request, ret, err)
            : laz_err_set(err, LAZ_E_SYSTEM, 0, "libcrypto makes no request");
    X509_REQ_free(request);
    return result;
}
