/* SPDX-License-Identifier: Apache-2.0
 *
 * How PID 1 takes its policy: which files it refuses, and what it makes of each way in which
 * lazaret-setup can end. Nothing but a whole, sealed, fitting block becomes a policy.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "init/pid1/pid1.h"

#define EXITED(code) ((code) << 8)
#define BLOCK_MAX    4096
#ifdef __x86_64__
#define FOREIGN      AUDIT_ARCH_AARCH64
#define FOREIGN_NAME "aarch64 (0xc00000b7); this is x86-64"
#else
#define FOREIGN      AUDIT_ARCH_X86_64
#define FOREIGN_NAME "x86-64 (0xc000003e); this is aarch64"
#endif

static struct laz_pid1 pid1;
static struct laz_err err;

/* The smallest image; returns its length. */
static size_t make_block(uint32_t arch, char ret[BLOCK_MAX])
{
    static const struct sock_filter refuses[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1)};
    const struct laz_image image = {.audit_arch = arch,
            .source_digest = {7},
            .name = "smallest",
            .cwd = "/",
            .exec_budget = -1,
            .with_events = {1, refuses},
            .plain = {1, refuses}};
    struct laz_buf buf;
    struct laz_err ignored = {0};
    laz_buf_init_fixed(&buf, ret, BLOCK_MAX);
    cr_assert_eq(laz_image_encode(&image, &buf, &ignored), 0, "%s", ignored.message);
    return buf.len;
}

static void set_up(void)
{
    pid1 = (struct laz_pid1){.setup_pid = 9, .setup_fd = -1};
    err = (struct laz_err){0};
}

TestSuite(setup_answer, .init = set_up);
TestSuite(policy_file, .init = set_up);

/* ---- lazaret-setup has ended ---- */

static void leave(const void *content, size_t length, unsigned flags)
{
    pid1.setup_fd = memfd_create("answer", MFD_CLOEXEC | flags);
    cr_assert_geq(pid1.setup_fd, 0);
    cr_assert_eq(write(pid1.setup_fd, content, length), (ssize_t)length);
}

static void expect_refusal(int status, enum laz_err_kind kind, const char *message)
{
    err = (struct laz_err){0};
    cr_expect_eq(laz_pid1_take_setup(&pid1, status, &err), -1, "%s", message);
    cr_expect_eq(err.kind, kind, "%s: %s", laz_err_name(err.kind), err.message);
    cr_expect_not_null(strstr(err.message, message), "%s", err.message);
    cr_expect_not(pid1.has_image, "%s", message);
    cr_expect_eq(pid1.setup_pid, 0, "%s", message);
    (void)close(pid1.setup_fd);
}

