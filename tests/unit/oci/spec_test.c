/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/oci/spec: what engines write is read, what two runtimes read differently is refused, and the
 * views show what is there.
 */
#include "oci/spec.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static struct laz_oci_spec spec;
static struct laz_err err;

static int open_text(const char *text, enum laz_oci_form form)
{
    err = (struct laz_err){0};
    return laz_oci_spec_open(text, strlen(text), form, &spec, &err);
}

static void open_good(const char *text)
{
    cr_assert_eq(open_text(text, LAZ_OCI_CONFIG), 0, "%s: %s", text, err.message);
}

Test(oci_spec, reads_what_engines_wrote)
{
    glob_t found;
    cr_assert_eq(glob("tests/data/oci/*.json", 0, NULL, &found), 0);
    cr_assert_geq(found.gl_pathc, 10);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        static char text[65536];
        FILE *file = fopen(found.gl_pathv[i], "re");
        cr_assert_not_null(file);
        size_t length = fread(text, 1, sizeof(text) - 1, file);
        text[length] = '\0';
        (void)fclose(file);
        bool is_process = strstr(found.gl_pathv[i], ".process.") != NULL;
        struct laz_oci_process process;
        cr_assert_eq(open_text(text, is_process ? LAZ_OCI_PROCESS : LAZ_OCI_CONFIG), 0, "%s: %s",
                found.gl_pathv[i], err.message);
        cr_assert_eq(laz_oci_process(&spec, &process, &err), 0);
        cr_assert(process.args != NULL && process.cwd != NULL && process.env != NULL);
        cr_assert_eq(laz_oci_container(&spec).root_path == NULL, is_process);
        laz_oci_spec_done(&spec);
    }
    globfree(&found);
}

#define DEEP16 "[[[[[[[[[[[[[[[["
#define SHUT16 "]]]]]]]]]]]]]]]]"

