/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts on files: of the image, of Lazaret, of the kernel, and in /data, which every user may
 * write and no rule of the policy names, so that nothing but Landlock protects it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "attack.h"
#include "numbers.h"

static int create(const char *path)
{
    return attack_result_fd(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

/* ---- What the launcher must not have left behind ---- */

int attack_inherited_descriptors(struct attack_note *note)
{
    char found[sizeof(note->text)] = "";
    size_t length = 0;
    for (int fd = 3; fd < 1024; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 && length + 6 < sizeof(found)) {
            length += (size_t)snprintf(
                    found + length, sizeof(found) - length, "%s%d", length ? "," : "", fd);
        }
    }
    return length == 0 ? attack_say(note, "none") : attack_say(note, "leaked:%.80s", found);
}

int attack_inherited_environment(struct attack_note *note)
{
    return getenv("ATTACK_CANARY") == NULL ? attack_say(note, "none")
                                           : attack_say(note, "leaked:ATTACK_CANARY");
}

/* ---- The image ---- */

int attack_passwd_write(struct attack_note *note)
{
    (void)note;
    return attack_open("/etc/passwd", O_WRONLY);
}

int attack_passwd_by_link(struct attack_note *note)
{
    (void)note;
    (void)symlink("/etc/passwd", "/tmp/innocent"); /* may be there already */
    return attack_open("/tmp/innocent", O_WRONLY);
}

int attack_create_in_root(struct attack_note *note)
{
    (void)note;
    return create("/attack-was-here");
}

int attack_secret_read(struct attack_note *note)
{
    (void)note;
    return attack_open("/secret", O_RDONLY);
}

int attack_secret_openat2(struct attack_note *note)
{
    (void)note;
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
    return attack_result_fd(syscall(SYS_openat2, AT_FDCWD, "/secret", &how, sizeof(how)));
}

int attack_secret_stat(struct attack_note *note)
{
    (void)note;
    struct stat st;
    return attack_result(stat("/secret", &st));
}

int attack_init_overwrite(struct attack_note *note)
{
    (void)note;
    int result = attack_open("/lazaret-init", O_WRONLY);
    return result == ETXTBSY ? 0 : result; /* allowed to, had it not been running */
}

int attack_init_rename(struct attack_note *note)
{
    (void)note;
    int result = attack_result(rename("/lazaret-init", "/lazaret-init.old"));
    if (result == 0) {
        return attack_result(rename("/lazaret-init.old", "/lazaret-init"));
    }
    return result;
}

int attack_policy_unlink(struct attack_note *note)
{
    (void)note;
    return attack_result(unlink("/etc/lazaret/victim.yaml"));
}

/* ---- /data: only Landlock is in the way ---- */

int attack_data_read(struct attack_note *note)
{
    (void)note;
    return attack_open("/data/file", O_RDONLY);
}

int attack_data_create(struct attack_note *note)
{
    (void)note;
    return create("/data/created");
}

int attack_data_truncate(struct attack_note *note)
{
    (void)note;
    return attack_result(truncate("/data/file", 0));
}

int attack_data_list(struct attack_note *note)
{
    (void)note;
    return attack_open("/data", O_RDONLY | O_DIRECTORY);
}

int attack_data_unlink(struct attack_note *note)
{
    (void)note;
    return attack_result(unlink("/data/victim"));
}

int attack_data_link_out(struct attack_note *note)
{
    (void)note;
    return attack_result(link("/data/file", "/tmp/linked"));
}

int attack_data_rename_in(struct attack_note *note)
{
    (void)note;
    int result = create("/tmp/moving");
    return result != 0 ? result : attack_result(rename("/tmp/moving", "/data/moved"));
}

int attack_data_symlink(struct attack_note *note)
{
    (void)note;
    return attack_result(symlink("/etc/passwd", "/data/link"));
}

int attack_data_chmod(struct attack_note *note)
{
    (void)note;
    return attack_result(chmod("/data/file", 0666)); /* what it is already */
}

/* Reading is granted below /app, executing is not: mapping a file as code is no execve. */
int attack_map_code_of_data(struct attack_note *note)
{
    (void)note;
    int fd = open("/app/data", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? errno : 0;
}

/* ---- The kernel's files ---- */

int attack_core_pattern(struct attack_note *note)
{
    (void)note;
    return attack_open("/proc/sys/kernel/core_pattern", O_WRONLY);
}

int attack_drop_caches(struct attack_note *note)
{
    (void)note;
    return attack_open("/proc/sys/vm/drop_caches", O_WRONLY);
}

/* Any file of that name below the folder, two levels deep, opened for writing. */
static int open_below(const char *folder, const char *name)
{
    char path[512];
    int result = ENOENT;
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        return errno;
    }
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s/%s", folder, entry->d_name, name);
        int one = attack_open(path, O_WRONLY);
        if (one == 0) {
            result = 0;
            break;
        }
        result = one == ENOENT || one == ENOTDIR ? result : one;
    }
    closedir(entries);
    return result;
}

