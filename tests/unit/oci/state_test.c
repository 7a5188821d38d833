/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/oci/state and lib/oci/record: what a runtime tells a hook, and what the host remembers.
 */
#include "oci/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "oci/record.h"

static struct laz_err err;

/* ---- the state document ---- */

Test(oci_state, reads_what_runc_and_crun_write)
{
    static const char runc[] =
            "{\"ociVersion\":\"1.0.2-dev\",\"id\":\"c1\",\"status\":\"creating\",\"pid\":4711,"
            "\"bundle\":\"/b\",\"annotations\":{\"io.lazaret.policy\":\"claims\"}}";
    static const char crun[] =
            "{\"pid\":0,\"ociVersion\":\"1.0\",\"id\":\"c-2.x_y+z\",\"status\":\"stopped\","
            "\"root\":\"rootfs\",\"owner\":\"\",\"bundle\":\"/b\"}";
    struct laz_oci_state state;
    cr_assert_eq(laz_oci_state_read(runc, strlen(runc), &state, &err), 0, "%s", err.message);
    cr_assert_str_eq(state.id, "c1");
    cr_assert_str_eq(state.bundle, "/b");
    cr_assert_str_eq(state.root, "");
    cr_assert(state.pid == 4711 && state.status == LAZ_OCI_CREATING);
    laz_oci_state_done(&state);
    cr_assert_eq(laz_oci_state_read(crun, strlen(crun), &state, &err), 0, "%s", err.message);
    cr_assert_str_eq(state.root, "rootfs");
    cr_assert(state.pid == 0 && state.status == LAZ_OCI_STOPPED);
    laz_oci_state_done(&state);
}

Test(oci_state, knows_each_status_and_null_is_absent)
{
    for (int i = LAZ_OCI_CREATING; i <= LAZ_OCI_STOPPED; i++) {
        struct laz_oci_state state;
        char text[128];
        (void)snprintf(text, sizeof(text),
                "{\"id\":\"a\",\"bundle\":\"/b\",\"pid\":null,\"root\":null,\"annotations\":null,"
                "\"status\":\"%s\"}",
                laz_oci_status_name((enum laz_oci_status)i));
        cr_assert_eq(laz_oci_state_read(text, strlen(text), &state, &err), 0, "%s", err.message);
        cr_assert(state.status == (enum laz_oci_status)i && state.pid == 0, "%s", text);
        laz_oci_state_done(&state);
    }
}