Test(oci_spec, refuses_what_two_runtimes_read_differently)
{
    static const struct {
        const char *name;
        const char *text;
        const char *expected;
    } rows[] = {
            {"the same key", "{\"process\":{\"noNewPrivileges\":true,\"noNewPrivileges\":false}}",
                    "not JSON: byte 35: a key twice"},
            {"the same key, escaped", "{\"root\":{\"path\":\"a\",\"p\\u0061th\":\"b\"}}",
                    "not JSON: byte 20: a key twice"},
            {"another case", "{\"process\":{\"noNewPrivileges\":true,\"NoNewPrivileges\":false}}",
                    "process.NoNewPrivileges: differs from noNewPrivileges by case alone"},
            {"another case, alone", "{\"Process\":{}}",
                    "Process: differs from process by case alone"},
            {"another case, escaped", "{\"linux\":{\"\\u004dountLabel\":\"\"}}",
                    "linux.\\u004dountLabel: differs from mountLabel by case alone"},
            {"long s", "{\"process\":{\"noNewPrivilege\xc5\xbf\":false}}",
                    "process.noNewPrivilege\?\?: a key that is not ASCII, which one runtime takes "
                    "for another key"},
            {"long s, escaped", "{\"process\":{\"noNewPrivilege\\u017f\":false}}",
                    "process.noNewPrivilege\\u017f: a key that is not ASCII, which one runtime "
                    "takes for another key"},
            {"Kelvin sign", "{\"hoo\xe2\x84\xaas\":{}}",
                    "hoo\?\?\?s: a key that is not ASCII, which one runtime takes for another key"},
            {"unknown keys alike", "{\"linux\":{\"future\":1,\"x\":2,\"FUTURE\":3}}",
                    "linux.FUTURE: differs from a key before it by case alone"},
            {"no letter", "{\"process\":{\"b\":1,\"a\x7f\":1,\"A\x7f\":2}}",
                    "process.A\?: differs from a key before it by case alone"},
            {"NUL in a key", "{\"process\\u0000\":{}}",
                    "process\\u0000: a key that is not ASCII, which one runtime takes for another "
                    "key"},
            {"NUL in a value", "{\"process\":{\"args\":[\"/bin/a\\u0000b\"]}}",
                    "byte 20: a NUL in a string"},
            {"NUL in a free map", "{\"annotations\":{\"a\\u0000\":\"b\"}}",
                    "byte 16: a NUL in a string"},
            {"NUL below an unknown key", "{\"future\":[\"\\u0000\"]}",
                    "byte 11: a NUL in a string"},
            {"long key", "{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1}",
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: a key that "
                    "is longer than any of the specification"},
            {"no object", "[]", "not an object"},
            {"string for boolean", "{\"process\":{\"noNewPrivileges\":\"true\"}}",
                    "process.noNewPrivileges: not true or false"},
            {"number for boolean", "{\"root\":{\"readonly\":1}}",
                    "root.readonly: not true or false"},
            {"number for string", "{\"process\":{\"args\":[\"a\",1]}}",
                    "process.args[1]: not a string"},
            {"null in a list", "{\"process\":{\"args\":[\"a\",null]}}",
                    "process.args[1]: not a string"},
            {"string for list", "{\"process\":{\"args\":\"a\"}}", "process.args: not an array"},
            {"list for object", "{\"process\":[]}", "process: not an object"},
            {"list of capabilities", "{\"process\":{\"capabilities\":[]}}",
                    "process.capabilities: not an object"},
            {"null mount", "{\"mounts\":[{},null]}", "mounts[1]: not an object"},
            {"fraction", "{\"process\":{\"oomScoreAdj\":1.0}}",
                    "process.oomScoreAdj: not a whole number"},
            {"exponent", "{\"linux\":{\"resources\":{\"pids\":{\"limit\":1e3}}}}",
                    "linux.resources.pids.limit: not a whole number"},
            {"negative count", "{\"process\":{\"rlimits\":[{\"type\":\"\",\"hard\":-1}]}}",
                    "process.rlimits[0].hard: not a whole number that is not negative"},
            {"annotation that is a number", "{\"annotations\":{\"a\":1}}",
                    "annotations.a: not a string"},
            {"rdma", "{\"linux\":{\"resources\":{\"rdma\":{\"mlx\":{\"HcaHandles\":1}}}}}",
                    "linux.resources.rdma.mlx.HcaHandles: differs from hcaHandles by case alone"},
            {"hook", "{\"hooks\":{\"poststop\":[{\"Path\":\"/x\"}]}}",
                    "hooks.poststop[0].Path: differs from path by case alone"},
            {"seccomp", "{\"linux\":{\"seccomp\":{\"syscalls\":[{\"args\":[{\"Op\":\"\"}]}]}}}",
                    "linux.seccomp.syscalls[0].args[0].Op: differs from op by case alone"},
            {"namespace twice",
                    "{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"user\"},"
                    "{\"type\":\"p\\u0069d\",\"path\":\"/proc/1/ns/pid\"}]}}",
                    "linux.namespaces[0].type: there again, and which one counts depends on the "
                    "runtime"},
            {"namespace of no type", "{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{}]}}",
                    "linux.namespaces[1].type: absent, or too long"},
            {"trailing data", "{}{}", "not JSON: byte 2: more behind the value"},
            {"not UTF-8", "{\"a\":\"\xff\"}", "not JSON: byte 6: not UTF-8"},
            {"too deep", "{\"x\":" DEEP16 DEEP16 DEEP16 DEEP16 SHUT16 SHUT16 SHUT16 SHUT16 "}",
                    "not JSON: byte 68: too deep"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[256];
        (void)snprintf(expected, sizeof(expected), "config.json: %s", rows[i].expected);
        cr_assert_eq(open_text(rows[i].text, LAZ_OCI_CONFIG), -1, "%s", rows[i].name);
        cr_assert_eq(err.kind, LAZ_E_OCI, "%s", rows[i].name);
        cr_assert_str_eq(err.message, expected, "%s: %s", rows[i].name, err.message);
    }
    cr_assert_eq(open_text("{\"Args\":[]}", LAZ_OCI_PROCESS), -1);
    cr_assert_str_eq(err.message, "process.json: Args: differs from args by case alone");
}

Test(oci_spec, keeps_what_nobody_knows_and_what_is_free)
{
    static const char *const rows[] = {
            "{}",
            "{\"future\":{\"Process\":1,\"process\":2,\"\xc5\xbf\":[null,1e400]}}",
            "{\"annotations\":{\"a\":\"\",\"A\":\"\",\"\xc5\xbf\":\"x\",\"process\":\"y\"}}",
            "{\"linux\":{\"sysctl\":{\"net.Ipv4\":\"1\",\"net.ipv4\":\"0\"}}}",
            "{\"linux\":{\"resources\":{\"unified\":{\"memory.high\":\"1\"}}}}",
            "{\"process\":null,\"linux\":null,\"mounts\":null,\"annotations\":null}",
            "{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":18446744073709551615}]}"
            "}",
            "{\"process\":{\"oomScoreAdj\":-999}}",
            "{\"windows\":{\"Any\":1,\"any\":2}}",
            "{\"x\":" DEEP16 DEEP16 DEEP16 "[[[[[[[[[[[[[[["
            "]]]]]]]]]]]]]]]" SHUT16 SHUT16 SHUT16 "}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_good(rows[i]);
        laz_oci_spec_done(&spec);
    }
}