int attack_cgroup_write(struct attack_note *note)
{
    (void)note;
    return open_below("/sys/fs/cgroup", "cgroup.procs");
}

int attack_tty_by_name(struct attack_note *note)
{
    (void)note;
    return attack_open("/dev/tty", O_RDWR);
}

/* ---- Ways to make files that mean more than their bytes ---- */

int attack_mknod(struct attack_note *note)
{
    (void)note;
    return attack_result(
            syscall(SYS_mknodat, AT_FDCWD, "/tmp/null", S_IFCHR | 0666, makedev(1, 3)));
}

int attack_file_capability(struct attack_note *note)
{
    (void)note;
    struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE};
    data.data[0].permitted = 1U << CAP_NET_RAW;
    int result = create("/tmp/with-capability");
    if (result != 0) {
        return result;
    }
    return attack_result(
            setxattr("/tmp/with-capability", "security.capability", &data, sizeof(data), 0));
}

int attack_chown(struct attack_note *note)
{
    (void)note;
    int result = create("/tmp/owned");
    return result != 0
            ? result
            : attack_result(syscall(SYS_fchownat, AT_FDCWD, "/tmp/owned", getuid(), getgid(), 0));
}

int attack_name_to_handle(struct attack_note *note)
{
    (void)note;
    struct {
        struct file_handle handle;
        unsigned char bytes[128];
    } out = {.handle = {.handle_bytes = sizeof(out.bytes)}};
    int mount_id;
    return attack_result(
            syscall(SYS_name_to_handle_at, AT_FDCWD, "/tmp", &out.handle, &mount_id, 0));
}

int attack_open_by_handle(struct attack_note *note)
{
    (void)note;
    struct {
        struct file_handle handle;
        unsigned char bytes[8];
    } in = {.handle = {.handle_bytes = sizeof(in.bytes), .handle_type = 1}};
    int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    long opened = syscall(SYS_open_by_handle_at, fd, &in.handle, O_RDONLY);
    return attack_reached(opened, ESTALE); /* a handle of nothing, looked up after the capability */
}

int attack_quotactl(struct attack_note *note)
{
    (void)note;
    return attack_result(
            syscall(SYS_quotactl, QCMD(Q_QUOTAOFF, USRQUOTA), "/nonexistent", 0, NULL));
}

int attack_quotactl_fd(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_quotactl_fd, -1, QCMD(Q_QUOTAOFF, USRQUOTA), 0, NULL));
}

int attack_acct(struct attack_note *note)
{
    (void)note;
    return attack_reached(acct("/nonexistent"), ENOENT);
}

int attack_swapon(struct attack_note *note)
{
    (void)note;
    return attack_reached(swapon("/nonexistent", 0), ENOENT);
}

int attack_syncfs(struct attack_note *note)
{
    (void)note;
    int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? errno : attack_result(syncfs(fd));
}

/* ---- Controls: what the policy grants has to work ---- */

int attack_control_config(struct attack_note *note)
{
    (void)note;
    return attack_open("/etc/app.conf", O_RDONLY);
}

int attack_control_tmp(struct attack_note *note)
{
    (void)note;
    int fd = open("/tmp/written", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    int result = write(fd, "x", 1) == 1 ? 0 : errno;
    close(fd);
    return result != 0 ? result : attack_result(unlink("/tmp/written"));
}