Test(setup_answer, that_is_none_says_how_it_ended)
{
    static const struct {
        int status;
        const char *message;
    } rows[] = {
            {EXITED(126), "lazaret-setup is neither beside lazaret-init nor at "},
            {EXITED(127), "lazaret-setup is neither beside lazaret-init nor at "},
            {EXITED(109), "lazaret-setup ended with exit code 109"},
            {EXITED(LAZ_E_COUNT), "lazaret-setup ended with exit code "},
            {SIGKILL, "lazaret-setup ended with signal 9"},
            {SIGSYS | 0x80, "lazaret-setup ended with signal 31"},
            {EXITED(0), "lazaret-setup left 0 bytes"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        leave("", 0, MFD_ALLOW_SEALING);
        expect_refusal(rows[i].status, LAZ_E_SETUP_FAILED, rows[i].message);
    }
}

Test(setup_answer, that_is_an_error_is_passed_on)
{
    leave("web.yaml:1:1: what is wrong", 27, MFD_ALLOW_SEALING);
    expect_refusal(
            EXITED(LAZ_E_POLICY_INVALID), LAZ_E_POLICY_INVALID, "web.yaml:1:1: what is wrong");
    leave("", 0, MFD_ALLOW_SEALING);
    expect_refusal(EXITED(LAZ_E_POLICY_UNSAFE), LAZ_E_POLICY_UNSAFE, "it has said why on stderr");
    static char large[2 * LAZ_ERR_MESSAGE_MAX];
    (void)memset(large, 'x', sizeof(large));
    leave(large, sizeof(large), MFD_ALLOW_SEALING);
    expect_refusal(EXITED(LAZ_E_MEMORY), LAZ_E_MEMORY, "xxxx");
}

Test(setup_answer, that_is_no_block_for_here_is_refused)
{
    char block[BLOCK_MAX];
    leave("LAZPOLIC and then nothing", 25, MFD_ALLOW_SEALING);
    expect_refusal(EXITED(0), LAZ_E_IMAGE_CORRUPT, "compiled policy");
    size_t length = make_block(FOREIGN, block);
    leave(block, length, MFD_ALLOW_SEALING);
    expect_refusal(EXITED(0), LAZ_E_IMAGE_CORRUPT, "for another architecture: " FOREIGN_NAME);
    length = make_block(LAZ_NATIVE_AUDIT_ARCH, block);
    leave(block, length, 0); /* could still be written to */
    expect_refusal(EXITED(0), LAZ_E_SYSTEM, "sealing: ");
    block[length - 1] ^= 1;
    leave(block, length, MFD_ALLOW_SEALING);
    expect_refusal(EXITED(0), LAZ_E_IMAGE_CORRUPT, "compiled policy");
    leave(block, length, MFD_ALLOW_SEALING);
    cr_assert_eq(ftruncate(pid1.setup_fd, LAZ_IMAGE_MAX + 1), 0);
    expect_refusal(EXITED(0), LAZ_E_SETUP_FAILED, "lazaret-setup left 131073 bytes");
}

Test(setup_answer, that_is_whole_is_the_policy_if_the_pin_says_so)
{
    char block[BLOCK_MAX];
    size_t length = make_block(LAZ_NATIVE_AUDIT_ARCH, block);
    pid1.options.has_pin = true;
    leave(block, length, MFD_ALLOW_SEALING);
    expect_refusal(EXITED(0), LAZ_E_POLICY_PIN, "the pin names another policy; this one's source");
    pid1.options.pin[0] = 7; /* its source */
    leave(block, length, MFD_ALLOW_SEALING);
    cr_expect_eq(laz_pid1_take_setup(&pid1, EXITED(0), &err), 0, "%s", err.message);
    set_up();
    pid1.options.has_pin = true;
    laz_sha256_of(block, length, pid1.options.pin); /* itself */
    leave(block, length, MFD_ALLOW_SEALING);
    cr_expect_eq(laz_pid1_take_setup(&pid1, EXITED(0), &err), 0, "%s", err.message);
    cr_expect(pid1.has_image);
    cr_expect_str_eq(pid1.trail.ctr, "smallest");
    cr_expect_eq(pid1.setup_fd, -1);
}

/* ---- files ---- */

static char folder[] = "/tmp/lazaret-policy-XXXXXX";

static void enter_folder(void)
{
    set_up();
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

static void leave_folder(void)
{
    (void)unlink("policy");
    (void)rmdir("policy");
    cr_assert_eq(rmdir(folder), 0);
}

static void make(const void *content, size_t length)
{
    int fd = open("policy", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, length), (ssize_t)length);
    cr_assert_eq(fchmod(fd, 0644) + close(fd), 0);
}

static void expect_unopened(enum laz_err_kind kind, const char *message)
{
    set_up();
    pid1.options.policy = "policy";
    cr_expect_eq(laz_pid1_open_policy(&pid1, &err), -1, "%s", message);
    cr_expect_eq(err.kind, kind, "%s: %s", laz_err_name(err.kind), err.message);
    cr_expect_not_null(strstr(err.message, message), "%s", err.message);
    cr_expect(!pid1.has_image && pid1.setup_fd == -1, "%s", message);
}

Test(policy_file, that_is_not_what_it_should_be_is_refused, .init = enter_folder,
        .fini = leave_folder)
{
    char block[BLOCK_MAX];
    size_t length = make_block(LAZ_NATIVE_AUDIT_ARCH, block);
    expect_unopened(LAZ_E_POLICY_ABSENT, "policy: No such file or directory");
    cr_assert_eq(mkdir("policy", 0755), 0);
    expect_unopened(LAZ_E_POLICY_UNSAFE, "policy: not a regular file");
    cr_assert_eq(rmdir("policy") + mkfifo("policy", 0644), 0);
    expect_unopened(LAZ_E_POLICY_UNSAFE, "policy: not a regular file");
    cr_assert_eq(unlink("policy") + symlink("target", "policy"), 0);
    expect_unopened(LAZ_E_POLICY_UNSAFE, "policy: is a link (to target) and not pinned");
    cr_assert_eq(unlink("policy"), 0);
    make(block, length);
    cr_assert_eq(chmod("policy", 0664), 0);
    expect_unopened(LAZ_E_POLICY_UNSAFE, "writable by group or others (mode 0664)");
    cr_assert_eq(chmod("policy", 0644) + chown("policy", 10001, 0), 0);
    expect_unopened(LAZ_E_POLICY_UNSAFE, "policy: owned by user 10001, not by root");
    cr_assert_eq(chown("policy", 0, 0) + truncate("policy", LAZ_IMAGE_MAX + 1), 0);
    expect_unopened(LAZ_E_POLICY_TOO_LARGE,
            "policy: a compiled policy has 1 to 131072 bytes, this file has 131073");
    make(block, length - 1);
    expect_unopened(LAZ_E_IMAGE_CORRUPT, "policy: compiled policy");
}

Test(policy_file, that_is_compiled_is_taken_at_once, .init = enter_folder, .fini = leave_folder)
{
    char block[BLOCK_MAX];
    make(block, make_block(LAZ_NATIVE_AUDIT_ARCH, block));
    pid1.options.policy = "policy";
    cr_expect_eq(laz_pid1_open_policy(&pid1, &err), 0, "%s", err.message);
    cr_expect(pid1.has_image && pid1.setup_fd == -1);
    cr_expect_str_eq(pid1.image.name, "smallest");
}

/* There is no lazaret-setup beside this program. */
Test(policy_file, that_is_text_goes_to_setup, .init = enter_folder, .fini = leave_folder)
{
    make("version: 1\n", 11);
    pid1.options.policy = "policy";
    cr_assert_eq(laz_pid1_open_policy(&pid1, &err), 0, "%s", err.message);
    cr_assert(!pid1.has_image && pid1.setup_pid > 0);
    int status = 0;
    cr_assert_eq(waitpid(pid1.setup_pid, &status, 0), pid1.setup_pid);
    expect_refusal(status, LAZ_E_SETUP_FAILED, "lazaret-setup is neither beside lazaret-init");
}

/* What comes of the two default places inside this folder, as an exit code: the kind of the error,
 * TAKEN for an image, or HANDED_ON to lazaret-setup. */
#define TAKEN     200
#define HANDED_ON 201

static int open_in(const char *root)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (chroot(root) < 0) {
            _exit(255);
        }
        int result = laz_pid1_open_policy(&pid1, &err);
        _exit(result < 0 ? (int)err.kind : pid1.has_image ? TAKEN : HANDED_ON);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void put(const char *path, const void *content, size_t length)
{
    make(content, length);
    cr_assert_eq(rename("policy", path), 0);
}

/* The image before the YAML; and what is wrong with the first is not mended by the second. */
Test(policy_file, that_nobody_named_is_at_one_of_two_places, .init = enter_folder)
{
    char block[BLOCK_MAX];
    size_t length = make_block(LAZ_NATIVE_AUDIT_ARCH, block);
    static const char image[] = "etc/lazaret/policy.img";
    static const char yaml[] = "etc/lazaret/policy.yaml";
    cr_expect_eq(open_in("."), LAZ_E_POLICY_ABSENT);
    cr_assert_eq(mkdir("etc", 0755), 0);
    put("etc/lazaret", "", 0);
    cr_expect_eq(open_in("."), LAZ_E_POLICY_ABSENT, "the folder is a file");
    cr_assert_eq(unlink("etc/lazaret") + mkdir("etc/lazaret", 0755), 0);
    cr_expect_eq(open_in("."), LAZ_E_POLICY_ABSENT);
    put(yaml, "version: 1\n", 11);
    cr_expect_eq(open_in("."), HANDED_ON);
    put(image, block, length);
    cr_expect_eq(open_in("."), TAKEN, "both are there");
    cr_assert_eq(unlink(image) + symlink("policy.yaml", image), 0);
    cr_expect_eq(open_in("."), LAZ_E_POLICY_UNSAFE, "the image is a link");
    cr_assert_eq(unlink(image) + mkdir(image, 0755), 0);
    cr_expect_eq(open_in("."), LAZ_E_POLICY_UNSAFE, "the image is a folder");
    cr_assert_eq(rmdir(image) + unlink(yaml), 0);
    put(image, block, length);
    cr_expect_eq(open_in("."), TAKEN);
    cr_assert_eq(unlink(image) + rmdir("etc/lazaret") + rmdir("etc"), 0);
    leave_folder();
}