Test(oci_spec, has_ceilings)
{
    char *text = malloc(LAZ_OCI_TEXT_MAX + 2);
    cr_assert_not_null(text);
    (void)memset(text, ' ', LAZ_OCI_TEXT_MAX + 1);
    text[LAZ_OCI_TEXT_MAX + 1] = '\0';
    (void)memcpy(text, "{}", 2);
    cr_assert_eq(open_text(text, LAZ_OCI_CONFIG), -1);
    cr_assert_str_eq(err.message, "config.json: 4194305 bytes, more than 4194304");
    text[LAZ_OCI_TEXT_MAX] = '\0';
    open_good(text);
    laz_oci_spec_done(&spec);
    size_t length = 1;
    for (unsigned i = 0; i <= LAZ_OCI_KEYS_MAX; i++) {
        length += (size_t)snprintf(text + length, 32, "\"k%u\":0,", i);
    }
    (void)snprintf(text + length - 1, 32, "}");
    cr_assert_eq(open_text(text, LAZ_OCI_CONFIG), -1);
    cr_assert_str_eq(err.message,
            "config.json: k256: more keys than an object of the specification has", "%s",
            err.message);
    length = (size_t)snprintf(text, 64, "{\"linux\":{\"namespaces\":[");
    for (unsigned i = 0; i < 33; i++) {
        length += (size_t)snprintf(text + length, 32, "{\"type\":\"%u\"},", i);
    }
    (void)snprintf(text + length - 1, 32, "]}}");
    cr_assert_eq(open_text(text, LAZ_OCI_CONFIG), -1);
    cr_assert_str_eq(err.message, "config.json: linux.namespaces: more than 32", "%s", err.message);
    free(text);
}

Test(oci_spec, shows_what_is_there)
{
    struct laz_oci_process process;
    char text[64];
    open_good("{\"process\":{\"terminal\":true,\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,"
              "\"additionalGids\":[3]},\"args\":[\"a\",\"b\"],\"env\":[\"A=1\",\"AB=2\",\"A=3\"],"
              "\"cwd\":\"/\",\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"ambient\":null},"
              "\"noNewPrivileges\":false},\"root\":{\"path\":\"r\",\"readonly\":true},"
              "\"mounts\":[{\"destination\":\"/d\",\"options\":[\"ro\"]}],"
              "\"hooks\":{\"poststop\":[{\"path\":\"/h\",\"timeout\":3}]},"
              "\"annotations\":{\"k\":\"v\"},\"linux\":{\"seccomp\":null,\"cgroupsPath\":\"/c\"}}");
    cr_assert_eq(laz_oci_process(&spec, &process, &err), 0);
    cr_assert(process.terminal && process.uid == 1 && process.gid == 2 && process.umask == 18);
    cr_assert(process.has_umask && process.has_no_new_privileges && !process.no_new_privileges);
    cr_assert(process.groups != NULL && process.rlimits == NULL && process.apparmor == NULL);
    cr_assert(laz_oci_is(&spec, laz_oci_environment(&spec, "A"), "A=3"), "the last one counts");
    cr_assert_null(laz_oci_environment(&spec, "B"));
    cr_assert_not_null(laz_oci_capabilities(&spec, LAZ_OCI_BOUNDING));
    cr_assert_null(laz_oci_capabilities(&spec, LAZ_OCI_AMBIENT));
    struct laz_oci_container container = laz_oci_container(&spec);
    cr_assert(laz_oci_is(&spec, container.root_path, "r") && container.root_readonly);
    cr_assert_null(container.seccomp);
    cr_assert(laz_oci_begins(&spec, container.cgroups_path, "/"));
    struct laz_oci_mount mount =
            laz_oci_mount(&spec, laz_json_next(&spec.doc, container.mounts, NULL));
    cr_assert(laz_json_copy(&spec.doc, mount.destination, text, sizeof(text)));
    cr_assert_str_eq(text, "/d");
    cr_assert(mount.type == NULL && mount.options != NULL);
    struct laz_oci_hook hook = laz_oci_hook(
            &spec, laz_json_next(&spec.doc, laz_oci_hooks(&spec, LAZ_OCI_POSTSTOP), NULL));
    cr_assert(laz_oci_is(&spec, hook.path, "/h") && hook.env == NULL && hook.timeout != NULL);
    cr_assert_null(laz_oci_hooks(&spec, LAZ_OCI_PRESTART));
    cr_assert(laz_oci_is(&spec, laz_oci_annotation(&spec, "k"), "v"));
    laz_oci_spec_done(&spec);
}

Test(oci_spec, an_id_has_32_bits)
{
    struct laz_oci_process process;
    static const char *const keys[] = {"uid", "gid", "umask"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "{\"process\":{\"user\":{\"%s\":4294967295}}}", keys[i]);
        open_good(text);
        cr_assert_eq(laz_oci_process(&spec, &process, &err), 0, "%s", err.message);
        laz_oci_spec_done(&spec);
        (void)snprintf(text, sizeof(text), "{\"process\":{\"user\":{\"%s\":4294967296}}}", keys[i]);
        open_good(text);
        cr_assert_eq(laz_oci_process(&spec, &process, &err), -1);
        (void)snprintf(text, sizeof(text), "config.json: process.user.%s: not a number of 32 bits",
                keys[i]);
        cr_assert_str_eq(err.message, text, "%s", err.message);
        laz_oci_spec_done(&spec);
    }
}
