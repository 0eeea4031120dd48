/* fiber.h: coroutines on stacks of their own, which sanitizers know about. A thread has one set of them. */
#ifndef QUIESCE_SIM_FIBER_H
#define QUIESCE_SIM_FIBER_H

struct fiber;

/* A fiber that will run `main(argument)` when it is first switched to. `main` must not return: it ends with
 * fiber_finish. Never NULL. */
struct fiber *fiber_new(void (*main)(void *), void *argument);

/* The fiber that stands for whoever is not one. */
struct fiber *fiber_main(void);

/* Suspends the running fiber and goes on in `to`; returns when somebody switches back. */
void fiber_switch(struct fiber *to);

/* The running fiber is over; goes on in `to`. */
_Noreturn void fiber_finish(struct fiber *to);

/* Gives a fiber's stack back, whether it has run, is suspended or is over; not while it runs. */
void fiber_free(struct fiber *fiber);

#endif
