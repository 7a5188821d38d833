/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder of three segments, two of this run and one of another, to which an input does something:
 * bytes of it as a segment, or edits of those that are there. Whatever that is, only blocks that
 * were written come out, in their order and once; no segment of the other run goes that was not
 * read to its end; and the spool can be written to afterwards.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/spool_segment.h"
#include "core/fd.h"
#include "fuzz.h"

#define BLOCKS    4 /* of each run */
#define FILES     3
#define FILE_MAX  4096           /* what a segment here holds at most */
#define EDIT_SIZE 5              /* which file, where (2 bytes), what, with what */
#define OTHER     "00000001.lzs" /* the other run's */

/* Made once: the segments as they were written. */
static struct {
    char path[64];
    int dir;
    struct laz_spool_image files[FILES];
} whole = {.dir = -1};

static const char private_key[] =
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VuBCIEIND9FJjcIsTIvRXUm8OpZayNrKEeFEse10FIBpj5Nb5c\n"
        "-----END PRIVATE KEY-----\n";
static const char public_key[] = "-----BEGIN PUBLIC KEY-----\n"
                                 "MCowBQYDK2VuAyEAqbo1eI104gSeE+n4/HQN3j4Ek1zkoorqi6wwp7IhlVU=\n"
                                 "-----END PUBLIC KEY-----\n";

static struct laz_spool_options options_of(uint8_t run)
{
    static const char *const seal_to[] = {public_key};
    struct laz_spool_options options = {.dir = whole.dir,
            .max_bytes = 8 * LAZ_SPOOL_SEGMENT_MIN,
            .segment_bytes = LAZ_SPOOL_SEGMENT_MIN,
            .n_seal_to = 1,
            .seal_to = seal_to,
            .open_with = private_key};
    (void)memset(options.chain, run, sizeof(options.chain));
    (void)memset(options.key, run + 100, sizeof(options.key));
    return options;
}

/* The records of a block say which one it is: "run block\n". */
static void append(struct laz_spool *spool, unsigned run, unsigned n)
{
    struct laz_err err = {0};
    char memory[32];
    struct laz_buf text;
    const struct laz_place place = {.seq = n};
    laz_buf_init_fixed(&text, memory, sizeof(memory));
    laz_buf_printf(&text, "%u %u\n", run, n);
    const struct laz_spool_block block = {.meta = memory,
            .meta_length = 3,
            .records = text.data,
            .length = text.len,
            .first_seq = n,
            .n_records = 1,
            .urgent = true};
    require(laz_spool_append(spool, &block, &place, &err) == 0);
}

static struct laz_spool *open_run(uint8_t run)
{
    struct laz_spool *spool = NULL;
    struct laz_spool_left left;
    struct laz_err err = {0};
    const struct laz_spool_options options = options_of(run);
    require(laz_spool_open(&options, &spool, &left, &err) == 0);
    return spool;
}

