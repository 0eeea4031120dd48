/* writers.c: how long a writer stands still while somebody freezes, and whether he freezes at all.
 *
 * A writer on each filesystem writes 4 KiB, again and again, and notes how long the longest write took. All together write
 * at one pace, however many they are, so that the machine is as busy with 32 filesystems as with one, and a stall is met
 * within a tenth of a millisecond by one of them. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stopwatch.h"

#define BLOCK 4096
#define RING_BLOCKS 256 /* a writer that does not append goes round in a file of 1 MiB */
#define MIB 1048576
#define STALLS 256
#define STALL_US 500
#define LEAD_US 50000 /* they write for so long before the command is started */

struct options {
    int pace_us; /* between two writes on one filesystem */
    int dirty_mib;
    int limit_s;
    bool fsync;
    bool append;
    const char *cut;
};

struct stall {
    int64_t begin_us;
    int64_t end_us;
};

struct writer {
    const struct options *options;
    const atomic_bool *stop;
    pthread_t thread;
    int directory;
    int file;
    int64_t longest_us;
    struct stall stalls[STALLS]; /* the last ones that took longer than STALL_US */
    size_t stalled;
};

static void write_block(struct writer *writer, const char *block, int64_t number)
{
    off_t offset = (writer->options->append ? number : number % RING_BLOCKS) * BLOCK;
    struct stall stall = {.begin_us = now_us()};
    if (pwrite(writer->file, block, BLOCK, offset) != BLOCK || (writer->options->fsync && fsync(writer->file) < 0))
        fail("a writer");
    stall.end_us = now_us();
    int64_t took_us = stall.end_us - stall.begin_us;
    if (took_us > writer->longest_us)
        writer->longest_us = took_us;
    if (took_us > STALL_US)
        writer->stalls[writer->stalled++ % STALLS] = stall;
}

static void *writer_thread(void *argument)
{
    struct writer *writer = argument;
    char block[BLOCK];
    memset(block, 'w', sizeof block);
    prctl(PR_SET_TIMERSLACK, 1);
    for (int64_t number = 0; !atomic_load(writer->stop); number++) {
        write_block(writer, block, number);
        usleep((useconds_t)writer->options->pace_us);
    }
    return NULL;
}

static int open_file(int directory, const char *name)
{
    int file = openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        fail(name);
    return file;
}

/* Rewrites a file of the wanted size: what is then dirty is data, and no blocks have to be found for it. */
static void make_dirty(int directory, int mib)
{
    static char block[MIB];
    memset(block, (int)now_us(), sizeof block);
    int file = open_file(directory, "dirty");
    for (int i = 0; i < mib; i++) {
        if (pwrite(file, block, sizeof block, (off_t)i * MIB) != MIB)
            fail("dirty");
    }
    close(file);
}

/* Its file, which appending begins anew. */
static void open_writer(struct writer *writer)
{
    writer->file = open_file(writer->directory, "written");
    if (writer->options->append && (ftruncate(writer->file, 0) < 0 || fsync(writer->file) < 0))
        fail("written");
}

static void start_writer(struct writer *writer)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    errno = pthread_create(&writer->thread, &attributes, writer_thread, writer);
    if (errno)
        fail("thread");
    pthread_attr_destroy(&attributes);
}

/* When the snapshot command ran, as it has noted. */
static struct stall read_cut(const char *path)
{
    FILE *file = fopen(path, "re");
    long long begin_us = 0;
    long long end_us = 0;
    if (!file || fscanf(file, "%lld %lld", &begin_us, &end_us) != 2) {
        fprintf(stderr, "stopwatch: the snapshot command was not run\n");
        exit(1);
    }
    fclose(file);
    return (struct stall){begin_us, end_us};
}

/* The stall in which a writer was at that moment, or NULL. */
static const struct stall *stalled_at(const struct writer *writer, int64_t moment_us)
{
    for (size_t i = 0; i < STALLS && i < writer->stalled; i++) {
        if (writer->stalls[i].begin_us <= moment_us && writer->stalls[i].end_us >= moment_us)
            return &writer->stalls[i];
    }
    return NULL;
}

/* After a snapshot command that takes long enough to be sure: did nobody write until its end? */
static void check_frozen(const struct writer *writers, int count, char **paths, struct stall cut)
{
    for (int i = 0; i < count; i++) {
        const struct stall *stall = stalled_at(&writers[i], cut.end_us);
        if (!stall || stall->begin_us > cut.begin_us + (cut.end_us - cut.begin_us) / 2) {
            fprintf(stderr, "stopwatch: %s was not frozen while the snapshot was taken\n", paths[i]);
            exit(1);
        }
    }
}

