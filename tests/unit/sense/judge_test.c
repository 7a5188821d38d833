/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/sense: credentials, files, executables and the table of events, each against what it should
 * be.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <criterion/criterion.h>

#include "sense/credentials.h"
#include "sense/events.h"
#include "sense/executable.h"
#include "sense/file.h"

/* ---- Credentials ---- */

static struct laz_sense_config make_config(void)
{
    return (struct laz_sense_config){
            .uid = 10001, .gid = 10002, .n_groups = 1, .groups = {7}, .keep_capabilities = 1 << 10};
}

static struct laz_process_status make_status(void)
{
    return (struct laz_process_status){.uid = {10001, 10001, 10001, 10001},
            .gid = {10002, 10002, 10002, 10002},
            .n_groups = 2,
            .groups = {7, 10002},
            .cap_prm = 1 << 10,
            .cap_eff = 1 << 10,
            .cap_bnd = 0x1ffffffffff,
            .no_new_privs = 1,
            .seccomp = 2};
}

static void check_drift(const struct laz_process_status *status,
        const struct laz_sense_config *config, const char *wanted)
{
    char text[256];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_credentials_name(laz_credentials_compare(status, config), &buf);
    cr_expect_str_eq(text, wanted);
}

Test(sense_credentials, are_as_they_should_be)
{
    const struct laz_sense_config config = make_config();
    struct laz_process_status status = make_status();
    check_drift(&status, &config, "");
    status.cap_prm = status.cap_eff = 0; /* less is no drift */
    status.n_groups = 0;
    check_drift(&status, &config, "");
    status.no_new_privs = status.seccomp = -1; /* a kernel that does not say */
    check_drift(&status, &config, "");
}

Test(sense_credentials, name_each_drift)
{
    const struct laz_sense_config config = make_config();
    for (int row = 0; row < 12; row++) {
        struct laz_process_status status = make_status();
        struct laz_sense_config changed = config;
        const char *wanted = "";
        switch (row) {
        case 0:
            status.uid[1] = 0;
            wanted = "uid";
            break;
        case 1:
            status.uid[3] = 0;
            wanted = "uid";
            break;
        case 2:
            status.gid[2] = 0;
            wanted = "gid";
            break;
        case 3:
            status.groups[0] = 0;
            wanted = "groups";
            break;
        case 4:
            status.cap_inh = 1;
            wanted = "cap_inh";
            break;
        case 5:
            status.cap_prm = status.cap_eff = 1;
            wanted = "cap_prm cap_eff";
            break;
        case 6:
            status.cap_amb = 1;
            wanted = "cap_amb";
            break;
        case 7:
            changed.is_bounded = true;
            wanted = "cap_bnd";
            break;
        case 8:
            status.no_new_privs = 0;
            wanted = "no_new_privs";
            break;
        case 9:
            status.seccomp = 0;
            wanted = "seccomp";
            break;
        case 10:
            status.seccomp = 1;
            wanted = "seccomp";
            break;
        default:
            status.n_groups = LAZ_PROCESS_GROUPS_MAX + 1;
            wanted = "groups";
            break;
        }
        check_drift(&status, &changed, wanted);
    }
}

/* Who may change it by the policy does not drift. */
Test(sense_credentials, leave_out_what_a_kept_capability_changes)
{
    struct laz_sense_config config = make_config();
    struct laz_process_status status = make_status();
    status.uid[0] = status.gid[0] = status.groups[0] = 0;
    check_drift(&status, &config, "uid gid groups");
    config.keep_capabilities |= 1 << 7; /* CAP_SETUID */
    check_drift(&status, &config, "gid groups");
    config.keep_capabilities |= 1 << 6; /* CAP_SETGID */
    check_drift(&status, &config, "");
}

Test(sense_credentials, put_what_is_and_what_was_expected)
{
    const struct laz_sense_config config = make_config();
    struct laz_process_status status = make_status();
    char text[512];
    struct laz_buf buf;
    struct laz_json json;
    status.uid[1] = 0;
    status.cap_eff = 0x200000;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_json_init(&json, &buf);
    laz_credentials_put(laz_credentials_compare(&status, &config), &status, &config, &json);
    cr_expect_str_eq(text,
            "\"is\":{\"uid\":[10001,0,10001,10001],\"cap_eff\":\"0000000000200000\"},"
            "\"expected\":{\"uid\":10001,\"cap_eff\":\"0000000000000400\"}");
}

/* ---- Files ---- */

static struct laz_file_facts make_file(void)
{
    return (struct laz_file_facts){.is_there = 1,
            .mode = S_IFREG | 0644,
            .uid = 1,
            .gid = 2,
            .device = 3,
            .inode = 4,
            .size = 5,
            .modified_ns = 6,
            .changed_ns = 7,
            .content = LAZ_CONTENT_HASHED,
            .hash = {8}};
}

