/* linux_program.c: what a program is linked with: its dynamic linker, and its shared libraries, which are brought into
 * memory before it is executed.
 *
 * They are found as the dynamic linker finds most of them: by the names in the program's dynamic section, in
 * /etc/ld.so.cache. What it would find otherwise (DT_RUNPATH, LD_LIBRARY_PATH), and what is no file for this machine, is
 * passed over: then it is read when it is needed, as without all this. Nothing here fails. */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux.h"

#define LIBRARIES_MAX 64
#define NAME_SIZE 64
#define PARTS_MAX 32                    /* of a program */
#define STEP ((size_t)128 * 1024)       /* as much as one readahead(2) does in any case */
#define LIMIT ((size_t)16 * 1024 * 1024) /* of a file */
#define CACHE_PATH "/etc/ld.so.cache"
#define CACHE_MAGIC "glibc-ld.so.cache1.1"

extern const ElfW(Ehdr) __ehdr_start; /* our own */

struct cache_head {
    char magic[sizeof CACHE_MAGIC - 1];
    uint32_t count;
    uint32_t strings_size;
    uint32_t unused[5];
};

struct cache_entry {
    int32_t flags;
    uint32_t name; /* from the beginning of the file, as is … */
    uint32_t path;
    uint32_t version;
    uint64_t capabilities;
};

struct search {
    char names[LIBRARIES_MAX][NAME_SIZE]; /* found in a dynamic section; looked at in this order */
    int count;
    const char *cache; /* NULL: there is none */
    size_t cache_size;
};

/* ---- Files ------------------------------------------------------------------------------------------------------ */

void qz_linux_file_bring_in(int fd)
{
    struct stat status;
    char last;
    if (fstat(fd, &status) != 0 || status.st_size <= 0)
        return;
    size_t size = (size_t)status.st_size < LIMIT ? (size_t)status.st_size : LIMIT;
    for (size_t at = 0; at < size; at += STEP)
        readahead(fd, (off_t)at, STEP);
    /* All is under way; what was asked for last comes last. */
    (void)!pread(fd, &last, 1, (off_t)size - 1);
}

/* What is read of a program. */
struct program {
    int fd;
    unsigned count; /* 0: it is no program for this machine */
    ElfW(Phdr) parts[PARTS_MAX];
};

static void read_program(struct program *program, int fd)
{
    ElfW(Ehdr) header;
    *program = (struct program){.fd = fd};
    if (qz_linux_read_at(fd, &header, sizeof header, 0) != sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_machine != __ehdr_start.e_machine || header.e_phentsize != sizeof *program->parts)
        return;
    unsigned count = header.e_phnum < PARTS_MAX ? header.e_phnum : PARTS_MAX;
    size_t size = count * sizeof *program->parts;
    if (qz_linux_read_at(fd, program->parts, size, (off_t)header.e_phoff) == size)
        program->count = count;
}

static const ElfW(Phdr) *part_of_type(const struct program *program, ElfW(Word) type)
{
    for (unsigned i = 0; i < program->count; i++)
        if (program->parts[i].p_type == type)
            return &program->parts[i];
    return NULL;
}

void qz_linux_program_linker(int fd, char *path)
{
    struct program program;
    read_program(&program, fd);
    const ElfW(Phdr) *part = part_of_type(&program, PT_INTERP);
    bool sound = part && part->p_filesz < PATH_MAX;
    path[sound ? qz_linux_read_at(fd, path, part->p_filesz, (off_t)part->p_offset) : 0] = '\0';
}

/* Where in the file that lies which will be at this address; -1: nowhere. */
static off_t offset_of(const struct program *program, ElfW(Addr) address)
{
    for (unsigned i = 0; i < program->count; i++) {
        const ElfW(Phdr) *part = &program->parts[i];
        if (part->p_type == PT_LOAD && address >= part->p_vaddr && address - part->p_vaddr < part->p_filesz)
            return (off_t)(address - part->p_vaddr + part->p_offset);
    }
    return -1;
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

static void add_name(struct search *search, const char *name)
{
    if (search->count == LIBRARIES_MAX || name[0] == '\0' || strchr(name, '/'))
        return;
    for (int i = 0; i < search->count; i++)
        if (strcmp(search->names[i], name) == 0)
            return;
    strcpy(search->names[search->count++], name);
}

/* Adds the names in the program's dynamic section. */
static void add_needed(struct search *search, const struct program *program)
{
    ElfW(Dyn) entries[128];
    const ElfW(Phdr) *section = part_of_type(program, PT_DYNAMIC);
    size_t size = section && section->p_filesz < sizeof entries ? section->p_filesz : sizeof entries;
    size_t got = section ? qz_linux_read_at(program->fd, entries, size, (off_t)section->p_offset) : 0;
    size_t entry_count = got / sizeof *entries;
    off_t strings = -1;
    for (size_t i = 0; i < entry_count; i++)
        if (entries[i].d_tag == DT_STRTAB)
            strings = offset_of(program, entries[i].d_un.d_ptr);
    for (size_t i = 0; i < entry_count && strings >= 0; i++) {
        char name[NAME_SIZE] = "";
        off_t at = strings + (off_t)entries[i].d_un.d_val;
        if (entries[i].d_tag == DT_NEEDED && qz_linux_read_at(program->fd, name, sizeof name, at) > 0 &&
            memchr(name, '\0', sizeof name))
            add_name(search, name);
    }
}

/* ---- The cache -------------------------------------------------------------------------------------------------- */

static void open_cache(struct search *search)
{
    struct stat status;
    int fd = open(CACHE_PATH, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    /* ldconfig(8) replaces it as a whole: what is mapped stays. */
    void *memory = MAP_FAILED;
    if (fstat(fd, &status) == 0 && (size_t)status.st_size >= sizeof(struct cache_head))
        memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (memory == MAP_FAILED)
        return;
    if (memcmp(memory, CACHE_MAGIC, sizeof CACHE_MAGIC - 1) != 0) {
        munmap(memory, (size_t)status.st_size);
        return;
    }
    search->cache = memory;
    search->cache_size = (size_t)status.st_size;
}

/* A string of the cache; "": there is none. */
static const char *cache_string(const struct search *search, uint32_t at)
{
    if (at >= search->cache_size || !memchr(search->cache + at, '\0', search->cache_size - at))
        return "";
    return search->cache + at;
}

static void bring_in_library(struct search *search, const char *path)
{
    struct program library;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return;
    read_program(&library, fd);
    if (library.count > 0)
        qz_linux_file_bring_in(fd);
    add_needed(search, &library);
    close(fd);
}

/* Brings in every file that the cache has for the name: for several kinds of processor there may be several. */
static void look_up(struct search *search, const char *name)
{
    struct cache_head head;
    if (!search->cache)
        return;
    memcpy(&head, search->cache, sizeof head);
    size_t room = (search->cache_size - sizeof head) / sizeof(struct cache_entry);
    for (uint32_t i = 0; i < head.count && i < room; i++) {
        struct cache_entry entry;
        memcpy(&entry, search->cache + sizeof head + i * sizeof entry, sizeof entry);
        if (strcmp(cache_string(search, entry.name), name) == 0)
            bring_in_library(search, cache_string(search, entry.path));
    }
}

void qz_linux_libraries_bring_in(int fd)
{
    struct search search = {.count = 0};
    struct program program;
    read_program(&program, fd);
    add_needed(&search, &program);
    if (search.count > 0)
        open_cache(&search);
    for (int i = 0; i < search.count; i++)
        look_up(&search, search.names[i]);
    if (search.cache)
        munmap((void *)(uintptr_t)search.cache, search.cache_size);
}