/* From the end of the snapshot until all go on; negative: nobody was just writing. */
static int64_t resumed_us(const struct writer *writers, int count, int64_t cut_us)
{
    int64_t resumed_us = -1;
    for (int i = 0; i < count; i++) {
        const struct stall *stall = stalled_at(&writers[i], cut_us);
        if (stall && stall->end_us - cut_us > resumed_us)
            resumed_us = stall->end_us - cut_us;
    }
    return resumed_us;
}

static void report(const struct writer *writers, int count, int64_t took_us, int64_t cut_us)
{
    int64_t longest_us = 0;
    for (int i = 0; i < count; i++) {
        if (writers[i].longest_us > longest_us)
            longest_us = writers[i].longest_us;
    }
    printf("stall %lld\ntook %lld\n", (long long)longest_us, (long long)took_us);
    int64_t until_us = resumed_us(writers, count, cut_us);
    if (until_us >= 0)
        printf("resumed %lld\n", (long long)until_us);
}

static int measure(struct options *options, char **paths, int count, char **command)
{
    atomic_bool stop = false;
    int directories[count];
    struct writer *writers = calloc((size_t)count, sizeof *writers);
    if (!writers)
        fail("memory");
    for (int i = 0; i < count; i++) {
        directories[i] = open_directory(paths[i]);
        writers[i] = (struct writer){.options = options, .stop = &stop, .directory = directories[i]};
        open_writer(&writers[i]);
    }
    for (int i = 0; i < count; i++)
        make_dirty(directories[i], options->dirty_mib);
    unlink(options->cut);
    setenv("CUT", options->cut, 1);
    pid_t rescue = start_rescue(directories, count, options->limit_s);
    for (int i = 0; i < count; i++)
        start_writer(&writers[i]);
    usleep(LEAD_US);
    int64_t start_us = now_us();
    int status = run(command, "/dev/null");
    int64_t took_us = now_us() - start_us;
    atomic_store(&stop, true);
    for (int i = 0; i < count; i++)
        pthread_join(writers[i].thread, NULL);
    dismiss(rescue);
    if (status != 0) {
        fprintf(stderr, "stopwatch: %s ended with wait status %d\n", command[0], status);
        return 1;
    }
    struct stall cut = read_cut(options->cut);
    if (getenv("CUT_MS"))
        check_frozen(writers, count, paths, cut);
    report(writers, count, took_us, cut.end_us);
    free(writers);
    return 0;
}

int writers_main(int argc, char **argv)
{
    static const struct option words[] = {
        {"pace", required_argument, NULL, 'p'},  {"dirty", required_argument, NULL, 'd'},
        {"limit", required_argument, NULL, 'l'}, {"cut", required_argument, NULL, 'c'},
        {"fsync", no_argument, NULL, 'f'},       {"append", no_argument, NULL, 'a'},
        {0},
    };
    struct options options = {.limit_s = 30, .cut = "cut"};
    for (int option; (option = getopt_long(argc, argv, "+", words, NULL)) != -1;) {
        switch (option) {
        case 'p': options.pace_us = atoi(optarg); break;
        case 'd': options.dirty_mib = atoi(optarg); break;
        case 'l': options.limit_s = atoi(optarg); break;
        case 'c': options.cut = optarg; break;
        case 'f': options.fsync = true; break;
        case 'a': options.append = true; break;
        default: return 64;
        }
    }
    int count = 0;
    while (optind + count < argc && strcmp(argv[optind + count], "::") != 0)
        count++;
    if (count == 0 || optind + count + 1 >= argc)
        return 64;
    return measure(&options, argv + optind, count, argv + optind + count + 1);
}

/* The snapshot command: it takes no time, or as long as CUT_MS says, and notes when it ran. */
int cut_main(void)
{
    const char *path = getenv("CUT");
    const char *duration_ms = getenv("CUT_MS");
    if (!path)
        return 64;
    int64_t begin_us = now_us();
    if (duration_ms)
        usleep((useconds_t)atoi(duration_ms) * 1000);
    int64_t end_us = now_us();
    write_line(path, "%lld %lld\n", (long long)begin_us, (long long)end_us);
    return 0;
}