Test(oci_state, has_a_ceiling)
{
    static const char state[] = "{\"id\":\"a\",\"bundle\":\"/b\",\"status\":\"created\"}";
    struct laz_oci_state read;
    char *text = malloc(LAZ_OCI_STATE_MAX + 1);
    cr_assert_not_null(text);
    (void)memset(text, ' ', LAZ_OCI_STATE_MAX + 1);
    (void)memcpy(text, state, strlen(state));
    cr_assert_eq(laz_oci_state_read(text, LAZ_OCI_STATE_MAX, &read, &err), 0, "%s", err.message);
    laz_oci_state_done(&read);
    cr_assert_eq(laz_oci_state_read(text, LAZ_OCI_STATE_MAX + 1, &read, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_OCI_STATE);
    cr_assert_str_eq(err.message, "state: 1048577 bytes, more than 1048576", "%s", err.message);
    free(text);
}

Test(oci_state, refuses_what_no_runtime_writes)
{
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
            {"", "state: not JSON: byte 0: no value"},
            {"[]", "state: not an object"},
            {"{\"id\":\"a\",\"id\":\"b\"}", "state: not JSON: byte 10: a key twice"},
            {"{\"bundle\":\"/b\"}", "state: id: absent, or not the name of a container"},
            {"{\"id\":\"../a\"}", "state: id: absent, or not the name of a container"},
            {"{\"id\":\"\"}", "state: id: absent, or not the name of a container"},
            {"{\"id\":\".a\"}", "state: id: absent, or not the name of a container"},
            {"{\"id\":\"a/b\"}", "state: id: absent, or not the name of a container"},
            {"{\"id\":\"a\\u0000\"}", "state: id: absent, or not the name of a container"},
            {"{\"id\":\"a\",\"pid\":-1}", "state: pid: not the number of a process"},
            {"{\"id\":\"a\",\"pid\":4194305}", "state: pid: not the number of a process"},
            {"{\"id\":\"a\",\"pid\":\"1\"}", "state: pid: not the number of a process"},
            {"{\"id\":\"a\"}", "state: bundle: absent, or not an absolute path"},
            {"{\"id\":\"a\",\"bundle\":\"b\"}", "state: bundle: absent, or not an absolute path"},
            {"{\"id\":\"a\",\"bundle\":\"/b\",\"root\":1,\"status\":\"created\"}",
                    "state: root: not a path"},
            {"{\"id\":\"a\",\"bundle\":\"/b\"}",
                    "state: status: absent, or not one that a runtime has"},
            {"{\"id\":\"a\",\"bundle\":\"/b\",\"status\":\"Created\"}",
                    "state: status: absent, or not one that a runtime has"},
            {"{\"id\":\"a\",\"annotations\":[]}", "state: annotations: not an object"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_oci_state state;
        err = (struct laz_err){0};
        cr_assert_eq(laz_oci_state_read(rows[i].text, strlen(rows[i].text), &state, &err), -1, "%s",
                rows[i].text);
        cr_assert_eq(err.kind, LAZ_E_OCI_STATE);
        cr_assert_str_eq(err.message, rows[i].expected, "%s: %s", rows[i].text, err.message);
    }
}

Test(oci_state, names_have_a_ceiling)
{
    char id[LAZ_OCI_ID_MAX + 2];
    (void)memset(id, 'a', sizeof(id));
    id[LAZ_OCI_ID_MAX + 1] = '\0';
    cr_assert(!laz_oci_is_id(id));
    id[LAZ_OCI_ID_MAX] = '\0';
    cr_assert(laz_oci_is_id(id));
    cr_assert_str_eq(laz_oci_status_name(LAZ_OCI_RUNNING), "running");
}

/* ---- the record ---- */

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BEFORE(policy, digest, mode, process, agent)                                               \
    "{\"version\":1,\"policy\":\"" policy "\",\"policy-digest\":\"" digest                         \
    "\",\"config-digest\":\"" DIGEST "\",\"mode\":\"" mode "\",\"process-digest\":\"" process      \
    "\",\"nameless-digest\":\"" DIGEST "\",\"ecs-agent\":\"" agent "\",\"loosened\":"
#define PINNED(pin)                                                                                \
    "{\"version\":1,\"policy\":\"claims\",\"policy-digest\":\"" DIGEST "\",\"policy-pin\":\"" pin  \
    "\",\"config-digest\":\"" DIGEST "\",\"mode\":\"enforce\",\"process-digest\":\"" DIGEST        \
    "\",\"nameless-digest\":\"" DIGEST "\",\"ecs-agent\":\"" AGENT "\",\"loosened\":true}\n"
#define RECORD(policy, digest, mode, process, agent)                                               \
    BEFORE(policy, digest, mode, process, agent) "true}\n"
#define AGENT "/ecs-execute-command-0-a/amazon-ssm-agent"

static const struct laz_oci_record example = {.policy = "claims",
        .policy_digest = DIGEST,
        .config_digest = DIGEST,
        .mode = "enforce",
        .process_digest = DIGEST,
        .nameless_digest = DIGEST,
        .ecs_agent = AGENT,
        .is_loosened = true};

static void expect_example(const struct laz_oci_record *record)
{
    cr_assert_str_eq(record->policy, example.policy);
    cr_assert_str_eq(record->policy_digest, DIGEST);
    cr_assert_str_eq(record->config_digest, DIGEST);
    cr_assert_str_eq(record->mode, "enforce");
    cr_assert_str_eq(record->process_digest, DIGEST);
    cr_assert_str_eq(record->nameless_digest, DIGEST);
    cr_assert_str_eq(record->ecs_agent, AGENT);
    cr_assert(record->is_loosened);
}

Test(oci_record, has_the_pin_of_a_policy_where_there_is_one)
{
    struct laz_oci_record record = example;
    struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_OCI_RECORD_MAX);
    (void)memcpy(record.policy_pin, DIGEST, sizeof(DIGEST));
    cr_assert_eq(laz_oci_record_write(&record, &text, &err), 0, "%s", err.message);
    cr_assert_str_eq(text.data, PINNED(DIGEST));
    (void)memset(&record, 0, sizeof(record));
    cr_assert_eq(laz_oci_record_read(text.data, text.len, &record, &err), 0, "%s", err.message);
    expect_example(&record);
    cr_assert_str_eq(record.policy_pin, DIGEST);
    laz_buf_done(&text);
}

