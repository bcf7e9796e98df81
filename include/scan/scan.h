/*
 * Content in, finding out: the inspector (libmagic, libclamav) or clamd. One question at a time. Whatever goes wrong on the way is a
 * finding, never silence and never "clean".
 */
#ifndef XFERWARDEN_SCAN_SCAN_H
#define XFERWARDEN_SCAN_SCAN_H

#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/finding.h"

enum { SCAN_ADDRESSES = 8 };

struct scan_address {
	const char *path;  /* unix socket; or NULL */
	const char *host;  /* TCP: numeric address; or NULL */
	uint16_t port;
	const char *text;  /* for messages */
};

struct scan_setup {
	const char *inspector;   /* absolute path of the program */
	bool clamd;              /* viruses by clamd; else by the inspector */
	const char *database;    /* for the inspector */
	struct scan_address address[SCAN_ADDRESSES];
	size_t address_count;
	unsigned timeout;        /* seconds for one question */
	uint64_t max_memory;     /* bytes that the inspector may use besides the database; 0: its own limit */
	const char *scratch;     /* folder in which the inspector's private folder is made; NULL: /tmp */
	bool unconfined_ok;      /* start the inspector also where the kernel has no Landlock */
};

/*
 * What "clean" rests on, for both engines: every alert about limits and encryption is on, the file has at most CLAMAV_SIZE_MAX bytes, and
 * container.h found nothing wrong with its build. A clamd is tested when a session first uses it: with an encrypted archive, with one
 * nested too deep, and with one whose member announces 2000 MiB. If it fails one its alerts are off or its MaxFileSize or MaxScanSize is too low,
 * it would pass over such content in silence, and each later "OK" of it is UNSCANNABLE_SCANNER_BLIND; its finds still count. What cannot be
 * known from here: whether the signatures are current; limits of single formats (MaxEmbeddedPE, MaxHTMLNormalize and the like) and codecs
 * that ClamAV does not have (bzip2 inside 7z, bare .lzma), which it passes over without a word; and a zip member that announces less than
 * 2000 MiB and unpacks to more: only its front is scanned.
 */
struct scan; /* see scan_create */

/* Starts nothing. The program has to ignore SIGPIPE. The setup is borrowed for the life of the scan. NULL when out of memory. */
struct scan *scan_create(const struct scan_setup *);

/*
 * Asks for the FACT_* bits in need about the first size bytes behind fd, a read-only descriptor that is borrowed until the finding is
 * collected. Starts the inspector on the first question that it has to answer. Never fails: a failure is collected as a finding. One
 * question may be under way.
 */
void scan_submit(struct scan *, int fd, uint64_t size, unsigned need);

/*
 * What to poll for while a question is under way: fd -1 if nothing. Milliseconds until scan_collect has to be called at the latest: 0 for
 * at once.
 */
struct pollfd scan_poll(const struct scan *);
int scan_wait(const struct scan *);

/* Moves the question on without blocking. True: *out is the answer to it. */
bool scan_collect(struct scan *, struct finding *out);

/* The inspector's process, or -1: for the relay's reaping and for tests. */
pid_t scan_pid(const struct scan *);

/* Ends and reaps the inspector, closes all; accepts NULL. */
void scan_destroy(struct scan *);

#endif
