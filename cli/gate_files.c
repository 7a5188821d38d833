/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of evidence, from the disk. What is wrong with one is said in it, and ends nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/gate.h"
#include "core/fd.h"
#include "core/format.h"

int64_t laz_gate_now_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void refuse(struct laz_gate_input *input, const char *why)
{
    (void)laz_format(input->why, sizeof(input->why), "%s", why);
    free(input->text);
    input->text = NULL;
    input->length = 0;
}

static void read_text(int fd, struct laz_gate_input *input)
{
    struct laz_err err = {0};
    input->text = malloc(LAZ_GATE_TEXT_MAX + 1);
    if (input->text == NULL) {
        refuse(input, "no memory for it");
    } else if (laz_fd_read_all(fd, input->text, LAZ_GATE_TEXT_MAX, &input->length, &err) < 0) {
        refuse(input, err.kind == LAZ_E_POLICY_TOO_LARGE ? "it has grown meanwhile" : err.message);
    }
}

void laz_gate_file_read(const char *path, struct laz_gate_input *ret)
{
    ret->path = path;
    ret->modified_ms = -1;
    /* Not blocking: a FIFO must not hang a build. */
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        refuse(ret, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        refuse(ret, "not a regular file");
    } else if ((size_t)status.st_size > LAZ_GATE_TEXT_MAX) {
        refuse(ret, "larger than 2 MiB");
    } else {
        ret->modified_ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
        read_text(fd, ret);
    }
}
