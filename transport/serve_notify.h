/*
 * serve_notify.h - words for the service manager that started us, if it asked
 * for any: sd_notify(3)'s protocol, one datagram a word.
 */
#ifndef SW_TRANSPORT_SERVE_NOTIFY_H
#define SW_TRANSPORT_SERVE_NOTIFY_H

/*
 * `state`: "READY=1", "RELOADING=1", "STOPPING=1".  Goes to the socket that the
 * environment names in NOTIFY_SOCKET; without one, or when it cannot be
 * reached, nothing happens.  Never blocks.
 */
void serve_notify(const char *state);

#endif
