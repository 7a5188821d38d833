/* SPDX-License-Identifier: Apache-2.0
 *
 * The readers of PEM. The first byte says which; what they take is written, and that is read again
 * and written the same.
 */

#include "secret/pem.h"

#include "fuzz.h"

#define ROOM ((size_t)1 << 20)

static void try_key(const char *text, size_t length)
{
    struct laz_err err = {0};
    EVP_PKEY *key = NULL;
    if (laz_pem_read_key(text, length, &key, &err) != 0) {
        require(err.kind == LAZ_E_SECRET && err.message[0] != '\0');
        return;
    }
    struct laz_buf written;
    laz_buf_init_wiped(&written, ROOM);
    if (laz_pem_write_key(key, &written, &err) == 0 && !written.overflow) {
        EVP_PKEY *again = NULL;
        require(laz_pem_read_key(written.data, written.len, &again, &err) == 0);
        EVP_PKEY_free(again);
    }
    laz_buf_done(&written);
    EVP_PKEY_free(key);
}

static void try_certificates(const char *text, size_t length)
{
    struct laz_err err = {0};
    STACK_OF(X509) *all = NULL;
    if (laz_pem_read_certificates(text, length, LAZ_PEM_CERTIFICATES_MAX, &all, &err) != 0) {
        require(err.kind == LAZ_E_SECRET && err.message[0] != '\0');
        return;
    }
    struct laz_buf written;
    laz_buf_init_heap(&written, ROOM);
    for (int i = 0; i < sk_X509_num(all); i++) {
        require(laz_pem_write_certificate(sk_X509_value(all, i), &written, &err) == 0);
    }
    STACK_OF(X509) *again = NULL;
    require(written.overflow ||
            laz_pem_read_certificates(
                    written.data, written.len, LAZ_PEM_CERTIFICATES_MAX, &again, &err) == 0);
    require(written.overflow || sk_X509_num(again) == sk_X509_num(all));
    sk_X509_pop_free(again, X509_free);
    sk_X509_pop_free(all, X509_free);
    laz_buf_done(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    if (data[0] % 2 == 0) {
        try_key(text, size - 1);
    } else {
        try_certificates(text, size - 1);
    }
    return 0;
}