#define NUMBERED(device, inode, pid, started)                                                      \
    "{\"version\":1,\"policy\":\"claims\",\"policy-digest\":\"" DIGEST                             \
    "\",\"config-digest\":\"" DIGEST "\",\"mode\":\"enforce\",\"process-digest\":\"" DIGEST        \
    "\",\"nameless-digest\":\"" DIGEST "\",\"ecs-agent\":\"" AGENT "\",\"policy-device\":" device  \
    ",\"policy-inode\":" inode ",\"pid\":" pid ",\"started\":" started ",\"loosened\":true}\n"

Test(oci_record, has_the_policys_file_and_the_first_process_where_they_are_known)
{
    struct laz_oci_record record = example;
    struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_OCI_RECORD_MAX);
    record.policy_device = UINT64_MAX;
    record.policy_inode = 2;
    record.pid = INT32_MAX;
    record.started = 4;
    cr_assert_eq(laz_oci_record_write(&record, &text, &err), 0, "%s", err.message);
    cr_assert_str_eq(text.data, NUMBERED("18446744073709551615", "2", "2147483647", "4"));
    (void)memset(&record, 0, sizeof(record));
    cr_assert_eq(laz_oci_record_read(text.data, text.len, &record, &err), 0, "%s", err.message);
    expect_example(&record);
    cr_assert(record.policy_device == UINT64_MAX && record.policy_inode == 2);
    cr_assert(record.pid == INT32_MAX && record.started == 4);
    laz_buf_done(&text);
}

Test(oci_record, what_is_written_is_read)
{
    struct laz_oci_record record;
    struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_OCI_RECORD_MAX);
    cr_assert_eq(laz_oci_record_write(&example, &text, &err), 0, "%s", err.message);
    cr_assert_str_eq(text.data, RECORD("claims", DIGEST, "enforce", DIGEST, AGENT));
    cr_assert_eq(laz_oci_record_read(text.data, text.len, &record, &err), 0, "%s", err.message);
    expect_example(&record);
    cr_assert_str_eq(record.policy_pin, "");
    laz_buf_done(&text);
    struct laz_oci_record plain = example;
    plain.ecs_agent[0] = '\0';
    plain.is_loosened = false;
    laz_buf_init_heap(&text, LAZ_OCI_RECORD_MAX);
    cr_assert_eq(laz_oci_record_write(&plain, &text, &err), 0, "%s", err.message);
    cr_assert_eq(laz_oci_record_read(text.data, text.len, &record, &err), 0, "%s", err.message);
    cr_assert(record.ecs_agent[0] == '\0' && !record.is_loosened);
    laz_buf_done(&text);
}