Test(sense_file, says_what_is_different)
{
    static const char *const wanted[] = {"", "", "deleted", "replaced", "modified", "owner",
            "owner", "mode", "replaced", "", "touched", "replaced", "touched", ""};
    for (size_t row = 0; row < sizeof(wanted) / sizeof(wanted[0]); row++) {
        struct laz_file_facts before = make_file();
        struct laz_file_facts after = make_file();
        switch (row) {
        case 1:
            after.changed_ns = after.modified_ns = 99; /* touched, and the same inside */
            break;
        case 2:
            after.is_there = 0;
            break;
        case 3:
            after.inode = 9;
            after.hash[0] = 9;
            break;
        case 4:
            after.hash[0] = 9;
            break;
        case 5:
            after.uid = 9;
            break;
        case 6:
            after.gid = 9;
            break;
        case 7:
            after.mode = S_IFREG | 04755;
            break;
        case 8:
            after.mode = S_IFLNK | 0777;
            break;
        case 9:
            after.inode = 9; /* a layer's copy: the same file */
            break;
        case 10:
            before.content = after.content = LAZ_CONTENT_UNREADABLE;
            after.changed_ns = 9;
            break;
        case 11:
            before.content = after.content = LAZ_CONTENT_UNREADABLE;
            after.inode = 9;
            break;
        case 12:
            after.content = LAZ_CONTENT_UNREADABLE;
            after.size = 9;
            break;
        case 13:
            before.mode = after.mode = S_IFDIR | 0755;
            before.content = after.content = LAZ_CONTENT_NONE;
            after.changed_ns = after.modified_ns = 9;
            after.size = 9;
            break;
        default:
            break;
        }
        cr_expect_str_eq(
                laz_change_name(laz_file_compare(&before, &after)), wanted[row], "row %zu", row);
    }
    const struct laz_file_facts none = {0};
    const struct laz_file_facts one = make_file();
    cr_expect_eq(laz_file_compare(&none, &one), LAZ_CHANGE_CREATED);
    cr_expect_eq(laz_file_compare(&none, &none), LAZ_CHANGE_NONE);
}

/* Whatever would be a change is worth a second look. */
Test(sense_file, is_looked_at_again_where_anything_moved)
{
    const struct laz_file_facts before = make_file();
    struct laz_file_facts after = before;
    cr_expect(!laz_file_looks_changed(&before, &after));
    after.changed_ns++;
    cr_expect(laz_file_looks_changed(&before, &after));
    after = before;
    after.device++;
    cr_expect(laz_file_looks_changed(&before, &after));
    after = before;
    after.size++;
    cr_expect(laz_file_looks_changed(&before, &after));
}

Test(sense_file, puts_both_sides)
{
    const struct laz_file_facts none = {0};
    struct laz_file_facts one = make_file();
    char text[1024];
    struct laz_buf buf;
    struct laz_json json;
    one.content = LAZ_CONTENT_UNREADABLE;
    one.changed_ns = INT64_C(7000000001);
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_json_init(&json, &buf);
    laz_file_put(&none, &one, &json);
    cr_expect_str_eq(text,
            "\"after\":{\"kind\":\"file\",\"mode\":\"0644\",\"uid\":1,\"gid\":2,\"size\":5,"
            "\"ctime\":7,\"content\":\"unreadable\"}");
    one = make_file();
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_json_init(&json, &buf);
    laz_file_put(&one, &none, &json);
    cr_expect_not_null(strstr(text, "\"before\":{"));
    cr_expect_not_null(strstr(text, "\"sha256\":\"0800000000"));
    cr_expect_null(strstr(text, "after"));
}

/* ---- Executables ---- */

Test(sense_executable, is_judged_by_where_it_lies)
{
    static const struct {
        struct laz_executable executable;
        const char *wanted;
    } rows[] = {
            {{"/usr/bin/sh", 1, 10, 20}, "image"},
            {{"/usr/bin/sh", 1, 0, 99}, "image"},
            {{"/usr/bin/sh", 1, 100, 20}, "new"},
            {{"/usr/bin/sh", 1, 0, 100}, "new"},
            {{"/memfd:x (deleted)", 0, 0, 0}, "memfd"},
            {{"/memfd:x (deleted)", 1, 0, 0}, "image"}, /* a file that is called so */
            {{"/tmp/x (deleted)", 0, 0, 0}, "deleted"},
            {{"/tmp/x (deleted)", 1, 0, 0}, "image"},
            {{"/dev/shm/x", 1, 0, 0}, "shm"},
            {{"/dev/shmx", 1, 0, 0}, "image"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_str_eq(laz_origin_name(laz_executable_judge(&rows[i].executable, 100)),
                rows[i].wanted, "row %zu", i);
    }
}

/* ---- Events ---- */

Test(sense_events, are_found_by_their_whole_names_alone)
{
    for (unsigned i = 0; i < LAZ_SENSE_EVENT_COUNT; i++) {
        const struct laz_sense_event *event = laz_sense_event_at((enum laz_sense_event_id)i);
        cr_expect_eq(laz_sense_event_find(event->ev, strlen(event->ev)), event);
        cr_expect_null(laz_sense_event_find(event->ev, strlen(event->ev) - 1), "%s", event->ev);
        cr_expect(event->severity >= 0 && event->severity <= 10 && event->level <= 16);
    }
    cr_expect_null(laz_sense_event_find("init.start", strlen("init.start")));
    cr_expect_null(laz_sense_event_find("exec.foreigner", strlen("exec.foreigner")));
}
