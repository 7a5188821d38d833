/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of lazaret-init(8).
 */
#include "shim/init_words.h"

#include "shim/call.h"

static size_t put_policy(const char *pin, const char **words, size_t n)
{
    words[n++] = "--policy";
    words[n++] = LAZ_CONTAINER_POLICY;
    if (pin[0] != '\0') {
        words[n++] = "--policy-sha256";
        words[n++] = pin;
    }
    words[n++] = "--";
    return n;
}

size_t laz_init_words(const char *pin, const char *ret[LAZ_INIT_WORDS_MAX])
{
    ret[0] = LAZ_CONTAINER_INIT;
    return put_policy(pin, ret, 1);
}

size_t laz_init_words_of_exec(
        const char *pin, const char *read_exec, const char *ret[LAZ_INIT_WORDS_MAX])
{
    size_t n = 0;
    ret[n++] = LAZ_CONTAINER_INIT;
    ret[n++] = "--enter";
    if (read_exec[0] != '\0') {
        ret[n++] = "--read-exec";
        ret[n++] = read_exec;
    }
    return put_policy(pin, ret, n);
}
