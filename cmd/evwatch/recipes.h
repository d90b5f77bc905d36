/* `evwatch help recipes`: whole lines for what people want done most. */
#ifndef EVWATCH_RECIPES_H
#define EVWATCH_RECIPES_H

void recipes_print(void);

#endif
