/*
 * Links between rules: --to hands a rule's events to another's command, `ended` waits for the end
 * of another's runs. They are resolved once all rules have names, and must not go in a circle.
 */
#ifndef EVWATCH_RULE_LINKS_H
#define EVWATCH_RULE_LINKS_H

struct rules;

/* Fills in rule->target. Returns 0, or -1 with diagnostics. */
int rules_link(struct rules *rules);

#endif
