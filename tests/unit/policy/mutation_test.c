/* SPDX-License-Identifier: Apache-2.0
 *
 * A good policy with one byte changed is an error inside the file, or a policy; never a crash,
 * never silence. LAZARET_LONG=1: every bit of every byte, every value of every byte, every byte
 * left out and doubled.
 */
#include <stdlib.h>
#include <string.h>

#include "loading.h"

static const char good[] =
        "# yaml-language-server: $schema=policy-1.schema.json\n"
        "version: 1\n"
        "name: claims-api\n"
        "extends: [builtin/static]\n"
        "mode: enforce\n"
        "requires: {landlock: {level: preferred, min-abi: 4}, events: required}\n"
        "workload:\n"
        "  user: \"10001:10001\"\n"
        "  umask: \"0077\"\n"
        "  env: {pass: [LANG], set: {TZ: 'U\xC3\xA9'}}\n"
        "limits: {open-files: 4096, core-size: 1KiB}\n"
        "filesystem:\n"
        "  read-exec:\n"
        "    - /usr\n"
        "    - \"/opt\"\n"
        "network: {families: [unix], tcp-bind: [8080], tcp-connect: any}\n"
        "syscalls:\n"
        "  default: {action: notify, errno: EPERM}\n"
        "  groups: [aio]\n"
        "  rules:\n"
        "    - {names: [mprotect], action: errno, when: {arg: prot, any-flags: [PROT_EXEC, 0x8]}}\n"
        "events: {flood: {hold: 50ms}, quiet: [tee]}\n"
        "signals: {map: {TERM: QUIT}}\n"
        "exit: {map: [{from: 143, to: 0}]}\n"
        "sinks: [{name: a, type: relp, to: \"h.x:1\", tls: {ca: /c}, classes: [ids], window: 9}]\n"
        "sense: {files: {watch: [/w], rehash: 9s}, listen: {allow: [8443/tcp]}, foreign: "
        "required}\n"
        "secrets: {items: [{name: s, from: /p, bytes: {min: 3}, file: {path: d/s, mode: "
        "'0440'}}]}\n"
        "logs: {max-line: 4KiB, redact: {patterns: [mrn], mrn: 'M-[0-9]{8}'}}\n"
        "tests:\n"
        "  - {call: socket, args: {domain: AF_VSOCK}, expect: notify}\n";

#define LENGTH_MAX (sizeof(good) + 1)

static void check_text(const char *text, size_t length, size_t at, const char *what)
{
    struct loaded loaded = load_bytes(text, length);
    const struct laz_diagnostics *diagnostics = loaded.diagnostics;
    cr_assert_eq(loaded.result == 0, diagnostics->n_errors == 0, "byte %zu %s", at, what);
    cr_assert_eq(loaded.result == 0, loaded.err.kind == LAZ_E_NONE, "byte %zu %s", at, what);
    for (size_t i = 0; i < diagnostics->n; i++) {
        const struct laz_diagnostic *item = &diagnostics->items[i];
        cr_assert_neq(item->message[0], '\0', "byte %zu %s", at, what);
        cr_assert(item->file_index != 0 || is_inside(item, text, length), "byte %zu %s: %u:%u: %s",
                at, what, item->line, item->col, item->message);
    }
    unload(&loaded);
}

static void change(size_t at, unsigned char byte, const char *what)
{
    char text[LENGTH_MAX];
    (void)memcpy(text, good, sizeof(good));
    text[at] = (char)byte;
    check_text(text, sizeof(good) - 1, at, what);
}

static void leave_out(size_t at)
{
    char text[LENGTH_MAX];
    (void)memcpy(text, good, at);
    (void)memcpy(text + at, good + at + 1, sizeof(good) - 1 - at);
    check_text(text, sizeof(good) - 2, at, "left out");
}

static void double_it(size_t at)
{
    char text[LENGTH_MAX];
    (void)memcpy(text, good, at + 1);
    (void)memcpy(text + at + 1, good + at, sizeof(good) - at);
    check_text(text, sizeof(good), at, "doubled");
}

static size_t step(size_t sample)
{
    return getenv("LAZARET_LONG") != NULL ? 1 : sample;
}

Test(policy_mutation, the_original_loads)
{
    laz_policy_free(must_load(good));
}

Test(policy_mutation, every_bit, .timeout = 1200)
{
    for (size_t bit = 0; bit < 8 * (sizeof(good) - 1); bit += step(5)) {
        change(bit / 8, (unsigned char)((unsigned char)good[bit / 8] ^ 1u << bit % 8), "one bit");
    }
}

Test(policy_mutation, every_byte, .timeout = 1200)
{
    for (size_t i = 0; i < 256 * (sizeof(good) - 1); i += step(149)) {
        change(i / 256, (unsigned char)(i % 256), "another byte");
    }
}

Test(policy_mutation, a_byte_more_or_less, .timeout = 1200)
{
    for (size_t at = 0; at < sizeof(good) - 1; at++) {
        leave_out(at);
        double_it(at);
    }
}

Test(policy_mutation, every_beginning, .timeout = 1200)
{
    for (size_t length = 0; length < sizeof(good) - 1; length++) {
        check_text(good, length, length, "and the end are cut off");
    }
}