Test(oci_record, what_it_would_not_read_is_not_written)
{
    struct laz_oci_record record = example;
    struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_OCI_RECORD_MAX);
    record.mode[0] = ' ';
    cr_assert_eq(laz_oci_record_write(&record, &text, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_OCI_STATE);
    cr_assert_str_eq(err.message, "record: mode: not a word");
    cr_assert_eq(text.len, 0);
    laz_buf_done(&text);
}

Test(oci_record, refuses_what_it_did_not_write)
{
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
            {"", "record: not JSON: byte 0: no value"},
            {"[]", "record: not an object"},
            {"{}", "record: version: not 1"},
            {"{\"version\":2}", "record: version: not 1"},
            {"{\"version\":1,\"x\":1}", "record: byte 13: an unknown key"},
            {"{\"version\":1}", "record: policy: absent, or not a text of its size"},
            {RECORD("a b", DIGEST, "enforce", DIGEST, ""),
                    "record: policy: not the name of a policy"},
            {RECORD("", DIGEST, "enforce", DIGEST, ""), "record: policy: not the name of a policy"},
            {RECORD("a", "01", "enforce", DIGEST, ""), "record: policy-digest: not a SHA-256"},
            {RECORD("a", DIGEST "0", "enforce", DIGEST, ""),
                    "record: policy-digest: absent, or not a text of its size"},
            {PINNED("01"), "record: policy-pin: not a SHA-256"},
            {PINNED(DIGEST "0"), "record: policy-pin: absent, or not a text of its size"},
            {NUMBERED("1", "0", "3", "4"), "record: policy-inode: not a number of its range"},
            {NUMBERED("1", "\"2\"", "3", "4"), "record: policy-inode: not a number of its range"},
            {NUMBERED("1", "2", "2147483648", "4"), "record: pid: not a number of its range"},
            {NUMBERED("1", "2", "3", "-4"), "record: started: not a number of its range"},
            {BEFORE("a", DIGEST, "x", DIGEST, "") "true,\"pid\":3}",
                    "record: started: no process without pid, and none with it alone"},
            {BEFORE("a", DIGEST, "x", DIGEST, "") "true,\"policy-inode\":3}",
                    "record: policy-inode: no file without policy-device, and none with it alone"},
            {RECORD("a", DIGEST, "", DIGEST, ""), "record: mode: not a word"},
            {RECORD("a", DIGEST, "x", "", ""), "record: process-digest: not a SHA-256"},
            {RECORD("a", DIGEST, "x", DIGEST, "/a b"), "record: ecs-agent: not a path"},
            {RECORD("a", DIGEST, "x", DIGEST, "\\u0000"),
                    "record: ecs-agent: absent, or not a text of its size"},
            {BEFORE("a", DIGEST, "x", DIGEST, "") "1}",
                    "record: loosened: absent, or neither true nor false"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_oci_record record;
        err = (struct laz_err){0};
        cr_assert_eq(laz_oci_record_read(rows[i].text, strlen(rows[i].text), &record, &err), -1,
                "%s", rows[i].text);
        cr_assert_eq(err.kind, LAZ_E_OCI_STATE);
        cr_assert_str_eq(err.message, rows[i].expected, "%s: %s", rows[i].text, err.message);
    }
}

