/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be had of net/fips.h without a module: modules that do not work, and none. A module that
 * works, and each role's refusal, are in tests/e2e/fips_test.py.
 */
#include "net/fips.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

static char folder[] = "/tmp/laz-fips-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void begin(void)
{
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL), 1);
}

static void end(void)
{
    static const char *const names[] = {"fips.so", "fipsmodule.cnf"};
    char path[64];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static bool computes(const char *digest)
{
    EVP_MD *found = EVP_MD_fetch(NULL, digest, NULL);
    EVP_MD_free(found);
    return found != NULL;
}

static void expect(const char *tail, enum laz_fips_state state)
{
    const struct laz_fips_place place = {folder, folder};
    struct laz_err err = {0};
    enum laz_fips_state found = LAZ_FIPS_STATE_COUNT;
    char wanted[256];
    (void)snprintf(wanted, sizeof(wanted), "tls.fips: no FIPS module: %s/%s", folder, tail);
    cr_expect_eq(laz_fips_begin(LAZ_TLS_FIPS_REQUIRED, &place, &found, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_FIPS);
    cr_expect_str_eq(err.message, wanted);
    cr_expect_eq(found, LAZ_FIPS_STATE_COUNT, "nothing is written");
    cr_expect_eq(laz_fips_begin(LAZ_TLS_FIPS_PREFER, &place, &found, &err), 0, "%s", err.message);
    cr_expect_eq(found, state);
    cr_expect(computes("SHA2-256") && computes("MD5"), "as if nothing had been asked for");
}

Test(fips, looks_at_nothing_where_it_is_off, .init = begin, .fini = end)
{
    const struct laz_fips_place place = {"/nowhere", "/nowhere"};
    struct laz_err err = {0};
    enum laz_fips_state state = LAZ_FIPS_STATE_COUNT;
    cr_expect_eq(laz_fips_begin(LAZ_TLS_FIPS_OFF, &place, &state, &err), 0);
    cr_expect_eq(state, LAZ_FIPS_UNASKED);
}

Test(fips, names_a_module_that_is_not_there, .init = begin, .fini = end)
{
    expect("fips.so: No such file or directory", LAZ_FIPS_ABSENT);
}

Test(fips, names_a_module_that_is_cut_short, .init = begin, .fini = end)
{
    put("fips.so", "\177ELF");
    expect("fips.so: it is cut short", LAZ_FIPS_BROKEN);
}

Test(fips, names_a_file_without_the_section, .init = begin, .fini = end)
{
    put("fips.so", "");
    put("fipsmodule.cnf", "[fips]\nmodule-mac = 00\n");
    expect("fipsmodule.cnf: it has no section \"fips_sect\"", LAZ_FIPS_BROKEN);
}

Test(fips, names_a_file_that_is_none, .init = begin, .fini = end)
{
    put("fips.so", "");
    put("fipsmodule.cnf", "[fips_sect\n");
    expect("fipsmodule.cnf: missing close square bracket", LAZ_FIPS_BROKEN);
}

Test(fips, names_a_file_that_is_too_long, .init = begin, .fini = end)
{
    char text[8192];
    (void)memset(text, '#', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    put("fips.so", "");
    put("fipsmodule.cnf", text);
    expect("fipsmodule.cnf: more than 2048 bytes", LAZ_FIPS_BROKEN);
}
