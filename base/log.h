/*
 * log.h - one line per fact, to one descriptor, by one write(2).
 *
 * Levels: err needs a person, warn is degraded service, info once per life
 * event, debug per event.  Lines never hold destinations, names, keys or
 * payload.  Nothing is printed until log_open(); errno is preserved; no heap,
 * no stdio streams, so a line may come from any thread.
 *
 * Inside the shim the log stays closed unless SMOLWRAP_LOG is set.
 */
#ifndef SW_BASE_LOG_H
#define SW_BASE_LOG_H

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Write lines of `level` and above to `fd` (borrowed), each led by `tag`
 * (borrowed, for example the program's name). */
void log_open(int fd, enum log_level level, const char *tag);

/* Level from a word ("err", "warn", "info", "debug"); -1 for any other. */
int log_level_parse(const char *word);

/* One line of up to 510 bytes with its tag, cut beyond; the newline is added.
 * Usually by one of the macros below. */
void log_line(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define log_err(...) log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
