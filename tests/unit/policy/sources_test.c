/* SPDX-License-Identifier: Apache-2.0
 *
 * Where policies and names come from, when it is not what it should be: too much, somebody else's,
 * or nothing that can be read. Each is an error at the line that asked for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loading.h"
#include "policy/image.h"

#define STRANGER 10001

static char folder[] = "/tmp/lazaret-sources-XXXXXX";

static void enter_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
    cr_assert_eq(chmod(folder, 0755), 0);
}

static void leave_folder(void)
{
    cr_assert_eq(seteuid(0), 0);
    static const char *const names[] = {"policy.yaml", "parent.yaml", "passwd", "p"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)unlink(names[i]);
    }
    for (int i = 0; i < LAZ_POLICY_FILES_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "p%d.yaml", i);
        (void)unlink(name);
    }
    cr_assert_eq(rmdir(folder), 0);
}

/* A file of `length` bytes: the text, and then comments. */
static void make(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "we");
    cr_assert_not_null(file, "%s", path);
    cr_assert_geq(fputs(text, file), 0);
    for (size_t n = strlen(text); n < length; n += 2) {
        cr_assert_geq(fputs("#\n", file), 0);
    }
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(chmod(path, 0644), 0);
}

static struct loaded load_here(const char *passwd)
{
    const struct laz_policy_source source = {.path = "policy.yaml",
            .check_ownership = true,
            .passwd_path = passwd,
            .group_path = passwd};
    return load_source(&source);
}

static void expect_refusal(const char *passwd, enum laz_err_kind kind, const char *message)
{
    struct loaded loaded = load_here(passwd);
    cr_expect_eq(loaded.result, -1, "%s", message);
    cr_expect_eq(loaded.err.kind, kind, "%s: %s", message, loaded.err.message);
    cr_expect_not_null(strstr(loaded.err.message, message), "%s: %s", message, loaded.err.message);
    unload(&loaded);
}

Test(policy_sources, of_too_many_bytes_are_refused, .init = enter_folder, .fini = leave_folder)
{
    make("policy.yaml", MINIMAL, LAZ_POLICY_FILE_MAX + 1);
    expect_refusal(NULL, LAZ_E_POLICY_TOO_LARGE, "policy.yaml is larger than 262144 bytes");
    make("policy.yaml", MINIMAL "extends: [parent.yaml]\n", 0);
    make("parent.yaml", "version: 1\n", LAZ_POLICY_FILE_MAX + 1);
    expect_refusal(NULL, LAZ_E_POLICY_TOO_LARGE,
            "policy.yaml:4:11: extends[0]: parent.yaml is larger than 262144 bytes");
    make("policy.yaml", MINIMAL "extends: [p0.yaml, p1.yaml, p2.yaml, p3.yaml, p4.yaml]\n", 0);
    for (int i = 0; i < 5; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "p%d.yaml", i);
        make(name, "version: 1\n", 250000);
    }
    expect_refusal(NULL, LAZ_E_POLICY_TOO_LARGE,
            "policy.yaml:4:47: extends[4]: with p4.yaml the files are larger than 1048576 bytes "
            "together");
}

Test(policy_sources, of_too_many_files_are_refused, .init = enter_folder, .fini = leave_folder)
{
    char text[1024];
    int n = snprintf(text, sizeof(text), "%sextends: [", MINIMAL);
    for (int i = 0; i < LAZ_POLICY_FILES_MAX; i++) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, "p%d.yaml, ", i);
        char name[16];
        (void)snprintf(name, sizeof(name), "p%d.yaml", i);
        make(name, "version: 1\n", 0);
    }
    (void)snprintf(text + n, sizeof(text) - (size_t)n, "]\n");
    make("policy.yaml", text, 0);
    expect_refusal(NULL, LAZ_E_POLICY_TOO_LARGE, "more than 16 files");
}

Test(policy_sources, that_are_compiled_are_no_yaml, .init = enter_folder, .fini = leave_folder)
{
    make("policy.yaml", LAZ_IMAGE_MAGIC, 64);
    expect_refusal(NULL, LAZ_E_POLICY_COMPILED, "policy.yaml is a compiled policy");
}

/* lazaret-setup may run as the workload's own user, which must not write its own policy. */
Test(policy_sources, of_anybody_but_root_are_refused, .init = enter_folder, .fini = leave_folder)
{
    make("policy.yaml", MINIMAL "extends: [parent.yaml]\n", 0);
    make("parent.yaml", "version: 1\nsyscalls: {allow: [read]}\n", 0);
    struct loaded loaded = load_here(NULL);
    cr_expect_eq(loaded.result, 0, "%s", loaded.err.message);
    unload(&loaded);
    cr_assert_eq(chown("parent.yaml", STRANGER, 0), 0);
    expect_refusal(NULL, LAZ_E_POLICY_UNSAFE,
            "policy.yaml:4:11: extends[0]: parent.yaml belongs to user 10001");
    cr_assert_eq(seteuid(STRANGER), 0);
    expect_refusal(NULL, LAZ_E_POLICY_UNSAFE,
            "policy.yaml:4:11: extends[0]: parent.yaml belongs to user 10001");
    cr_assert_eq(seteuid(0), 0);
    cr_assert_eq(chown("parent.yaml", 0, 0) + chown("policy.yaml", STRANGER, 0), 0);
    cr_assert_eq(seteuid(STRANGER), 0);
    expect_refusal(NULL, LAZ_E_POLICY_UNSAFE, "policy.yaml belongs to user 10001");
}

Test(policy_sources, of_names_that_cannot_be_read_are_named, .init = enter_folder,
        .fini = leave_folder)
{
    make("policy.yaml",
            "version: 1\nworkload: {user: app}\nfilesystem: {read-exec: [/usr]}\n"
            "syscalls: {allow: [read]}\n",
            0);
    expect_refusal(NULL, LAZ_E_POLICY_INVALID, "user \"app\" cannot be looked up here");
    expect_refusal("passwd", LAZ_E_POLICY_INVALID,
            "user \"app\": cannot read passwd: No such file or directory");
    cr_assert_eq(mkfifo("passwd", 0644), 0);
    expect_refusal("passwd", LAZ_E_POLICY_INVALID,
            "passwd is not a regular file of at most 1048576 bytes");
    cr_assert_eq(unlink("passwd"), 0);
    make("passwd", "app:x:5:6::/:\n", 1048577);
    expect_refusal("passwd", LAZ_E_POLICY_INVALID,
            "passwd is not a regular file of at most 1048576 bytes");
    static const char *const damaged[] = {
            "app:x", "app:x:5", "app:x:five:6::/:\n", "app:x:5:4294967295::/:\n"};
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        make("passwd", damaged[i], 0);
        expect_refusal(
                "passwd", LAZ_E_POLICY_INVALID, "the line of user \"app\" in passwd is damaged");
    }
    make("passwd", "apple:x:1:1::/:\nx:app:1:1::/:\napp:x:5:6::/:", 0);
    struct loaded loaded = load_here("passwd");
    cr_assert_eq(loaded.result, 0, "%s", loaded.err.message);
    cr_expect(loaded.policy->uid == 5 && loaded.policy->gid == 6);
    unload(&loaded);
}
