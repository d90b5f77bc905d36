/* `evwatch help TOPIC`: what belongs to no kind and no tool. */
#ifndef EVWATCH_TOPICS_H
#define EVWATCH_TOPICS_H

struct topic {
	const char *name, *summary;
	void (*print)(void);
};

/* Ends with a topic without a name. */
extern const struct topic topics[];

/* The topic of that name, or NULL. */
const struct topic *topic_find(const char *name);

#endif
