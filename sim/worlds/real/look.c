/* look.c: what an image of a volume's disk is worth: does it mount, what does its filesystem's checker say, and what of
 * the ledger is in it? */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parts.h"

/* Does the checker find nothing? Run when its log was replayed: a frozen xfs has a dirty one by design. */
static bool is_clean(const char *type, const char *image)
{
    const char *const checkers[][5] = {
        {"ext4", "e2fsck", "-fn", image, NULL},   {"ext3", "e2fsck", "-fn", image, NULL},
        {"ext2", "e2fsck", "-fn", image, NULL},   {"xfs", "xfs_repair", "-n", image, NULL},
        {"btrfs", "btrfsck", "--readonly", image, NULL},
    };
    char output[512];
    for (size_t i = 0; i < sizeof checkers / sizeof *checkers; i++) {
        if (strcmp(checkers[i][0], type) == 0)
            return program_run(&checkers[i][1], output, sizeof output) == 0;
    }
    return false;
}

static int64_t number_in(const char *output, const char *key)
{
    const char *number = strstr(output, key);
    return number ? strtoll(number + strlen(key), NULL, 10) : -1;
}

/* Asks the ledger's judge about what lies at `mounted`. */
static void look_at_ledger(const struct sandbox *sandbox, const char *volume, const char *mounted, int64_t until_us,
                           struct look *look)
{
    char acks[PATH_MAX], output[512], marker[32];
    ledger_acks(sandbox, volume, acks);
    snprintf(marker, sizeof marker, "%lld", (long long)until_us);
    const char *const words[] = {sandbox->settings->ledger, "verify", mounted, acks, marker, NULL};
    int status = program_run(words, output, sizeof output);
    if (status > 1)
        return;
    look->missing = number_in(output, " missing=");
    look->damaged = number_in(output, " damaged=");
}

/* Attaches and mounts the image, which replays its log. A descriptor that keeps the device, or -1. */
static int mount_image(const struct sandbox *sandbox, const char *type, int image, const char *at)
{
    char name[MARK_SIZE];
    int number = 0;
    sandbox_mark(sandbox, name);
    PATH_OF(nodes, "%s/dev", sandbox->root);
    int loop = image_make_unique(image, type) != 0 ? -1 : loop_attach(image, name, nodes, &number);
    if (loop < 0)
        return -1;
    PATH_OF(device, "%s/loop%d", nodes, number);
    if (volume_mount(device, at, type, 0) == 0)
        return loop;
    close(loop);
    return -1;
}

bool look_at_image(const struct sandbox *sandbox, const struct scenario_volume *given, int image, const char *path,
                   int64_t until_us, struct look *look)
{
    PATH_OF(at, "%s/look", sandbox->settings->work);
    *look = (struct look){.missing = -1, .damaged = -1};
    if (mkdir(at, 0700) != 0 && errno != EEXIST)
        return false;
    int loop = mount_image(sandbox, given->type, image, at);
    if (loop < 0)
        return false;
    if (sandbox_has_ledger(sandbox->scenario, given->mount))
        look_at_ledger(sandbox, given->mount, at, until_us, look);
    bool unmounted = umount2(at, 0) == 0;
    close(loop);
    look->clean = unmounted && is_clean(given->type, path);
    return look->mounts = true;
}
