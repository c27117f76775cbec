#include "transport/detached.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

bool
detached_start(void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	bool fine;

	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	fine = pthread_create(&thread, &attr, run, arg) == 0;
	pthread_attr_destroy(&attr);
	return fine;
}

bool
detached_start_deaf(void *(*run)(void *), void *arg)
{
	sigset_t all, old;
	bool fine;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	fine = detached_start(run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return fine;
}