Test(oci_record, the_slashes_of_a_root_do_not_count)
{
    static const struct {
        const char *one;
        const char *other;
        bool is_same;
    } rows[] = {
            {"/run/runc", "/run/runc/", true},
            {"/run/runc", "//run///runc//", true},
            {"/", "//", true},
            {"/", "", false},
            {"/run/runc", "/run/runcx", false},
            {"/run/runc", "/runrunc", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char one[LAZ_OCI_ROOT_HASH_SIZE];
        char other[LAZ_OCI_ROOT_HASH_SIZE];
        laz_oci_root_hash(rows[i].one, one);
        laz_oci_root_hash(rows[i].other, other);
        cr_assert_eq(
                strcmp(one, other) == 0, rows[i].is_same, "%s, %s", rows[i].one, rows[i].other);
    }
}

static void put(int folder, const char *name)
{
    (void)close(openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

Test(oci_record, is_kept_in_a_folder_that_is_ours_alone)
{
    char base[] = "/tmp/lazaret-record-XXXXXX";
    char hash[LAZ_OCI_ROOT_HASH_SIZE];
    char path[128];
    struct laz_oci_record record;
    struct stat is;
    bool is_found = true;
    int folder = -1;
    cr_assert_not_null(mkdtemp(base));
    laz_oci_root_hash("/run/runc", hash);
    cr_assert_eq(strlen(hash), 32);
    cr_assert_eq(laz_oci_record_folder(base, hash, false, &folder, &err), 0);
    cr_assert_eq(folder, -1, "absent");
    (void)umask(0);
    cr_assert_eq(laz_oci_record_folder(base, hash, true, &folder, &err), 0, "%s", err.message);
    cr_assert(fstat(folder, &is) == 0 && (is.st_mode & 07777) == 0700);
    cr_assert_eq(laz_oci_record_load(folder, "c1", &record, &is_found, &err), 0);
    cr_assert(!is_found);
    cr_assert_eq(laz_oci_record_save(folder, "c1", &example, &err), 0, "%s", err.message);
    cr_assert(fstatat(folder, "c1.json", &is, 0) == 0 && (is.st_mode & 07777) == 0600);
    cr_assert_eq(laz_oci_record_load(folder, "c1", &record, &is_found, &err), 0, "%s", err.message);
    cr_assert(is_found);
    expect_example(&record);
    cr_assert_eq(fchmodat(folder, "c1.json", 0622, 0), 0);
    cr_assert_eq(laz_oci_record_load(folder, "c1", &record, &is_found, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_OCI_STATE);
    cr_assert_not_null(strstr(err.message, "others could write there"), "%s", err.message);
    errno = 0;
    cr_assert_eq(laz_oci_record_remove(folder, "c1", &err), 0);
    cr_assert_eq(laz_oci_record_remove(folder, "c1", &err), 0, "none is none");
    err = (struct laz_err){0};
    cr_assert_eq(symlinkat("/etc/hostname", folder, "c2.json"), 0);
    cr_assert_eq(laz_oci_record_load(folder, "c2", &record, &is_found, &err), -1);
    cr_assert_str_eq(err.message, "record of c2: a link", "%s", err.message);
    err = (struct laz_err){0};
    cr_assert_eq(laz_oci_record_save(folder, "../c1", &example, &err), -1);
    cr_assert_str_eq(err.message, "not the name of a container");
    put(folder, "c3.json");
    cr_assert_eq(laz_oci_record_load(folder, "../c1", &record, &is_found, &err), -1);
    cr_assert_eq(laz_oci_record_remove(folder, "x/../c3", &err), -1);
    cr_assert_eq(faccessat(folder, "c3.json", F_OK, 0), 0);
    (void)unlinkat(folder, "c2.json", 0);
    (void)unlinkat(folder, "c3.json", 0);
    (void)close(folder);
    err = (struct laz_err){0};
    cr_assert_eq(chmod(base, 0777), 0);
    cr_assert_eq(laz_oci_record_folder(base, hash, false, &folder, &err), -1);
    cr_assert_not_null(strstr(err.message, "others could write there"), "%s", err.message);
    cr_assert_eq(chmod(base, 0700), 0);
    err = (struct laz_err){0};
    (void)snprintf(path, sizeof(path), "%s/%s", base, hash);
    cr_assert_eq(chmod(path, 0770), 0);
    cr_assert_eq(laz_oci_record_folder(base, hash, true, &folder, &err), -1);
    cr_assert_not_null(strstr(err.message, "others could write there"), "%s", err.message);
    cr_assert(rmdir(path) == 0 && symlink(base, path) == 0);
    err = (struct laz_err){0};
    cr_assert_eq(laz_oci_record_folder(base, hash, true, &folder, &err), -1);
    cr_assert_not_null(strstr(err.message, "a link, or no folder"), "%s", err.message);
    err = (struct laz_err){0};
    cr_assert_eq(laz_oci_record_folder(base, "../x", true, &folder, &err), -1);
    cr_assert_str_eq(err.message, "not the hash of a runtime's root");
    cr_assert(unlink(path) == 0 && rmdir(base) == 0);
}

/* ---- which containers there are ---- */

static char seen[512];

static void see(void *data, const char *root, const char *id)
{
    (void)data;
    (void)snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s %s\n",
            root == NULL ? "?" : root, id);
}

Test(oci_record, tells_which_containers_there_are)
{
    char base[] = "/tmp/lazaret-record-XXXXXX";
    char root[64];
    char wanted[128];
    char hash[LAZ_OCI_ROOT_HASH_SIZE];
    int folder = -1;
    int unknown = -1;
    int other = -1;
    cr_assert_eq(laz_oci_containers("/tmp/lazaret-absent", see, NULL, &err), 0);
    cr_assert_not_null(mkdtemp(base));
    (void)snprintf(root, sizeof(root), "%s/root", base);
    laz_oci_root_hash(root, hash);
    cr_assert_eq(laz_oci_record_folder(base, hash, true, &folder, &err), 0);
    cr_assert_eq(
            laz_oci_record_folder(base, "ffffffffffffffffffffffffffffffff", true, &unknown, &err),
            0);
    cr_assert_eq(laz_oci_record_folder(base, "ffff", true, &other, &err), 0);
    cr_assert_eq(laz_oci_root_save(folder, root, &err), 0, "%s", err.message);
    cr_assert_eq(laz_oci_root_save(folder, "/elsewhere", &err), 0, "one that is there stays");
    cr_assert_eq(laz_oci_root_save(unknown, "../runc", &err), 0);
    cr_assert_eq(faccessat(unknown, "root", F_OK, 0), -1, "it depends on where its caller is");
    const char *const names[] = {"there.json", "gone.json", "there.create-1", ".json"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        put(folder, names[i]);
        put(other, names[i]);
    }
    char long_name[LAZ_OCI_ID_MAX + sizeof("a.json")];
    (void)memset(long_name, 'a', LAZ_OCI_ID_MAX + 1);
    (void)memcpy(long_name + LAZ_OCI_ID_MAX + 1, ".json", sizeof(".json"));
    put(unknown, long_name);
    put(unknown, "any.json");
    put(unknown, "any.create-1");
    (void)snprintf(wanted, sizeof(wanted), "%s/there", root);
    cr_assert(mkdir(root, 0700) == 0 && mkdir(wanted, 0700) == 0);
    (void)snprintf(wanted, sizeof(wanted), "%s/%032d", base, 0);
    wanted[strlen(wanted) - 1] = 'g';
    cr_assert_eq(mkdir(wanted, 0777), 0, "of the length of a hash");
    cr_assert_eq(laz_oci_containers(base, see, NULL, &err), 0, "%s", err.message);
    (void)snprintf(wanted, sizeof(wanted), "%s there\n", root);
    cr_expect_not_null(strstr(seen, wanted), "%s", seen);
    cr_expect_not_null(strstr(seen, "? any\n"), "%s", seen);
    cr_expect_eq(strlen(seen), strlen(wanted) + strlen("? any\n"), "%s", seen);
    cr_assert_eq(fchmod(unknown, 0777), 0);
    cr_assert_eq(laz_oci_containers(base, see, NULL, &err), -1);
    cr_expect_not_null(strstr(err.message, "others could write there"), "%s", err.message);
    cr_expect(laz_oci_root_has("/", "etc"));
    cr_expect_not(laz_oci_root_has("/etc", "absent"));
    cr_expect(laz_oci_root_has("/etc/passwd", "x"), "what cannot be known is there");
}
