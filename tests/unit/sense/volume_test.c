/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/sense/mounts and volume: the mount that a path is on, the device under it, and what the two
 * come to, on tables and on a sysfs that are made here: where these tests run there is no
 * device-mapper.
 */
#include "sense/volume.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define TREE_MAX 4096

#define ENCRYPTED LAZ_VOLUME_REQUIRE_ENCRYPTED
#define ATTESTED  LAZ_VOLUME_REQUIRE_ATTESTED
#define ANY       LAZ_VOLUME_REQUIRE_ANY

static const char table[] =
        "20 1 0:30 / / rw,relatime - overlay overlay rw,lowerdir=/l\n"
        "21 20 0:40 / /proc rw - proc proc rw\n"
        "22 20 254:1 / /var/lib/app rw,relatime shared:3 master:4 - ext4 /dev/mapper/app rw\n"
        "23 22 0:41 / /var/lib/app/tmp rw - tmpfs tmpfs rw\n"
        "24 20 254:2 / /data\\040one rw - xfs /dev/mapper/data rw\n"
        "25 20 0:50 / /efs rw - nfs4 127.0.0.1:/ rw,vers=4.1,sec=sys\n"
        "26 20 0:51 / /nfs rw - nfs4 fs-01.efs.us-east-1.amazonaws.com:/ rw,vers=4.1,sec=sys\n"
        "27 20 0:52 / /nfstls rw - nfs4 nas.internal:/x rw,xprtsec=mtls,sec=sys\n"
        "28 20 0:53 / /krb rw - nfs nas.internal:/x rw,sec=krb5p\n"
        "29 20 0:54 / /smb rw - cifs //nas/x rw,vers=3.1.1\n"
        "30 20 0:55 / /smbseal rw - cifs //nas/x rw,vers=3.1.1,seal\n"
        "31 20 8:16 / /hidden/below rw - ext4 /dev/sdb rw\n"
        "32 20 254:1 / /hidden rw - ext4 /dev/mapper/app rw\n"
        "40 20 0:60 / /gluster rw - fuse.glusterfs gluster1:/vol rw,user_id=0\n"
        "41 20 0:61 / /kata rw - 9p kataShared rw,access=client,trans=virtio\n"
        "42 20 0:62 / /plan9 rw - 9p 10.0.0.1 rw,trans=tcp,port=564\n"
        "33 20 8:1 / /twice rw - ext4 /dev/sda1 rw\n"
        "34 33 254:1 / /twice rw - ext4 /dev/mapper/app rw\n"
        "35 20 259:1 / /nvme rw - ext4 /dev/nvme1n1p1 rw\n"
        "36 20 0:56 / /nearly127 rw - nfs4 127.0.0.1.evil.test:/ rw\n"
        "38 20 0:58 / /fsx rw - lustre 10.0.0.5@tcp:/fsx rw\n"
        "39 20 0:59 / /ceph rw - ceph 10.0.0.6:/ rw\n"
        "37 20 0:57 / /looks rw - nfs4 nas.internal:/x rw,xprtsec=tlsx,clientaddr=seal\n";

static struct laz_mount must_find(const char *path)
{
    struct laz_mount mount = {0};
    cr_assert(laz_mount_find(table, strlen(table), path, &mount), "%s", path);
    return mount;
}

Test(volume, is_on_the_mount_that_the_kernel_would_come_to)
{
    static const struct {
        const char *path;
        uint64_t id;
    } rows[] = {{"/", 20}, {"/home", 20}, {"/var/lib", 20}, {"/var/lib/app", 22},
            {"/var/lib/app/db", 22}, {"/var/lib/apple", 20}, {"/var/lib/app/tmp/x", 23},
            {"/data one/x", 24}, {"/data", 20}, {"/hidden/below", 32}, {"/hidden", 32},
            {"/twice/x", 34}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_mount mount = must_find(rows[i].path);
        cr_expect_eq(mount.id, rows[i].id, "%s: %lu", rows[i].path, (unsigned long)mount.id);
    }
    struct laz_mount mount = must_find("/var/lib/app");
    cr_expect(mount.major == 254 && mount.minor == 1);
    cr_expect_str_eq(mount.type, "ext4");
    cr_expect_str_eq(mount.source, "/dev/mapper/app");
}

Test(volume, is_on_none_where_the_table_says_nothing)
{
    static const char *const tables[] = {"", "20 1 0:30 / / rw - ext4", "garbage\n",
            "20 1 0:30 / /x rw - ext4 d rw\n", "20 1 0:30 / / rw ext4 d rw\n",
            "20 1 4294967296:0 / / rw - ext4 d rw\n"};
    struct laz_mount mount;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        cr_expect_not(laz_mount_find(tables[i], strlen(tables[i]), "/a", &mount), "table %zu", i);
    }
    static const char circle[] = "20 21 0:1 / / rw - a b rw\n21 20 0:2 / / rw - c d rw\n";
    cr_expect(laz_mount_find(circle, strlen(circle), "/a", &mount), "and it comes to an end");
}

