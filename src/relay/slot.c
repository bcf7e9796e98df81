/*
 * When a hash of what moved is a hash of the file: as long as each byte came where the last one ended. A client that reads again what it has read changes
 * nothing; one that writes again does.
 */
#include "relay/slot.h"

#include <errno.h>
#include <unistd.h>

#include "sys/fd.h"

void slot_init(struct relay_slot *slot, struct spool_store *store)
{
	spool_init(&slot->spool, store);
	slot->base = slot->lock = slot->held = -1;
	slot->spot = (struct spot){ .child_fd = -1 };
	slot->real[0] = '\0';
	slot_begin(slot);
}

void slot_begin(struct relay_slot *slot)
{
	clock_gettime(CLOCK_MONOTONIC, &slot->start);
	digest_init(&slot->digest);
	slot->hashed = 0;
	slot->lost = slot->passed = false;
}

void slot_rest_on(struct relay_slot *slot, struct span real)
{
	bool known = span_copy(slot->real, sizeof(slot->real), real);
	bool file = slot->spot.there && S_ISREG(slot->spot.mode);
	spool_rest_on(&slot->spool, known ? -EBADF : -ENAMETOOLONG, file ? slot->spot.size : 0);
}

void slot_drop(struct relay_slot *slot, struct places *places)
{
	if (slot->spot.child_fd >= 0)
		places_unpin(places, &slot->spot);
	slot->spot = (struct spot){ .child_fd = -1 };
	slot->real[0] = '\0';
	spool_drop(&slot->spool);
	fd_close(&slot->base);
	fd_close(&slot->lock);
	fd_close(&slot->held);
}

int slot_base(struct relay_slot *slot)
{
	if (slot->base >= 0)
		return slot->base;
	if (!slot->spot.there || slot->real[0] == '\0')
		return -ESTALE;
	places_tick(&slot->spot); /* what changes once it is read has another time */
	int fd = places_open_spot(&slot->spot, slot->real);
	slot->base = fd < 0 ? -1 : fd;
	slot->spool.base = fd;
	return fd;
}

void slot_need(struct relay_slot *slot, uint64_t until)
{
	uint64_t based = until < slot->spool.base_size ? until : slot->spool.base_size;
	if (slot->base < 0 && slot->spool.settled < based)
		(void)slot_base(slot); /* where that fails the spool says it */
}

int slot_write(struct relay_slot *slot, uint64_t at, struct span bytes)
{
	slot_need(slot, at);
	return spool_write(&slot->spool, at, bytes);
}

int slot_settle(struct relay_slot *slot, uint64_t n)
{
	slot_need(slot, n);
	return spool_settle(&slot->spool, n);
}

int slot_resize(struct relay_slot *slot, uint64_t n)
{
	slot->lost = slot->lost || n < slot->hashed;
	return spool_resize(&slot->spool, n);
}

void slot_saw(struct relay_slot *slot, uint64_t at, struct span bytes, bool written)
{
	if (written && at != slot->hashed)
		slot->lost = true;
	if (slot->lost || at > slot->hashed || bytes.n <= slot->hashed - at)
		return;
	(void)span_take(&bytes, (size_t)(slot->hashed - at));
	digest_update(&slot->digest, bytes);
	slot->hashed += bytes.n;
}

/* n bytes behind a descriptor, and then its end. */
static bool slot_sum_file(struct digest *digest, int fd, uint64_t n, uint8_t *buffer, size_t cap)
{
	uint64_t at = 0;
	for (;;) {
		ssize_t got = pread(fd, buffer, cap, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 && at == n;
		digest_update(digest, span_of(buffer, (size_t)got));
		at += (uint64_t)got;
		if (at > n)
			return false;
	}
}

/* What stands at the record's path now, if it is the file that the child had open. */
static bool slot_sum_stored(const struct relay_slot *slot, struct digest *digest, const struct record *record, uint8_t *buffer, size_t cap)
{
	char path[PATH_BYTES_MAX];
	if (record->outcome != OUTCOME_ALLOWED || !span_copy(path, sizeof(path), record->path))
		return false;
	FD_OWNED int fd = places_open_spot(&slot->spot, path);
	return fd >= 0 && slot_sum_file(digest, fd, record->size, buffer, cap);
}

static bool slot_sum_spool(struct relay_slot *slot, struct digest *digest, uint64_t n, uint8_t *buffer, size_t cap)
{
	struct span held = spool_memory(&slot->spool, 0);
	if (held.n > 0 || n == 0) {
		digest_update(digest, held);
		return true;
	}
	int reader = spool_reader(&slot->spool);
	return reader >= 0 && slot_sum_file(digest, reader, n, buffer, cap);
}

bool slot_sum(struct relay_slot *slot, const struct record *record, bool anew, uint8_t *buffer, size_t cap, uint8_t out[static DIGEST_BYTES])
{
	const struct spool *spool = &slot->spool;
	struct digest digest;
	bool whole = !anew && !slot->passed && spool->settled == record->size && spool->length == record->size;
	if (!anew && !slot->lost && slot->hashed == record->size) {
		digest_finish(&slot->digest, out);
		return true;
	}
	digest_init(&digest);
	if (record->direction != UPLOAD || !(whole ? slot_sum_spool(slot, &digest, record->size, buffer, cap) : slot_sum_stored(slot, &digest, record, buffer, cap)))
		return false;
	digest_finish(&digest, out);
	return true;
}
