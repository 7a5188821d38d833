/* SPDX-License-Identifier: Apache-2.0
 *
 * The module goes into OpenSSL's default context: TLS, the trail, the spool and keys all compute
 * there, and one of a context of its own would leave some of them out.
 */
#include "net/fips.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>

#include "core/buf.h"
#include "core/fd.h"

#define PATH_ROOM  1024
#define WHY_MAX    256
#define CONFIG_MAX 2048 /* bytes; openssl fipsinstall writes some 500 */

/* The section of the module's own file in which openssl fipsinstall writes. */
#define SECTION "fips_sect"

struct laz_fips_place laz_fips_system_place(void)
{
    struct laz_fips_place place = {
            .modules = OPENSSL_info(OPENSSL_INFO_MODULES_DIR),
            .config = OPENSSL_info(OPENSSL_INFO_CONFIG_DIR),
    };
    place.modules = place.modules == NULL ? "" : place.modules;
    place.config = place.config == NULL ? "" : place.config;
    return place;
}

/* What has no interpreter has no loader of libraries either. */
static bool is_static(void)
{
    return getauxval(AT_BASE) == 0;
}

/* The first cause, and nothing left for whoever looks next. */
static void take_reason(char ret[WHY_MAX])
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    (void)snprintf(ret, WHY_MAX, "%s", text == NULL ? "it does not say why" : text);
    ERR_clear_error();
}

/* What openssl fipsinstall says of the module, its checksum above all; nothing else of its file
 * counts. Not "activate" either: a module that is loaded by that word fails without a reason. */
static bool copy_section(const CONF *config, struct laz_buf *ret)
{
    static const char plain[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.";
    const STACK_OF(CONF_VALUE) *values = NCONF_get_section(config, SECTION);
    for (int i = 0; i < sk_CONF_VALUE_num(values); i++) {
        const CONF_VALUE *one = sk_CONF_VALUE_value(values, i);
        bool is_plain = one->name != NULL && one->value != NULL &&
                one->name[strspn(one->name, plain)] == '\0' &&
                one->value[strspn(one->value, plain)] == '\0';
        if (is_plain && strcmp(one->name, "activate") != 0) {
            laz_buf_str(ret, one->name);
            laz_buf_str(ret, " = ");
            laz_buf_str(ret, one->value);
            laz_buf_str(ret, "\n");
        }
    }
    return values != NULL && !ret->overflow;
}

/* NULL, and why not. */
static CONF *parse(const char *text, size_t length, char why[WHY_MAX])
{
    CONF *config = NCONF_new(NULL);
    BIO *in = BIO_new_mem_buf(text, (int)length);
    if (config == NULL || in == NULL || NCONF_load_bio(config, in, NULL) != 1) {
        take_reason(why);
        NCONF_free(config);
        config = NULL;
    }
    BIO_free(in);
    return config;
}

static bool read_config(int fd, char why[WHY_MAX])
{
    static const char frame[] = "lazaret = lazaret_init\n"
                                "[lazaret_init]\nproviders = lazaret_providers\n"
                                "[lazaret_providers]\nfips = " SECTION "\n"
                                "[" SECTION "]\n";
    char text[CONFIG_MAX];
    char memory[2 * CONFIG_MAX];
    size_t length = 0;
    struct laz_err err = {0};
    struct laz_buf buf;
    if (laz_fd_read_all(fd, text, sizeof(text), &length, &err) != 0) {
        (void)snprintf(why, WHY_MAX, "%.*s", WHY_MAX - 1, err.message);
        return false;
    }
    CONF *theirs = parse(text, length, why);
    if (theirs == NULL) {
        return false;
    }
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_buf_str(&buf, frame);
    bool is_whole = copy_section(theirs, &buf);
    NCONF_free(theirs);
    if (!is_whole) {
        (void)snprintf(why, WHY_MAX, "it has no section \"%s\"", SECTION);
        return false;
    }
    CONF *config = parse(buf.data, buf.len, why);
    OPENSSL_load_builtin_modules();
    bool is_done = config != NULL && CONF_modules_load(config, "lazaret", 0) > 0;
    if (config != NULL && !is_done) {
        take_reason(why);
    }
    NCONF_free(config);
    return is_done;
}

/* What TLS, the spool and keys are made of: a module that loads may still have none of it. */
static const char *find_missing(void)
{
    static const char *const digests[] = {"SHA2-256", "SHA2-384", "SHA2-512"};
    static const char *const ciphers[] = {"AES-256-GCM", "AES-128-GCM"};
    static const char *const derivations[] = {"HKDF", "TLS1-PRF", "TLS13-KDF"};
    static const char *const keys[] = {"EC", "RSA"};
    static const char *const signatures[] = {"ECDSA", "RSA"};
    const char *missing = NULL;
    for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
        EVP_MD *found = EVP_MD_fetch(NULL, digests[i], NULL);
        missing = missing == NULL && found == NULL ? digests[i] : missing;
        EVP_MD_free(found);
    }
    for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
        EVP_CIPHER *found = EVP_CIPHER_fetch(NULL, ciphers[i], NULL);
        missing = missing == NULL && found == NULL ? ciphers[i] : missing;
        EVP_CIPHER_free(found);
    }
    for (size_t i = 0; i < sizeof(derivations) / sizeof(derivations[0]); i++) {
        EVP_KDF *found = EVP_KDF_fetch(NULL, derivations[i], NULL);
        missing = missing == NULL && found == NULL ? derivations[i] : missing;
        EVP_KDF_free(found);
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        EVP_KEYMGMT *found = EVP_KEYMGMT_fetch(NULL, keys[i], NULL);
        EVP_SIGNATURE *signs = EVP_SIGNATURE_fetch(NULL, signatures[i], NULL);
        missing = missing == NULL && (found == NULL || signs == NULL) ? keys[i] : missing;
        EVP_KEYMGMT_free(found);
        EVP_SIGNATURE_free(signs);
    }
    ERR_clear_error();
    return missing;
}