/* ---- a sysfs ---- */

static void put(const char *root, const char *path, const char *text)
{
    char whole[TREE_MAX];
    (void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
    for (char *at = strchr(whole + strlen(root) + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(whole, 0700);
        *at = '/';
    }
    FILE *file = fopen(whole, "we");
    cr_assert_not_null(file, "%s", whole);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void put_link(const char *root, const char *path, const char *target)
{
    char whole[TREE_MAX];
    (void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
    cr_assert_eq(symlink(target, whole), 0, "%s", whole);
}

/* 254:1 crypt; 254:2 LVM on crypt; 254:3 LVM on a plain disk; 254:4 a mirror of both; 254:5 verity;
 * 254:6 integrity on crypt; 254:7 upon itself; 254:8 a partition on crypt; 8:1 of a plain disk. */
static int make_tree(char *root)
{
    cr_assert_not_null(mkdtemp(root));
    put(root, "dev/block/254:1/dm/uuid", "CRYPT-LUKS2-0123456789abcdef-app\n");
    put(root, "dev/block/254:1/slaves/sda/dev", "8:0\n");
    put(root, "dev/block/254:2/dm/uuid", "LVM-abcdef\n");
    put(root, "dev/block/254:2/slaves/dm-1/dev", "254:1\n");
    put(root, "dev/block/254:3/dm/uuid", "LVM-abcdef\n");
    put(root, "dev/block/254:3/slaves/sda/dev", "8:0\n");
    put(root, "dev/block/254:4/slaves/dm-1/dev", "254:1\n");
    put(root, "dev/block/254:4/slaves/sda/dev", "8:0\n");
    put(root, "dev/block/254:5/dm/uuid", "CRYPT-VERITY-0123-root\n");
    put(root, "dev/block/254:5/slaves/sda/dev", "8:0\n");
    put(root, "dev/block/254:6/dm/uuid", "CRYPT-INTEGRITY-app\n");
    put(root, "dev/block/254:6/slaves/dm-1/dev", "254:1\n");
    put(root, "dev/block/254:7/slaves/dm-7/dev", "254:7\n");
    put(root, "dev/block/254:9/dm/uuid", "NOCRYPT-LUKS2-x\n");
    put(root, "dev/block/254:10/slaves/x/dev", "broken\n");
    put(root, "dev/block/8:0/dev", "8:0\n");
    put(root, "devices/dm-1/dev", "254:1\n");
    put(root, "devices/dm-1/dm-1p1/partition", "1\n");
    put_link(root, "dev/block/254:8", "../../devices/dm-1/dm-1p1");
    put(root, "devices/sda/dev", "8:0\n");
    put(root, "devices/sda/sda1/partition", "1\n");
    put_link(root, "dev/block/8:1", "../../devices/sda/sda1");
    put(root, "dev/block/259:0/device/serial", "vol0123456789abcdef0\n");
    put(root, "devices/nvme1n1/dev", "259:0\n");
    put(root, "devices/nvme1n1/nvme1n1p1/partition", "1\n");
    put_link(root, "dev/block/259:1", "../../devices/nvme1n1/nvme1n1p1");
    int sys = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert(sys >= 0);
    return sys;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_tree(const char *root, int sys)
{
    (void)close(sys);
    cr_expect_eq(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

Test(volume, is_encrypted_where_all_that_it_is_made_of_is)
{
    char root[] = "/tmp/lazaret-sysfs-XXXXXX";
    static const struct {
        uint32_t major;
        uint32_t minor;
        bool is;
    } rows[] = {{254, 1, true}, {254, 2, true}, {254, 3, false}, {254, 4, false}, {254, 5, false},
            {254, 6, true}, {254, 7, false}, {254, 8, true}, {254, 9, false}, {254, 10, false},
            {8, 0, false}, {8, 1, false}, {9, 9, false}};
    int sys = make_tree(root);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(laz_device_is_encrypted(sys, rows[i].major, rows[i].minor), rows[i].is,
                "%u:%u", rows[i].major, rows[i].minor);
    }
    cr_expect_not(laz_device_is_encrypted(-1, 254, 1), "where /sys cannot be read");
    char serial[64];
    laz_device_serial(sys, 259, 1, serial, sizeof(serial));
    cr_expect_str_eq(serial, "vol0123456789abcdef0");
    laz_device_serial(sys, 8, 1, serial, sizeof(serial));
    cr_expect_str_eq(serial, "");
    remove_tree(root, sys);
}

Test(volume, comes_to_a_state_and_a_verdict)
{
    char root[] = "/tmp/lazaret-sysfs-XXXXXX";
    static const char own[] = "arn:aws:ec2:us-east-1:111122223333:volume/vol-0123456789abcdef0";
    static const char other[] = "arn:aws:ec2:us-east-1:111122223333:volume/vol-0123456789abcdef1";
    static const struct {
        const char *path;
        enum laz_volume_require require;
        const char *attested_by;
        enum laz_volume_state state;
        bool is_good;
    } rows[] = {
            {"/var/lib/app", ENCRYPTED, "", LAZ_VOLUME_ENCRYPTED, true},
            {"/var/lib/app/tmp", ENCRYPTED, "", LAZ_VOLUME_MEMORY, true},
            {"/data one", ENCRYPTED, "", LAZ_VOLUME_ENCRYPTED, true},
            {"/home", ENCRYPTED, "", LAZ_VOLUME_UNKNOWN, false},
            {"/home", ATTESTED, own, LAZ_VOLUME_LAYER, false},
            {"/home", ENCRYPTED, own, LAZ_VOLUME_LAYER, false},
            {"/home", ANY, "", LAZ_VOLUME_UNKNOWN, true},
            {"/home", ANY, own, LAZ_VOLUME_LAYER, true},
            {"/", ATTESTED, own, LAZ_VOLUME_ATTESTED, true},
            {"/nvme", ATTESTED, own, LAZ_VOLUME_ATTESTED, true},
            {"/nvme", ATTESTED, other, LAZ_VOLUME_OTHER, false},
            {"/nvme", ANY, other, LAZ_VOLUME_OTHER, false},
            {"/var/lib/app", ATTESTED, own, LAZ_VOLUME_ENCRYPTED, true},
            {"/efs", ATTESTED, own, LAZ_VOLUME_ATTESTED, true},
            {"/efs", ANY, "", LAZ_VOLUME_UNKNOWN, true},
            {"/efs", ENCRYPTED, "", LAZ_VOLUME_UNKNOWN, false},
            {"/nfs", ANY, "", LAZ_VOLUME_CLEAR, false},
            {"/nfs", ATTESTED, own, LAZ_VOLUME_CLEAR, false},
            {"/nearly127", ANY, "", LAZ_VOLUME_CLEAR, false},
            {"/fsx", ANY, "", LAZ_VOLUME_CLEAR, false},
            {"/fsx", ATTESTED, own, LAZ_VOLUME_CLEAR, false},
            {"/ceph", ANY, "", LAZ_VOLUME_CLEAR, false},
            {"/gluster", ATTESTED, own, LAZ_VOLUME_CLEAR, false},
            {"/kata", ANY, "", LAZ_VOLUME_UNKNOWN, true},
            {"/plan9", ANY, "", LAZ_VOLUME_CLEAR, false},
            {"/looks", ANY, "", LAZ_VOLUME_CLEAR, false},
            {"/nfstls", ANY, "", LAZ_VOLUME_UNKNOWN, true},
            {"/krb", ANY, "", LAZ_VOLUME_UNKNOWN, true},
            {"/smb", ANY, "", LAZ_VOLUME_CLEAR, false},
            {"/smbseal", ANY, "", LAZ_VOLUME_UNKNOWN, true},
            {"/twice", ENCRYPTED, "", LAZ_VOLUME_ENCRYPTED, true},
    };
    int sys = make_tree(root);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct laz_sense_volume volume = {.path = rows[i].path,
                .require = rows[i].require,
                .attested_by = rows[i].attested_by};
        struct laz_volume_seen seen;
        laz_volume_look(&volume, table, strlen(table), sys, &seen);
        cr_expect_eq(seen.state, rows[i].state, "%s: %s", rows[i].path,
                laz_volume_state_name(seen.state));
        cr_expect_eq(laz_volume_is_good(&volume, seen.state), rows[i].is_good, "%s, row %zu",
                rows[i].path, i);
    }
    const struct laz_sense_volume volume = {.path = "/x", .require = ANY, .attested_by = ""};
    struct laz_volume_seen seen;
    laz_volume_look(&volume, "", 0, sys, &seen);
    cr_expect_eq(seen.state, LAZ_VOLUME_ABSENT);
    cr_expect_not(laz_volume_is_good(&volume, seen.state));
    cr_expect_str_eq(laz_volume_state_name(LAZ_VOLUME_STATE_COUNT), "?");
    remove_tree(root, sys);
}
