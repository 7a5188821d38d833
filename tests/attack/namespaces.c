/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts on namespaces and mounts. What they do, they do to the container's own mount namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attack.h"
#include "numbers.h"

static int clone_with(unsigned long flags)
{
    long child = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        _exit(0);
    }
    return attack_result(child);
}

static int unshare_with(unsigned long flags)
{
    return attack_result(syscall(SYS_unshare, flags));
}

int attack_clone_newuser(struct attack_note *note)
{
    (void)note;
    return clone_with(CLONE_NEWUSER);
}

int attack_clone_newuser_wide(struct attack_note *note)
{
    (void)note;
    return clone_with(CLONE_NEWUSER | ATTACK_UPPER_HALF);
}

int attack_clone_newpid(struct attack_note *note)
{
    (void)note;
    return clone_with(CLONE_NEWPID);
}

int attack_clone_newnet(struct attack_note *note)
{
    (void)note;
    return clone_with(CLONE_NEWNET);
}

int attack_clone_newcgroup(struct attack_note *note)
{
    (void)note;
    return clone_with(CLONE_NEWCGROUP);
}

int attack_unshare_newuser(struct attack_note *note)
{
    (void)note;
    return unshare_with(CLONE_NEWUSER);
}

int attack_unshare_newns(struct attack_note *note)
{
    (void)note;
    return unshare_with(CLONE_NEWNS);
}

int attack_unshare_newtime(struct attack_note *note)
{
    (void)note;
    return unshare_with(CLONE_NEWTIME);
}

int attack_setns(struct attack_note *note)
{
    int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return attack_say(note, "open:%s", attack_errno_name(errno));
    }
    return attack_result(setns(fd, CLONE_NEWNS));
}

int attack_mount_tmpfs(struct attack_note *note)
{
    (void)note;
    (void)mkdir("/tmp/mountpoint", 0755); /* may be there already */
    int result = attack_result(mount("none", "/tmp/mountpoint", "tmpfs", 0, NULL));
    if (result == 0) {
        (void)umount2("/tmp/mountpoint", MNT_DETACH); /* the next attempt does not need it gone */
    }
    return result;
}

int attack_mount_proc(struct attack_note *note)
{
    (void)note;
    (void)mkdir("/tmp/mountpoint", 0755); /* may be there already */
    int result = attack_result(mount("none", "/tmp/mountpoint", "proc", 0, NULL));
    if (result == 0) {
        (void)umount2("/tmp/mountpoint", MNT_DETACH); /* as above */
    }
    return result;
}

int attack_umount(struct attack_note *note)
{
    (void)note;
    return attack_result(umount2("/dev/mqueue", MNT_DETACH));
}

int attack_fsopen(struct attack_note *note)
{
    (void)note;
    return attack_result_fd(syscall(SYS_fsopen, "tmpfs", 0));
}

int attack_open_tree(struct attack_note *note)
{
    (void)note;
    return attack_result_fd(syscall(SYS_open_tree, AT_FDCWD, "/tmp", OPEN_TREE_CLONE));
}

int attack_move_mount(struct attack_note *note)
{
    (void)note;
    /* No such descriptors, which the kernel finds out after it has looked at the capability. */
    long flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    return attack_reached(syscall(SYS_move_mount, -1, "", -1, "", flags), EBADF);
}

int attack_mount_setattr(struct attack_note *note)
{
    (void)note;
    struct mount_attr nothing = {0};
    return attack_result(
            syscall(SYS_mount_setattr, AT_FDCWD, "/tmp", 0, &nothing, sizeof(nothing)));
}

int attack_pivot_root(struct attack_note *note)
{
    (void)note;
    /* Not mount points, so the kernel gives up after the check of the capability. */
    int result = attack_reached(syscall(SYS_pivot_root, "/tmp", "/tmp"), EINVAL);
    return result == EBUSY ? 0 : result;
}

int attack_chroot(struct attack_note *note)
{
    (void)note;
    return attack_result(chroot("/tmp"));
}