/* The trail's checkpoints are signed with Ed25519, which some modules do not have at all. What
 * OpenSSL itself has answers to nobody who does not ask for it by name. */
static bool has_ed25519(void)
{
    EVP_SIGNATURE *found = EVP_SIGNATURE_fetch(NULL, "ED25519", "-fips");
    bool has = found != NULL;
    EVP_SIGNATURE_free(found);
    ERR_clear_error();
    return has || OSSL_PROVIDER_load(NULL, "default") != NULL;
}

/* The loader of libraries maps what a file says that it has, and dies where that is not there. */
static bool is_cut(const char *path)
{
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    ElfW(Ehdr) head;
    ElfW(Phdr) part;
    if (fd < 0 || fstat(fd, &status) != 0 ||
            pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head)) {
        return true;
    }
    for (unsigned i = 0; memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && i < head.e_phnum; i++) {
        uint64_t at = head.e_phoff + i * sizeof(part);
        if (at > INT32_MAX || pread(fd, &part, sizeof(part), (off_t)at) != (ssize_t)sizeof(part) ||
                (part.p_type == PT_LOAD && part.p_filesz > 0 &&
                        (part.p_offset > (uint64_t)status.st_size ||
                                part.p_filesz > (uint64_t)status.st_size - part.p_offset))) {
            return true;
        }
    }
    return false;
}