static void empty_folder(void)
{
    DIR *entries = fdopendir(openat(whole.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const struct dirent *entry = NULL;
    require(entries != NULL);
    while ((entry = readdir(entries)) != NULL) {
        (void)unlinkat(whole.dir, entry->d_name, 0); /* neither . nor .. */
    }
    (void)closedir(entries);
}

static void drop_folder(void)
{
    empty_folder();
    (void)rmdir(whole.path);
}

/* The other run's segment, then two of this one. */
static void make_whole(void)
{
    struct laz_err err = {0};
    (void)memcpy(whole.path, "/dev/shm/laz-spool-XXXXXX", sizeof("/dev/shm/laz-spool-XXXXXX"));
    if (mkdtemp(whole.path) == NULL) {
        (void)memcpy(whole.path, "/tmp/laz-spool-XXXXXX", sizeof("/tmp/laz-spool-XXXXXX"));
        require(mkdtemp(whole.path) != NULL);
    }
    whole.dir = open(whole.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    require(whole.dir >= 0 && atexit(drop_folder) == 0);
    for (unsigned file = 0; file < FILES; file++) {
        uint8_t run = file == 0 ? 2 : 1;
        struct laz_spool *spool = open_run(run);
        for (unsigned n = 0; n < (file == 0 ? BLOCKS : BLOCKS / 2); n++) {
            append(spool, run, n + (file == 2 ? BLOCKS / 2 : 0));
        }
        laz_spool_free(spool);
    }
    for (unsigned file = 0; file < FILES; file++) {
        require(laz_spool_image_load(whole.dir, file + 1, &whole.files[file], &err) == 0);
        require(whole.files[file].size < FILE_MAX);
    }
}

static void put_file(uint32_t number, const uint8_t *bytes, size_t size)
{
    char name[LAZ_SPOOL_NAME_SIZE];
    struct laz_err err = {0};
    laz_spool_name(number, name);
    laz_cleanup_fd int fd = openat(whole.dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && laz_fd_write_all(fd, bytes, size, &err) == 0);
}

/* What an input makes of the folder. */
static void put_input(const uint8_t *data, size_t size)
{
    uint8_t files[FILES][FILE_MAX];
    size_t sizes[FILES];
    for (unsigned file = 0; file < FILES; file++) {
        sizes[file] = whole.files[file].size;
        (void)memcpy(files[file], whole.files[file].bytes, sizes[file]);
    }
    if (size > 0 && data[0] < FILES) { /* the rest is one of the files */
        sizes[data[0]] = size - 1 < FILE_MAX ? size - 1 : FILE_MAX;
        (void)memcpy(files[data[0]], data + 1, sizes[data[0]]);
    }
    for (size_t at = 1; size > 0 && data[0] >= FILES && at + EDIT_SIZE <= size; at += EDIT_SIZE) {
        unsigned file = data[at] % FILES;
        size_t where = ((size_t)data[at + 1] << 8 | data[at + 2]) % (sizes[file] + 1);
        switch (data[at + 3] % 4) {
        case 0:
            sizes[file] = where; /* cut */
            break;
        case 1:
            files[file][where % FILE_MAX] ^= data[at + 4];
            break;
        case 2: { /* a piece of another file */
            const struct laz_spool_image *from = &whole.files[data[at + 4] % FILES];
            size_t end = from->size < sizes[file] ? from->size : sizes[file];
            if (where < end) {
                (void)memcpy(files[file] + where, from->bytes + where, end - where);
            }
            break;
        }
        default: /* some bytes more */
            while (sizes[file] < FILE_MAX && sizes[file] < where + data[at + 4]) {
                files[file][sizes[file]++] = data[at + 4];
            }
        }
    }
    for (uint32_t file = 0; file < FILES; file++) {
        put_file(file + 1, files[file], sizes[file]);
    }
}

/* Is it a block that was written, behind those of its run that came before? */
static void check_block(const struct laz_buf *buf, int last[3])
{
    unsigned run = 0;
    unsigned n = 0;
    char end = 0;
    require(buf->len == 4 && sscanf(buf->data, "%u %u%c", &run, &n, &end) == 3 && end == '\n');
    require((run == 1 || run == 2) && n <= BLOCKS && (int)n > last[run]);
    last[run] = (int)n;
}

/* Everything, and what is corrupt on the way. Returns how much of that there was. */
static int read_all(struct laz_spool *spool, int last[3])
{
    struct laz_buf buf;
    int corrupt = 0;
    struct laz_spool_at at = laz_spool_first(spool);
    laz_buf_init_heap(&buf, FILE_MAX);
    for (;;) {
        struct laz_err err = {0};
        int result = laz_spool_read(spool, &at, &buf, &err);
        if (result == 0) {
            break;
        }
        require(result > 0 || err.kind == LAZ_E_SPOOL_CORRUPT);
        corrupt += result < 0;
        if (result > 0) {
            check_block(&buf, last);
        }
    }
    laz_buf_done(&buf);
    return corrupt;
}

static bool has_other(void)
{
    struct stat status;
    return fstatat(whole.dir, OTHER, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Has the other run's segment its own head, so that what is left of it could be read? And is
 * anything left? */
static bool has_head(bool *ret_is_empty)
{
    struct laz_spool_image image = {0};
    struct laz_spool_head head;
    struct laz_err err = {0};
    require(laz_spool_image_load(whole.dir, 1, &image, &err) == 0 &&
            laz_spool_head_decode(whole.files[0].bytes, whole.files[0].size, &head) == NULL);
    bool same = image.size >= head.length &&
            memcmp(image.bytes, whole.files[0].bytes, head.length) == 0;
    *ret_is_empty = same;
    for (size_t at = head.length; same && at < image.size; at++) {
        *ret_is_empty = *ret_is_empty && image.bytes[at] == 0;
    }
    laz_spool_image_done(&image);
    return same;
}

/* The same bytes, taken for a cursor. */
static void check_cursor(struct laz_spool *spool, const uint8_t *data, size_t size)
{
    int last[3] = {-1, -1, -1};
    struct laz_buf buf;
    struct laz_err err = {0};
    laz_cleanup_fd int fd =
            openat(whole.dir, "fuzz.cursor", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && laz_fd_write_all(fd, data, size, &err) == 0);
    struct laz_spool_at at = laz_spool_load_cursor(spool, "fuzz");
    laz_buf_init_heap(&buf, FILE_MAX);
    if (laz_spool_read(spool, &at, &buf, &err) == 1) {
        check_block(&buf, last);
    }
    laz_buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int last[3] = {-1, -1, -1};
    if (whole.dir < 0) {
        make_whole();
    }
    empty_folder();
    put_input(data, size);
    bool is_empty = false;
    bool is_readable = has_head(&is_empty);
    struct laz_spool *spool = open_run(1);
    require(has_other() || is_empty);
    int corrupt = read_all(spool, last);
    check_cursor(spool, data, size);
    append(spool, 1, BLOCKS);
    require(read_all(spool, (int[3]){-1, -1, -1}) == corrupt);
    laz_spool_release(spool, laz_spool_end(spool));
    require(has_other() || is_readable);
    laz_spool_free(spool);
    return 0;
}
