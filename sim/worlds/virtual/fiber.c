#include "fiber.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

#define STACK_SIZE ((size_t)512 * 1024)
#define GUARD_SIZE ((size_t)4096)

struct fiber {
    ucontext_t context; /* where it begins */
    void *place[5];     /* where it goes on: __builtin_setjmp's */
    char *stack; /* the main fiber's: as the sanitizer tells it */
    size_t stack_size;
    void *fake_stack; /* the sanitizer's, while suspended */
    void (*main)(void *);
    void *argument;
    bool begun;
    bool over;
    struct fiber *next; /* in the pool */
};

static _Thread_local struct fiber outside = {.begun = true};
static _Thread_local struct fiber *running;
static _Thread_local struct fiber *dying; /* is switched to once more, so that the sanitizer sees it end */
static _Thread_local struct fiber *pool;

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

static void leave(struct fiber *from, const struct fiber *to, bool for_good)
{
    __sanitizer_start_switch_fiber(for_good ? NULL : &from->fake_stack, to->stack, to->stack_size);
}

static void arrive(struct fiber *self)
{
    const void *stack;
    size_t size;
    __sanitizer_finish_switch_fiber(self->fake_stack, &stack, &size);
    if (!outside.stack) {
        memcpy(&outside.stack, &stack, sizeof stack);
        outside.stack_size = size;
    }
}

static void forget_poison(struct fiber *fiber)
{
    __asan_unpoison_memory_region(fiber->stack, fiber->stack_size);
}
#else
static void leave(struct fiber *from, const struct fiber *to, bool for_good)
{
    (void)from, (void)to, (void)for_good;
}

static void arrive(struct fiber *self)
{
    (void)self;
}

static void forget_poison(struct fiber *fiber)
{
    (void)fiber;
}
#endif

/* Goes on in `to`, whatever becomes of the running one. Not of the sanitizers: they would clear the shadow of a whole
 * stack each time, and are told of switches by leave() and arrive(). */
__attribute__((noinline, no_sanitize("address", "undefined"))) static _Noreturn void jump(struct fiber *to)
{
    if (to->begun)
        __builtin_longjmp(to->place, 1);
    to->begun = true;
    setcontext(&to->context);
    abort();
}

/* The compiler's setjmp is a few instructions; swapcontext makes two system calls, for a signal mask that is always the
 * same. */
__attribute__((noinline)) static void swap(struct fiber *from, struct fiber *to)
{
    if (__builtin_setjmp(from->place) == 0)
        jump(to);
}

struct fiber *fiber_main(void)
{
    return &outside;
}

static _Noreturn void start(void)
{
    struct fiber *self = running;
    arrive(self);
    self->main(self->argument);
    abort();
}

/* A fiber with its stack is one mapping: guard page, stack, and the struct at the top. */
static struct fiber *map(void)
{
    size_t size = GUARD_SIZE + STACK_SIZE + sizeof(struct fiber);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, GUARD_SIZE, PROT_NONE) != 0) {
        perror("virtual world: no stack for a fiber");
        abort();
    }
    struct fiber *fiber = (struct fiber *)(void *)(memory + GUARD_SIZE + STACK_SIZE);
    fiber->stack = memory + GUARD_SIZE;
    fiber->stack_size = STACK_SIZE;
    return fiber;
}

struct fiber *fiber_new(void (*main)(void *), void *argument)
{
    struct fiber *fiber = pool;
    if (fiber)
        pool = fiber->next;
    else
        fiber = map();
    fiber->main = main;
    fiber->argument = argument;
    fiber->fake_stack = NULL;
    fiber->begun = false;
    fiber->over = false;
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = fiber->stack_size;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, start, 0);
    return fiber;
}

void fiber_switch(struct fiber *to)
{
    struct fiber *self = running ? running : &outside;
    running = to;
    leave(self, to, false);
    swap(self, to);
    arrive(self);
    if (dying == self)
        fiber_finish(&outside);
}

void fiber_finish(struct fiber *to)
{
    struct fiber *self = running;
    self->over = true;
    running = to;
    leave(self, to, true);
    jump(to);
}

void fiber_free(struct fiber *fiber)
{
    if (fiber->begun && !fiber->over) {
        dying = fiber;
        fiber_switch(fiber);
        dying = NULL;
    }
    forget_poison(fiber);
    fiber->next = pool;
    pool = fiber;
}