/* The providers stay for the life of the process: nobody gives them back. */
static bool load(const char *module, const char *config, char why[WHY_MAX])
{
    laz_cleanup_fd int fd = open(config, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool has_config = fd >= 0 || errno != ENOENT;
    char reason[WHY_MAX] = "";
    if (has_config && (fd < 0 || !read_config(fd, reason))) {
        (void)snprintf(why, WHY_MAX, "%.120s: %.100s", config, fd < 0 ? strerror(errno) : reason);
        return false;
    }
    if (is_cut(module)) {
        (void)snprintf(why, WHY_MAX, "%.200s: it is cut short", module);
        return false;
    }
    OSSL_PROVIDER *fips = OSSL_PROVIDER_load(NULL, "fips");
    if (fips == NULL) {
        take_reason(reason);
        (void)snprintf(why, WHY_MAX, "%.120s: %.60s%s", module, reason,
                has_config ? "" : ", and there is no fipsmodule.cnf");
        return false;
    }
    if (OSSL_PROVIDER_self_test(fips) != 1) {
        take_reason(reason);
        (void)snprintf(why, WHY_MAX, "%.120s: its self-test fails: %.80s", module, reason);
        return false;
    }
    if (OSSL_PROVIDER_load(NULL, "base") == NULL ||
            EVP_default_properties_enable_fips(NULL, 1) != 1 ||
            EVP_default_properties_is_fips_enabled(NULL) != 1) {
        take_reason(reason);
        (void)snprintf(why, WHY_MAX, "OpenSSL does not use it: %.100s", reason);
        return false;
    }
    const char *missing = find_missing();
    if (missing != NULL) {
        (void)snprintf(why, WHY_MAX, "%.120s: it has no %s", module, missing);
        return false;
    }
    if (!has_ed25519()) {
        take_reason(reason);
        (void)snprintf(why, WHY_MAX, "nothing signs the trail: %.100s", reason);
        return false;
    }
    return true;
}

/* As it was: a module that does not work answers to nobody. */
static int go_without(struct laz_err *err)
{
    bool is_done = OSSL_PROVIDER_load(NULL, "default") != NULL &&
            EVP_default_properties_enable_fips(NULL, 0) == 1;
    EVP_MD *found = is_done ? EVP_MD_fetch(NULL, "SHA2-256", "provider=default") : NULL;
    is_done = found != NULL;
    EVP_MD_free(found);
    ERR_clear_error();
    return is_done ? 0
                   : laz_err_set(err, LAZ_E_INTERNAL, 0,
                             "OpenSSL does not work once a FIPS module has failed");
}

static enum laz_fips_state look(const struct laz_fips_place *place, char why[WHY_MAX])
{
    char module[PATH_ROOM];
    char config[PATH_ROOM];
    int n_module = snprintf(module, sizeof(module), "%s/fips.so", place->modules);
    int n_config = snprintf(config, sizeof(config), "%s/fipsmodule.cnf", place->config);
    bool fits = n_module < PATH_ROOM && n_config < PATH_ROOM;
    if (is_static()) {
        (void)snprintf(why, WHY_MAX, "lazaret-helper is linked statically, and can load none");
        return LAZ_FIPS_STATIC;
    }
    if (!fits || access(module, F_OK) != 0) {
        (void)snprintf(why, WHY_MAX, "%.200s: %s", module,
                fits ? strerror(errno) : "the path is too long");
        return LAZ_FIPS_ABSENT;
    }
    if (OSSL_PROVIDER_set_default_search_path(NULL, place->modules) != 1 ||
            !load(module, config, why)) {
        return LAZ_FIPS_BROKEN;
    }
    return LAZ_FIPS_ON;
}

int laz_fips_begin(enum laz_tls_fips wanted, const struct laz_fips_place *place,
        enum laz_fips_state *ret, struct laz_err *err)
{
    char why[WHY_MAX] = "";
    if (wanted == LAZ_TLS_FIPS_OFF) {
        *ret = LAZ_FIPS_UNASKED;
        return 0;
    }
    enum laz_fips_state state = look(place, why);
    if (state != LAZ_FIPS_ON && wanted == LAZ_TLS_FIPS_REQUIRED) {
        return laz_err_set(err, LAZ_E_FIPS, 0, "tls.fips: no FIPS module: %s", why);
    }
    if (state == LAZ_FIPS_BROKEN && go_without(err) < 0) {
        return -1;
    }
    *ret = state;
    return 0;
}
