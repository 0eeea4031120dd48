/* loop.c: loop devices by their ioctls (drivers/block/loop.c), for many players at once.
 *
 * LOOP_CTL_GET_FREE names the same device to everybody who asks at the same time, and LOOP_CONFIGURE makes all but one
 * wait for nothing. So each player begins at another device, and claims it by opening it exclusively first. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "parts.h"

#define DEVICES_MAX 4096
#define ADD_TRIES 64

static size_t list_devices(int *numbers, size_t capacity)
{
    DIR *directory = opendir("/sys/block");
    size_t count = 0;
    for (struct dirent *entry = directory ? readdir(directory) : NULL; entry && count < capacity;
         entry = readdir(directory)) {
        if (sscanf(entry->d_name, "loop%d", &numbers[count]) == 1)
            count++;
    }
    if (directory)
        closedir(directory);
    return count;
}

static bool is_used(int number)
{
    PATH_OF(path, "/sys/block/loop%d/loop", number);
    return access(path, F_OK) == 0;
}

static int make_node(int number, const char *node)
{
    PATH_OF(path, "/sys/block/loop%d/dev", number);
    char text[32] = "";
    unsigned major_number = 0, minor_number = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool known = file >= 0 && read(file, text, sizeof text - 1) > 0 &&
                 sscanf(text, "%u:%u", &major_number, &minor_number) == 2;
    if (file >= 0)
        close(file);
    if (!known)
        return ENODEV;
    return mknod(node, S_IFBLK | 0600, makedev(major_number, minor_number)) == 0 || errno == EEXIST ? 0 : errno;
}

/* Attaches the image to this very device; negative errno. A device that others got first: EBUSY. */
static int attach_to(int number, int image, const char *name, const char *node)
{
    int error = make_node(number, node);
    if (error)
        return -error;
    int claim = open(node, O_RDWR | O_EXCL | O_CLOEXEC);
    if (claim < 0)
        return -errno;
    struct loop_config config = {.fd = (unsigned)image, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
    snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", name);
    int device = -1;
    if (ioctl(claim, LOOP_CONFIGURE, &config) == 0)
        device = open(node, O_RDWR | O_CLOEXEC);
    /* It detaches itself with the last descriptor; the claim must go, as it would keep a filesystem from it. */
    error = device < 0 ? errno : 0;
    close(claim);
    return error ? -error : device;
}

static bool others_were_first(int result)
{
    return result == -EBUSY || result == -ENXIO || result == -ENODEV || result == -EAGAIN;
}

static int try_free(int image, const char *name, const char *nodes, int *number)
{
    static int numbers[DEVICES_MAX];
    size_t count = list_devices(numbers, DEVICES_MAX);
    size_t first = (size_t)getpid() * 7;
    for (size_t i = 0; i < count; i++) {
        *number = numbers[(first + i) % count];
        if (is_used(*number))
            continue;
        PATH_OF(node, "%s/loop%d", nodes, *number);
        int result = attach_to(*number, image, name, node);
        if (!others_were_first(result))
            return result;
        unlink(node);
    }
    return -EBUSY;
}

int loop_attach(int image, const char *name, const char *nodes, int *number)
{
    int result = try_free(image, name, nodes, number);
    for (int tries = 0; others_were_first(result) && tries < ADD_TRIES; tries++) {
        int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
        *number = control < 0 ? -1 : ioctl(control, LOOP_CTL_ADD, -1);
        int error = *number < 0 ? errno : 0;
        if (control >= 0)
            close(control);
        if (error)
            return -error;
        PATH_OF(node, "%s/loop%d", nodes, *number);
        result = attach_to(*number, image, name, node);
    }
    return result;
}
